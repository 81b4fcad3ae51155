import Glibc
import Manifests
import Support
import Testing
import Values

/// Git work trees and clones, secrets beside the directory, and faults.
extension SourceTests {
    @Test func aWorkTreeIsSyncedBranchByBranch() {
        inFleet { world, directory in
            _ = git(world, directory, "init", "-q", "-b", "main")
            for index in 0..<200 { world.write("\(directory)/\(index).yaml", settings(index)) }
            _ = git(world, directory, "add", ".")
            _ = git(world, directory, "commit", "-q", "-m", "first")
            let first = git(world, directory, "rev-parse", "HEAD").trimming()
            _ = git(world, directory, "checkout", "-q", "-b", "next")
            for index in 0..<200 { world.write("\(directory)/\(index).yaml", settings(index, "next")) }
            for index in 0..<10 { unlink("\(directory)/\(index).yaml") }
            _ = git(world, directory, "add", ".")
            _ = git(world, directory, "commit", "-q", "-m", "second")
            let second = git(world, directory, "rev-parse", "HEAD").trimming()
            _ = git(world, directory, "checkout", "-q", "main")
            world.startDaemon()
            World.until("the first commit is applied") {
                self.source(world)?[path: "status", "revision"]?.string == "main@\(first)"
                    && self.state(world) == "Ready"
            }
            #expect(world.run("sync", "watch-fleet").code == 0)
            let before = world.events().last?["position"]?.int ?? 0
            _ = git(world, directory, "checkout", "-q", "next")
            World.until("the second commit is applied") {
                self.source(world)?[path: "status", "revision"]?.string == "next@\(second)"
                    && self.state(world) == "Ready"
            }
            // Git names the new branch a moment after it has changed the files: one more sync may be for the name alone.
            func changes() -> [[Int]] {
                world.events("--since-position", String(before)).filter { $0["event_type"]?.string == "source.synced" }
                    .map { event in ["applied", "pruned"].map { event[path: "data", $0]?.int ?? -1 } }
                    .filter { $0 != [0, 0] }
            }
            World.until("the sync is told") { !changes().isEmpty }
            #expect(changes() == [[190, 10]], "one consistent sync")
        }
    }

    @Test func aBranchIsFollowedThroughACloneOfTheDaemons() {
        inWorld { world in
            let origin = "\(world.directory)/origin"
            mkdir(origin, 0o755)
            _ = git(world, origin, "init", "-q", "-b", "main")
            mkdir("\(origin)/deploy", 0o755)
            world.write("\(origin)/deploy/one.yaml", settings(1))
            world.write("\(origin)/README.yaml", "not: a manifest")
            _ = git(world, origin, "add", ".")
            _ = git(world, origin, "commit", "-q", "-m", "first")
            world.moreEnvironment = ["AGENTOS_SOURCE_PATH=\(world.directory)"]
            world.startDaemon()
            func apply(_ branch: String) {
                world.apply(
                    """
                    apiVersion: agentos.dev/v1
                    kind: Source
                    metadata: {name: fleet}
                    spec: {git: {url: "file://\(origin)", branch: \(branch), path: deploy, interval: 200ms}}

                    """)
            }
            apply("main")
            World.until("the clone is applied") { self.state(world, "fleet") == "Ready" }
            let first = git(world, origin, "rev-parse", "HEAD").trimming()
            #expect(source(world, "fleet")?[path: "status", "revision"]?.string == "main@\(first)")
            world.write("\(origin)/deploy/two.yaml", settings(2))
            _ = git(world, origin, "add", ".")
            _ = git(world, origin, "commit", "-q", "-m", "second")
            World.until("a commit is found by polling") { world.get("settings-2", kind: "configmap") != nil }
            // History that was written anew is followed, too.
            _ = git(world, origin, "reset", "-q", "--hard", first)
            World.until("what went is pruned") { world.get("settings-2", kind: "configmap") == nil }
            world.killDaemon()
            world.startDaemon()
            World.until("the next daemon goes on") { self.state(world, "fleet") == "Ready" }
            rename(origin, "\(origin).away")
            World.until("a missing repository is told") { self.state(world, "fleet") == "SyncFailed" }
            #expect(message(world, "fleet").contains("file://\(origin)"), "\(message(world, "fleet"))")
            #expect(world.get("settings-1", kind: "configmap") != nil)
            rename("\(origin).away", origin)
            World.until("and found again") { self.state(world, "fleet") == "Ready" }
            apply("nowhere")
            World.until("a missing branch is told") {
                self.state(world, "fleet") == "SyncFailed" && self.message(world, "fleet").contains("nowhere")
            }
            #expect(world.get("settings-1", kind: "configmap") != nil)
            #expect(world.run("delete", "source", "fleet").code == 0)
            World.until("the clone is removed") { World.names("\(world.state)/sources").isEmpty }
        }
    }

    // MARK: Secrets

