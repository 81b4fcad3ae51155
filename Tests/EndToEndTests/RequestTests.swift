import Glibc
import Support
import Testing
import Values

/// Requests that come over a real server of NATS, from a client that is not ours.
@Suite(.serialized) struct RequestTests {
    private static let token = "a-token-of-the-file-0123456789"
    private static let bearer = Node.map([("Authorization", .text("Bearer \(token)"))])
    private static let agents = "/apis/agentos.dev/v1/namespaces/team/agents"
    private static let access = """
        apiVersion: v1
        kind: Namespace
        metadata: {name: team}
        ---
        apiVersion: v1
        kind: ServiceAccount
        metadata: {name: robot, namespace: team}
        ---
        apiVersion: rbac.authorization.k8s.io/v1
        kind: Role
        metadata: {name: asker, namespace: team}
        rules:
        - {apiGroups: [agentos.dev], resources: [agents, agents/log], verbs: [get, list, watch, create, patch, delete]}
        ---
        apiVersion: rbac.authorization.k8s.io/v1
        kind: RoleBinding
        metadata: {name: askers, namespace: team}
        subjects:
        - {kind: User, name: asker, apiGroup: rbac.authorization.k8s.io}
        - {kind: ServiceAccount, name: robot, namespace: team}
        roleRef: {kind: Role, name: asker, apiGroup: rbac.authorization.k8s.io}

        """

    /// A server, and a daemon that takes requests there.
    private func inRequests(
        _ more: String = "", server configuration: String = "", waits: Bool = true,
        _ body: (World, NATSServer) throws -> Void
    ) throws {
        let world = World()
        defer { world.close() }
        let server = try NATSServer(world)
        server.start(configuration)
        let tokens = world.write("tokens", "\(Self.token),asker,7\n")
        chmod(tokens, 0o600)
        let config = world.write(
            "daemon.yaml",
            """
            tokenAuthFile: \(tokens)
            sinks:
            - name: events
              nats: {servers: ["\(server.address)"], requests: true, requestTimeout: 30s\(more)}

            """)
        #expect(world.start("--config", config).code == 0, "\(world.log)")
        world.apply(Self.access)
        if waits { World.until("requests are taken") { world.log.contains("requests are taken on") } }
        try body(world, server)
    }

    private func ask(_ world: World, _ server: NATSServer, _ mode: [String], _ asks: [Node]) throws -> [Node] {
        let result = try NATSServer.python(
            world, "Tests/EndToEndTests/ask.py", [server.address] + mode, input: JSONWriter.text(.list(asks)))
        #expect(result.code == 0, "\(result.text.suffix(2000))")
        return result.output.split(separator: "\n").compactMap { JSONReader.read(String($0)) }
    }

    private static func request(
        _ subject: String, _ method: String, _ path: String, _ more: [(String, Node?)] = [], headers: Node? = bearer
    ) -> Node {
        let request = Node.map([("method", .text(method)), ("path", .text(path))] + more)
        return .map([("subject", .text(subject)), ("request", request), ("headers", headers)])
    }

    private static func agent(_ name: String?, _ more: [(String, Node?)] = []) -> Node {
        .map([
            ("apiVersion", "agentos.dev/v1"), ("kind", "Agent"),
            (
                "metadata",
                .map([("name", name.map(Node.text)), ("generateName", name == nil ? "drawn-" : nil)])
            ),
            ("spec", .map([("command", ["sleep", "infinity"]), ("suspend", Node(.bool(true)))] + more)),
        ])
    }

