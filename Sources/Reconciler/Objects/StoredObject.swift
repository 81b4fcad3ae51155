import Manifests
public import Planner
public import Values

/// One declared resource with its control state, as committed.
public struct StoredObject: Sendable, Equatable {
    public var key: ObjectKey
    public var uid: UID
    public var generation: Int64 = 1
    public var resourceVersion: Int64 = 0
    public var createdAtMs: Int64
    /// What people declare: `metadata` (labels, annotations, finalizers) and the rest of the kind's own fields,
    /// with defaults. For a Secret, `data` is here in memory and in the table `secrets` on disk.
    public var content: Node
    public var managers: [FieldManager] = []
    public var deletion: Deletion?
    /// Set for agents only.
    public var agent: AgentState?
    /// Set for Sources only.
    public var source: SourceState?
    /// Set for Objectives only.
    public var objective: ObjectiveState?
    /// The Source that declares it; nil: applied by others.
    public var origin: Origin?

    public struct Deletion: Sendable, Equatable {
        public var atMs: Int64
        public var graceMs: Int64?

        public init(atMs: Int64, graceMs: Int64?) {
            self.atMs = atMs
            self.graceMs = graceMs
        }
    }

    public init(key: ObjectKey, uid: UID, createdAtMs: Int64, content: Node) {
        self.key = key
        self.uid = uid
        self.createdAtMs = createdAtMs
        self.content = content
    }

    public var labels: [String: String] { content[path: "metadata", "labels"]?.stringMap ?? [:] }
    /// The agents that this one depends on.
    var dependencies: [ObjectKey] {
        agent?.effective.spec.dependsOn.map { ObjectKey(.agent, namespace: key.namespace, name: $0.name) } ?? []
    }
    public var finalizers: [String] { content[path: "metadata", "finalizers"]?.list?.compactMap(\.string) ?? [] }
}