    @Test func secretsComeFromBesideTheDirectory() {
        inFleet(["AGENTOS_SECRET_ENVIRONMENT=TOKEN_OF_TEST", "TOKEN_OF_TEST=from-the-environment"]) {
            world, directory in
            let keys = "\(world.directory)/keys"
            mkdir(keys, 0o700)
            world.write("\(keys)/api", "from-a-file\n")
            world.moreEnvironment.append("AGENTOS_SECRET_PATH=\(keys)")
            world.write(
                "\(directory)/secret.yaml",
                """
                apiVersion: v1
                kind: Secret
                metadata: {name: llm}
                dataFrom: [{key: api, file: \(keys)/api}, {key: token, environment: TOKEN_OF_TEST}]

                """)
            world.write(
                "\(directory)/agent.yaml",
                World.agent(
                    "one", "test $API = from-a-file && test $TOKEN = from-the-environment && echo fine; \(World.stays)",
                    "envFrom: [{secretRef: {name: llm}}]"
                ).replacing(
                    "envFrom: [{",
                    with:
                        "env: [{name: API, valueFrom: {secretKeyRef: {name: llm, key: api}}}, {name: TOKEN, valueFrom: {secretKeyRef: {name: llm, key: token}}}]\n  envFrom: [{"
                ))
            world.startDaemon()
            World.until("ready") { self.state(world) == "Ready" }
            World.until("the agent has both") { world.run("logs", "one").output.contains("fine") }
            // What is not allowed is refused, and no value is told.
            world.write(
                "\(directory)/other.yaml",
                "apiVersion: v1\nkind: Secret\nmetadata: {name: other}\ndataFrom: [{key: a, file: /etc/shadow}, {key: b, environment: PATH}]\n"
            )
            World.until("refused") { self.state(world) == "SyncFailed" }
            let words = message(world)
            #expect(words.contains("--secret-path") && words.contains("--secret-environment PATH"), "\(words)")
            #expect(words.contains("other.yaml:4:12"), "\(words)")
            #expect(!world.run("events", "-o", "json").output.contains("from-"))
            #expect(!world.run("diff", "--source", "watch-fleet").output.contains("from-"))
            #expect(!world.log.contains("from-"))
            // The same by hand is refused: the command line has no such leave.
            let byHand = world.apply(
                "apiVersion: v1\nkind: Secret\nmetadata: {name: hand}\ndataFrom: [{key: a, file: \(keys)/api}]\n")
            #expect(byHand.code == 3 && byHand.error.contains("dataFrom"), "\(byHand.text)")
        }
    }

    // MARK: Faults

    @Test func aKilledDaemonGoesOnWithItsDirectory() {
        inFleet { world, directory in
            world.apply(settings(999))  // by hand: never touched
            let readers = Readers(of: directory)
            for round in 0..<12 {
                for index in 0..<30 { world.write("\(directory)/\(index).yaml", settings(index, "round-\(round)")) }
                for index in 0..<5 { unlink("\(directory)/\((round * 5 + index) % 30).yaml") }
                // It dies before, while and after it reads, as it runs and as it starts.
                for moment in [round % 3, round / 3 % 3] {
                    if moment == 1 { World.until("it reads") { readers.haveRead } }
                    if moment == 2 { World.until("it has read") { world.run("sync", "watch-fleet").code == 0 } }
                    world.killDaemon()
                    _ = readers.haveRead
                    world.startDaemon()
                }
            }
            world.startDaemon()
            let expected = World.names(directory).filter { $0.hasSuffix(".yaml") }.map { String($0.dropLast(5)) }
            World.until("it is as declared") {
                self.state(world) == "Ready" && self.count(world, "declared") == expected.count
            }
            let names = Set(
                world.run("get", "configmaps", "-o", "name").output.split(separator: "\n").map {
                    $0.dropFirst("configmap/settings-".count)
                })
            #expect(names == Set(expected.map { $0[...] } + ["999"]))
            for index in expected {
                #expect(world.get("settings-\(index)", kind: "configmap")?[path: "data", "value"]?.string == "round-11")
            }
        }
    }

