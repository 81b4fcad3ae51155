import Glibc
import Support
import Testing
import agentos_apply

/// What a person sees of each verb, whole: into a pipe, on terminals of 60 and of 200 columns, and with NO_COLOR.
///
/// `Golden/verbs.txt` holds it. With AGENTOS_GOLDEN=write in the environment the test writes what it sees there.
@Suite(.serialized) struct GoldenTests {
    private static let path = "\(World.root)/Tests/CommandLineTests/Golden/verbs.txt"

    /// In this order, in one world. Those that begin with `+` are shown on terminals, too, since they change nothing.
    private static let steps: [String] = [
        // What is declared, and what that would do.
        "+validate -f fleet.yaml", "+validate -f broken.yaml", "+validate", "+-f broken.yaml", "+-f none.yaml",
        "+apply",
        "+-f fleet.yaml --dry-run", "-f fleet.yaml --wait", "-f fleet.yaml", "+diff -f fleet.yaml",
        "+plan -f fleet.yaml", "+diff -f next.yaml", "+diff -f next.yaml --word", "+diff web", "+plan -f next.yaml",
        "+plan -f broken.yaml",
        "plan -f next.yaml --out plan.json", "apply --plan none.json", "apply --plan plan.json",
        "wait agent web --for jsonpath={.status.phase}=Ready", "apply --plan plan.json", "-f fleet.yaml --fail-after 0",
        "-f fleet.yaml", "wait agent web --for jsonpath={.status.phase}=Ready",
        // What is there.
        "+get agents", "+get agents,cm -o name", "+get cm", "+get cm settings -o yaml", "+get cm,agents settings",
        "+get agents nobody", "+get flies", "+get", "+get --nothing", "+get agents -o jsonpath={.items}",
        "+status", "+status --tree", "+status flies", "+describe cm settings", "+describe cm nothing",
        // What makes and changes objects.
        "create ns team", "create ns team", "create flies", "create cm more --from-literal a=b -n team",
        "create secret generic key --from-literal token=hidden", "+get secrets", "label agent web tier=front",
        "label agent web tier=back", "+label agent web --list", "+label agent web", "annotate cm settings note=x",
        "annotate cm settings note-", "annotate cm nothing note=x", "edit cm settings", "edit cm", "scale web",
        "scale web --replicas 1", "scale web --replicas 1", "scale nobody --replicas 1",
        // What agents do.
        "suspend web", "suspend nobody", "wait agent web --for jsonpath={.status.phase}=Suspended", "resume web",
        "resume", "wait agent web --for condition=Ready", "wait agent nobody --for condition=Ready", "wait agent web",
        "rollout status web", "+rollout history web", "rollout pause web", "rollout pause web", "rollout resume web",
        "rollout undo web", "rollout flies web", "restart web", "restart nobody", "rollout status web",
        "+exec web -- echo hello", "+exec web -- sh -c \"exit 9\"", "+exec web", "+exec nobody -- true",
        "+logs web --run 1", "+logs web --run 99", "+logs nobody", "cp README web:there.txt",
        "cp web:there.txt back.txt", "cp web:none.txt .", "cp README web:", "+top nobody", "+top --sort-by length",
        "attach nobody", "attach", "port-forward web none", "port-forward web", "+events nobody", "+events --ack",
        "+why nobody", "+why", "+why ns/team",
        // Who may what, and what there is.
        "+auth can-i delete agents", "+auth can-i", "+auth whoami", "+api-resources", "+api-resources agents",
        "+explain agent.spec.backoff", "+explain agent.spec.nothing", "+explain", "+schema --kind Nothing",
        "+completion tcsh", "+version", "+version --short", "+help", "+help flies", "+hlep", "+restrat web",
        // The daemon, and what it keeps.
        "slo api-errors -o name", "slo nobody", "+outbox", "+outbox list", "+outbox sinks", "+outbox show 999",
        "outbox skip 999", "outbox flies",
        "sync nobody", "sync", "backup", "backup saved.db", "backup /no/such/saved.db", "restore /no/such", "restore",
        "restore saved.db", "secrets rotate", "secrets", "+kubeconfig", "+kubeconfig web",
        "support-bundle /no/such/place.tar.gz",
        "support-bundle bundle.tar.gz", "+doctor web", "+daemon status", "daemon start", "daemon reload",
        "+daemon --check-config", "+daemon --check-config --config none.yaml", "+daemon flies", "daemon stop --replace",
        // The end.
        "delete", "delete agent web --dry-run", "delete agent web --grace-period 0", "delete agent web",
        "delete cm,secrets --all", "delete ns team", "daemon stop", "+daemon status", "+get agents", "+version",
        "daemon stop", "daemon reload",
    ]

    private static let fleet = """
        apiVersion: agentos.dev/v1
        kind: Agent
        metadata: {name: web}
        spec: {command: [sh, -c, "echo hello from web; trap 'exit 0' TERM; while :; do sleep 0.2; done"], replicas: 2}
        ---
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: settings}
        data: {model: small, url: "https://example.com/a/rather/long/path/of/a/service/that/does/not/fit/into/sixty/columns"}

        """