    /// An ask, the code of its answer, and what the answer says.
    private static let table: [(ask: Node, code: Int, words: String)] = [
        (request("agentos.team.requests", "GET", agents, headers: nil), 401, "Unauthorized"),
        (
            request(
                "agentos.team.requests", "GET", agents,
                headers: .map([("Authorization", "Bearer nobody-has-this-token")])), 401, "Unauthorized"
        ),
        (request("agentos.team.requests", "GET", agents, [("token", .text(token))], headers: nil), 200, "AgentList"),
        (request("agentos.team.requests", "GET", "\(agents)/none"), 404, "not found"),
        (request("agentos.team.requests", "GET", "/apis/agentos.dev/v1/namespaces/other/agents"), 403, "cannot list"),
        (request("agentos.other.requests", "GET", agents), 403, "for the namespace \\\"other\\\" alone"),
        (request("agentos._.requests", "GET", agents), 200, "AgentList"),
        (request("agentos.team.requests", "GET", "/version"), 403, "this subject"),
        (request("agentos._.requests", "GET", "/version"), 200, "gitVersion"),
        (request("agentos.team.requests", "GET", "/api/v1/namespaces/team/secrets"), 403, "cannot list"),
        (request("agentos.team.requests", "GET", "\(agents)?watch=true"), 400, "ask over HTTP"),
        (request("agentos.team.requests", "GET", "no path"), 400, "slash"),
        (request("agentos.team.requests", "GET", "/nowhere"), 404, "/nowhere"),
        (request("agentos.team.requests", "STEAL", agents), 400, "method"),
        (request("agentos.team.requests", "GET", agents, [("pth", "x")]), 400, "did you mean"),
        (request("agentos.team.requests", "PUT", agents), 405, "PUT is not supported"),
        (
            request("agentos.team.requests", "POST", agents, [("body", agent("bad", [("replicas", "many")]))]), 422,
            "replicas"
        ),
        (request("agentos.team.requests", "POST", agents, [("body", agent("good"))]), 201, "\"name\":\"good\""),
        (request("agentos.team.requests", "POST", agents, [("body", agent("good"))]), 409, "already exists"),
        (
            request(
                "agentos.team.requests", "PATCH", "\(agents)/good",
                [
                    ("contentType", "application/merge-patch+json"),
                    ("body", .map([("metadata", .map([("labels", .map([("a", "b")]))]))])),
                ]), 200, "\"a\":\"b\""
        ),
        (
            .map([("subject", "agentos.team.requests"), ("raw", "{\"path\": "), ("headers", bearer)]), 400, "request:1"
        ),
        (.map([("subject", "agentos.team.requests"), ("raw", "[]"), ("headers", bearer)]), 400, "no JSON object"),
        (
            .map([("subject", "agentos._.requests"), ("size", .number(1 << 20)), ("headers", bearer)]), 200,
            "gitVersion"
        ),
        (
            .map([("subject", "agentos._.requests"), ("size", .number(1 << 20 + 1)), ("headers", bearer)]), 413,
            "larger than 1 MiB"
        ),
    ]

    @Test func requestsAreAnsweredAsOverHTTP() throws {
        try inRequests(server: "max_payload: 2MB") { world, server in
            let answers = try ask(world, server, ["each"], Self.table.map(\.ask))
            #expect(answers.count == Self.table.count)
            for (answer, row) in zip(answers, Self.table) {
                let body = JSONWriter.text(answer["body"] ?? "")
                #expect(answer["code"]?.int == row.code && body.contains(row.words), "\(row.ask): \(answer)")
                let isFailure = answer["body"]?["kind"] == "Status"
                #expect(!isFailure || answer["body"]?["code"] == answer["code"])
            }
            let log = world.read("\(world.state)/audit/requests.jsonl", until: "\"name\":\"good\",\"code\":200")
            #expect(log.contains("\"user\":\"asker\",\"via\":\"token\",\"method\":\"PATCH\""), "\(log)")
            #expect(!log.contains(Self.token) && !world.log.contains(Self.token))
        }
    }

