import Drivers
import Manifests
import Testing
import Values

private func read(_ text: String, file: String = "f.yaml") -> (manifests: [Manifest], errors: [String]) {
    var diagnostics = Diagnostics()
    let manifests = ManifestReader.read(
        Array(text.utf8), file: file, namespace: "default", drivers: .all, diagnostics: &diagnostics)
    return (manifests, diagnostics.kept.map(\.description))
}

private func agent(_ spec: String) -> String {
    "apiVersion: agentos.dev/v1\nkind: Agent\nmetadata: {name: a}\nspec:\n"
        + spec.split(separator: "\n").map { "  \($0)\n" }.joined()
}

@Suite struct ManifestTests {
    @Test func defaultsAreVisible() {
        let (manifests, errors) = read(agent("command: [x]"))
        #expect(errors.isEmpty)
        let spec = manifests[0].complete["spec"]
        #expect(spec?["driver"]?.string == "process")
        #expect(spec?["replicas"]?.int == 1)
        #expect(spec?["restartPolicy"]?.string == "Always")
        #expect(spec?[path: "backoff", "maxSeconds"]?.int == 300)
        #expect(spec?[path: "updateStrategy", "type"]?.string == "RollingUpdate")
        // What was declared is kept apart from its defaults: only it is owned.
        #expect(manifests[0].applied["spec"]?["replicas"] == nil)
    }

    /// Line, column and field of each mistake; columns and lines count from 1.
    @Test(arguments: [
        ("comand: [x]\ncommand: [x]", "f.yaml:5:3: spec.comand: unknown field; did you mean \"command\"?"),
        ("command: x", "f.yaml:5:12: spec.command: "),
        ("command: []", "f.yaml:5:12: spec.command: "),
        ("command: [x]\nreplicas: -1", "f.yaml:6:13: spec.replicas: "),
        ("command: [x]\nreplicas: two", "f.yaml:6:13: spec.replicas: "),
        ("command: [x]\nreplicas: 1.5", "f.yaml:6:13: spec.replicas: "),
        ("command: [x]\nsuspend: no", "f.yaml:6:12: spec.suspend: "),
        ("command: [x]\nrestartPolicy: always", "f.yaml:6:18: spec.restartPolicy: "),
        ("command: [x]\nresources: {limits: {memory: 1Zi}}", "f.yaml:6:32: spec.resources.limits.memory: "),
        ("command: [x]\nresources: {limits: {cpu: 100m}, requests: {cpu: 200m}}", "spec.resources.requests.cpu: "),
        ("command: [x]\nenv: [{name: A, value: x, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]", "spec.env[0]"),
        ("command: [x]\nenv: [{name: A=B, value: x}]", "spec.env[0].name: "),
        ("command: [x]\nstopSignal: SIGNOPE", "spec.stopSignal: "),
        ("command: [x]\ndependsOn: [{name: a}]", "spec.dependsOn"),
        ("args: [x]", "spec.command: "),
        ("command: [x]\nbackoff: {initialSeconds: 10, maxSeconds: 1}", "spec.backoff"),
    ])
    func mistakesAreToldWithTheirPlace(_ spec: String, _ expected: String) {
        let errors = read(agent(spec)).errors
        #expect(errors.contains { $0.hasPrefix(expected) || $0.contains(" \(expected)") }, "\(errors)")
    }

    @Test func allMistakesAreToldAtOnceUpToALimit() {
        let many = agent("command: [x]\n" + (0..<500).map { "unknown\($0): 1\n" }.joined())
        var diagnostics = Diagnostics()
        _ = ManifestReader.read(
            Array(many.utf8), file: "f", namespace: "default", drivers: .all, diagnostics: &diagnostics)
        #expect(diagnostics.kept.count == Limits.diagnosticsMax)
        #expect(diagnostics.total == 500)
    }

    /// YAML 1.2 core schema: words of YAML 1.1 are text.
    @Test(arguments: ["no", "on", "y", "yes", "off", "0o17x", "1_000", "12:30:45", "~x"]) func plainWordsAreText(
        _ word: String
    ) {
        let text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {key: \(word)}\n"
        let (manifests, errors) = read(text)
        #expect(errors.isEmpty, "\(errors)")
        #expect(manifests.first?.complete[path: "data", "key"]?.string == word)
    }

    @Test func numbersAndBooleansAreNotTakenForText() {
        for word in ["1", "true", "1.5", "null"] {
            let text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {key: \(word)}\n"
            #expect(read(text).errors.first?.hasPrefix("f.yaml:4:13: data.key: ") == true, "\(word)")
        }
    }

    @Test func jsonIsReadIntoTheSameNodes() {
        let yaml = agent("command: [x, \"1\"]\nreplicas: 2")
        let json =
            #"{"apiVersion":"agentos.dev/v1","kind":"Agent","metadata":{"name":"a"},"spec":{"command":["x","1"],"replicas":2}}"#
        #expect(read(json).manifests.first?.complete == read(yaml).manifests.first?.complete)
        #expect(read(json.replacing("2}", with: "two}")).errors.count == 1)
    }

