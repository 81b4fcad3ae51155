import Support
import Testing
import Values

/// Writing over HTTP as Kubernetes' clients do it: every method, every form of a body, every refusal in their words.
@Suite struct WritingTests {
    private static let maps = "/api/v1/namespaces/default/configmaps"
    private static let agents = "/apis/agentos.dev/v1/namespaces/default/agents"

    private struct Asker {
        let world: World

        func callAsFunction(
            _ method: String, _ path: String, _ body: String = "", type: String? = "application/json",
            _ headers: String...
        ) -> (status: Int, head: String, node: Node) {
            let client = RawClient(world.socket)
            var head = "\(method) \(path) HTTP/1.1\r\nHost: localhost\r\nContent-Length: \(body.utf8.count)\r\n"
            if let type { head += "Content-Type: \(type)\r\n" }
            for header in headers { head += header + "\r\n" }
            client.send(head + "\r\n" + body)
            let answer = client.answer()
            let node = (answer?.text).flatMap { JSONReader.read($0) } ?? .text(answer?.text ?? "no answer")
            return (answer?.status ?? 0, answer?.head ?? "", node)
        }
    }

    @Test func anObjectIsMadeReadWrittenAndDeleted() {
        inWorld { world in
            world.startDaemon()
            let ask = Asker(world: world)
            // Neither a form nor a kind is needed.
            let made = ask("POST", Self.maps, #"{"metadata":{"name":"a"},"data":{"k":"1"}}"#, type: nil)
            #expect(made.status == 201 && made.node["kind"]?.string == "ConfigMap", "\(made)")
            let twice = ask("POST", Self.maps, #"{"metadata":{"name":"a"}}"#)
            #expect(twice.status == 409 && twice.node["reason"]?.string == "AlreadyExists")
            #expect(twice.node["message"]?.string == "configmaps \"a\" already exists")
            let yaml = ask("POST", Self.maps, "metadata: {name: b}\ndata:\n  k: v\n", type: "application/yaml")
            #expect(yaml.status == 201 && yaml.node[path: "data", "k"]?.string == "v", "\(yaml)")
            let drawn = ask("POST", Self.maps, #"{"metadata":{"generateName":"c-"}}"#)
            let name = drawn.node[path: "metadata", "name"]?.string ?? ""
            #expect(drawn.status == 201 && name.hasPrefix("c-") && name.count == 7, "\(drawn)")
            let unnamed = ask("POST", Self.maps, "{}")
            #expect(unnamed.status == 422, "\(unnamed)")
            #expect(ask("POST", Self.maps, "", type: "application/x-www-form-urlencoded").status == 415)
            #expect(ask("POST", Self.maps, "").status == 400)
            let named = ask("POST", Self.maps, "metadata: {name: y}")
            #expect(named.status == 400 && named.node["message"]?.string?.hasPrefix("body:1:1") == true, "\(named)")
            #expect(ask("POST", "\(Self.maps)?dryRun=All", "metadata: {name: y}", type: nil).status == 201)
            #expect(ask("POST", Self.maps, #"{"metadata":{"name":"x","namespace":"y"}}"#).status == 400)
            #expect(ask("POST", Self.maps, #"{"kind":"Secret","metadata":{"name":"x"}}"#).status == 400)

            let version = made.node[path: "metadata", "resourceVersion"]?.string ?? ""
            let body = #"{"metadata":{"name":"a","resourceVersion":"\#(version)"},"data":{"k":"2"}}"#
            #expect(ask("PUT", "\(Self.maps)/a", body, type: nil).status == 200)
            let stale = ask("PUT", "\(Self.maps)/a", body)
            #expect(stale.status == 409 && stale.node["reason"]?.string == "Conflict")
            #expect(
                stale.node["message"]?.string
                    == "Operation cannot be fulfilled on configmaps \"a\": the object has been modified; "
                    + "please apply your changes to the latest version and try again")
            #expect(stale.node[path: "details", "kind"]?.string == "configmaps")
            #expect(ask("PUT", "\(Self.maps)/none", "{}").status == 404)

            let gone = ask("DELETE", "\(Self.maps)/a")
            #expect(gone.status == 200 && gone.node["status"]?.string == "Success", "\(gone)")
            #expect(gone.node[path: "details", "uid"]?.string == made.node[path: "metadata", "uid"]?.string)
        }
    }

    @Test func patchesAreTakenInTheFormsOfTheirKind() {
        inWorld { world in
            world.startDaemon()
            let ask = Asker(world: world)
            _ = ask("POST", Self.maps, #"{"metadata":{"name":"a"},"data":{"k":"1"}}"#)
            let spec = #"{"metadata":{"name":"a"},"spec":{"command":["sleep","1"],"replicas":0}}"#
            #expect(ask("POST", Self.agents, spec).status == 201)
            for (path, form, body, status) in [
                (Self.maps, "merge-patch+json", #"{"data":{"m":"1"}}"#, 200),
                (Self.maps, "strategic-merge-patch+json", #"{"data":{"s":"1"}}"#, 200),
                (Self.maps, "json-patch+json", #"[{"op":"add","path":"/data/j","value":"1"}]"#, 200),
                (Self.maps, "json-patch+json", #"[{"op":"test","path":"/data/j","value":"2"}]"#, 422),
                (Self.maps, "json-patch+json", #"{"op":"test"}"#, 400),
                (Self.maps, "merge-patch+json", #"[]"#, 400), (Self.maps, "merge-patch+json", "{", 400),
                (Self.maps, "merge-patch+json", "a: b", 400),
                (Self.maps, "merge-patch+json", #"{"data":{"k":1}}"#, 422),
                (Self.maps, "merge-patch+json", #"{"metadata":{"name":"b"}}"#, 400),
                (Self.agents, "strategic-merge-patch+json", "{}", 415), (Self.agents, "json", "{}", 415),
                (Self.agents, "merge-patch+json", #"{"spec":{"priority":3}}"#, 200),
            ] {
                let answer = ask("PATCH", "\(path)/a", body, type: "application/\(form)")
                #expect(answer.status == status, "\(form) \(body): \(answer)")
            }
            let map = ask("GET", "\(Self.maps)/a").node
            #expect(map["data"]?.map?.entries.map(\.key).sorted() == ["j", "k", "m", "s"])
            let refused = ask("PATCH", "\(Self.agents)/a", "{}", type: "application/strategic-merge-patch+json")
            #expect(
                refused.node["message"]?.string?.hasSuffix(
                    "accepted media types include: application/json-patch+json, application/merge-patch+json, "
                        + "application/apply-patch+yaml") == true)
            // Who wrote is known by the name of the program.
            let merge = "application/merge-patch+json"
            let named = ask("PATCH", "\(Self.maps)/a", #"{"data":{"u":"1"}}"#, type: merge, "User-Agent: kr8s/0.20 (x)")
            let managers = named.node[path: "metadata", "managedFields"]?.list ?? []
            #expect(managers.contains { $0["manager"]?.string == "kr8s" && $0["operation"]?.string == "Update" })
        }
    }

    @Test func unknownFieldsFollowFieldValidation() {
        inWorld { world in
            world.startDaemon()
            let ask = Asker(world: world)
            let body = #"{"metadata":{"name":"a"},"spec":{"command":["x"],"replicas":0,"replicas":0,"spam":1}}"#
            let strict = ask("POST", "\(Self.agents)?fieldValidation=Strict", body)
            #expect(strict.status == 400 && strict.node["reason"]?.string == "BadRequest")
            #expect(
                strict.node["message"]?.string
                    == "Agent in version \"v1\" cannot be handled as a Agent: strict decoding error: "
                    + "unknown field \"spec.spam\", duplicate field \"spec.replicas\"")
            let warned = ask("POST", "\(Self.agents)?fieldValidation=Warn&dryRun=All", body)
            #expect(warned.status == 201, "\(warned)")
            #expect(warned.head.contains(#"Warning: 299 - "unknown field \"spec.spam\"""#), "\(warned.head)")
            #expect(warned.head.contains(#"Warning: 299 - "duplicate field \"spec.replicas\"""#))
            let ignored = ask("POST", "\(Self.agents)?fieldValidation=Ignore", body)
            #expect(ignored.status == 201 && !ignored.head.contains("Warning"))
            #expect(ignored.node[path: "spec", "spam"] == nil)
            // The head of an answer has little room.
            let fields = (0..<200).map { "\"\(String(repeating: "😀\\\\", count: 100))\($0)\":1" }.joined(separator: ",")
            let many = ask(
                "POST", "\(Self.agents)?fieldValidation=Warn&dryRun=All",
                "{\"metadata\":{\"name\":\"b\"},\"spec\":{\"command\":[\"x\"],\(fields)}}")
            #expect(many.status == 201, "\(many.head)")
            let warnings = many.head.split(separator: "\r\n").filter { $0.hasPrefix("Warning: ") }
            let bytes = warnings.reduce(0) { $0 + $1.utf8.count - "Warning: ".utf8.count }
            #expect(warnings.count > 5 && bytes <= 4096, "\(bytes) bytes")
            #expect(ask("POST", "\(Self.agents)?fieldValidation=Spam", body).status == 400)
        }
    }

    @Test func statusAndScaleAreWrittenBelowTheObject() {
        inWorld { world in
            world.startDaemon()
            let ask = Asker(world: world)
            _ = ask("POST", Self.agents, #"{"metadata":{"name":"a"},"spec":{"command":["sleep","1"],"replicas":0}}"#)
            let merge = "application/merge-patch+json"
            let status = ask(
                "PATCH", "\(Self.agents)/a/status", #"{"status":{"kopf":{"x":1},"phase":"Spam"}}"#, type: merge)
            #expect(status.status == 200 && status.node[path: "status", "kopf", "x"]?.int == 1, "\(status)")
            #expect(status.node[path: "status", "phase"]?.string == "Stopped")
            #expect(ask("GET", "\(Self.agents)/a/status").node[path: "status", "kopf", "x"]?.int == 1)
            world.killDaemon()
            world.startDaemon()
            #expect(ask("GET", "\(Self.agents)/a").node[path: "status", "kopf", "x"]?.int == 1)

            let scale = ask("GET", "\(Self.agents)/a/scale").node
            #expect(scale["kind"]?.string == "Scale" && scale[path: "spec", "replicas"]?.int == 0)
            #expect(scale[path: "status", "selector"]?.string == "agentos.dev/agent=a")
            let one = ask(
                "PUT", "\(Self.agents)/a/scale", #"{"metadata":{"name":"a"},"spec":{"replicas":1}}"#, type: nil)
            #expect(one.status == 200 && one.node[path: "spec", "replicas"]?.int == 1, "\(one)")
            #expect(world.get("a")?[path: "spec", "replicas"]?.int == 1)
            let many = ask("PATCH", "\(Self.agents)/a/scale", #"{"spec":{"replicas":1001}}"#, type: merge)
            #expect(many.status == 422)
            #expect(ask("GET", "\(Self.maps)/a/scale").status == 404)
        }
    }

    @Test func aCollectionIsDeletedByItsSelector() {
        inWorld { world in
            world.startDaemon()
            let ask = Asker(world: world)
            for (name, team) in [("a", "x"), ("b", "x"), ("c", "y")] {
                _ = ask("POST", Self.maps, #"{"metadata":{"name":"\#(name)","labels":{"team":"\#(team)"}}}"#)
            }
            func names() -> [String] {
                ask("GET", Self.maps).node["items"]?.list?.compactMap { $0[path: "metadata", "name"]?.string } ?? []
            }
            #expect(ask("DELETE", "\(Self.maps)?labelSelector=team%3Dx&dryRun=All").status == 200)
            #expect(names() == ["a", "b", "c"])
            #expect(ask("DELETE", "\(Self.maps)?labelSelector=team%3Dx").node["status"]?.string == "Success")
            #expect(names() == ["c"])
            #expect(ask("DELETE", "\(Self.maps)?fieldSelector=metadata.name%3Dz").status == 200 && names() == ["c"])
            #expect(ask("DELETE", Self.maps).status == 200 && names() == [])
            #expect(ask("DELETE", "/api/v1/namespaces").status == 405)
        }
    }

    @Test func deletionsKeepWhatTheirOptionsSay() {
        inWorld { world in
            world.startDaemon()
            let ask = Asker(world: world)
            let made = ask("POST", Self.maps, #"{"metadata":{"name":"a","finalizers":["x.io/hold"]}}"#)
            let uid = made.node[path: "metadata", "uid"]?.string ?? ""
            #expect(ask("DELETE", "\(Self.maps)/a", #"{"preconditions":{"uid":"other"}}"#).status == 409)
            #expect(ask("DELETE", "\(Self.maps)/a", #"{"propagationPolicy":"Spam"}"#).status == 422)
            #expect(ask("DELETE", "\(Self.maps)/a?propagationPolicy=Spam").status == 400)
            let held = ask(
                "DELETE", "\(Self.maps)/a",
                #"{"kind":"DeleteOptions","propagationPolicy":"Foreground","preconditions":{"uid":"\#(uid)"}}"#)
            #expect(held.status == 200 && held.node["kind"]?.string == "ConfigMap", "\(held)")
            #expect(held.node[path: "metadata", "deletionTimestamp"] != nil)
            let merge = "application/merge-patch+json"
            #expect(ask("PATCH", "\(Self.maps)/a", #"{"metadata":{"finalizers":[]}}"#, type: merge).status == 200)
            #expect(ask("GET", "\(Self.maps)/a").status == 404)
        }
    }

    @Test func aTraceGoesThroughTheDaemon() {
        inWorld { world in
            world.startDaemon()
            let ask = Asker(world: world)
            let trace = "4bf92f3577b34da6a3ce929d0e0e4736"
            let made = ask(
                "POST", Self.maps, #"{"metadata":{"name":"a"}}"#, type: nil,
                "traceparent: 00-\(trace)-00f067aa0ba902b7-01")
            #expect(made.head.contains("traceparent: 00-\(trace)-"), "\(made.head)")
            World.until("the event is delivered") { world.events().contains { $0["trace_id"]?.string == trace } }
            for header in ["traceparent: 00-\(String(repeating: "0", count: 32))-00f067aa0ba902b7-01", "X: y"] {
                let missing = ask("GET", "\(Self.maps)/none", "", type: nil, header)
                let begun = missing.node[path: "details", "trace_id"]?.string ?? ""
                #expect(begun.count == 32 && begun != trace && missing.head.contains("traceparent: 00-\(begun)-"))
            }
        }
    }

    @Test func aRequestWithAKeyIsCarriedOutOnceOverACrash() {
        inWorld { world in
            world.startDaemon()
            let ask = Asker(world: world)
            let body = #"{"metadata":{"generateName":"a-"}}"#
            let first = ask("POST", Self.maps, body, type: nil, "Idempotency-Key: one")
            #expect(first.status == 201)
            world.killDaemon()
            world.startDaemon()
            let again = ask("POST", Self.maps, body, type: nil, "Idempotency-Key: one")
            #expect(again.status == 201 && again.head.contains("Idempotency-Replayed: true"), "\(again)")
            #expect(again.node[path: "metadata", "uid"] == first.node[path: "metadata", "uid"])
            let other = ask(
                "POST", Self.maps, #"{"metadata":{"generateName":"b-"}}"#, type: nil, "Idempotency-Key: one")
            #expect(other.status == 422, "\(other)")
            #expect(ask("POST", Self.maps, body, type: nil, "Idempotency-Key: a b").status == 400)
            #expect(ask("GET", Self.maps).node["items"]?.list?.count == 1)
        }
    }
}
