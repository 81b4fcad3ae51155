import Manifests
import Planner
public import Reconciler
public import Values

/// One ReplicaSet for each revision that is kept of an agent: what `kubectl rollout history` and `undo` look for.
public enum ReplicaSetView {
    /// The annotation that tells the number of a revision.
    static let revision = "deployment.kubernetes.io/revision"
    /// The annotation of a template that tells whose it is: not all of an agent's template can be seen in a Pod's.
    public static let template = "agentos.dev/revision"

    /// Where the number stands in a Deployment, or in a ReplicaSet.
    public static func revision(ofTemplateIn document: Node) -> Int? {
        document[path: "spec", "template", "metadata", "annotations", template]?.string.flatMap { Int($0) }
    }

    /// The template of Pods, of an agent with the spec of a revision.
    static func template(_ agent: Node, revision: Int?) -> Node {
        let annotations = revision.map { Node.map([(template, .text(String($0)))]) }
        return .map([
            ("metadata", .map([("labels", PodView.labels(agent)), ("annotations", annotations)])),
            ("spec", PodView.spec(agent)),
        ])
    }

    /// The ReplicaSet of a revision.
    ///
    /// - Parameter agent: as it is shown.
    public static func document(_ revision: Revision, of agent: Node) -> Node {
        let metadata = agent["metadata"] ?? .emptyMap
        let isCurrent = revision.number == agent[path: "status", "revision"]?.int
        let labels = PodView.labels(agent)
        func count(_ name: String) -> Node { isCurrent ? agent[path: "status", name] ?? 0 : 0 }
        var then = agent
        then["spec"] = AgentSpec.spec(agent["spec"] ?? .emptyMap, with: revision.template)
        let owner = Node.map([
            ("apiVersion", "apps/v1"), ("kind", "Deployment"), ("name", metadata["name"]),
            ("uid", DeploymentView.uid(agent)), ("controller", true), ("blockOwnerDeletion", true),
        ])
        return .map([
            ("apiVersion", "apps/v1"), ("kind", "ReplicaSet"),
            (
                "metadata",
                .map([
                    ("name", .text(name(revision, of: metadata["name"]?.string ?? ""))),
                    ("namespace", metadata["namespace"]),
                    ("uid", .text(revision.uid.derived(.revision, UInt64(clamping: revision.number)).text)),
                    ("resourceVersion", metadata["resourceVersion"]), ("generation", 1),
                    (
                        "creationTimestamp",
                        revision.atMs.map { .text(Timestamp.seconds($0)) } ?? metadata["creationTimestamp"]
                    ), ("labels", labels),
                    (
                        "annotations",
                        .map([
                            (Self.revision, .text(String(revision.number))),
                            (AgentSpec.causeAnnotation, revision.cause.map(Node.text)),
                        ])
                    ), ("ownerReferences", [owner]),
                ])
            ),
            (
                "spec",
                .map([
                    ("replicas", count("replicas")),
                    ("selector", .map([("matchLabels", .map([(PodView.label, metadata["name"])]))])),
                    ("template", template(then, revision: revision.number)),
                ])
            ),
            (
                "status",
                .map([
                    ("replicas", count("replicas")), ("fullyLabeledReplicas", count("replicas")),
                    ("readyReplicas", count("readyReplicas")), ("availableReplicas", count("readyReplicas")),
                    ("observedGeneration", 1),
                ])
            ),
        ])
    }

    /// `AGENT-r3`.
    private static func name(_ revision: Revision, of agent: String) -> String { "\(agent)-r\(revision.number)" }

    /// The agent behind the name of a ReplicaSet.
    public static func agent(ofReplicaSet name: String) -> String? {
        guard let dash = name.lastIndex(of: "-"), dash > name.startIndex,
            name[dash...].dropFirst().first == "r", Int(name[dash...].dropFirst(2)) != nil
        else { return nil }
        return String(name[..<dash])
    }

    static let columns: [Column] = [
        .name,
        Column("DESIRED", text: "Replicas that should be of it.", type: .integer) {
            .number($0[path: "spec", "replicas"]?.int ?? 0)
        }, .count("CURRENT", "replicas", text: "Replicas of it."),
        .count("READY", "readyReplicas", text: "Replicas of it that are ready."), .age,
    ]
}

/// A revision as the API shows it beside its agent.
public enum RevisionDocument {
    /// All that are kept of an agent, newest first.
    public static func list(_ revisions: [Revision]) -> Node {
        .map([
            ("kind", "RevisionList"), ("apiVersion", "agentos.dev/v1"), ("items", .list(revisions.map(document))),
        ])
    }

    private static func document(_ revision: Revision) -> Node {
        .map([
            ("kind", "Revision"), ("apiVersion", "agentos.dev/v1"), ("revision", .number(revision.number)),
            ("startedAt", revision.atMs.map { .text(Timestamp.seconds($0)) }), ("by", revision.user.map(Node.text)),
            ("changeCause", revision.cause.map(Node.text)), ("spec", revision.template),
        ])
    }
}
