import Support
import Testing
import Values

/// The daemon's own events as objects of kind Event.
@Suite(.serialized) struct EventTests {
    private static let events = "/api/v1/namespaces/default/events"

    private static func list(_ world: World, _ query: String) -> [Node] {
        let answer = RawClient.ask(world.socket, "GET", "\(events)?\(query)")
        #expect(answer?.status == 200, "\(answer?.text ?? "")")
        return answer.flatMap { JSONReader.read($0.text) }?["items"]?.list ?? []
    }

    @Test func whatHappensToAnAgentIsToldOfIt() {
        inWorld { world in
            world.apply(World.agent("bad", "exit 3"))
            World.until("its failure is told") {
                !Self.list(world, "fieldSelector=involvedObject.name=bad,reason=Failed,type=Warning").isEmpty
            }
            World.until("repeats are counted") {
                (Self.list(world, "fieldSelector=involvedObject.name=bad,reason=Failed").first?["count"]?.int ?? 0) > 1
            }
            let failed = Self.list(world, "fieldSelector=involvedObject.kind=Agent,reason=Failed").first
            #expect(failed?["message"]?.string?.contains("exit code 3") == true)
            #expect(
                failed?[path: "involvedObject", "uid"]?.string == world.get("bad")?[path: "metadata", "uid"]?.string)
            #expect(Self.list(world, "fieldSelector=involvedObject.name=other").isEmpty)
            let newer = RawClient.ask(world.socket, "GET", "/apis/events.k8s.io/v1/events").flatMap {
                JSONReader.read($0.text)
            }
            #expect(newer?["items"]?.list?.contains { $0[path: "regarding", "name"]?.string == "bad" } == true)
            // A daemon that is started again tells what its outbox knows.
            let before = Self.list(world, "fieldSelector=reason=Created,involvedObject.name=bad").first
            world.killDaemon()
            world.startDaemon()
            World.until("earlier events are told again") {
                Self.list(world, "fieldSelector=reason=Created,involvedObject.name=bad").first?[path: "metadata", "uid"]
                    == before?[path: "metadata", "uid"]
            }
        }
    }

    @Test func aWatchOfEventsTellsThem() {
        inWorld { world in
            world.startDaemon()
            let client = RawClient(world.socket)
            client.send(RawClient.request("GET", "\(Self.events)?watch=true&fieldSelector=involvedObject.name%3Done"))
            #expect(client.answer(body: false)?.status == 200)
            world.apply(World.agent("one", "exec sleep 1000"), "--wait")
            let text = client.read { $0.contains("\"reason\":\"Ready\"") }
            for reason in ["Created", "Scheduled", "Starting", "Started", "Ready"] {
                #expect(text.contains("\"reason\":\"\(reason)\""), "\(text)")
            }
        }
    }

    @Test(.enabled(if: !Kubectl.programs.isEmpty), arguments: Kubectl.programs)
    func kubectlShowsEvents(program: String) {
        inWorld { world in
            world.apply(World.agent("one", "exec sleep 1000"), "--wait")
            World.until("its start is told") {
                !Self.list(world, "fieldSelector=involvedObject.name=one,reason=Started").isEmpty
            }
            guard let kubectl = Kubectl(program, world) else { return }
            defer { kubectl.close() }
            for words in [["get", "events"], ["describe", "agent", "one"], ["get", "ev", "-o", "wide"]] {
                let result = kubectl.run(words)
                #expect(result.code == 0 && result.output.contains("Started"), "\(words): \(result.text)")
            }
        }
    }

    /// Recorders of newer clients write events in their own group: they are the same events under other names.
    @Test func eventsAreWrittenUnderTheNewerNamesToo() {
        inWorld { world in
            world.startDaemon()
            let newer = "/apis/events.k8s.io/v1/namespaces/default/events"
            func ask(
                _ method: String, _ path: String, _ body: String = "", type: String = "application/json"
            ) -> (status: Int, node: Node) {
                let answer = RawClient.ask(world.socket, method, path, body, type: type)
                return (answer?.status ?? 0, JSONReader.read(answer?.text ?? "") ?? .emptyMap)
            }
            let made = ask(
                "POST", newer,
                """
                {"apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": {"name": "new"}, "reason": "Bound",
                 "eventTime": "2026-01-01T00:00:00.000000Z", "reportingController": "example.com/binder",
                 "reportingInstance": "binder-1", "action": "Binding", "note": "it is bound", "type": "Normal",
                 "regarding": {"kind": "Agent", "name": "one", "namespace": "default"}}
                """)
            #expect(made.status == 201 && made.node["apiVersion"] == "events.k8s.io/v1", "\(made)")
            #expect(made.node["note"] == "it is bound" && made.node["message"] == nil, "\(made)")
            let core = ask("GET", "\(Self.events)/new").node
            #expect(core["message"] == "it is bound" && core[path: "involvedObject", "name"] == "one", "\(core)")
            #expect(core["reportingComponent"] == "example.com/binder" && core["regarding"] == nil, "\(core)")
            // Repeats are told by a strategic merge.
            let series = #"{"series":{"count":2,"lastObservedTime":"2026-01-01T00:01:00.000000Z"},"note":"again"}"#
            let patched = ask("PATCH", "\(newer)/new", series, type: "application/strategic-merge-patch+json")
            #expect(patched.status == 200 && patched.node[path: "series", "count"] == 2, "\(patched)")
            #expect(ask("GET", "\(Self.events)/new").node["message"] == "again")
            let steps = ask("PATCH", "\(newer)/new", "[]", type: "application/json-patch+json")
            #expect(steps.status == 415 && steps.node["message"]?.string?.contains("strategic") == true, "\(steps)")
            let wrong = ask(
                "PUT", "\(newer)/new?fieldValidation=Strict", #"{"message":"x","regarding":{"name":"one"}}"#)
            #expect(wrong.status == 400 && wrong.node["message"]?.string?.contains("message") == true, "\(wrong)")
            let drawn = ask("POST", newer, #"{"metadata":{"generateName":"x-"},"regarding":{"name":"two"},"note":"n"}"#)
            #expect(drawn.status == 201 && drawn.node["note"] == "n", "\(drawn)")
            #expect(ask("DELETE", "\(newer)?fieldSelector=regarding.name%3Dtwo").status == 200)
            World.until("it is gone") { Self.list(world, "fieldSelector=involvedObject.name=two").isEmpty }
            #expect(ask("GET", "\(newer)/new").status == 200 && ask("DELETE", "\(newer)/new").status == 200)
            #expect(ask("GET", "\(Self.events)/new").status == 404)
        }
    }

    /// An event about an event would go on for ever, and a lease is renewed every few seconds.
    @Test func whatClientsStoreOfEventsAndLeasesIsNotToldOf() {
        inWorld { world in
            world.startDaemon()
            func create(_ path: String, _ text: String) {
                let answer = RawClient.ask(world.socket, "POST", path, text, type: "application/json")
                #expect(answer?.status == 201, "\(answer?.text ?? "")")
            }
            create(
                Self.events,
                """
                {"apiVersion": "v1", "kind": "Event", "metadata": {"name": "mine"}, "reason": "Hello", "count": 1,
                 "involvedObject": {"kind": "Agent", "name": "one", "namespace": "default"}, "eventTime": null}
                """)
            let leases = "/apis/coordination.k8s.io/v1/namespaces/default/leases"
            create(
                leases,
                """
                {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "lead"},
                 "spec": {"holderIdentity": "me", "leaseDurationSeconds": 15,
                          "renewTime": "2026-01-01T00:00:00.000000Z"}}
                """)
            // Told in the order of their commits: what came before it would be there.
            create("/api/v1/namespaces/default/configmaps", "{\"metadata\": {\"name\": \"later\"}}")
            World.until("what is told of is there") {
                !Self.list(world, "fieldSelector=involvedObject.name=later").isEmpty
            }
            #expect(Self.list(world, "fieldSelector=involvedObject.name=one").first?["reason"] == "Hello")
            for kind in ["Event", "Lease"] {
                #expect(Self.list(world, "fieldSelector=involvedObject.kind=\(kind)").isEmpty)
            }
            let lease = RawClient.ask(world.socket, "GET", "\(leases)/lead").flatMap { JSONReader.read($0.text) }
            #expect(lease?[path: "spec", "holderIdentity"] == "me")
        }
    }

    @Test func aQuotaIsRefusedUntilItIsEnforced() {
        inWorld { world in
            world.startDaemon()
            let answer = RawClient.ask(
                world.socket, "PATCH", "/api/v1/namespaces/default/resourcequotas/q?fieldManager=me",
                "{spec: {hard: {pods: \"3\"}}}", type: "application/apply-patch+yaml")
            #expect(answer?.status == 422 && answer?.text.contains("not enforced") == true, "\(answer?.text ?? "")")
        }
    }
}
