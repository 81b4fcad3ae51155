public import Values

/// The part of a spec that a revision is made of: the fields described as restart-relevant, as they are written.
extension AgentSpec {
    private static let restarting = AgentFields.spec.filter(\.restarts).map(\.name)

    /// The restart-relevant fields of a spec: what one revision differs in from the next.
    public static func template(of spec: Node) -> Node {
        .map(restarting.map { ($0, spec[$0]) })
    }

    /// The spec with the template of another one.
    public static func spec(_ spec: Node, with template: Node) -> Node {
        .map(AgentFields.spec.map { ($0.name, ($0.restarts ? template : spec)[$0.name]) })
    }

    /// What brings an agent back to the template of a revision, as a merge patch of the object; nil: it has that already.
    ///
    /// - Parameters:
    ///   - agent: as it is declared now.
    ///   - cause: what was said of that revision; it is said again of the one that follows.
    public static func undoing(_ agent: Node, to template: Node, cause: String?) -> Node? {
        let spec = agent["spec"] ?? .emptyMap
        guard let changes = Node.mergePatch(from: Self.template(of: spec), to: template) else { return nil }
        let before = agent[path: "metadata", "annotations", causeAnnotation]
        let after = cause.map(Node.text)
        let annotations = before == after ? nil : Node.map([(causeAnnotation, after ?? Node(.null))])
        return .map([
            ("metadata", annotations.map { .map([("annotations", $0)]) }), ("spec", changes),
        ])
    }

    /// The annotation that tells why an object was changed, as in Kubernetes.
    public static let causeAnnotation = "kubernetes.io/change-cause"
}

extension Node {
    /// What makes one value of another, as a merge patch (RFC 7386); nil: they are equal.
    public static func mergePatch(from old: Node, to new: Node) -> Node? {
        if old == new { return nil }
        guard let before = old.map, let after = new.map else { return new }
        let changed = after.entries.compactMap { entry -> (String, Node?)? in
            guard let known = before[entry.key] else { return (entry.key, entry.value) }
            return mergePatch(from: known, to: entry.value).map { (entry.key, $0) }
        }
        let removed = before.entries.filter { after[$0.key] == nil }.map { ($0.key, Optional(Node(.null))) }
        return .map(changed + removed)
    }
}