    /// What Documentation/requests.md tells others to do, and the same once more.
    @Test func theExampleOfThePageRuns() throws {
        try inRequests { world, server in
            let page = World.read("\(World.root)/Documentation/requests.md")
            let parts = page.components(between: "```python\n", and: "```")
            let script = world.write("example.py", try #require(parts))
            world.moreEnvironment += ["NATS_URL=\(server.address)", "TOKEN=\(Self.token)"]
            for _ in 1...2 {
                let result = try NATSServer.python(world, script, [])
                #expect(result.code == 0 && result.output == "201 greeter\n", "\(result.text)")
            }
            let history = world.run("events", "-o", "json", "-n", "team").output
            #expect(history.components(of: "\"agent.created\"") == 1, "\(history)")
        }
    }

    /// Whoever asks sends a request again until it is answered, with its key, while the server and the daemon are killed.
    @Test func aRequestWithAKeyIsCarriedOutOnceOverKillsOfTheServer() throws {
        try inRequests { world, server in
            let create = Self.request("agentos.team.requests", "POST", Self.agents, [("body", Self.agent(nil))])
            let input = world.write("asks.json", JSONWriter.text(.list([create])))
            let python = try #require(World.variable("AGENTOS_TEST_CLIENTS"))
            let output = "\(world.directory)/answers"
            let count = 120
            let pid = World.start(
                [python, "-B", "\(World.root)/Tests/EndToEndTests/ask.py", server.address, "insist", "\(count)"],
                world.environment, input, output, "\(world.directory)/asker.err")
            for kill in 1...3 {
                let before = world.events("-n", "team").count
                World.until("some are carried out") {
                    world.events("-n", "team").count > before || !World.isAlive(pid)
                }
                if kill == 2 {
                    world.killDaemon()
                    #expect(world.start("--config", "\(world.directory)/daemon.yaml").code == 0, "\(world.log)")
                } else {
                    server.kill()
                    server.start()
                }
            }
            #expect(
                World.wait(pid, timeoutMs: 2 * World.patienceMs) == 0, "\(World.read("\(world.directory)/asker.err"))")
            let answers = World.read(output).split(separator: "\n").compactMap { JSONReader.read(String($0)) }
            let names = answers.compactMap { $0[path: "body", "metadata", "name"]?.string }
            #expect(Set(answers.compactMap { $0["code"]?.int }) == [201] && Set(names).count == count, "\(answers)")
            let list = world.run("get", "agents", "-n", "team", "-o", "name").output
            #expect(list.split(separator: "\n").count == count, "each was made once: \(list)")
        }
    }

    @Test func tenThousandRequestsAtOnceAreAllAnswered() throws {
        try inRequests { world, server in
            let list = Self.request("agentos.team.requests", "GET", Self.agents)
            let codes = try #require(try ask(world, server, ["flood", "10000"], [list]).first?.map)
            let counts = codes.entries.map { ($0.key, $0.value.int ?? 0) }
            #expect(counts.reduce(0) { $0 + $1.1 } == 10_000, "\(counts)")
            #expect(Set(counts.map(\.0)).isSubset(of: ["200", "429", "504"]) && codes["200"] != nil, "\(counts)")
            let after = try ask(world, server, ["each"], [list])
            #expect(after.first?["code"] != nil && world.run("get", "agents").code == 0)
        }
    }

    /// The daemon's user may do what the asker may not: no answer goes there.
    @Test func answersGoToNoOtherPlace() throws {
        try inRequests { world, server in
            func make(_ name: String, _ more: [(String, Node?)]) -> Node {
                let create = Self.request("agentos.team.requests", "POST", Self.agents, [("body", Self.agent(name))])
                return .map((create.map?.entries.map { ($0.key, $0.value) } ?? []) + more)
            }
            let asks = [
                make("nowhere", [("publish", Node(.bool(true)))]),
                make("deletes", [("reply", "$JS.API.STREAM.DELETE.AGENTOS")]),
                make("forges", [("reply", "agentos.team.agent.created")]),
                make("circles", [("reply", "agentos.team.requests")]),
                make("last", []),
            ]
            let answers = try ask(world, server, ["each"], asks)
            #expect(answers.last?["code"] == 201, "\(answers)")
            #expect(world.run("get", "agents", "-n", "team", "-o", "name").output == "agent.agentos.dev/last\n")
            World.until("it is told") { world.log.contains("an _INBOX") || world.log.contains("without a place") }
            let info = try NATSServer.python(
                world, "Tests/MessagingTests/stream.py", [server.address, "AGENTOS"])
            #expect(info.code == 0 && info.output.contains("namespace.created"), "the stream is there: \(info.text)")
            #expect(!info.output.contains("Agentos-Code") && !info.output.contains("Bearer"))
        }
    }

