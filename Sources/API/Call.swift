import HTTP
import Manifests
import Planner
import Reconciler
import Values

/// A request that was understood: its route, who asks, and with which parameters.
final class Call {
    let exchange: Exchange
    let route: Route
    let principal: Principal
    let parameters: Parameters
    /// Values of Secrets may be shown.
    var mayReveal = false
    /// What stands at the names of the route's pattern, in their order.
    private let names: [String]
    private let answered: (Call, Int) -> Void

    init(
        _ exchange: Exchange, _ route: Route, names: [String], _ principal: Principal, _ parameters: Parameters,
        answered: @escaping (Call, Int) -> Void
    ) {
        self.exchange = exchange
        self.route = route
        self.names = names
        self.principal = principal
        self.parameters = parameters
        self.answered = answered
    }

    var action: Action { route.action(parameters) }

    /// The kind of objects that the route serves.
    var kind: Kind {
        guard let kind = route.kind else { preconditionFailure("\(route.pattern) serves no kind") }
        return kind
    }

    /// The namespace in the path; nil for all.
    var namespace: String? { route.pattern.contains("{namespace}") ? names.first : nil }
    /// The object in the path.
    var key: ObjectKey { ObjectKey(kind, namespace: namespace ?? "", name: names.last ?? "") }
    /// The last name in the path.
    var name: String { names.last ?? "" }

    // MARK: Answering

    func respond(_ status: Int, _ node: Node, headers: [(String, String)] = []) {
        respond(status, "application/json", [JSONWriter.bytes(node)], headers: headers)
    }

    func respond(_ status: Int, _ type: String, _ chunks: [[UInt8]], headers: [(String, String)] = []) {
        answered(self, status)
        exchange.respond(status, type, chunks, headers: headers)
    }

    func fail(_ failure: Failure) {
        respond(failure.code, failure.status, headers: failure.headers)
    }

    func startStream(_ type: String) {
        answered(self, 200)
        exchange.startStream(type)
    }

    func upgrade(to name: String, taken: @escaping (Int32) -> Void) {
        answered(self, 101)
        exchange.upgrade(to: name, taken: taken)
    }

    func succeed() {
        respond(200, .map([("kind", "Status"), ("apiVersion", "v1"), ("metadata", .emptyMap), ("status", "Success")]))
    }
}
