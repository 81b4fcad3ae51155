import HTTP
import Manifests
import Planner
import Reconciler
import Values

/// Who may use a route.
enum AccessRule: Sendable, Equatable {
    /// Everybody who reaches the listener, known or not.
    case anyone
    /// Everybody who is known.
    case authenticated
    /// Whom a role allows the verb on the resource.
    case resource
    /// Whom a cluster role allows the path.
    case path
    /// Root and the daemon's own user, and whoever else is in system:masters.
    case masters
}

/// What a request does, as rules of access speak of it.
struct Action: Sendable, Equatable {
    enum Verb: String, Sendable {
        case get, list, watch, create, update, patch, delete, deletecollection
    }

    enum Object: Sendable, Equatable {
        case resource(group: String, name: String, subresource: String)
        /// A path that is no resource, such as the health of the daemon.
        case path(String)
    }

    let verb: Verb
    let object: Object
}

extension AccessRule {
    /// What a principal lacks to use a route; nil when it may.
    func refusal(_ principal: Principal, _ asked: Attributes, _ access: AccessIndex) -> Failure? {
        switch self {
        case .anyone: return nil
        case .authenticated: return principal.via == .nothing ? .unauthorized : nil
        case .resource, .path:
            if principal.via == .nothing { return .unauthorized }
            return access.allows(principal, asked) ? nil : .forbidden(principal, asked)
        case .masters:
            if principal.via == .nothing { return .unauthorized }
            return principal.isMaster ? nil : .forbidden(principal, asked, "only \(Principal.masters) may")
        }
    }
}

extension Failure {
    static let unauthorized = Failure(code: 401, reason: "Unauthorized", message: "Unauthorized")

    /// What would be needed, in Kubernetes' words.
    static func forbidden(_ principal: Principal, _ asked: Attributes, _ more: String = "") -> Failure {
        var failure = Failure(
            code: 403, reason: "Forbidden",
            message: asked.refusal(principal.user) + (more.isEmpty ? "" : ": \(more)"))
        if case .resource(let group, let name, _, _, let object) = asked.target {
            failure.details = .map([
                ("name", object.isEmpty ? nil : .text(object)), ("group", group.isEmpty ? nil : .text(group)),
                ("kind", .text(name)),
            ])
        }
        return failure
    }
}

extension Attributes {
    /// Whether it is about what is in a namespace, or that namespace itself.
    func isWithin(_ name: String) -> Bool {
        switch target {
        case .path: false
        case .resource(_, _, _, let namespace, _): namespace == name
        }
    }

    /// A verb on the objects of a resource, or on the one that is named.
    ///
    /// As in Kubernetes, a namespace is in itself: a role there may allow it to be read.
    init(
        _ verb: String, group: String, _ resource: String, subresource: String, of kind: Kind?, namespace: String,
        name: String
    ) {
        let isInItself = kind?.traits.state == .tenant && !name.isEmpty
        self.init(
            verb, group: group, resource, subresource: subresource, namespace: isInItself ? name : namespace, name: name
        )
    }

    /// A verb on one object.
    init(_ verb: Action.Verb, _ key: ObjectKey, subresource: String = "") {
        self.init(
            verb.rawValue, group: key.kind.group, key.kind.resource, subresource: subresource, of: key.kind,
            namespace: key.namespace, name: key.name)
    }
}

extension Call {
    /// What is asked for with another verb, with where and on which object.
    func attributes(_ verb: String) -> Attributes {
        switch action.object {
        case .path: Attributes(verb, .path(exchange.target?.path ?? ""))
        case .resource(let group, let name, let subresource):
            Attributes(
                verb, group: group, name, subresource: subresource, of: route.resource?.storedKind,
                namespace: namespace ?? queryNamespace ?? "", name: objectName)
        }
    }

    /// Lists of one object by its name ask for that object, so that a role may name it.
    private var objectName: String {
        if route.hasName { return name }
        // In parentheses a comma parts no terms: what stands there is no name of an object.
        guard route.takes(Query.fieldSelector), let text = parameters[Query.fieldSelector],
            !text.contains(where: { "()".contains($0) })
        else { return "" }
        let terms = text.split(separator: ",").compactMap { term -> Substring? in
            let equal = term.hasPrefix("metadata.name==") ? "metadata.name==" : "metadata.name="
            return term.hasPrefix(equal) ? term.dropFirst(equal.count) : nil
        }
        return terms.count == 1 ? String(terms[0]) : ""
    }

    /// Some operations look at one namespace when the query says so.
    private var queryNamespace: String? {
        route.takes(Query.namespace) ? parameters[Query.namespace] : nil
    }
}

extension Route {
    func takes<Value>(_ parameter: Parameter<Value>) -> Bool { parameters.contains { $0.name == parameter.name } }
}
