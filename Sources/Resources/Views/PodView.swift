import Manifests
import Planner
import Reconciler
import Values

/// One Pod for each replica of an agent, named `AGENT-ORDINAL`: what `kubectl logs`, `exec`, `top` and the dashboards of
/// Kubernetes look for.
enum PodView {
    static let view = View(of: .agent, owner: { owner($0)?.agent }, documents: pods)

    /// The label that leads from an agent's Deployment to its Pods.
    static let label = StoredObject.agentLabel
    /// The one container of each Pod.
    static let container = "agent"

    /// The agent and the ordinal behind the name of a Pod.
    static func owner(_ pod: String) -> (agent: String, ordinal: Int)? {
        guard let dash = pod.lastIndex(of: "-") else { return nil }
        let digits = pod[pod.index(after: dash)...]
        guard let ordinal = WholeNumber.read(String(digits), in: 0...Int64(Limits.replicasMax)),
            String(ordinal) == digits, dash > pod.startIndex
        else { return nil }
        return (String(pod[..<dash]), Int(ordinal))
    }

    private static func pods(_ agent: Node) -> [Node] {
        (agent[path: "status", "runs"]?.list ?? []).map { pod(agent, $0) }
    }

    private static func pod(_ agent: Node, _ run: Node) -> Node {
        let metadata = agent["metadata"] ?? .emptyMap
        let ordinal = run["ordinal"]?.int ?? 0
        let isDeleting = metadata["deletionTimestamp"] != nil || run["phase"]?.string == AgentPhase.stopping.rawValue
        let name = metadata["name"]?.string ?? ""
        return .map([
            ("apiVersion", "v1"), ("kind", "Pod"),
            (
                "metadata",
                .map([
                    ("name", .text("\(name)-\(ordinal)")), ("namespace", metadata["namespace"]),
                    (
                        "uid",
                        metadata["uid"]?.string.flatMap(UID.init).map {
                            .text($0.derived(.view, UInt64(clamping: 1 + ordinal)).text)
                        }
                    ),
                    ("resourceVersion", metadata["resourceVersion"]),
                    ("creationTimestamp", metadata["creationTimestamp"]),
                    (
                        "deletionTimestamp",
                        isDeleting ? metadata["deletionTimestamp"] ?? time(run["startedAt"]) : nil
                    ),
                    ("deletionGracePeriodSeconds", isDeleting ? metadata["deletionGracePeriodSeconds"] : nil),
                    ("labels", labels(agent)), ("annotations", metadata["annotations"]),
                    ("ownerReferences", [owner(agent)]),
                ])
            ),
            ("spec", spec(agent)), ("status", status(agent, run)),
        ])
    }

    /// The labels of an agent's Pods: its own, and the one that says whose they are.
    static func labels(_ agent: Node) -> Node {
        var labels = agent[path: "metadata", "labels"] ?? .emptyMap
        labels[label] = agent[path: "metadata", "name"]
        return labels
    }

    private static func owner(_ agent: Node) -> Node {
        .map([
            ("apiVersion", agent["apiVersion"]), ("kind", agent["kind"]), ("name", agent[path: "metadata", "name"]),
            ("uid", agent[path: "metadata", "uid"]), ("controller", true), ("blockOwnerDeletion", true),
        ])
    }

    static func spec(_ agent: Node) -> Node {
        let spec = agent["spec"] ?? .emptyMap
        let resources = ["requests", "limits"].map { name -> (String, Node?) in
            let map = spec[path: "resources", name]
            let entries = ["cpu", "memory"].map { ($0, map?[$0]?.scalarText.map(Node.text)) }
            return (name, entries.contains { $0.1 != nil } ? .map(entries) : nil)
        }
        let container = Node.map([
            ("name", .text(container)), ("image", spec["image"] ?? .text(spec["driver"]?.string ?? "")),
            ("command", spec["command"]), ("args", spec["args"]), ("workingDir", spec["workingDir"]),
            ("env", spec["env"]), ("resources", .map(resources)),
            ("terminationMessagePath", "/dev/termination-log"), ("terminationMessagePolicy", "File"),
            ("imagePullPolicy", "IfNotPresent"),
        ])
        return .map([
            ("containers", [container]), ("restartPolicy", spec["restartPolicy"]),
            ("terminationGracePeriodSeconds", spec["terminationGracePeriodSeconds"]), ("dnsPolicy", "Default"),
            ("nodeName", .text(nodeName)), ("schedulerName", "agentos-apply"), ("priority", spec["priority"]),
        ])
    }

    /// There is one machine, and it is no object.
    static let nodeName = "local"

    /// A time in whole seconds, as Kubernetes writes it.
    static func time(_ node: Node?) -> Node? {
        node?.string.flatMap(Timestamp.parse).map { .text(Timestamp.seconds($0)) }
    }
}
