import Glibc
import Support
import Testing
import Values

/// Named sinks of a daemon: configured, fed, reloaded, and looked after by the command line.
@Suite struct SinkTests {
    private static func namespace(_ name: String, _ note: Int = 0) -> String {
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: \(name), annotations: {n: '\(note)'}}\n"
    }

    private static func lines(_ path: String) -> [Node] {
        World.read(path).split(separator: "\n").compactMap { JSONReader.read(String($0)) }
    }

    /// The numbers of the events of a namespace that stand in a file, each where it came first.
    private static func sequences(_ path: String, _ name: String) -> [Int] {
        var seen: Set<Int> = []
        return lines(path).compactMap { $0["data"] ?? $0 }.filter { $0[path: "object", "name"]?.string == name }
            .compactMap { $0["sequence"]?.int }.filter { seen.insert($0).inserted }
    }

    private func sink(_ world: World, _ name: String) -> Node? {
        let result = world.run("outbox", "sinks", "-o", "json")
        return JSONReader.read(result.output)?["items"]?.list?.first { $0["name"]?.string == name }
    }

    @Test func aReloadChangesWhoIsFed() {
        inWorld { world in
            func configure(_ names: [String]) {
                let sinks = names.map { "- {name: \($0), file: {path: \(world.directory)/\($0)}}\n" }.joined()
                world.write("daemon.yaml", names.isEmpty ? "" : "sinks:\n\(sinks)")
            }
            func has(_ name: String, _ event: String) -> Bool {
                !Self.sequences("\(world.directory)/\(name)", event).isEmpty
            }
            configure(["first", "both"])
            let config = "\(world.directory)/daemon.yaml"
            #expect(world.run("daemon", "start", "--config", config).code == 0, "\(world.log)")
            world.apply(Self.namespace("one"))
            World.until("both have it") { has("first", "one") && has("both", "one") }
            configure(["both", "second"])
            let reload = world.run("daemon", "reload")
            #expect(reload.code == 0 && reload.output.contains("sinks"), "\(reload.text)")
            world.apply(Self.namespace("two"))
            World.until("those that are named now have it") { has("second", "two") && has("both", "two") }
            #expect(!has("first", "two") && !has("second", "one"), "a new one begins with what comes")
            let both = Self.lines("\(world.directory)/both").filter { $0[path: "data", "object", "name"] == "one" }
            #expect(both.count == 1, "one that stays is told nothing twice")
            #expect(world.run("outbox", "sinks").output.contains("NotConfigured"))
            // One that is named again goes on where it was; one that is in use is not forgotten.
            configure(["first", "second"])
            #expect(world.run("daemon", "reload").code == 0)
            World.until("it has what came meanwhile") { has("first", "two") }
            let inUse = world.run("outbox", "forget", "--sink", "first")
            #expect(inUse.code != 0 && inUse.error.contains("first"), "\(inUse.text)")
            #expect(world.run("outbox", "forget", "--sink", "both").code == 0)
            #expect(sink(world, "both") == nil && sink(world, "first")?["configured"] == true)
            let unknown = world.run("outbox", "replay", "--sink", "both")
            #expect(unknown.code != 0 && unknown.error.contains("both"), "\(unknown.text)")
        }
    }

    /// A receiver of webhooks beside the daemon.
    private struct Receiver {
        let directory: String
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
        var port: String { World.read("\(directory)/port") }
        var received: String { "\(directory)/received" }

        init(_ world: World) {
            directory = "\(world.directory)/hook"
            mkdir(directory, 0o700)
            world.write("hook/secret", secret + "\n")
            chmod("\(directory)/secret", 0o600)
            _ = World.start(
                ["/usr/bin/python3", "\(World.root)/Tests/MessagingTests/webhook.py", "0", directory, secret],
                world.environment, nil, "\(directory)/out", "\(directory)/err")
            World.until("the receiver listens") { World.exists("\(directory)/port") }
        }

        /// Answers to what is told of a namespace.
        func fail(_ status: Int, at name: String, _ world: World) {
            let about = Node.text("\"name\":\"\(name)\"")
            world.write(
                "hook/answers", JSONWriter.text(.list([.map([("status", .number(status)), ("about", about)])])))
        }

        func answerAll(_ world: World) { world.write("hook/answers", "[]") }
    }

    private func inHook(_ body: (World, Receiver) -> Void) {
        inWorld { world in
            let receiver = Receiver(world)
            let config = world.write(
                "daemon.yaml",
                """
                sinks:
                - name: hook
                  types: [namespace.*]
                  webhook: {url: "http://127.0.0.1:\(receiver.port)/", secretFile: \(receiver.directory)/secret}

                """)
            #expect(world.run("daemon", "start", "--config", config).code == 0, "\(world.log)")
            body(world, receiver)
        }
    }

    /// A server that fails at the events of one object has those of all others, and those of that one later, in order.
    @Test func aServerThatFailsAtOneObjectGetsAllOthers() {
        inHook { world, receiver in
            receiver.fail(500, at: "bad", world)
            for note in 1...3 {
                world.apply(Self.namespace("bad", note))
                world.apply(Self.namespace("good", note))
            }
            World.until("the other object's events have come") {
                Self.sequences(receiver.received, "good") == [1, 2, 3]
            }
            World.until("the object waits") { sink(world, "hook")?["parked"]?.int == 1 }
            let list = world.run("outbox", "list", "--sink", "hook")
            #expect(list.output.contains("namespace.created") && list.output.contains("500"), "\(list.text)")
            #expect(Self.sequences(receiver.received, "bad") == [])
            receiver.answerAll(world)
            World.until("it has all, in order") { Self.sequences(receiver.received, "bad") == [1, 2, 3] }
            World.until("nothing waits") { sink(world, "hook")?["state"] == "UpToDate" }
        }
    }

    @Test func deadLettersAreShownReplayedSkippedAndDropped() {
        inHook { world, receiver in
            func position(_ name: String) -> String? {
                let result = world.run("outbox", "list", "--sink", "hook", "-o", "json")
                let items = JSONReader.read(result.output)?["items"]?.list ?? []
                return items.first {
                    $0[path: "event", "object", "name"]?.string == name && $0["state"] == "DeadLettered"
                }?["position"]?.int.map(String.init)
            }
            for (word, wanted) in [("replay", [1, 2, 3]), ("skip", [2, 3]), ("drop", [3])] {
                receiver.fail(422, at: word, world)
                world.apply(Self.namespace(word, 1))
                World.until("it is a dead letter") { position(word) != nil }
                world.apply(Self.namespace(word, 2))
                World.until("what follows is in the journal") {
                    world.events().contains { $0["object"]?["name"]?.string == word && $0["sequence"] == 2 }
                }
                World.until("what follows waits behind it") {
                    (sink(world, "hook")?["lagEvents"]?.int).map { $0 == 0 } ?? false
                }
                #expect(sink(world, "hook")?["deadLetters"] == 1 && sink(world, "hook")?["lagMilliseconds"] != 0)
                let place = position(word) ?? ""
                let shown = world.run("outbox", "show", place, "--sink", "hook")
                #expect(shown.output.contains("422") && shown.output.contains("name: \(word)"), "\(shown.text)")
                receiver.answerAll(world)
                let resolved = world.run("outbox", word, place, "--sink", "hook")
                #expect(resolved.code == 0, "\(resolved.text)")
                World.until("it waits no more") { sink(world, "hook")?["parked"] == 0 }
                world.apply(Self.namespace(word, 3))
                World.until("\(wanted) have come, by \(word)") {
                    Self.sequences(receiver.received, word) == wanted
                }
                let again = world.run("outbox", word, place, "--sink", "hook")
                #expect(again.code != 0 && again.error.contains(place), "\(again.text)")
            }
            let journal = world.run("outbox", "drop", "1")
            #expect(journal.code != 0, "the journal takes everything in its time: \(journal.text)")
        }
    }
}
