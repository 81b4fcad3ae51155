import Glibc
import Support
import Testing
import Values

/// Lists and watches from committed state.
@Suite(.serialized) struct ReadingTests {
    private static let maps = "/api/v1/namespaces/default/configmaps"

    private static func get(_ world: World, _ target: String) -> Node? {
        RawClient.ask(world.socket, "GET", target).flatMap { JSONReader.read($0.text) }
    }

    @discardableResult
    private static func put(_ world: World, _ name: String, _ body: String) -> Int {
        RawClient.ask(
            world.socket, "PATCH", "\(maps)/\(name)?fieldManager=me", body, type: "application/apply-patch+yaml")?
            .status ?? 0
    }

    private static func names(_ list: Node?) -> [String] {
        (list?["items"]?.list ?? []).compactMap { $0[path: "metadata", "name"]?.string }
    }

    /// Pages are of one version, whatever changes between them.
    @Test func aListInPagesIsOfOneVersion() {
        inWorld { world in
            world.startDaemon()
            for index in 10..<35 { #expect(Self.put(world, "m\(index)", "{data: {a: \"1\"}}") == 201) }
            let first = Self.get(world, "\(Self.maps)?limit=10")
            #expect(first?[path: "metadata", "remainingItemCount"]?.int == 15)
            let version = first?[path: "metadata", "resourceVersion"]?.string
            var token = first?[path: "metadata", "continue"]?.string
            var found = Self.names(first)
            RawClient.ask(world.socket, "DELETE", "\(Self.maps)/m30")
            Self.put(world, "m20", "{data: {a: \"2\"}}")
            Self.put(world, "m200", "{data: {a: \"2\"}}")
            while let more = token {
                let page = Self.get(world, "\(Self.maps)?limit=10&continue=\(more)")
                #expect(page?[path: "metadata", "resourceVersion"]?.string == version)
                for item in page?["items"]?.list ?? [] { #expect(item[path: "data", "a"]?.string == "1") }
                found += Self.names(page)
                token = page?[path: "metadata", "continue"]?.string
                if found.count > 100 { break }
            }
            #expect(found == (10..<35).map { "m\($0)" })
            let now = Self.get(world, Self.maps)
            #expect(Self.names(now).contains("m200") && !Self.names(now).contains("m30"))
            #expect(RawClient.ask(world.socket, "GET", "\(Self.maps)?continue=nonsense")?.status == 400)
            let selected = Self.get(world, "\(Self.maps)?limit=1&labelSelector=!x")
            #expect(selected?[path: "metadata", "remainingItemCount"] == nil)
            #expect(selected?[path: "metadata", "continue"] != nil)
        }
    }

    /// What is read follows what is committed, also where no version changes with it.
    @Test func whatIsReadIsWhatIsCommitted() {
        inWorld { world in
            world.apply(World.agent("one", "exec sleep 1000"), "--wait")
            World.until("its events are published, and a list says so") {
                let list = Self.get(world, "/apis/agentos.dev/v1/agents")
                return list?["items"]?.list?.first?[path: "status", "consistency", "phase"]?.string == "Published"
            }
            let one = Self.get(world, "/apis/agentos.dev/v1/namespaces/default/agents/one")
            #expect(one == Self.get(world, "/apis/agentos.dev/v1/agents")?["items"]?.list?.first)
            #expect(Self.put(world, "m", "{data: {a: b}}") == 201)
            #expect(Self.get(world, "\(Self.maps)/m")?[path: "data", "a"]?.string == "b")
            #expect(Self.put(world, "m", "{data: {a: c}}") == 200)
            #expect(Self.get(world, "\(Self.maps)/m")?[path: "data", "a"]?.string == "c")
            RawClient.ask(world.socket, "DELETE", "\(Self.maps)/m")
            #expect(RawClient.ask(world.socket, "GET", "\(Self.maps)/m")?.status == 404)
        }
    }

    @Test func aWatchTellsWhatEntersAndLeavesItsSelector() {
        inWorld { world in
            world.startDaemon()
            Self.put(world, "a", "{metadata: {labels: {team: x}}}")
            Self.put(world, "b", "{metadata: {labels: {team: y}}}")
            let client = RawClient(world.socket)
            client.send(RawClient.request("GET", "\(Self.maps)?watch=true&labelSelector=team%3Dx"))
            #expect(client.answer(body: false)?.status == 200)
            Self.put(world, "b", "{metadata: {labels: {team: x}}}")
            Self.put(world, "b", "{metadata: {labels: {team: x}}, data: {k: v}}")
            Self.put(world, "a", "{metadata: {labels: {team: z}}}")
            Self.put(world, "a", "{metadata: {labels: {team: z}}, data: {k: v}}")
            RawClient.ask(world.socket, "DELETE", "\(Self.maps)/b")
            func events(_ text: String) -> [String] {
                text.split(whereSeparator: \.isNewline).filter { $0.hasPrefix("{\"type\"") }.compactMap {
                    JSONReader.read(String($0))
                }.map { "\($0["type"]?.string ?? "") \($0[path: "object", "metadata", "name"]?.string ?? "")" }
            }
            let text = client.read { events($0).contains("DELETED b") }
            #expect(events(text) == ["ADDED a", "ADDED b", "MODIFIED b", "DELETED a", "DELETED b"], "\(text)")
        }
    }

    /// kubectl 1.36 waits for the bookmark that ends the initial events.
    @Test func initialEventsEndWithABookmark() {
        inWorld { world in
            world.startDaemon()
            Self.put(world, "a", "{}")
            let client = RawClient(world.socket)
            client.send(
                RawClient.request(
                    "GET",
                    "\(Self.maps)?watch=true&sendInitialEvents=true&allowWatchBookmarks=true"
                        + "&resourceVersionMatch=NotOlderThan"))
            let text = client.read { $0.contains("BOOKMARK") && $0.contains("initial-events-end") }
            let added = text.firstRange(of: "ADDED")
            let bookmark = text.firstRange(of: "BOOKMARK")
            #expect(added != nil && bookmark != nil && added!.lowerBound < bookmark!.lowerBound, "\(text)")
            #expect(text.contains("\"k8s.io/initial-events-end\":\"true\""))
        }
    }
}
