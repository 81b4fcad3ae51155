import Manifests
import Planner
public import Values

/// One Deployment for each agent: what `kubectl rollout` and `kubectl logs deploy/NAME` look for. A pause, a restart and a
/// way back can be written; all else is changed in the agent.
public enum DeploymentView {
    static let view = View(of: .agent, owner: { $0 }, documents: { [deployment($0)] })

    /// The Deployment of an agent, made of the agent as it is shown.
    public static func deployment(_ agent: Node) -> Node {
        let metadata = agent["metadata"] ?? .emptyMap
        let labels = PodView.labels(agent)
        let revision = (agent[path: "status", "revision"]?.int).map { Node.text(String($0)) }
        let isSuspended = agent[path: "spec", "suspend"]?.bool == true
        return .map([
            ("apiVersion", "apps/v1"), ("kind", "Deployment"),
            (
                "metadata",
                .map([
                    ("name", metadata["name"]), ("namespace", metadata["namespace"]),
                    ("uid", uid(agent)),
                    ("resourceVersion", metadata["resourceVersion"]), ("generation", metadata["generation"]),
                    ("creationTimestamp", metadata["creationTimestamp"]),
                    ("deletionTimestamp", metadata["deletionTimestamp"]), ("labels", labels),
                    (
                        "annotations",
                        .map([
                            (ReplicaSetView.revision, revision),
                            (
                                AgentSpec.causeAnnotation,
                                agent[path: "metadata", "annotations", AgentSpec.causeAnnotation]
                            ),
                        ])
                    ),
                ])
            ),
            (
                "spec",
                .map([
                    ("replicas", isSuspended ? 0 : agent[path: "spec", "replicas"]),
                    ("selector", .map([("matchLabels", .map([(PodView.label, metadata["name"])]))])),
                    ("paused", isPaused(agent) ? true : nil),
                    (
                        "template",
                        ReplicaSetView.template(
                            agent, revision: hasHeldChanges(agent) ? nil : agent[path: "status", "revision"]?.int)
                    ),
                    (
                        "strategy",
                        .map([("type", agent[path: "spec", "updateStrategy", "type"] ?? "RollingUpdate")])
                    ),
                    ("progressDeadlineSeconds", agent[path: "spec", "progressDeadlineSeconds"]),
                ])
            ),
            ("status", status(agent)),
        ])
    }

    static func uid(_ agent: Node) -> Node? {
        agent[path: "metadata", "uid"]?.string.flatMap(UID.init).map { .text($0.derived(.view, 0).text) }
    }

    /// Whether the declared spec of an agent holds changes back.
    public static func isPaused(_ agent: Node) -> Bool { agent[path: "spec", "paused"]?.bool == true }

    private static func progressing(_ agent: Node) -> Condition.Reason? {
        let conditions = agent[path: "status", "conditions"]?.list ?? []
        let found = conditions.first { $0["type"]?.string == Condition.Kind.progressing.rawValue }
        return found?["reason"]?.string.flatMap(Condition.Reason.init)
    }

    /// Its template is of no revision yet.
    private static func hasHeldChanges(_ agent: Node) -> Bool { progressing(agent) == .pausedWithChanges }

    private static func status(_ agent: Node) -> Node {
        func count(_ name: String) -> Int { agent[path: "status", name]?.int ?? 0 }
        let ready = count("readyReplicas")
        let missing = max(0, count("replicas") - ready)
        let conditions = agent[path: "status", "conditions"]?.list ?? []
        func condition(_ type: String, of own: String) -> Node? {
            guard let condition = conditions.first(where: { $0["type"]?.string == own }) else { return nil }
            let isPause = own == "Progressing" && isPaused(agent)
            return .map([
                ("type", .text(type)), ("status", isPause ? "Unknown" : condition["status"]),
                ("reason", isPause ? "DeploymentPaused" : condition["reason"]),
                ("message", condition["message"]), ("lastTransitionTime", condition["lastTransitionTime"]),
                ("lastUpdateTime", condition["lastTransitionTime"]),
            ])
        }
        return .map([
            ("observedGeneration", agent[path: "status", "observedGeneration"]),
            ("replicas", .number(count("replicas"))),
            ("updatedReplicas", .number(hasHeldChanges(agent) ? 0 : count("updatedReplicas"))),
            ("readyReplicas", .number(ready)), ("availableReplicas", .number(ready)),
            ("unavailableReplicas", missing > 0 ? .number(missing) : nil),
            (
                "conditions",
                .list(
                    [condition("Available", of: "Ready"), condition("Progressing", of: "Progressing")].compactMap { $0 }
                )
            ),
        ])
    }

    static let columns: [Column] = [
        .name,
        Column("READY", text: "Replicas that are ready, of those that should be.") {
            .text("\($0[path: "status", "readyReplicas"]?.int ?? 0)/\($0[path: "spec", "replicas"]?.int ?? 0)")
        }, .count("UP-TO-DATE", "updatedReplicas", text: "Replicas of the current revision."),
        .count("AVAILABLE", "availableReplicas", text: "Replicas that are ready."), .age,
    ]
}
