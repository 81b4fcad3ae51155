import Support
import Testing
import Values

/// What clients find out before they ask for objects, and the forms in which they can have them.
@Suite(.serialized) struct DiscoveryTests {
    private static let agents = "/apis/agentos.dev/v1/namespaces/default/agents"

    private static func get(_ world: World, _ target: String, accept: String, _ more: String = "") -> RawClient.Answer?
    {
        let client = RawClient(world.socket)
        client.send("GET \(target) HTTP/1.1\r\nHost: localhost\r\nAccept: \(accept)\r\n\(more)\r\n")
        return client.answer()
    }

    private static func node(_ answer: RawClient.Answer?) -> Node? { answer.flatMap { JSONReader.read($0.text) } }

    @Test func everyGroupAndVersionIsFoundByWhatNamesIt() {
        inWorld { world in
            world.startDaemon()
            func ask(_ path: String) -> Node? { Self.node(RawClient.ask(world.socket, "GET", path)) }
            #expect(ask("/api")?["versions"]?.list == ["v1"])
            let groups = ask("/apis")?["groups"]?.list ?? []
            #expect(groups.contains { $0["name"]?.string == "agentos.dev" })
            for group in groups {
                let name = group["name"]?.string ?? ""
                #expect(ask("/apis/\(name)/")?["kind"]?.string == "APIGroup", "\(name)")
                for version in group["versions"]?.list ?? [] {
                    let place = version["groupVersion"]?.string ?? ""
                    let list = ask("/apis/\(place)")
                    #expect(list?["groupVersion"]?.string == place && list?["resources"]?.list?.isEmpty == false)
                }
            }
            let resources = ask("/apis/agentos.dev/v1")?["resources"]?.list ?? []
            let agents = resources.first { $0["name"]?.string == "agents" }
            #expect(agents?["categories"]?.list == ["all"] && agents?["singularName"]?.string == "agent")
            #expect(agents?["storageVersionHash"]?.string?.isEmpty == false)
            #expect(resources.contains { $0["name"]?.string == "agents/log" })
            #expect(!resources.contains { $0["name"]?.string == "outbox" })
        }
    }

    @Test(arguments: ["v2", "v2beta1"]) func allIsFoundAtOnceByThoseWhoCanReadIt(version: String) {
        inWorld { world in
            world.startDaemon()
            let type = "application/json;g=apidiscovery.k8s.io;v=\(version);as=APIGroupDiscoveryList"
            let answer = Self.get(world, "/apis", accept: "\(type),application/json")
            #expect(answer?.head.contains("Content-Type: \(type)") == true, "\(answer?.head ?? "")")
            let list = Self.node(answer)
            #expect(list?["kind"]?.string == "APIGroupDiscoveryList")
            #expect(list?["apiVersion"]?.string == "apidiscovery.k8s.io/\(version)")
            let core = Self.node(Self.get(world, "/api", accept: type))?["items"]?.list?.first
            let resources = core?["versions"]?.list?.first?["resources"]?.list ?? []
            #expect(resources.contains { $0["resource"]?.string == "pods" && $0["scope"]?.string == "Namespaced" })
            // Who cannot read it gets the names.
            #expect(Self.node(Self.get(world, "/apis", accept: "application/json"))?["kind"]?.string == "APIGroupList")
            let tag = answer?.head.split(separator: "\r\n").first { $0.hasPrefix("ETag: ") }?.dropFirst(6) ?? ""
            #expect(Self.get(world, "/apis", accept: type, "If-None-Match: \(tag)\r\n")?.status == 304)
        }
    }

    @Test func metadataAloneAndRowsAreFormsOfEveryObject() {
        inWorld { world in
            world.apply(World.agent("one", "exec sleep 1000"), "--wait")
            let partial = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
            let one = Self.node(Self.get(world, "\(Self.agents)/one", accept: partial))
            #expect(one?["kind"]?.string == "PartialObjectMetadata" && one?["spec"] == nil)
            #expect(one?[path: "metadata", "name"]?.string == "one")
            let lists = partial.replacing("Metadata;", with: "MetadataList;")
            let all = Self.node(Self.get(world, Self.agents, accept: "\(lists),application/json"))
            #expect(all?["kind"]?.string == "PartialObjectMetadataList" && all?["items"]?.list?.count == 1)
            #expect(all?["items"]?.list?.first?["status"] == nil)
            let table = "application/json;as=Table;g=meta.k8s.io;v=v1"
            for (included, kind) in [("None", nil), ("Metadata", "PartialObjectMetadata"), ("Object", "Agent")] {
                let rows = Self.node(Self.get(world, "\(Self.agents)?includeObject=\(included)", accept: table))
                let row = rows?["rows"]?.list?.first
                #expect(row?[path: "object", "kind"]?.string == kind)
                #expect(row?["cells"]?.list?.count == rows?["columnDefinitions"]?.list?.count)
                for column in rows?["columnDefinitions"]?.list ?? [] {
                    #expect(column["description"]?.string?.isEmpty == false, "\(column)")
                }
                let age = row?["cells"]?.list?[5].string?.suffix(1) ?? ""
                #expect(row?["cells"]?.list?[4] == 0 && ["s", "m"].contains(age))
            }
        }
    }

    @Test(arguments: [
        ("resourceVersionMatch=Exact", 400), ("resourceVersion=1&resourceVersionMatch=NotOlderThan", 200),
        ("resourceVersion=0&resourceVersionMatch=Exact", 400), ("resourceVersion=1&resourceVersionMatch=Exact", 410),
        ("resourceVersion=x", 400), ("resourceVersion=999999", 410), ("resourceVersion=0", 200),
        ("timeoutSeconds=5", 200),
        ("sendInitialEvents=true", 400), ("watch=true&sendInitialEvents=true", 400),
        ("watch=true&resourceVersion=0&resourceVersionMatch=NotOlderThan", 400), ("fieldSelector=spec.nothing=x", 400),
        ("fieldSelector=status.phase=Ready", 200), ("fieldSelector=spec.driver%3Dprocess,metadata.name%3Dx,", 200),
        ("watch=x", 400), ("unknown=1", 400),
    ])
    func optionsOfAListAreUnderstoodOrRefusedByName(query: String, status: Int) {
        inWorld { world in
            world.apply("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: m}\n")
            let answer = RawClient.ask(world.socket, "GET", "\(Self.agents)?\(query)")
            #expect(answer?.status == status, "\(answer?.text ?? "")")
            guard status == 400 else { return }
            let names = query.split(separator: "&").map { $0.prefix { $0 != "=" } }
            let message = Self.node(answer)?["message"]?.string ?? ""
            #expect(names.contains { message.contains($0) } || message.contains("spec.nothing"), "\(message)")
        }
    }

    @Test func headIsAnsweredWithoutABody() {
        inWorld { world in
            world.startDaemon()
            let client = RawClient(world.socket)
            for target in ["/version", Self.agents, "\(Self.agents)?watch=true"] {
                client.send(RawClient.request("HEAD", target))
                let answer = client.answer(body: false)
                #expect(answer?.status == 200, "\(target)")
            }
            client.send(RawClient.request("GET", "/livez"))
            #expect(client.answer()?.text == "ok", "nothing was left between the answers")
        }
    }
}
