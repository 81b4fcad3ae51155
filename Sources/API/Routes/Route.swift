import HTTP
import Manifests
import Resources
import Values

/// One method of one path: what it does to what, who may, what it may be asked with, and what serves it.
///
/// Dispatch, the answer to other methods, discovery, access and the labels of metrics come from the table of these.
final class Route: Sendable {
    enum Method: String, Sendable {
        case get = "GET"
        case post = "POST"
        case put = "PUT"
        case patch = "PATCH"
        case delete = "DELETE"
    }

    enum Stream: Sendable {
        case never
        case always
        case when(Parameter<Bool>)
    }

    let method: Method
    let pattern: String
    /// A namespace, and an object, stand in the path.
    let hasNamespace, hasName: Bool
    /// The first of them, unless the request says that it is another.
    let verbs: [Action.Verb]
    let object: Action.Object
    /// What it serves; nil for what is no resource.
    let resource: Resource?
    let rule: AccessRule
    let parameters: [any AnyParameter]
    /// When its answer goes on without an end.
    let stream: Stream
    let serve: @Sendable (Server, Call) -> Void

    private init(
        method: Method, pattern: String, verbs: [Action.Verb], object: Action.Object, resource: Resource?,
        rule: AccessRule, parameters: [any AnyParameter], stream: Stream,
        serve: @escaping @Sendable (Server, Call) -> Void
    ) {
        self.method = method
        self.pattern = pattern
        hasNamespace = pattern.contains("{namespace}")
        hasName = ["{name}", "{position}", "{consumer}", "{sink}"].contains { pattern.contains($0) }
        self.verbs = verbs
        self.object = object
        self.resource = resource
        self.rule = rule
        self.parameters = parameters
        self.stream = stream
        self.serve = serve
    }

    /// Parameters that every route takes: what clients send with any request.
    static let common: [any AnyParameter] = [Query.pretty, Query.timeout]

    /// A route to a resource, or to what lies below its objects.
    static func resource(
        _ method: Method, _ pattern: String, _ verbs: [Action.Verb], _ resource: Resource, subresource: String = "",
        rule: AccessRule = .resource, stream: Stream = .never, _ parameters: [any AnyParameter] = [],
        _ serve: @escaping @Sendable (Server, Call) -> Void
    ) -> Route {
        Route(
            method: method, pattern: pattern, verbs: verbs,
            object: .resource(group: resource.group, name: resource.name, subresource: subresource),
            resource: resource, rule: rule, parameters: parameters + common, stream: stream, serve: serve)
    }

    /// A route to a resource of the table by its name.
    static func resource(
        _ method: Method, _ pattern: String, _ verbs: [Action.Verb], group: String, _ name: String,
        subresource: String = "", rule: AccessRule = .resource, stream: Stream = .never,
        _ parameters: [any AnyParameter] = [], _ serve: @escaping @Sendable (Server, Call) -> Void
    ) -> Route {
        let resource = Resource.named(name, group: group) ?? .unlisted(name, group: group)
        return .resource(
            method, pattern, verbs, resource, subresource: subresource, rule: rule, stream: stream, parameters, serve)
    }

    /// A route to what is no resource.
    static func path(
        _ pattern: String, _ rule: AccessRule = .path, _ parameters: [any AnyParameter] = [],
        _ serve: @escaping @Sendable (Server, Call) -> Void
    ) -> Route {
        Route(
            method: .get, pattern: pattern, verbs: [.get], object: .path(pattern), resource: nil, rule: rule,
            parameters: parameters + common, stream: .never, serve: serve)
    }

    /// The kind of the stored objects that it serves; nil for views of them.
    var kind: Kind? { if case .objects(let kind)? = resource?.home { kind } else { nil } }

    func isEndless(_ parameters: Parameters) -> Bool {
        switch stream {
        case .never: false
        case .always: true
        case .when(let flag): parameters.has(flag)
        }
    }

    /// What a request to this route does.
    func action(_ parameters: Parameters) -> Action {
        let isWatch = verbs.contains(.watch) && parameters.has(Query.watch)
        return Action(verb: isWatch ? .watch : verbs[0], object: object)
    }
}
