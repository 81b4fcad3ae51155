import Glibc
import HTTPClient
import Support
import Testing
import Values
import agentos_apply

/// A daemon that listens for others, as the user of a kubeconfig: over TLS, with that user's rights and no others.
@Suite(.serialized) struct RemoteTests {
    // MARK: Files

    private static let whole = """
        apiVersion: v1
        kind: Config
        current-context: one
        clusters:
        - name: c
          cluster:
            server: https://localhost:6443/base/
            certificate-authority-data: "\(base64("-----BEGIN CERTIFICATE-----\n"))"
        contexts:
        - name: one
          context: {cluster: c, user: u, namespace: team}
        - name: two
          context: {cluster: c}
        users:
        - name: u
          user: {token: abc}
        """

    private static func base64(_ text: String) -> String { Base64.encode(Array(text.utf8)) }

    @Test func aContextSaysWhoAsksWhomAndWhere() throws {
        try inWorld { world in
            let path = world.write("config", Self.whole)
            world.write("token", "from-a-file\n")
            let files = try KubeconfigFiles(path, environment: { _ in nil })
            let one = try files.context(nil)
            #expect(one.server.url == "https://localhost:6443/base" && one.namespace == "team")
            #expect(one.server.token == "abc" && one.server.certificate == nil)
            #expect(one.server.trusted.map { String(decoding: $0, as: UTF8.self) } == "-----BEGIN CERTIFICATE-----\n")
            let two = try files.context("two")
            #expect(two.server.token == nil && two.namespace == nil)
            // The token of a file, which stands beside the kubeconfig, is the newer of both.
            world.write("config", Self.whole.replacing("token: abc", with: "token: abc, tokenFile: token"))
            #expect(try KubeconfigFiles(path, environment: { _ in nil }).context(nil).server.token == "from-a-file")
            // A list of files: each entry is that of the first that has it, and what is not there is passed over.
            let other = world.write("other", "contexts: [{name: three, context: {cluster: c}}]\n")
            let list = "/no/such:\(other):\(path)"
            let both = try KubeconfigFiles(nil) { $0 == "KUBECONFIG" ? list : nil }
            #expect(try both.context("three").server.url == both.context("one").server.url)
            #expect(throws: CommandProblem.self) { try KubeconfigFiles(nil) { _ in nil } }
            #expect(throws: CommandProblem.self) { try KubeconfigFiles("/no/such", environment: { _ in nil }) }
        }
    }

