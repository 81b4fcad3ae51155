import Glibc
import Manifests
import Support
import Testing
import Values

/// Logs, events, consumers, watches, health and metrics over the real socket.
@Suite(.serialized) struct OperationsTests {
    /// A request as any HTTP client would send it.
    private func request(
        _ world: World, _ method: String, _ path: String, _ body: String = "", type: String = "application/json"
    ) -> (status: Int, text: String) {
        let code = """
            import http.client, socket, sys
            class Unix(http.client.HTTPConnection):
                def connect(self):
                    self.sock = socket.socket(socket.AF_UNIX)
                    self.sock.connect(sys.argv[1])
            c = Unix("localhost", timeout=120)
            c.request(sys.argv[2], sys.argv[3], sys.argv[4].encode(), {"Content-Type": sys.argv[5]})
            r = c.getresponse()
            print(r.status)
            sys.stdout.write(r.read().decode())
            """
        let result = world.spawn(["python3", "-c", code, world.socket, method, path, body, type])
        let parts = result.output.split(separator: "\n", maxSplits: 1)
        return (parts.first.flatMap { Int($0) } ?? -1, parts.count > 1 ? String(parts[1]) : result.error)
    }

    @Test func logsAreShownFollowedAndKeptOfTheRunBefore() {
        inWorld { world in
            world.apply(
                World.agent(
                    "one", "echo first $AGENTOS_RUN; echo second >&2; printf third; \(World.stays)",
                    "backoff: {initialSeconds: 0}"), "--wait")
            // Also what is no whole line yet.
            World.until("all is there") { world.run("logs", "one").output.hasSuffix("third") }
            #expect(world.run("logs", "one", "--tail", "2").output.contains("third"))
            #expect(world.run("logs", "one", "--tail", "1").output == "third")
            #expect(
                world.run("logs", "one", "--timestamps").output.split(separator: "\n").allSatisfy {
                    $0.hasPrefix("2") && $0.contains("Z ")
                })
            let followed = world.begin("logs", "-f", "one")
            World.until("the follower follows") { World.read(followed.output).hasSuffix("third") }
            let run = world.runOf("one")?["id"]?.string ?? ""
            let pid = world.pid("one")
            World.kill(pid, SIGKILL)
            World.until("it runs again") { world.runsAnew("one", after: pid) }
            World.until("the follower went over to the next run") {
                World.read(followed.output).components("first ").count == 3
            }
            #expect(world.run("logs", "one", "--previous").output.hasPrefix("first \(run)\n"))
            World.kill(followed.pid, SIGKILL)
            _ = World.wait(followed.pid)
            #expect(world.run("logs", "none").code == 1)
        }
    }

    @Test func eventsHavePositionsAndConsumersGoOnWhereTheyStood() {
        inWorld { world in
            world.apply(World.agent("one", World.stays), "--wait")
            // The last of them is published a moment after it has happened.
            var events: [Node] = []
            World.until("all is published") {
                events = world.events()
                let last = events.last { $0[path: "object", "name"]?.string == "one" }
                return last?["event_type"]?.string == "run.ready"
            }
            #expect(events.map { $0["position"]?.int ?? 0 } == Array(1...max(1, events.count)))
            for event in events {
                for field in [
                    "event_id", "event_type", "occurred_at", "trace_id", "tenant_id", "object", "sequence",
                    "generation", "data",
                ] {
                    #expect(event[field] != nil, "\(field)")
                }
                let object = event["object"]
                #expect(event["event_id"]?.string == "\(object?["uid"]?.string ?? "")-\(event["sequence"]?.int ?? 0)")
            }
            #expect(world.events("--since-position", "3").first?["position"]?.int == 4)
            func consistency(_ field: String) -> Int? { world.status("one")?[path: "consistency", field]?.int }
            func acknowledged() -> Int? { consistency("acknowledgedSequence") }
            let last = events.last { $0[path: "object", "name"]?.string == "one" }?["sequence"]?.int
            World.until("it is known to be published") { consistency("publishedSequence") == last }
            #expect(acknowledged() == last)
            let first = world.events("--consumer", "audit", "--ack").count
            #expect(first == events.count)
            #expect(world.events("--consumer", "audit").isEmpty)
            let before = acknowledged() ?? 0
            world.apply(World.agent("one", World.stays, "priority: 1"), "--wait")
            World.until("the change is published and waits for the consumer") {
                let consistency = world.status("one")?["consistency"]
                return consistency?["publishedSequence"]?.int == before + 1
                    && consistency?["acknowledgedSequence"]?.int == before
            }
            world.killDaemon()
            world.startDaemon()
            world.run("delete", "agent", "one")
            var rest: [Node] = []
            World.until("the deletion is published") {
                rest = world.events("--consumer", "audit")
                return rest.last?["event_type"]?.string == "agent.deleted"
            }
            #expect(rest.first?["position"]?.int == events.count + 1)
            #expect(world.run("outbox", "list", "--all").output.contains("Acknowledged"))
            #expect(world.run("events", "--consumer", "audit", "--remove").code == 0)
        }
    }

    @Test func followedEventsArriveAsTheyHappen() {
        inWorld { world in
            world.startDaemon()
            let followed = world.begin("events", "-f", "-o", "json")
            world.apply(World.agent("one", World.stays), "--wait")
            World.until("run.ready arrived") { World.read(followed.output).contains("\"run.ready\"") }
            World.kill(followed.pid, SIGKILL)
            _ = World.wait(followed.pid)
        }
    }

    @Test func aWatchShowsChangesFromAVersionOn() {
        inWorld { world in
            world.apply(World.agent("one", World.stays), "--wait")
            let version =
                JSONReader.read(request(world, "GET", "/apis/agentos.dev/v1/agents").text)?[
                    path: "metadata", "resourceVersion"]?.string ?? ""
            world.apply(World.agent("two", World.stays, "suspend: true"), "--wait")
            world.run("delete", "agent", "one")
            let watch = "/apis/agentos.dev/v1/agents?watch=true&timeoutSeconds=1&resourceVersion=\(version)"
            var changes: [Node] = []
            func types(of name: String) -> [String] {
                changes.filter { $0[path: "object", "metadata", "name"]?.string == name }
                    .compactMap { $0["type"]?.string }
            }
            World.until("all is told") {
                let lines = request(world, "GET", watch).text.split(separator: "\n")
                changes = lines.compactMap { JSONReader.read(String($0)) }
                return types(of: "one").contains("DELETED")
            }
            #expect(types(of: "two").first == "ADDED" && types(of: "one").last == "DELETED")
            #expect(!types(of: "one").contains("ADDED"), "it was there before")
            let versions = changes.compactMap { $0[path: "object", "metadata", "resourceVersion"]?.string }.compactMap {
                Int($0)
            }
            #expect(versions == versions.sorted())
            let future = request(world, "GET", "/apis/agentos.dev/v1/agents?watch=true&resourceVersion=999999").text
            #expect(JSONReader.read(String(future.split(separator: "\n")[0]))?[path: "object", "code"]?.int == 410)
        }
    }

    @Test func mistakesAreStatusObjects() {
        inWorld { world in
            world.startDaemon()
            let missing = request(world, "GET", "/apis/agentos.dev/v1/namespaces/default/agents/nope")
            #expect(missing.status == 404)
            let status = JSONReader.read(missing.text)
            #expect(
                status?["kind"]?.string == "Status" && status?["reason"]?.string == "NotFound"
                    && status?["code"]?.int == 404)
            #expect(status?[path: "details", "name"]?.string == "nope")

            let path = "/apis/agentos.dev/v1/namespaces/default/agents/one?fieldManager=me"
            let patch = "application/apply-patch+yaml"
            let body =
                "{apiVersion: agentos.dev/v1, kind: Agent, metadata: {name: one}, spec: {command: [x], replicas: many}}"
            let invalid = request(world, "PATCH", path, body, type: patch)
            #expect(invalid.status == 422 && invalid.text.contains("spec.replicas"), "\(invalid)")
            #expect(request(world, "PATCH", path, "{", type: patch).status == 400)
            #expect(request(world, "PATCH", path, "{}", type: "text/plain").status == 415)
            #expect(request(world, "POST", "/livez").status >= 404)
            #expect(request(world, "GET", "/nowhere").status == 404)
        }
    }

    /// Server-side apply: another manager's field is a conflict unless forced; a field that is left out goes.
    @Test func managersOwnTheirFields() {
        inWorld { world in
            world.startDaemon()
            func apply(_ manager: String, _ spec: String, _ more: String = "") -> (status: Int, text: String) {
                request(
                    world, "PATCH", "/apis/agentos.dev/v1/namespaces/default/agents/one?fieldManager=\(manager)\(more)",
                    "{apiVersion: agentos.dev/v1, kind: Agent, metadata: {name: one}, spec: \(spec)}",
                    type: "application/apply-patch+yaml")
            }
            #expect(apply("a", "{command: [sleep, \"100\"], replicas: 0, priority: 3}").status == 201)
            let conflict = apply("b", "{replicas: 2}")
            #expect(
                conflict.status == 409 && conflict.text.contains("conflict with \\\"a\\\"")
                    && conflict.text.contains(".spec.replicas"), "\(conflict)")
            #expect(apply("b", "{terminationGracePeriodSeconds: 3}").status == 200)
            #expect(apply("a", "{command: [sleep, \"100\"], replicas: 0}").status == 200)
            let spec = world.get("one")?["spec"]
            #expect(spec?["priority"]?.int == 0 && spec?["terminationGracePeriodSeconds"]?.int == 3)
            #expect(apply("b", "{replicas: 1}", "&force=true").status == 200)
            #expect(world.get("one")?[path: "spec", "replicas"]?.int == 1)
        }
    }

    @Test func healthAndMetricsFollowTheirConventions() {
        inWorld { world in
            world.apply(World.agent("one", World.stays), "--wait")
            #expect(request(world, "GET", "/livez").text == "ok")
            #expect(request(world, "GET", "/readyz").status == 200)
            let metrics = request(world, "GET", "/metrics").text
            #expect(metrics.contains("agentos_replicas{phase=\"Ready\"} 1\n"))
            for line in metrics.split(separator: "\n") where !line.hasPrefix("#") {
                let name = line.prefix { $0 != "{" && $0 != " " }
                let family = ["_bucket", "_sum", "_count"].first {
                    name.hasSuffix($0) && metrics.contains("# TYPE \(name.dropLast($0.count)) histogram")
                }
                #expect(metrics.contains("# TYPE \(name.dropLast(family?.count ?? 0)) "), "\(name)")
                #expect(line.split(separator: " ").last.flatMap { Double($0) } != nil)
            }
            #expect(world.run("version").output.split(separator: "\n").count == 2)
        }
    }

    @Test func aBackupIsTakenWhileAgentsChange() {
        inWorld { world in
            world.apply(World.agent("one", World.stays), "--wait")
            let path = "\(world.directory)/backup.db"
            #expect(world.run("backup", path).code == 0)
            var status = stat()
            #expect(lstat(path, &status) == 0 && status.st_mode & 0o077 == 0)
            world.write("garbage", "no database")
            let refused = world.run("restore", "\(world.directory)/garbage")
            #expect(refused.code == 3 && refused.error.contains("nothing was restored"), "\(refused.text)")
            #expect(world.phase("one") == "Ready")
        }
    }

    @Test func aRestoreThatNoDaemonComesBackFromIsToldSoon() {
        inWorld { world in
            let tokens = world.write("tokens", "0123456789abcdef0,ada,1\n")
            chmod(tokens, 0o600)
            #expect(world.start("--token-auth-file", tokens).code == 0, "\(world.log)")
            world.apply(World.agent("one", World.stays), "--wait")
            let pid = world.pid("one")
            #expect(world.run("backup", "\(world.directory)/copy").code == 0)
            // The daemon that starts again cannot read what it was given.
            unlink(tokens)
            let ended = world.run("restore", "\(world.directory)/copy", "--timeout", "1h")
            #expect(ended.code == 4 && ended.error.contains("the daemon has ended"), "\(ended.text)")
            #expect(ended.error.contains("The backup was taken"), "\(ended.text)")
            #expect(World.isAlive(pid))
            world.startDaemon()
            #expect(world.pid("one") == pid)
        }
    }

    @Test func manyAgentsStartAndStopAndLeaveNothing() {
        inWorld { world in
            let manifest = (0..<200).map { World.agent("agent-\($0)", "exec sleep 1000") }.joined()
            #expect(world.apply(manifest, "--wait").code == 0)
            #expect(world.run("get", "agents", "-o", "name").output.split(separator: "\n").count == 200)
            #expect(world.run("delete", "agents", "--all").code == 0)
            World.until("nothing is left") {
                World.names("\(world.state)/runs").isEmpty && World.names("\(world.state)/homes").isEmpty
                    && World.processes(with: "\(world.state)/runs").isEmpty
            }
        }
    }
}

extension String {
    fileprivate func components(_ separator: String) -> [Substring] {
        var parts: [Substring] = []
        var rest = self[...]
        while let range = rest.firstRange(of: separator) {
            parts.append(rest[..<range.lowerBound])
            rest = rest[range.upperBound...]
        }
        return parts + [rest]
    }
}
