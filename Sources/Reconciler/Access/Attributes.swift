/// What somebody asks to do, as rules of access speak of it.
public struct Attributes: Sendable, Hashable {
    /// What it is done to.
    public enum Target: Sendable, Hashable {
        /// A resource; the namespace is empty for all of them, the name for all objects or for one that is to be made.
        case resource(group: String, name: String, subresource: String, namespace: String, object: String)
        /// A path that is no resource, such as `/metrics`.
        case path(String)
    }

    public var verb: String
    public var target: Target

    public init(_ verb: String, _ target: Target) {
        self.verb = verb
        self.target = target
    }

    /// A verb on a resource of a group.
    public init(
        _ verb: String, group: String, _ resource: String, subresource: String = "", namespace: String = "",
        name: String = ""
    ) {
        self.verb = verb
        target = .resource(
            group: group, name: resource, subresource: subresource, namespace: namespace, object: name)
    }

    /// `agents.agentos.dev "x"`, as refusals begin; empty for a path.
    public var subject: String {
        guard case .resource(let group, let name, _, _, let object) = target else { return "" }
        let resource = group.isEmpty ? name : "\(name).\(group)"
        return object.isEmpty ? resource : "\(resource) \"\(object)\""
    }

    /// What was refused to whom, in Kubernetes' words.
    public func refusal(_ user: String) -> String {
        switch target {
        case .path(let path): return "forbidden: User \"\(user)\" cannot \(verb) path \"\(path)\""
        case .resource(let group, let name, let subresource, let namespace, _):
            let resource = subresource.isEmpty ? name : "\(name)/\(subresource)"
            let place = namespace.isEmpty ? "at the cluster scope" : "in the namespace \"\(namespace)\""
            return
                "\(subject) is forbidden: User \"\(user)\" cannot \(verb) resource \"\(resource)\" in API group \"\(group)\" \(place)"
        }
    }
}