    @Test(arguments: [
        ("current-context: one", "current-context: non", "contexts: there is none named \"non\""),
        (
            "current-context: one\n", "",
            "current-context: is not set; choose one with --context NAME; there are one, two"
        ),
        ("kind: Config", "kind: Pod", "is no kubeconfig"),
        ("clusters:\n", "clusters: 7\nx:\n", ":4:11: clusters: expected a list"),
        ("cluster: c, user: u", "user: u", ":11:12: contexts[0].context.cluster: is required"),
        ("cluster: c, user: u", "cluster: d, user: u", "clusters: there is none named \"d\"; did you mean \"c\"?"),
        (
            "https://localhost:6443/base/", "http://localhost",
            ":7:13: clusters[0].cluster.server: expected https://HOST:PORT"
        ),
        ("https://localhost:6443/base/", "https://me@h", "clusters[0].cluster.server: expected https://HOST:PORT"),
        (
            "certificate-authority-data: \"", "certificate-authority-data: \"-",
            ":8:33: clusters[0].cluster.certificate-authority-data: expected base64"
        ),
        (
            "certificate-authority-data: \"", "certificate-authority-data: \"YQ==\" #",
            "certificate-authority-data: expected a certificate in PEM"
        ),
        (
            "certificate-authority-data: \"", "certificate-authority: /no/such #",
            "clusters[0].cluster.certificate-authority: /no/such: cannot be read: No such"
        ),
        (
            "certificate-authority-data: \"", "insecure-skip-tls-verify: true #",
            "insecure-skip-tls-verify: is refused: whoever answers"
        ),
        ("certificate-authority-data: \"", "proxy-url: http://p #", "clusters[0].cluster.proxy-url: is not built"),
        (
            "token: abc", "token: 12",
            ":16:17: users[0].user.token: expected a string, found an integer; put it in quotes"
        ),
        ("token: abc", "token: \"a\\r\\nX: y\"", "users[0].user.token: expected a token"),
        ("token: abc", "tokenFile: /no/such", "users[0].user.tokenFile: /no/such: cannot be read"),
        (
            "token: abc", "client-key-data: LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLS0t",
            "users[0].user.client-key: client-certificate and client-key go together"
        ),
        (
            "token: abc", "client-certificate: /dev/zero",
            "users[0].user.client-certificate: /dev/zero: cannot be read: it is no regular file"
        ),
        ("token: abc", "exec: {command: x}", "users[0].user.exec: programs that make tokens: is not built"),
        ("token: abc", "username: x, password: y", "users[0].user.password: passwords: is not built"),
        ("token: abc", "token: abc, as: root", "users[0].user.as: acting as another: is not built"),
        ("kind: Config", "kind: [", ":4:9: YAML syntax"), (whole, "", "is no kubeconfig"),
        (whole, "- a\n", "is no kubeconfig"),
    ]) func whatIsWrongIsToldWithItsPlace(old: String, new: String, message: String) throws {
        inWorld { world in
            let path = world.write("config", Self.whole.replacing(old, with: new))
            let result = world.run("--kubeconfig", path, "get", "agents")
            #expect(result.code == 3 && result.error.contains("\(path)"), "\(result.text)")
            #expect(result.error.contains(message), "\(result.error)")
            #expect(!World.exists(world.state))
        }
    }

    // MARK: A daemon that listens

    private func served(_ body: (World, _ config: String) throws -> Void) rethrows {
        try inWorld { world in
            let start = world.start("--listen", "127.0.0.1:0")
            #expect(start.code == 0, "\(start.text)")
            let config = world.run("kubeconfig")
            #expect(config.code == 0, "\(config.text)")
            try body(world, world.write("admin.conf", config.output))
        }
    }

    @Test func everyVerbWorksOverTLS() {
        served { world, config in
            func remote(_ words: String..., input: String? = nil) -> World.Result {
                world.run(["--kubeconfig", config] + words, input: input)
            }
            let agents = world.write(
                "agents.yaml",
                World.agent("one", "echo hello; \(World.stays)", "replicas: 2")
                    + World.agent("loud", "while :; do echo tick; sleep 0.1; done"))
            let applied = remote("apply", "-f", agents, "--wait")
            #expect(applied.code == 0 && applied.output.contains("agent.agentos.dev/one: Ready\n"), "\(applied.text)")
            #expect(remote("get", "agents", "-o", "name").output == "agent.agentos.dev/loud\nagent.agentos.dev/one\n")
            #expect(remote("status").output.contains("loud"))
            let failed = remote("exec", "one", "--", "sh", "-c", "echo out; echo err >&2; exit 7")
            #expect(failed.code == 7 && failed.output == "out\n" && failed.error == "err\n", "\(failed.text)")
            // More than all buffers, there and back, with an end of the input.
            let much = (1...100_000).map(String.init).joined(separator: "\n")
            let echoed = remote("exec", "-i", "one", "--", "sh", "-c", "cat; echo; echo end", input: much)
            #expect(echoed.code == 0 && echoed.output == "\(much)\nend\n", "\(echoed.output.utf8.count) bytes")
            World.until("its log is there") { remote("logs", "one", "--replica", "0").output == "hello\n" }
            let file = world.write("there", String(repeating: "0123456789abcdef", count: 40_000))
            #expect(remote("cp", file, "one:copied").code == 0)
            #expect(remote("cp", "one:copied", "\(world.directory)/back").code == 0)
            #expect(World.read("\(world.directory)/back") == World.read(file))
            let followed = world.begin("--kubeconfig", config, "logs", "-f", "loud")
            let attached = world.begin("--kubeconfig", config, "attach", "loud")
            let watched = world.begin("--kubeconfig", config, "get", "agents", "-w")
            for stream in [followed, attached] {
                World.until("it flows") { World.read(stream.output).contains("tick\ntick\n") }
            }
            let plan = remote("plan", "-f", agents)
            #expect(plan.code == 0, "\(plan.text)")
            #expect(remote("scale", "one", "--replicas", "1", "--wait").code == 0)
            World.until("it is well") { remote("why", "one").output.contains("agent default/one is Ready") }
            #expect(remote("version").output.hasSuffix("daemon 0.1.0\n"))
            #expect(remote("delete", "agent", "loud").code == 0)
            #expect(World.wait(attached.pid) == 0)
            #expect(World.wait(followed.pid) == 0)
            World.until("the watch tells it") { World.read(watched.output).contains("Stopping") }
            World.kill(watched.pid, SIGTERM)
            _ = World.wait(watched.pid)
        }
    }

