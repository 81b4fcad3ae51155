import Drivers
import Manifests
import Testing
import Values

private func read(_ text: String) -> (manifests: [Manifest], errors: [String]) {
    var diagnostics = Diagnostics()
    let manifests = ManifestReader.read(Array(text.utf8), file: "f.yaml", drivers: .all, diagnostics: &diagnostics)
    return (manifests, diagnostics.kept.map(\.description))
}

private func spec(_ lines: String) -> Node {
    let text =
        "apiVersion: agentos.dev/v1\nkind: Agent\nmetadata: {name: a}\nspec:\n"
        + lines.split(separator: "\n").map { "  \($0)\n" }.joined()
    return read(text).manifests.first?.complete["spec"] ?? .emptyMap
}

private func errors(_ lines: String) -> [String] {
    read(
        "apiVersion: agentos.dev/v1\nkind: Agent\nmetadata: {name: a}\nspec:\n"
            + lines.split(separator: "\n").map { "  \($0)\n" }.joined()
    ).errors
}

/// What files declare, and what is the same however it is written.
@Suite struct DeclaringTests {
    @Test(arguments: [
        "", "\n", "# a comment\n", "---\n---\n", "---\n# one\n---\n~\n", "apiVersion: v1\nkind: List\nitems: []",
    ])
    func aFileWithoutAnObjectDeclaresNothing(_ text: String) {
        let (manifests, errors) = read(text)
        #expect(manifests.isEmpty && errors.isEmpty, "\(errors)")
    }

    @Test(arguments: [
        ("apiVersion: v1\nkind: List", "items: required"),
        ("apiVersion: v1\nkind: List\nitems: {a: b}", "items: expected"),
        ("x-only: 1", "kind: required"), ("apiVersion: v1\nkind: Nope", "kind: unknown"), ("- a", "expected a map"),
    ])
    func whatIsNoObjectIsToldWithItsPlace(_ text: String, _ expected: String) {
        #expect(read(text).errors.first?.contains(expected) == true, "\(read(text).errors)")
    }