    @Test func aStreamThatWouldKeepRequestsIsNamed() throws {
        try inWorld { world in
            let server = try NATSServer(world)
            server.start()
            let admin = "Tests/MessagingTests/stream_admin.py"
            let wide = #"{"subjects": ["agentos.>"]}"#
            let made = try NATSServer.python(world, admin, [server.address, "AGENTOS", "make", wide])
            #expect(made.code == 0, "\(made.text)")
            let sink = "{name: events, nats: {servers: [\"\(server.address)\"], requests: true}}"
            let config = world.write("daemon.yaml", "sinks: [\(sink)]\n")
            #expect(world.start("--config", config).code == 0, "\(world.log)")
            World.until("the stream is named") { world.log.contains("the stream AGENTOS would keep them") }
            let gone = try NATSServer.python(world, admin, [server.address, "AGENTOS", "delete"])
            #expect(gone.code == 0, "\(gone.text)")
            World.until("requests are taken") { world.log.contains("requests are taken on agentos.*.requests") }
        }
    }

    @Test func permissionsOfTheSubjectAreMissedAndComeBack() throws {
        func users(_ subscribe: String) -> String {
            """
            authorization { users: [
              {user: "agentos", password: "secret", permissions: {publish: ">", subscribe: [\(subscribe)]}},
              {user: "asker", password: "asker"}
            ] }
            """
        }
        let world = World()
        defer { world.close() }
        let file = world.write("user", "agentos:secret\n")
        chmod(file, 0o600)
        let server = try NATSServer(world)
        server.start(users("\"_INBOX.>\""))
        let tokens = world.write("tokens", "\(Self.token),asker,7\n")
        chmod(tokens, 0o600)
        let nats = "{servers: [\"\(server.address)\"], userFile: \(file), requests: true, requestNamespaces: [team]}"
        let config = world.write(
            "daemon.yaml", "tokenAuthFile: \(tokens)\nsinks: [{name: events, nats: \(nats)}]\n")
        #expect(world.start("--config", config).code == 0, "\(world.log)")
        world.apply(Self.access)
        World.until("the permission is missed") { world.log.contains("requests may not be taken: ") }
        server.kill()
        server.start(users("\"_INBOX.>\", \"agentos.team.requests\""))
        let asker = server.address.replacing("nats://", with: "nats://asker:asker@")
        let list = Self.request("agentos.team.requests", "GET", Self.agents)
        let answers = try NATSServer.python(
            world, "Tests/EndToEndTests/ask.py", [asker, "insist", "1"], input: JSONWriter.text(.list([list])))
        #expect(answers.code == 0 && answers.output.contains("AgentList"), "\(answers.text)")
        let elsewhere = Self.request("agentos._.requests", "GET", Self.agents)
        let none = try NATSServer.python(
            world, "Tests/EndToEndTests/ask.py", [asker, "each"], input: JSONWriter.text(.list([elsewhere])))
        #expect(none.output.contains("NoRespondersError"), "\(none.text)")
    }
}

extension World {
    /// What a file says once it has a text.
    fileprivate func read(_ path: String, until text: String) -> String {
        World.until("\(path) says \(text)") { World.read(path).contains(text) }
        return World.read(path)
    }
}

extension String {
    /// What stands behind the first of one text, up to the next of another.
    fileprivate func components(between start: String, and end: String) -> String? {
        guard let begin = firstRange(of: start)?.upperBound, let stop = self[begin...].firstRange(of: end)?.lowerBound
        else { return nil }
        return String(self[begin..<stop])
    }

    fileprivate func components(of text: String) -> Int { ranges(of: text).count }
}
