import Manifests
public import Planner
public import Values

/// The roles that users of Kubernetes expect to be there.
public enum BuiltInRoles {
    private static let autoUpdate = "rbac.authorization.kubernetes.io/autoupdate"
    private static let rbac = "rbac.authorization.k8s.io"
    private static let own = "agentos.dev"

    /// Each with its whole content.
    public static let all: [(key: ObjectKey, content: Node)] =
        [
            role("cluster-admin", [rule("*", in: "*", ["*"]), PolicyRule(verbs: ["*"], paths: ["*"])]),
            role("view", reading), role("edit", reading + writing), role("admin", reading + writing + granting),
        ] + [
            (
                ObjectKey(.clusterRoleBinding, namespace: "", name: "cluster-admin"),
                .map([
                    ("metadata", metadata),
                    ("subjects", [.map([("kind", "Group"), ("apiGroup", .text(rbac)), ("name", "system:masters")])]),
                    (
                        "roleRef",
                        .map([("apiGroup", .text(rbac)), ("kind", "ClusterRole"), ("name", "cluster-admin")])
                    ),
                ])
            )
        ]

    /// Missing, or still as the program made it: whoever wants one otherwise sets the annotation to `false`.
    public static func isOurs(_ object: StoredObject?) -> Bool {
        object?.content[path: "metadata", "annotations"]?[autoUpdate]?.string != "false"
    }

    private static let metadata = Node.map([
        ("labels", .map([("kubernetes.io/bootstrapping", "rbac-defaults")])),
        ("annotations", .map([(autoUpdate, .text("true"))])),
    ])

    private static func role(_ name: String, _ rules: [PolicyRule]) -> (key: ObjectKey, content: Node) {
        (
            ObjectKey(.clusterRole, namespace: "", name: name),
            .map([("metadata", metadata), ("rules", .list(rules.map(\.node)))])
        )
    }

    private static func rule(_ verbs: Set<String>, in group: String, _ resources: Set<String>) -> PolicyRule {
        PolicyRule(verbs: verbs, groups: [group], resources: resources)
    }

    private static func rule(_ verb: String, in group: String, _ resources: Set<String>) -> PolicyRule {
        rule([verb], in: group, resources)
    }

    private static let read: Set<String> = ["get", "list", "watch"]
    private static let write: Set<String> = ["create", "update", "patch", "delete", "deletecollection"]

    private static let reading = [
        rule(
            read, in: own,
            [
                "agents", "agents/events", "agents/log", "agents/revisions", "agents/scale", "agents/status", "sources",
                "sources/events",
                "sources/preview", "sources/status", "objectives", "objectives/events", "objectives/status", "eventlog",
                "usage",
            ]),
        rule(
            read, in: "",
            [
                "configmaps", "events", "namespaces", "pods", "pods/log", "pods/status", "resourcequotas",
                "serviceaccounts",
            ]),
        rule(read, in: "apps", ["deployments", "deployments/status", "replicasets"]),
        rule(read, in: "coordination.k8s.io", ["leases"]), rule(read, in: "events.k8s.io", ["events"]),
        rule(read, in: "metrics.k8s.io", ["pods"]),
    ]

    private static let writing = [
        rule(
            write, in: own, ["agents", "agents/exec", "agents/portforward", "agents/scale", "sources", "sources/sync"]),
        rule(
            write, in: "",
            [
                "configmaps", "events", "secrets", "serviceaccounts", "pods", "pods/attach", "pods/exec",
                "pods/portforward",
            ]),
        rule("patch", in: "apps", ["deployments"]), rule(read.union(["reveal"]), in: "", ["secrets"]),
        rule(["get"], in: "", ["pods/attach", "pods/exec", "pods/portforward"]),
        rule(write, in: "coordination.k8s.io", ["leases"]), rule(write, in: "events.k8s.io", ["events"]),
    ]

    private static let granting = [
        rule(read.union(write), in: rbac, ["roles", "rolebindings"]),
        rule("create", in: "", ["serviceaccounts/token"]),
        rule("create", in: "authorization.k8s.io", ["localsubjectaccessreviews"]),
    ]
}
