import Manifests
public import Planner
public import Values

/// What an agent was made of from one change that restarts to the next; as a ReplicaSet is of a Deployment.
public struct Revision: Sendable, Equatable {
    public var uid: UID
    public var number: Int
    /// The restart-relevant fields of the spec. Secrets are named in it and never contained.
    public var template: Node
    /// When it began; nil: before revisions were kept.
    public var atMs: Int64?
    /// Who has made it; nil: before revisions were kept.
    public var user: String?
    /// What people say of it, in the annotation `kubernetes.io/change-cause`.
    public var cause: String?

    public init(uid: UID, number: Int, template: Node, atMs: Int64?, user: String?, cause: String?) {
        self.uid = uid
        self.number = number
        self.template = template
        self.atMs = atMs
        self.user = user
        self.cause = cause
    }
}

extension StoredObject {
    var changeCause: String? { content[path: "metadata", "annotations", AgentSpec.causeAnnotation]?.string }

    /// The revision that a write of this object over the old one begins, or gives another cause; nil: neither.
    func revision(since old: StoredObject?, by user: String, _ now: Moment) -> Revision? {
        guard let agent else { return nil }
        let isNew = old?.uid != uid || old?.agent?.revision != agent.revision
        guard isNew || old?.changeCause != changeCause else { return nil }
        let template = AgentSpec.template(of: agent.effective.node)
        // The cause that comes with a change which waits is not that of what runs.
        guard isNew || AgentSpec.template(of: content["spec"] ?? .emptyMap) == template else { return nil }
        return Revision(
            uid: uid, number: agent.revision, template: template, atMs: now.wallMs, user: user, cause: changeCause)
    }
}
