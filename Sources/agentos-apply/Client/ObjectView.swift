import Manifests
package import Values

/// An object as the daemon shows it: every name of its fields that the command line knows stands in these views.
package struct ObjectView {
    package let node: Node

    package init(_ node: Node) { self.node = node }

    var name: String { node[path: "metadata", "name"]?.string ?? "" }
    var namespace: String { node[path: "metadata", "namespace"]?.string ?? "" }
    var uid: String { node[path: "metadata", "uid"]?.string ?? "" }
    var version: String { node[path: "metadata", "resourceVersion"]?.string ?? "" }
    var generation: Int { node[path: "metadata", "generation"]?.int ?? 0 }
    var created: String? { node[path: "metadata", "creationTimestamp"]?.string }
    var deleted: String? { node[path: "metadata", "deletionTimestamp"]?.string }
    var finalizers: [String] { (node[path: "metadata", "finalizers"]?.list ?? []).compactMap(\.string) }
    var labels: String { Self.pairs(node[path: "metadata", "labels"]) }
    var annotations: String { Self.pairs(node[path: "metadata", "annotations"]) }
    var kind: Kind? { node["kind"]?.string.flatMap(Kind.init(rawValue:)) }

    var phase: String? { node[path: "status", "phase"]?.string }
    var observedGeneration: Int? { node[path: "status", "observedGeneration"]?.int }
    var hasStatus: Bool { node["status"] != nil }
    var conditions: [ConditionView] { (node[path: "status", "conditions"]?.list ?? []).map(ConditionView.init) }
    func condition(_ type: String) -> ConditionView? { conditions.first { $0.type == type } }

    /// Of a Secret or ConfigMap: its keys, each with the length of its value.
    var data: [(key: String, bytes: Int)] {
        (node["data"]?.map?.entries ?? []).map { entry in
            let text = entry.value.string ?? ""
            return (entry.key, kind == .secret ? Base64.decode(text)?.count ?? 0 : text.utf8.count)
        }
    }

    /// A Secret with words in place of its values, which are no base64: they cannot be applied by mistake.
    package var withoutValues: ObjectView {
        guard kind == .secret, let data = node["data"]?.map else { return self }
        var node = node
        node["data"] = .map(data.entries.map { ($0.key, .text("(hidden)")) })
        return ObjectView(node)
    }
    var type: String { node["type"]?.string ?? "" }

    private static func pairs(_ node: Node?) -> String {
        (node?.map?.entries ?? []).map { "\($0.key)=\($0.value.string ?? "")" }.joined(separator: ", ")
    }

    /// Without what the daemon writes: what a manifest says.
    var declared: Node {
        var result = node
        var metadata = node["metadata"] ?? .emptyMap
        for name in ["uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "declaredBy"] {
            metadata[name] = nil
        }
        result["metadata"] = metadata
        result["status"] = nil
        return result
    }
}

struct ConditionView {
    let node: Node

    var type: String { node["type"]?.string ?? "" }
    var status: String { node["status"]?.string ?? "" }
    var isTrue: Bool { status == "True" }
    var isFalse: Bool { status == "False" }
    var reason: String? { node["reason"]?.string }
    var message: String? { node["message"]?.string }
    var since: String? { node["lastTransitionTime"]?.string }
    var firstLine: String { message?.firstLine ?? "" }
}

struct AgentView {
    let object: ObjectView

    init(_ object: ObjectView) { self.object = object }

    private var status: Node? { object.node["status"] }
    private var spec: Node? { object.node["spec"] }

    var driver: String { spec?["driver"]?.string ?? "" }
    var command: [String] {
        ((spec?["command"]?.list ?? []) + (spec?["args"]?.list ?? [])).compactMap(\.string)
    }
    var isNeverRestarted: Bool { spec?["restartPolicy"]?.string == "Never" }
    /// Names of the agents that this one depends on.
    var dependencies: [String] { spec?["dependsOn"]?.list?.compactMap { $0["name"]?.string } ?? [] }

    var replicas: Int? { status?["replicas"]?.int }
    var readyReplicas: Int { status?["readyReplicas"]?.int ?? 0 }
    var updatedReplicas: Int { status?["updatedReplicas"]?.int ?? 0 }
    var restarts: Int { status?["restarts"]?.int ?? 0 }
    var revision: Int { status?["revision"]?.int ?? 0 }
    var runs: [RunView] { (status?["runs"]?.list ?? []).map(RunView.init) }
    var ready: ConditionView? { object.condition("Ready") }
}

struct RunView {
    let node: Node

    var ordinal: Int { node["ordinal"]?.int ?? 0 }
    /// Of the current or last run; nil: it never ran.
    var id: String? { node["id"]?.string }
    var phase: String { node["phase"]?.string ?? "" }
    /// Of the run or, between two, of the one that ended.
    var revision: Int { node["revision"]?.int ?? 0 }
    var pid: Int? { node["pid"]?.int }
    var restarts: Int { node["restarts"]?.int ?? 0 }
    var readyAt: String? { node["readyAt"]?.string }

    /// Reason, code or signal, and message of the last exit.
    var lastExit: String? { exit?.text }
    var exit: ExitView? { node["lastExit"].map(ExitView.init) }
    /// Secrets and ConfigMaps that have changed since it was started.
    var staleInputs: [String] { (node["staleInputs"]?.list ?? []).compactMap(\.string) }
}

/// How a run ended.
struct ExitView {
    let node: Node

    var reason: String { node["reason"]?.string ?? "" }
    var message: String { node["message"]?.string ?? "" }
    var code: Int? { node["code"]?.int }
    var signal: String? { node["signal"]?.string }
    var at: String { node["at"]?.string ?? "" }
    var how: String? { code.map { "code \($0)" } ?? signal }
    var text: String { [reason, how, node["message"]?.string].compactMap(\.self).joined(separator: ", ") }
}

struct SourceView {
    let object: ObjectView

    init(_ object: ObjectView) { self.object = object }

    private var status: Node? { object.node["status"] }
    private var spec: Node? { object.node["spec"] }
    private func count(_ field: String) -> Int { status?[field]?.int ?? 0 }
    private func strings(_ field: String) -> [String] { (status?[field]?.list ?? []).compactMap(\.string) }

    var path: String? { spec?["path"]?.string }
    var gitURL: String? { spec?[path: "git", "url"]?.string }
    var branch: String? { spec?[path: "git", "branch"]?.string }
    var revision: String? { status?["revision"]?.string }
    var lastSync: String? { status?["lastSyncTime"]?.string }
    var declared: Int { count("declared") }
    var applied: Int { count("applied") }
    var pruned: Int { count("pruned") }
    var drifted: Int { count("drifted") }
    var failed: Int { count("failed") }
    var errors: [String] { strings("errors") }
    var driftedObjects: [String] { strings("driftedObjects") }
    var synced: ConditionView? { object.condition("Synced") }
    var ready: ConditionView? { object.condition("Ready") }
}

extension String {
    var firstLine: String? { split(whereSeparator: \.isNewline).first.map(String.init) }
}