    @Test func anchorsMayStandAtTheTop() {
        let (manifests, errors) = read(
            """
            x-limits: &limits {memory: 64Mi}
            x-base: &base
              command: [sleep, "60"]
              resources: {limits: {<<: *limits, cpu: "1"}}
            apiVersion: agentos.dev/v1
            kind: Agent
            metadata: {name: a}
            spec:
              <<: *base
              replicas: 2
            """)
        #expect(errors.isEmpty, "\(errors)")
        let applied = manifests.first?.applied
        #expect(applied?["x-base"] == nil && applied?[path: "spec", "replicas"]?.int == 2)
        #expect(applied?[path: "spec", "resources", "limits", "memory"] == "64Mi")
        #expect(
            read(#"{"x-a": 1, "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a"}}"#).errors.count == 1)
    }

    @Test func aSetIsOrderedAndHasEachObjectOnce() throws {
        func text(_ kind: String, _ name: String) -> [UInt8] {
            Array("apiVersion: v1\nkind: \(kind)\nmetadata: {name: \(name)}\n".utf8)
        }
        var set = ManifestSet(namespace: "team", drivers: .all)
        set.read(text("ConfigMap", "b") + Array("---\n".utf8) + text("Secret", "s"), file: "1")
        set.read([], file: "2")
        set.read(text("ConfigMap", "a") + Array("---\n".utf8) + text("Namespace", "n"), file: "3")
        #expect(try set.ordered().map(\.name) == ["n", "s", "b", "a"])
        #expect(try set.ordered().map(\.namespace) == ["", "team", "team", "team"])
        set.read(text("Secret", "s"), file: "4")
        set.read(Array("kind: Agent".utf8), file: "5")
        do throws(ManifestSet.Errors) {
            _ = try set.ordered()
            Issue.record("a double was taken")
        } catch {
            #expect(error.lines.first == "4:1:1: metadata.name: Secret \"s\" is declared twice; first in 1:5")
            #expect(error.lines.dropFirst().allSatisfy { $0.hasPrefix("5:1:1: ") } && error.lines.count > 1)
        }
    }

    @Test func aSetWithoutAnObjectIsAMistake() {
        var set = ManifestSet(drivers: .all)
        set.read([], file: "a")
        set.read(Array("# nothing\n".utf8), file: "b")
        do throws(ManifestSet.Errors) {
            _ = try set.ordered()
            Issue.record("nothing was taken for something")
        } catch {
            #expect(error.lines == ["a:1:1: no object in this file: expected apiVersion, kind and metadata"])
        }
    }

    /// Spellings of one value: nothing changes and nothing restarts.
    @Test(arguments: [
        ("resources: {limits: {cpu: 1}}", "resources: {limits: {cpu: \"1\"}}"),
        ("resources: {limits: {cpu: 1}}", "resources: {limits: {cpu: 1000m}}"),
        ("resources: {limits: {memory: 64Mi}}", "resources: {limits: {memory: 65536Ki}}"),
        ("resources: {limits: {memory: 64Mi}}", "resources: {limits: {memory: 67108864}}"),
        ("resources: {requests: {cpu: 0.5}}", "resources: {requests: {cpu: 500m}}"),
        ("args: []", ""), ("env: []", ""), ("envFrom: []", ""), ("network: {mode: Host}", ""), ("resources: {}", ""),
        ("resources: {limits: {}}", ""), ("securityContext: {}", ""), ("stopSignal: TERM", "stopSignal: SIGTERM"),
        ("backoff: {initialSeconds: 1}", "backoff: {initialSeconds: 1.0}"), ("dependsOn: []", ""),
        ("securityContext: {runAsUser: 1, runAsGroup: 2}", "securityContext: {runAsGroup: 2, runAsUser: 1}"),
    ])
    func anotherSpellingIsNoChange(_ one: String, _ other: String) {
        let (a, b) = (spec("command: [x]\n\(one)"), spec("command: [x]\n\(other)"))
        #expect(!a.isEmpty && !b.isEmpty)
        #expect(Kind.agent.isSame(.map([("spec", a)]), .map([("spec", b)]), drivers: .all))
        #expect(AgentSpec.restartRelevantChanges(from: a, to: b, drivers: .all).isEmpty)
        #expect(AgentSpec.restartRelevantChanges(from: b, to: a, drivers: .all).isEmpty)
    }

    @Test(arguments: [
        ("resources: {limits: {cpu: 1}}", "resources: {limits: {cpu: 1001m}}", "spec.resources"),
        ("args: [\"\"]", "", "spec.args"), ("filesystem: {}", "", "spec.filesystem"),
        ("env: [{name: A}]", "", "spec.env"), ("readinessProbe: {exec: {command: [a]}}", "", "spec.readinessProbe"),
        ("securityContext: {runAsUser: 0}", "", "spec.securityContext"),
    ])
    func anotherValueIsAChange(_ one: String, _ other: String, _ field: String) {
        let (a, b) = (spec("command: [x]\n\(one)"), spec("command: [x]\n\(other)"))
        #expect(Kind.agent.isSame(.map([("spec", a)]), .map([("spec", b)]), drivers: .all) == false)
        #expect(AgentSpec.restartRelevantChanges(from: a, to: b, drivers: .all) == [field])
        #expect(AgentSpec.restartRelevantChanges(from: b, to: a, drivers: .all) == [field])
    }

    /// Containers have no network unless they ask for one.
    @Test func theUsualNetworkIsThatOfTheDriver() {
        let container = "driver: gvisor\nimage: x\n"
        let (none, bridge) = (spec(container + "network: {mode: None}"), spec(container + "network: {mode: Bridge}"))
        #expect(AgentSpec.restartRelevantChanges(from: none, to: spec(container), drivers: .all).isEmpty)
        #expect(AgentSpec.restartRelevantChanges(from: bridge, to: none, drivers: .all) == ["spec.network"])
    }

    /// Promise 9: each driver refuses what it cannot honour, and names those that can.
    @Test(arguments: [
        ("image: x", "spec.image: the driver process cannot honour this; containerd and gvisor can"),
        (
            "volumes: [{name: v, emptyDir: {}}]",
            "spec.volumes: the driver process cannot honour this; containerd and gvisor can"
        ),
        (
            "securityContext: {capabilities: {drop: [ALL]}}",
            "spec.securityContext.capabilities: the driver process cannot honour this; containerd and gvisor can"
        ),
        (
            "network: {mode: None}",
            "spec.network.mode: the driver process cannot honour this, a process has the machine's network; containerd and gvisor can"
        ),
        (
            "driver: gvisor\nimage: x\nfilesystem: {read: [/a]}",
            "spec.filesystem: the driver gvisor cannot honour this, a container has a file system of its own; process can"
        ),
        ("driver: containerd", "spec.image: the driver containerd needs exactly one of image, imageArchive"),
        ("driver: docker", "spec.driver: expected process, containerd, gvisor; found \"docker\""),
    ])
    func driversRefuseWhatTheyCannotHonour(_ lines: String, _ expected: String) {
        let errors = errors("command: [x]\n\(lines)")
        #expect(errors.count == 1 && errors[0].hasSuffix(expected), "\(errors)")
    }

    @Test func aProcessNamesItsCommand() {
        #expect(errors("args: [x]").first?.hasSuffix("required: a process has no image that names a command") == true)
        #expect(errors("driver: gvisor\nimage: x\nsecurityContext: {readOnlyRootFilesystem: true}").isEmpty)
        #expect(errors("command: [x]\nsecurityContext: {readOnlyRootFilesystem: false}").isEmpty)
    }

    @Test func sameContentsOfOtherKinds() {
        func source(_ interval: String) -> Node {
            .map([("spec", .map([("path", "/a"), ("interval", .text(interval))]))])
        }
        #expect(Kind.source.isSame(source("60s"), source("1m"), drivers: .all))
        #expect(Kind.source.isSame(source("60s"), source("61s"), drivers: .all) == false)
        #expect(Kind.configMap.isSame(.map([("data", .emptyMap)]), .emptyMap, drivers: .all))
        #expect(Kind.configMap.isSame(.map([("data", .map([("a", "")]))]), .emptyMap, drivers: .all) == false)
        let unlabelled = Node.map([("metadata", .map([("labels", .emptyMap)]))])
        #expect(Kind.secret.isSame(unlabelled, .emptyMap, drivers: .all) == true)
    }

    /// No field of a spec is left out when two are compared, or a change of it would never be applied.
    @Test func everyFieldOfASpecCounts() {
        // Only `false` is taken for it.
        let fixed = ["spec.securityContext.allowPrivilegeEscalation"]
        var compared = 0
        for field in DescribedField.all(where: { Self.samples($0) != nil }) where field.path.first == "spec" {
            guard field.path.count > 1, !fixed.contains(field.text), let (one, other) = Self.samples(field.shape) else {
                continue
            }
            compared += 1
            #expect(field.kind.isSame(field.object(one), field.object(other), drivers: .all) == false, "\(field)")
        }
        #expect(compared > 80)
    }

    private static func samples(_ shape: Shape) -> (Node, Node)? {
        switch shape {
        case .string(.signal): ("SIGTERM", "SIGINT")
        case .string(.duration): ("1s", "2s")
        case .string(.absolutePath): ("/a", "/b")
        case .string: ("a", "b")
        case .integer(let range): (.number(range.lowerBound), .number(range.upperBound))
        case .number(let range): (Node(.double(range.lowerBound)), Node(.double(range.upperBound)))
        case .boolean: (false, true)
        case .quantity: ("1", "2")
        case .enumeration(let words): words.count > 1 ? (.text(words[0]), .text(words[1])) : nil
        case .list(.string, _, _): (["a"], ["b"])
        case .driver: ("process", "gvisor")
        case .list, .strings, .object, .union, .anything: nil
        }
    }

    @Test(arguments: [
        ("/a", "/a/"), ("/a", "//a"), ("/a/b", "/a/./b"), ("/a", "/a"), ("/a", "/b/../a"), ("/a", "/"), ("/a", "/."),
    ])
    func mountPathsThatMeanOnePlaceAreDoubles(_ one: String, _ other: String) {
        let mounts = "volumeMounts: [{name: v, mountPath: \(one)}, {name: v, mountPath: \(other)}]"
        let errors = errors("driver: containerd\nimage: x\nvolumes: [{name: v, emptyDir: {}}]\n\(mounts)")
        #expect(errors.count == 1 && errors[0].contains("spec.volumeMounts[1].mountPath: must be a path of its own"))
    }

    @Test func mountPathsBelowOneAnotherAreNot() {
        let mounts = "volumeMounts: [{name: v, mountPath: /a}, {name: v, mountPath: /a/b}]"
        #expect(errors("driver: containerd\nimage: x\nvolumes: [{name: v, emptyDir: {}}]\n\(mounts)").isEmpty)
    }

    private static let secret = "env: [{name: KEY, valueFrom: {secretKeyRef: {name: s, key: k}}}"

    @Test(arguments: [
        ("command: [x, $(KEY)]\n\(secret)]", "spec.command[1]: $(KEY) "),
        ("command: [x]\nargs: [a, \"--key=$(KEY)\"]\n\(secret)]", "spec.args[1]: $(KEY) "),
        ("command: [x, $(URL)]\n\(secret), {name: URL, value: \"https://$(KEY)@h\"}]", "spec.command[1]: $(URL) "),
        (
            "command: [x, $(LLM_TOKEN)]\nenvFrom: [{prefix: LLM_, secretRef: {name: s}}]",
            "spec.command[1]: $(LLM_TOKEN) "
        ),
    ])
    func noSecretGetsIntoArguments(_ lines: String, _ expected: String) {
        let errors = errors(lines)
        #expect(errors.count == 1 && errors[0].contains(" \(expected)would show the value of a Secret"), "\(errors)")
    }

    @Test(arguments: [
        "command: [x, $$(KEY)]\n\(secret)]", "command: [x, $(OTHER)]\n\(secret)]",
        "command: [sh, -c, 'echo $KEY']\n\(secret)]",
        "command: [x, $(KEY)]\nenvFrom: [{secretRef: {name: s}}, {configMapRef: {name: c}}]",
        "command: [x, $(AGENTOS_ORDINAL)]\nenvFrom: [{secretRef: {name: s}}]",
        "command: [x, $(A)]\nenv: [{name: A, value: b}]\nenvFrom: [{secretRef: {name: s}}]",
    ])
    func otherArgumentsMayBeNamed(_ lines: String) { #expect(errors(lines).isEmpty, "\(errors(lines))") }

    @Test func texts() {
        #expect(Expansion.expand("a$(B)c$$(B)$$$(B)$(C)$(", ["B": "x"]) == "axc$(B)$x$(C)$(")
        #expect(Expansion.names(in: "$(A)$$(B)$$$(C)") == ["A", "C"])
    }
}

extension Node {
    fileprivate var isEmpty: Bool { map?.isEmpty ?? true }
}