    /// What this program lacks is told as that, not as something about the daemon.
    @Test func whatTheClientLacksIsToldAsSuch() {
        served { world, config in
            let words = "exec \(World.program) --kubeconfig \(config) get agents"
            let few = world.spawn(["sh", "-c", "ulimit -n 5; \(words)"])
            #expect(few.code == 1 && few.error.contains("as many files open as it may"), "\(few.text)")
            #expect(!few.error.contains("daemon start") && !few.error.contains("install"), "\(few.text)")
            // A library that cannot be loaded, as on a machine without it.
            let library = world.write("libcurl.so.4", "no library")
            world.moreEnvironment = ["LD_LIBRARY_PATH=\(world.directory)"]
            let none = world.run("--kubeconfig", config, "get", "agents")
            world.moreEnvironment = []
            #expect(none.code == 1 && none.error.contains("install libcurl"), "\(none.text)")
            #expect(none.error.contains(library) && !none.error.contains("not complete"), "\(none.text)")
        }
    }

    /// Three descriptors each: more than a shell allows a program that does not ask for more.
    @Test func moreLogsAreFollowedThanDescriptorsAreUsual() {
        served { world, config in
            let quiet = world.write(
                "quiet.yaml", World.agent("quiet", "echo here; \(World.stays)", "replicas: 100"))
            #expect(world.run("apply", "-f", quiet, "--wait").code == 0)
            let (out, err) = ("\(world.directory)/followed", "\(world.directory)/followed.err")
            let pid = World.start(
                ["sh", "-c", "ulimit -S -n 64; exec \(World.program) --kubeconfig \(config) logs -f quiet"],
                world.environment, nil, out, err)
            World.until("all are followed: \(World.read(err))") {
                World.read(out).split(separator: "\n").count { $0.hasSuffix("here") } == 100 || !World.isAlive(pid)
            }
            #expect(World.isAlive(pid), "\(World.read(err))")
            World.kill(pid, SIGTERM)
            _ = World.wait(pid)
        }
    }

    @Test func aUserHasHisOwnRightsAndHisContextsNamespace() {
        served { world, config in
            world.run("create", "ns", "team")
            for place in ["default", "team"] { world.run("create", "cm", "in-\(place)", "-n", place) }
            let made = world.run("kubeconfig", "--user", "ada")
            let ada = world.write("ada.conf", made.output)
            let refused = world.run("--kubeconfig", ada, "get", "cm")
            #expect(refused.code == 3 && refused.error.contains("ada"), "\(refused.text)")
            world.apply(
                """
                apiVersion: rbac.authorization.k8s.io/v1
                kind: RoleBinding
                metadata: {name: ada, namespace: team}
                roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}
                subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: ada}]
                """)
            world.write("ada.conf", world.run("kubeconfig", "--user", "ada", "-n", "team").output)
            #expect(World.read(ada).contains("    namespace: team\n"), "\(World.read(ada))")
            let own = world.run("--kubeconfig", ada, "get", "cm", "-o", "name")
            #expect(own.output == "configmap/in-team\n", "\(own.text)")
            #expect(world.run("--kubeconfig", ada, "get", "cm", "-n", "default").code == 3)
            #expect(world.run("--kubeconfig", ada, "get", "cm", "-A").code == 3)
            #expect(world.run("--kubeconfig", ada, "create", "cm", "x").code == 3)
            #expect(world.run("--kubeconfig", ada, "status").error.contains("No agents in namespace team."))
            #expect(world.run("--kubeconfig", config, "get", "cm", "-n", "team", "-o", "name").output == own.output)
        }
    }