    /// Times, places and numbers that are others each time; and what is said of a wait on its way.
    private func steady(_ text: String, _ world: World) -> String {
        var text = text.replacing(world.directory, with: "/DIR").replacing("\r\n", with: "\n")
        text.replace(#/\x1b\[([0-9;]*)m/#) { "<\($0.output.1)>" }
        text.replace(#/agent\.agentos\.dev\/\w+: \w+, [^\n]*\n/#, with: "")
        text.replace(#/agentos-diff\.\w+/#, with: "agentos-diff")
        text.replace(#/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+ \+0000/#, with: "TIME")
        text.replace(#/\d{4}-\d\d-\d\dT[\d:.]+Z/#, with: "TIME")
        text.replace(#/[0-9a-f]{8}-[0-9a-f-]{27}/#, with: "UID")
        text.replace(#/"UID"/#, with: "UID")
        text.replace(#/[0-9a-f]{16}/#, with: "KEY")
        text.replace(#/\b\d+(ms|s|m|h|d)\b/#.wordBoundaryKind(.simple), with: "AGE")
        text.replace(#/pid \d+/#, with: "pid N")
        text.replace(#/uid:\d+/#, with: "uid:N")
        text.replace(#/resourceVersion: "\d+"/#, with: "resourceVersion: N")
        text.replace(#/resourceVersion \d+, now \d+/#, with: "resourceVersion N, now M")
        text.replace(#/\d+ bytes/#, with: "N bytes")
        // A column is as wide as the age in it.
        text.replace(#/AGE +/#, with: "AGE ")
        text.replace(#/\n +AGE /#, with: "\n  AGE ")
        return text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
            String(line.reversed().drop { $0 == " " }.reversed())
        }.joined(separator: "\n")
    }

    /// What each way of looking shows; the same as one before it is not told again.
    private func shown(_ step: String, _ world: World) -> String {
        let isHarmless = step.hasPrefix("+")
        let command = isHarmless ? String(step.dropFirst()) : step
        func run(_ words: [String]) -> (code: Int32, text: String) {
            let result = world.spawn(words)
            return (result.code, steady(result.output + result.error, world))
        }
        func shell(_ before: String) -> String {
            "cd \(world.directory); \(before) TERM=xterm \(World.program) \(command)"
        }
        let (code, plain) = run(["sh", "-c", shell("exec env")])
        var out = "$ agentos-apply \(command)\n\(plain)[exit \(code)]\n"
        guard isHarmless else { return out }
        var told = [plain]
        for (name, columns, variables) in [
            ("60 columns", 60, ""), ("200 columns", 200, ""), ("200 columns, NO_COLOR", 200, "NO_COLOR=1"),
        ] {
            let text = run(
                ["script", "-qec", shell("stty cols \(columns) rows 50; \(variables)"), "/dev/null"]
            ).text
            if !variables.isEmpty { #expect(!text.contains(#/\x1b|<[0-9;]+>/#), "\(command): \(text)") }
            guard !told.contains(text) else { continue }
            told.append(text)
            out += "[\(name)]\n\(text)"
        }
        return out
    }

    @Test func eachVerbIsSeenAsItShouldBe() {
        inWorld { world in
            world.write("fleet.yaml", Self.fleet)
            world.write(
                "next.yaml",
                Self.fleet.replacing("model: small", with: "model: large").replacing("replicas: 2", with: "replicas: 3")
            )
            world.write(
                "broken.yaml",
                Self.fleet.replacing("replicas:", with: "replcias:").replacing(
                    "kind: ConfigMap", with: "kind: ConfigMpa"))
            world.write("README", "text\n")
            world.moreEnvironment = ["AGENTOS_EDITOR=sed -i s/small/tiny/"]
            world.startDaemon()
            let seen = Self.steps.map { shown($0, world) + "\n" }.joined()
            if World.variable("AGENTOS_GOLDEN") == "write" { world.write(Self.path, seen) }
            let expected = World.read(Self.path)
            guard seen != expected else { return }
            let (now, then) = (seen.split(separator: "\n\n$ "), expected.split(separator: "\n\n$ "))
            for (now, then) in zip(now, then) where now != then {
                Issue.record("it shows\n\(now)\ninstead of\n\(then)")
            }
            #expect(now.count == then.count)
        }
    }

    /// Each verb is shown when it does what it is for, and when it is used badly; or has texts of its own elsewhere.
    @Test func noVerbIsForgotten() {
        let elsewhere = [
            "attach": "CopyTests", "completion": "CompletionTests", "doctor": "DoctorTests",
            "events": "RenderingTests", "kubeconfig": "RemoteTests", "port-forward": "PortForwardTests",
            "schema": "SchemaTests", "sync": "SourceTests", "top": "StatusTests",
        ]
        var codes: [String: [Int]] = [:]
        for text in "\n\n\(World.read(Self.path))".split(separator: "\n\n$ agentos-apply ") {
            guard let code = text.firstMatch(of: #/\[exit (\d+)\]/#).flatMap({ Int($0.output.1) }) else {
                Issue.record("no exit code: \(text)")
                continue
            }
            let word = String(text.prefix { !$0.isWhitespace })
            codes[word == "-f" ? "apply" : word, default: []].append(code)
        }
        for verb in Verbs.all.map({ $0.name }) {
            let seen = codes[verb] ?? []
            #expect(seen.contains { $0 != 0 }, "a bad use of \(verb): add a step, and write the texts anew")
            #expect(
                seen.contains(0) != (elsewhere[verb] != nil),
                "\(verb): add a step that shows it at its work, and write the texts anew with AGENTOS_GOLDEN=write")
        }
    }
}
