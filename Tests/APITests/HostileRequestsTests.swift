import Glibc
import HTTP
import Support
import Testing
import Values

@testable import API

/// What strangers and broken clients send, against a daemon that runs: it answers and lives.
@Suite(.serialized) struct HostileRequestsTests {
    /// A path of a route, with names that exist where a route only reads, and none where it writes.
    static func path(_ route: Route) -> String {
        let isReading = route.method == .get
        return route.pattern.split(separator: "/").map { part in
            switch part {
            case "{namespace}": "default"
            case "{position}": "1"
            case "{type}": "run.started"
            case "{version}": "v1"
            case "{name}", "{consumer}", "{sink}": isReading ? "one" : "nobody"
            default: String(part)
            }
        }.map { "/\($0)" }.joined()
    }

    static func encoded(_ text: String) -> String { Percent.encode(text) }

    /// Every parameter of every route, with every hostile number.
    @Test func everyParameterOfEveryRouteIsAnsweredAndTheDaemonLives() {
        inWorld { world in
            world.apply(World.agent("one", "exec sleep 1000"), "--wait")
            let pid = world.daemonPID
            var count = 0
            for route in Route.table {
                for parameter in route.parameters {
                    for text in ParametersTests.values(of: parameter.form) {
                        let query = "\(parameter.name)=\(Self.encoded(text))"
                        for more in parameter.name == "timeoutSeconds" ? ["&watch=true", ""] : [""] {
                            let target = "\(Self.path(route))?\(query)\(more)"
                            guard let answer = RawClient.ask(world.socket, route.method.rawValue, target) else {
                                Issue.record("no answer to \(route.method) \(target)")
                                return
                            }
                            #expect((200..<500).contains(answer.status), "\(target): \(answer.status) \(answer.text)")
                            guard case .integer(let range) = parameter.form,
                                Int64(text).map(range.contains) != true
                            else { continue }
                            #expect(
                                answer.status == 400 && answer.text.contains(parameter.name),
                                "\(target): \(answer.status) \(answer.text)")
                        }
                        count += 1
                    }
                }
            }
            #expect(count > 1000)
            #expect(world.daemonPID == pid && World.isAlive(pid))
            #expect(RawClient.ask(world.socket, "GET", "/livez")?.text == "ok")
        }
    }

    @Test func numbersInBodiesAreRangedToo() {
        inWorld { world in
            world.apply(World.agent("one", "exec sleep 1000"), "--wait")
            let pid = world.daemonPID
            let path = "/apis/agentos.dev/v1/namespaces/default/agents/one"
            for text in hostileNumbers + ["null", "true", "[]", "{}", "\"5\"", "86400", "86401"] {
                let deletion = RawClient.ask(
                    world.socket, "DELETE", "\(path)?dryRun=All", "{\"gracePeriodSeconds\": \(text)}")
                let number = text == "+1" ? nil : Int(text.filter { $0 != " " })
                let isFine = number.map { (0...86_400).contains($0) } == true || text == "null"
                #expect((deletion?.status == 200) == isFine, "\(text): \(deletion?.text ?? "no answer")")
                for field in ["timeoutSeconds", "ordinal"] {
                    let body = "{\"command\": [\"true\"], \"\(field)\": \(text)}"
                    let status = RawClient.ask(world.socket, "POST", "\(path)/exec", body)?.status ?? 0
                    #expect((400..<500).contains(status), "exec \(field) \(text): \(status)")
                }
            }
            #expect(world.daemonPID == pid && World.isAlive(pid) && world.phase("one") == "Ready")
        }
    }

    /// Today's rule: the daemon's user and root. Everybody else is refused, on every route and on none.
    @Test(.enabled(if: World.isRoot)) func aStrangerIsRefusedOnEveryRoute() {
        inWorld { world in
            world.apply(World.agent("one", "exec sleep 1000"), "--wait")
            chmod(world.state, 0o755)
            chmod(world.socket, 0o666)
            let targets = Route.table.map { "\($0.method.rawValue) \(Self.path($0))" } + ["GET /nowhere", "GET /a%2Fb"]
            let code = """
                import http.client, socket, sys
                class Unix(http.client.HTTPConnection):
                    def connect(self):
                        self.sock = socket.socket(socket.AF_UNIX)
                        self.sock.connect(sys.argv[1])
                for line in sys.argv[2].split("\\n"):
                    c = Unix("localhost", timeout=60)
                    method, target = line.split(" ")
                    c.request(method, target)
                    print(c.getresponse().status, line)
                """
            let words = ["/usr/bin/python3", "-c", code, world.socket, targets.joined(separator: "\n")]
            let stranger = world.spawn(
                ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] + words)
            let lines = stranger.output.split(separator: "\n")
            #expect(lines.count == targets.count, "\(stranger.text)")
            for line in lines { #expect(line.hasPrefix("403 "), "\(line)") }
        }
    }

    @Test func otherMethodsAreNamedAndNamesAreDecodedOnce() {
        inWorld { world in
            world.startDaemon()
            let answer = RawClient.ask(world.socket, "POST", "/apis/agentos.dev/v1/namespaces/default/agents/one")
            #expect(answer?.status == 405 && answer?.head.contains("Allow: DELETE, GET, HEAD, PATCH, PUT") == true)
            #expect(RawClient.ask(world.socket, "POST", "/livez")?.status == 405)
            let agents = "/apis/agentos.dev/v1/namespaces/default/agents"
            for name in ["a%2Fb", "a%00", "%ff", "%"] {
                #expect(RawClient.ask(world.socket, "GET", "\(agents)/\(name)")?.status == 400, "\(name)")
            }
            #expect(
                RawClient.ask(world.socket, "GET", "\(agents)/%6f%6ee")?.text.contains("\\\"one\\\" not found") == true)
            #expect(RawClient.ask(world.socket, "GET", "/apis/agentos.dev/v1/outbox/abc")?.status == 404)
            #expect(RawClient.ask(world.socket, "GET", "/apis/agentos.dev/v1/outbox/0")?.status == 404)
        }
    }

    /// What was never read cannot be acknowledged.
    @Test func aPositionThatDoesNotExistIsNotAcknowledged() {
        inWorld { world in
            world.apply(World.agent("one", "exec sleep 1000"), "--wait")
            let path = "/apis/agentos.dev/v1/consumers/c"
            for position in ["9000000000000000000", "10000"] {
                let answer = RawClient.ask(world.socket, "POST", "\(path)?position=\(position)&offset=0")
                #expect(answer?.status == 400, "\(answer?.text ?? "")")
            }
            #expect(RawClient.ask(world.socket, "POST", "\(path)?position=1&offset=0")?.status == 200)
        }
    }

    @Test func aDryRunDeletesNothingAndPreconditionsHold() {
        inWorld { world in
            world.apply(World.agent("one", "exec sleep 1000"), "--wait")
            let path = "/apis/agentos.dev/v1/namespaces/default/agents/one"
            func delete(_ query: String, _ body: String = "") -> Int {
                RawClient.ask(world.socket, "DELETE", path + query, body)?.status ?? 0
            }
            let metadata = world.get("one")?["metadata"]
            let (uid, version) = (metadata?["uid"]?.string ?? "", metadata?["resourceVersion"]?.string ?? "")
            #expect(delete("?dryRun=All") == 200)
            #expect(delete("", "{\"dryRun\": [\"All\"]}") == 200)
            #expect(delete("", "{\"preconditions\": {\"uid\": \"other\"}}") == 409)
            #expect(delete("", "{\"preconditions\": {\"resourceVersion\": \"1\"}}") == 409)
            for body in [
                "{", "[]", "{} {}", "{\"dryRun\": [\"Some\"]}", "{\"dryRun\": \"All\"}", "{\"nonsense\": 1}",
                "{\"preconditions\": []}", "{\"preconditions\": {\"uid\": 1}}", "{\"kind\": \"Agent\"}",
            ] { #expect(delete("", body) == 400, "\(body)") }
            let same = world.get("one")?["metadata"]
            #expect(same?["deletionTimestamp"] == nil && same?["resourceVersion"]?.string == version)
            let two = RawClient.ask(
                world.socket, "PATCH", "\(path)?fieldManager=me", "kind: Agent\n---\nkind: Agent\n",
                type: "application/apply-patch+yaml")
            #expect(two?.status == 400 && two?.text.contains("2 documents") == true, "\(two?.text ?? "")")
            #expect(
                delete("", "{\"preconditions\": {\"uid\": \"\(uid)\", \"resourceVersion\": \"\(version)\"}}") == 200)
        }
    }
}