    @Test func listsAndSeveralDocumentsAreUnpacked() {
        let list =
            "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}\n- {apiVersion: v1, kind: Namespace, metadata: {name: b}}\n---\n# only a comment\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: c, namespace: other}\n"
        let (manifests, errors) = read(list)
        #expect(errors.isEmpty, "\(errors)")
        #expect(
            manifests.map { "\($0.kind.rawValue) \($0.namespace)/\($0.name)" } == [
                "ConfigMap default/a", "Namespace /b", "Secret other/c",
            ])
    }

    @Test func anchorsAreSharedAndBounded() {
        let (manifests, errors) = read(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, labels: &l {x: \"1\"}, annotations: *l}\n")
        #expect(errors.isEmpty)
        #expect(manifests[0].complete[path: "metadata", "annotations", "x"]?.string == "1")
        #expect(read("a: &a [*a]\n").errors.count >= 1)
    }

    @Test func unknownKindsNameTheKnownOnes() {
        let errors = read("apiVersion: v1\nkind: Agnet\nmetadata: {name: a}\n").errors
        #expect(errors.first?.contains("did you mean \"Agent\"?") == true, "\(errors)")
        #expect(
            read("apiVersion: v2\nkind: Agent\nmetadata: {name: a}\nspec: {command: [x]}\n").errors.first?.contains(
                "agentos.dev/v1") == true)
        #expect(read("kind: ConfigMap\n").errors.count >= 2)
        #expect(read("- 1\n").errors.count == 1)
    }

    @Test(arguments: [
        "{", "[1, 2", "a: b: c", "\"open", "a: !!python/object x", "%TAG", "\u{1}", "a:\n\t- b", "*nowhere",
        "? [complex]: key",
    ])
    func brokenInputIsAnErrorAndNothingElse(_ text: String) {
        let (manifests, errors) = read(text)
        #expect(manifests.isEmpty && !errors.isEmpty)
        #expect(errors.allSatisfy { $0.hasPrefix("f.yaml:") })
    }

    /// Random damage of a valid manifest never traps and never yields an object with errors.
    @Test func damagedInputNeverTraps() {
        let good = Array(
            agent(
                "command: [x, y]\nreplicas: 3\nenv:\n- {name: A, value: \"1\"}\nresources: {limits: {cpu: \"1\", memory: 1Gi}}"
            ).utf8)
        var state: UInt64 = 1
        func random(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
        for _ in 0..<4000 {
            var bytes = good
            for _ in 0...random(4) {
                switch random(3) {
                case 0: bytes[random(bytes.count)] = UInt8(random(256))
                case 1: bytes.remove(at: random(bytes.count))
                default: bytes.insert(UInt8(random(128)), at: random(bytes.count))
                }
            }
            var diagnostics = Diagnostics()
            let manifests = ManifestReader.read(
                bytes, file: "f", namespace: "default", drivers: .all, diagnostics: &diagnostics)
            #expect(diagnostics.isEmpty || manifests.count <= 1)
            var json = Diagnostics()
            _ = JSONReader.read(bytes, file: "f", diagnostics: &json)
        }
    }

    @Test func whatIsWrittenIsReadBack() {
        let texts = [
            "", " x", "x ", "no", "1", "a: b", "- x", "#", "'", "\"", "\\", "line\nline\n", "\ttab", "ü€𐍈", "\u{7f}",
            "\u{80}\u{9f}\u{a0}",
            "null", "true", "1e3", "{}", "[]", "|", ">", "@", "`", "%", "!x", "&x", "*x", "---", "...",
        ]
        let node = Node.map([
            ("list", .list(texts.map(Node.text))),
            ("map", .map(texts.enumerated().map { ("k\($0.offset)", .text($0.element)) })), ("number", 12),
            ("flag", true), ("empty", .emptyMap), ("none", []),
        ])
        var diagnostics = Diagnostics()
        #expect(YAMLReader.read(Array(YAMLWriter.text(node).utf8), file: "f", diagnostics: &diagnostics).first == node)
        #expect(JSONReader.read(JSONWriter.text(node)) == node)
        #expect(JSONReader.read(JSONWriter.text(node, pretty: true)) == node)
        #expect(diagnostics.isEmpty, "\(diagnostics.kept)")
    }

    @Test(arguments: [("250m", 250), ("1", 1000), ("0.5", 500), ("2k", 2_000_000), ("1e3", 1_000_000)])
    func cpuQuantitiesAreRead(_ text: String, _ milli: Int64) {
        let spec = AgentSpec(
            read(agent("command: [x]\nresources: {limits: {cpu: \"\(text)\"}}")).manifests[0].complete["spec"]!)
        #expect(spec.resources.limitCpuMilli == milli)
    }

    @Test(arguments: [
        ("128Mi", 128 << 20), ("1Gi", 1 << 30), ("1G", 1_000_000_000), ("1048576", 1_048_576), ("1e6", 1_000_000),
    ])
    func memoryQuantitiesAreRead(_ text: String, _ bytes: Int64) {
        let spec = AgentSpec(
            read(agent("command: [x]\nresources: {limits: {memory: \(text)}}")).manifests[0].complete["spec"]!)
        #expect(spec.resources.limitMemoryBytes == bytes)
    }

    @Test func onlyRestartRelevantChangesRestart() {
        func spec(_ text: String) -> Node { read(agent(text)).manifests[0].complete["spec"]! }
        let base = spec("command: [x]")
        #expect(
            AgentSpec.restartRelevantChanges(
                from: base, to: spec("command: [x]\nreplicas: 5\npriority: 2\nbackoff: {initialSeconds: 3}"),
                drivers: .all
            ).isEmpty)
        #expect(
            AgentSpec.restartRelevantChanges(
                from: base, to: spec("command: [y]\nenv: [{name: A, value: b}]"), drivers: .all) == [
                    "spec.command", "spec.env",
                ])
    }
}
