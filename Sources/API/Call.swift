import HTTP
import Manifests
import Planner
import Reconciler
import Resources
import Values

/// A request that was understood: its route, who asks, and with which parameters.
final class Call {
    let exchange: Exchange
    let route: Route
    let principal: Principal
    let parameters: Parameters
    let trace: Trace
    /// When it came, of the clock for durations.
    let beganNs: Int64
    /// What is asked for, with where and on which object.
    private(set) lazy var attributes: Attributes = self.attributes(action.verb.rawValue)
    /// Values of Secrets may be shown.
    var mayReveal = false
    /// What stands at the names of the route's pattern, in their order.
    let names: [String]
    private unowned let server: Server

    init(
        _ server: Server, _ exchange: Exchange, _ route: Route, names: [String], _ principal: Principal,
        _ parameters: Parameters, _ trace: Trace, _ beganNs: Int64
    ) {
        self.server = server
        self.exchange = exchange
        self.route = route
        self.names = names
        self.principal = principal
        self.parameters = parameters
        self.trace = trace
        self.beganNs = beganNs
    }

    var action: Action { route.action(parameters) }

    /// It may change something.
    var isChange: Bool {
        switch action.verb {
        case .get, .list, .watch: false
        case .create, .update, .patch, .delete, .deletecollection: true
        }
    }

    /// The resource that the route serves.
    var resource: Resource {
        guard let resource = route.resource else { preconditionFailure("\(route.pattern) serves no resource") }
        return resource
    }

    /// The kind of the stored objects that the route serves.
    var kind: Kind {
        guard let kind = resource.storedKind else { preconditionFailure("\(route.pattern) serves no objects") }
        return kind
    }

    /// The namespace in the path; nil for all.
    var namespace: String? { route.hasNamespace ? names.first : nil }
    /// The object in the path.
    var key: ObjectKey { ObjectKey(kind, namespace: namespace ?? "", name: names.last ?? "") }
    /// The last name in the path.
    var name: String { names.last ?? "" }

    // MARK: Answering

    func respond(_ status: Int, _ node: Node, headers: [(String, String)] = []) {
        respond(status, "application/json", [JSONWriter.bytes(node)], headers: headers)
    }

    func respond(_ status: Int, _ type: String, _ chunks: [[UInt8]], headers: [(String, String)] = []) {
        send(status, type, chunks, headers, isCompressed: compresses(chunks))
    }

    /// Answers with bytes that have a name; who has them already is told so.
    func respond(_ type: String, _ bytes: [UInt8], tag name: String, headers: [(String, String)]) {
        let isCompressed = compresses([bytes])
        // Other bytes that say the same have a weak tag (RFC 9110, section 8.8.3).
        let headers = headers + [("ETag", isCompressed ? "W/\"\(name)\"" : "\"\(name)\"")]
        let known = (exchange.header("If-None-Match") ?? "").split(separator: ",").map(\.trimmed)
        if known.contains("\"\(name)\"") || known.contains("W/\"\(name)\"") || known.contains("*") {
            return send(304, type, [[]], headers, isCompressed: false)
        }
        send(200, type, [bytes], headers, isCompressed: isCompressed)
    }

    private func send(
        _ status: Int, _ type: String, _ chunks: [[UInt8]], _ headers: [(String, String)], isCompressed: Bool
    ) {
        server.count(self, status)
        var headers = headers
        headers.append(trace.header)
        if isLong(chunks) { headers.append(("Vary", "Accept-Encoding")) }
        exchange.respond(status, type, chunks, headers: headers, compresses: isCompressed)
    }

    /// Whether an answer of these bytes is compressed: a long one, for who asks for it, while there is room.
    private func compresses(_ chunks: [[UInt8]]) -> Bool {
        isLong(chunks) && exchange.canCompress && Accepted(exchange.headers("Accept-Encoding")).names("gzip")
    }

    private func isLong(_ chunks: [[UInt8]]) -> Bool {
        guard exchange.method == "GET" else { return false }
        var bytes = 0
        for chunk in chunks {
            bytes += chunk.count
            if bytes > Limits.plainBytesMax { return true }
        }
        return false
    }

    func respond(_ status: Int, json chunks: [[UInt8]], headers: [(String, String)] = []) {
        respond(status, "application/json", chunks, headers: headers)
    }

    func fail(_ failure: Failure) {
        let stops = failure.code == 503 && server.loop.isStopping && !exchange.hasBegun ? [HTTPServer.stops] : []
        respond(failure.code, failure.status(trace), headers: failure.headers + stops)
    }

    /// Begins an answer without an end: as HTTP, or in messages of WebSocket when the client has asked for those. False
    /// when it was refused.
    func startStream(_ type: String, asText: Bool = true) -> Bool {
        // HEAD is told what would begin, and that is all.
        if exchange.method == "HEAD" {
            respond(200, type, [[]])
            return false
        }
        guard WebSocketHandshake.isAsked(by: exchange) else {
            server.count(self, 200)
            exchange.startStream(type)
            return true
        }
        do throws(WebSocketProblem) {
            let handshake = try WebSocketHandshake(exchange, protocols: ["binary.k8s.io"], isLenient: true)
            server.count(self, 101)
            exchange.startMessages(handshake, asText: asText)
            return true
        } catch {
            fail(.badRequest(error.message))
            return false
        }
    }

    /// Leaves HTTP; nil when the client is gone.
    func upgrade(to name: String, headers: [(String, String)]) -> UpgradedConnection? {
        server.count(self, 101)
        return exchange.upgrade(to: name, headers: headers)
    }

    func upgrade(_ handshake: WebSocketHandshake) -> UpgradedConnection? {
        server.count(self, 101)
        return exchange.upgrade(handshake)
    }

    func succeed(details: Node? = nil, headers: [(String, String)] = []) {
        respond(
            200,
            .map([
                ("kind", "Status"), ("apiVersion", "v1"), ("metadata", .emptyMap), ("status", "Success"),
                ("details", details),
            ]), headers: headers)
    }
}
