public import Manifests

extension Resource {
    /// The table of all resources of the API.
    public static let all: [Resource] = Kind.allCases.map(Resource.init) + views + reviews + records

    /// The resource of the objects of a kind.
    public static func of(_ kind: Kind) -> Resource {
        guard let resource = byKind[kind] else { preconditionFailure("\(kind) is in the table of kinds") }
        return resource
    }
    /// A resource of the table by its name.
    public static func named(_ name: String, group: String) -> Resource? {
        all.first { $0.name == name && $0.group == group }
    }

    private static let byKind = Dictionary(uniqueKeysWithValues: Kind.allCases.map { ($0, Resource($0)) })

    /// What is shown of stored objects for the clients of Kubernetes that know no agents.
    private static let views: [Resource] = [
        pods,
        Resource(
            // No short name: kubectl warns of one that two resources have.
            group: "events.k8s.io", "events", singular: "event", kind: "Event",
            verbs: Verb.allCases, home: .view(EventView.view), fields: EventView.fields,
            columns: EventView.columns, selectableFields: EventView.selectableFields,
            text: "What happened to an object, under the newer names."),
        Resource(
            group: "apps", "deployments", singular: "deployment", kind: "Deployment", shortNames: ["deploy"],
            verbs: [.get, .list, .watch, .patch], home: .view(DeploymentView.view), fields: ViewFields.deployment,
            columns: DeploymentView.columns,
            subresources: [Subresource("status", [.get], group: "apps", kind: "Deployment", text: "The same object.")],
            text: "An agent as a Deployment; a pause, a restart and a way back can be written."),
        Resource(
            group: "apps", "replicasets", singular: "replicaset", kind: "ReplicaSet", shortNames: ["rs"],
            verbs: [.get, .list], home: .revisions, fields: ViewFields.replicaSet, columns: ReplicaSetView.columns,
            text: "A revision of an agent as a ReplicaSet; read only."),
        Resource(
            group: "metrics.k8s.io", version: "v1beta1", "pods", singular: "pod", kind: "PodMetrics",
            verbs: [.get, .list], home: .measurements, fields: ViewFields.podMetrics,
            columns: [.name, .age], text: "What replicas use of the machine."),
    ]

    /// The replicas of agents.
    public static let pods = Resource(
        group: "", "pods", singular: "pod", kind: "Pod", shortNames: ["po"], verbs: [.get, .list, .watch],
        home: .view(PodView.view), fields: ViewFields.pod, columns: PodView.columns,
        selectableFields: ["spec.nodeName", "spec.restartPolicy", "status.phase", "status.podIP"],
        subresources: [
            Subresource("status", [.get], group: "", kind: "Pod", text: "The same object."),
            Subresource("log", [.get], group: "", kind: "Pod", text: "What the replica has written."),
            Subresource("exec", [.create], group: "", kind: "PodExecOptions", text: "A command beside the replica."),
            Subresource(
                "attach", [.create], group: "", kind: "PodAttachOptions", text: "What the replica writes from now on."),
            Subresource(
                "portforward", [.create], group: "", kind: "PodPortForwardOptions",
                text: "Connections to ports of the replica."),
        ], text: "A replica of an agent as a Pod; read only.")

    /// The agent and the ordinal behind the name of a Pod.
    public static func replica(ofPod name: String) -> (agent: String, ordinal: Int)? { PodView.owner(name) }
    /// The name of the one container of a Pod.
    public static let podContainer = PodView.container

    private static let records: [Resource] = [
        record("eventlog", [.get], kind: "EventLog", text: "All events in the order in which they were delivered."),
        record("usage", [.get], kind: "UsageList", text: "What live runs use, as counters since their start."),
        record(
            "outbox", [.get, .list], kind: "OutboxRecord",
            subresources: [
                Subresource(
                    "replay", [.create], group: "agentos.dev", kind: "Status", text: "Delivers a dead letter again."),
                Subresource(
                    "skip", [.create], group: "agentos.dev", kind: "Status", text: "Gives the delivery of one up."),
                Subresource(
                    "drop", [.create], group: "agentos.dev", kind: "Status",
                    text: "Gives up one and all that waits behind it."),
            ], text: "Events with the state of their delivery."),
        record(
            "sinks", [.delete, .list], kind: "Sink",
            subresources: [
                Subresource(
                    "replay", [.create], group: "agentos.dev", kind: "Status",
                    text: "Delivers all again that it has not taken, and switches it on."),
                Subresource(
                    "skip", [.create], group: "agentos.dev", kind: "Status",
                    text: "Gives up each event that it has not taken."),
                Subresource(
                    "drop", [.create], group: "agentos.dev", kind: "Status",
                    text: "Gives up each event that it has not taken, and what waits behind."),
            ], text: "Where events are delivered to beside the journal, and how far that is."),
        record("consumers", [.create, .delete, .list], kind: "Consumer", text: "Durable readers of the events."),
        record("backup", [.create], kind: "Backup", text: "Copies the database beside its use."),
        record("restore", [.create], kind: "Status", text: "Starts the daemon with a copy."),
        record("reload", [.create], kind: "Reload", text: "Reads the daemon's settings again."),
        record(
            "secretkeys", [], kind: "SecretKey",
            subresources: [
                Subresource(
                    "rotate", [.create], group: "agentos.dev", kind: "Status", text: "Seals all with the newest key.")
            ], text: "The keys that Secrets are sealed with in the database."),
        record(
            "plans", [.create], kind: "Plan", text: "What a set of objects, or the next sync of a Source, would change."
        ),
        record("explanations", [.get], kind: "Explanation", text: "Why an object is as it is, now or at a time."),
        record("kubeconfigs", [.create], kind: "Kubeconfig", text: "What a client needs to be a user."),
    ]

    /// What has a route and is not in the table; a test says so.
    public static func unlisted(_ name: String, group: String) -> Resource {
        Resource(
            group: group, name, singular: name, kind: name, isNamespaced: false, verbs: [], home: .records, text: "")
    }

    private static func record(
        _ name: String, _ verbs: [Verb], kind: String, subresources: [Subresource] = [], text: String
    ) -> Resource {
        Resource(
            group: "agentos.dev", name, singular: name, kind: kind, isNamespaced: false, verbs: verbs, home: .records,
            subresources: subresources, text: text)
    }
}