    /// Neither a variable nor a file leads away from this machine's daemon, unless an option asks for it.
    @Test func theSocketIsUsedUnlessAnOptionSaysOtherwise() {
        served { world, config in
            world.moreEnvironment = ["KUBECONFIG=\(config)"]
            let whom = world.run("auth", "whoami")
            #expect(!whom.output.contains("admin"), "\(whom.text)")
            let asked = world.run("--context", "agentos", "auth", "whoami")
            #expect(asked.code == 0 && asked.output.contains("admin"), "\(asked.text)")
            let none = world.run("--context", "agentso", "get", "agents")
            #expect(none.code == 3 && none.error.contains("did you mean \"agentos\"?"), "\(none.text)")
            for words in [
                ["daemon", "status"], ["restore", "x"], ["backup", "x"], ["doctor"], ["kubeconfig"], ["support-bundle"],
            ] {
                let local = world.run(["--kubeconfig", config] + words)
                #expect(
                    local.code == 64 && local.error.contains("is about the daemon of this machine"), "\(local.text)")
            }
            #expect(world.run("--kubeconfig", config, "--socket", "/s", "get", "agents").code == 64)
        }
    }

    @Test func whoIsNotTrustedAndWhoIsNotThereIsTold() {
        served { world, config in
            // Of another daemon's authority.
            inWorld { other in
                other.start("--listen", "127.0.0.1:0")
                let theirs = other.run("kubeconfig").output
                let authority = theirs.split(separator: "\n").first { $0.contains("certificate-authority-data") } ?? ""
                let own =
                    World.read(config).split(separator: "\n").first { $0.contains("certificate-authority-data") } ?? ""
                let mixed = world.write("mixed.conf", World.read(config).replacing(own, with: authority))
                let result = world.run("--kubeconfig", mixed, "get", "agents")
                #expect(result.code == 1 && result.error.contains("no trust with https://127.0.0.1:"), "\(result.text)")
                #expect(result.error.contains("context \"agentos\" of \(mixed) says whom to trust"), "\(result.text)")
                let exec = world.run("--kubeconfig", mixed, "exec", "one", "--", "true")
                #expect(exec.code == 1 && exec.error.contains("no trust with"), "\(exec.text)")
            }
            let lines = World.read(config).split(separator: "\n").compactMap { line -> String? in
                if line.contains("client-key-data") { return nil }
                return String(line).replacing(/client-certificate-data:.*/, with: "token: nobodys-token-of-some-length")
            }
            let token = world.write("token.conf", lines.joined(separator: "\n"))
            let unknown = world.run("--kubeconfig", token, "get", "agents")
            #expect(unknown.code == 3 && unknown.error.contains("does not know the user of context"), "\(unknown.text)")
            world.run("daemon", "stop")
            for words in [
                ["get", "agents"], ["exec", "x", "--", "true"],
                ["apply", "-f", world.write("a.yaml", World.agent("a", "x"))],
            ] {
                let result = world.run(["--kubeconfig", config] + words)
                #expect(
                    result.code == 4 && result.error.contains("no daemon answers at https://127.0.0.1:"),
                    "\(result.text)")
                #expect(!result.error.contains("daemon start") && !result.error.contains("Started"), "\(result.text)")
            }
        }
    }
}