    @Test func aThousandManifestsAreSyncedAndUnchangedOnesWriteNothing() {
        inFleet { world, directory in
            for index in 0..<1000 { world.write("\(directory)/\(index).yaml", settings(index)) }
            world.startDaemon()
            World.until("all are there") {
                self.count(world, "declared") == 1000 && self.state(world) == "Ready"
            }
            func commits() -> Substring? {
                let path = "\(world.directory)/metrics"
                let get =
                    "import http.client,socket,sys\nc=http.client.HTTPConnection('x')\nc.sock=socket.socket(socket.AF_UNIX)\nc.sock.connect(sys.argv[1])\nc.request('GET','/metrics')\nopen(sys.argv[2],'wb').write(c.getresponse().read())"
                _ = world.spawn(["python3", "-c", get, world.socket, path])
                return World.read(path).split(separator: "\n").first { $0.hasPrefix("agentos_store_commits_total") }
            }
            World.until("all is delivered") { !world.run("outbox", "list").output.contains("OutboxWritten") }
            // What was under way before may still be written; what syncs would write, each of them would.
            World.until("a sync of what has not changed writes nothing") {
                let before = commits()
                for _ in 0..<3 { #expect(world.run("sync", "watch-fleet").code == 0) }
                return before != nil && commits() == before
            }
            // More changes than the kernel's queue of events holds, while nobody reads it: the rest is found all the same.
            let daemon = world.daemonPID
            World.kill(daemon, SIGSTOP)
            for round in 0..<8 {
                for index in 0..<1000 { world.write("\(directory)/\(index).yaml", settings(index, "v\(round)")) }
            }
            World.kill(daemon, SIGCONT)
            World.until("the last version of all is there") {
                ["settings-0", "settings-500", "settings-999"].allSatisfy {
                    world.get($0, kind: "configmap")?[path: "data", "value"]?.string == "v7"
                } && self.state(world) == "Ready"
            }
        }
    }
    /// Serves the repositories of a directory as `git http-backend` does.
    private static let server = """
        import http.server, os, subprocess, sys
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                path, _, query = self.path.partition("?")
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                given = {"GIT_PROJECT_ROOT": sys.argv[1], "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": path,
                    "QUERY_STRING": query, "REQUEST_METHOD": self.command, "REMOTE_ADDR": "127.0.0.1",
                    "CONTENT_TYPE": self.headers.get("Content-Type", ""), "CONTENT_LENGTH": str(len(body)),
                    "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                    "GIT_PROTOCOL": self.headers.get("Git-Protocol", "")}
                answer = subprocess.run(["git", "http-backend"], input=body, env=os.environ | given, capture_output=True)
                head, _, rest = answer.stdout.partition(b"\\r\\n\\r\\n")
                self.wfile.write(b"HTTP/1.0 200 OK\\r\\n" + head + b"\\r\\n\\r\\n" + rest)
            do_POST = do_GET
            def log_message(self, *words): pass
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        print(server.server_port, flush=True)
        server.serve_forever()
        """

    /// What one Source has lost is looked for in the others of its repository, also when those fail at once.
    @Test func aLossIsToldThoughTheCloneOfAnotherCannotBeMade() throws {
        try inWorld { world in
            let origin = "\(world.directory)/served/origin"
            mkdir("\(world.directory)/served", 0o755)
            mkdir(origin, 0o755)
            _ = git(world, origin, "init", "-q", "-b", "main")
            for index in 1...2 {
                mkdir("\(origin)/\(index)", 0o755)
                world.write("\(origin)/\(index)/one.yaml", settings(index))
                world.write("\(origin)/\(index)/kept.yaml", settings(10 + index))
            }
            _ = git(world, origin, "add", ".")
            _ = git(world, origin, "commit", "-q", "-m", "first")
            let said = "\(world.directory)/port"
            let server = World.start(
                ["/usr/bin/python3", world.write("server.py", Self.server), "\(world.directory)/served"],
                world.environment, nil, said, "\(said).error")
            defer {
                World.kill(server, SIGKILL)
                waitpid(server, nil, 0)
            }
            World.until("it serves: \(World.read("\(said).error"))") { World.read(said).hasSuffix("\n") }
            let url = "http://127.0.0.1:\(World.read(said).trimming())/origin/.git"
            world.startDaemon()
            for index in 1...2 {
                world.apply(source("fleet-\(index)", "git: {url: \"\(url)\", path: \"\(index)\", interval: 200ms}"))
            }
            World.until("both are applied: \(message(world, "fleet-1"))") {
                (1...2).allSatisfy { self.state(world, "fleet-\($0)") == "Ready" }
            }
            let uid = source(world, "fleet-2")?[path: "metadata", "uid"]?.string ?? "none"
            let clones = "\(world.state)/sources/\(uid.replacing("-", with: ""))"
            try #require(rename(clones, "\(world.directory)/away") == 0)
            world.write(clones, "no directory")
            World.until("the other fails") { self.state(world, "fleet-2") == "SyncFailed" }
            func commit(_ words: String) {
                _ = git(world, origin, "add", "-A")
                _ = git(world, origin, "commit", "-q", "-m", words)
            }
            // Who waits for the other waits for 15 s, each time; a slow machine may need so long now and then.
            var soonestMs = Int.max
            for round in 0..<5 where soonestMs > 10_000 {
                if round > 0 {
                    world.write("\(origin)/1/one.yaml", settings(1))
                    commit("again")
                    World.until("it is there again") { world.get("settings-1", kind: "configmap") != nil }
                }
                unlink("\(origin)/1/one.yaml")
                let start = World.now()
                commit("less")
                World.until("what went is pruned") { world.get("settings-1", kind: "configmap") == nil }
                soonestMs = min(soonestMs, World.now() - start)
            }
            #expect(soonestMs <= 10_000)
            #expect(world.get("settings-2", kind: "configmap") != nil)
        }
    }
}
