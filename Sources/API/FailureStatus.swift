import HTTP
import Manifests
import Planner
import Reconciler
import Values

extension Failure {
    /// The failure as an object of Kubernetes' kind Status.
    func status(_ trace: Trace?) -> Node {
        var details = details
        if subject != nil || !causes.isEmpty {
            details = .map([
                ("name", (subject?.name).map(Node.text)), ("group", (subject?.resource.group).map(Node.text)),
                ("kind", (subject?.resource).map { .text(code == 422 ? $0.kind : $0.name) }),
                ("causes", causes.isEmpty ? nil : .list(causes.map(\.node))),
            ])
        }
        details = details ?? .emptyMap
        if let trace { details?["trace_id"] = .text(trace.id) }
        return .map([
            ("kind", "Status"), ("apiVersion", "v1"), ("metadata", .emptyMap), ("status", "Failure"),
            ("message", .text(message)), ("reason", .text(reason)), ("details", details), ("code", .number(code)),
        ])
    }

    var headers: [(String, String)] { code == 503 || code == 429 ? [("Retry-After", String(retryAfterSeconds))] : [] }

    static func badRequest(_ message: String, key: ObjectKey? = nil) -> Failure {
        Failure(code: 400, reason: "BadRequest", message: message, key: key)
    }

    static func tooMany(_ message: String) -> Failure {
        Failure(code: 429, reason: "TooManyRequests", message: message)
    }

    /// A head that the server refuses.
    init(_ problem: HeadProblem) {
        switch problem {
        case .malformedTarget(let why): self = .badRequest("the path of the request is malformed: \(why)")
        case .ambiguous(let why): self = .badRequest("the head of the request is ambiguous: \(why)")
        case .bodyTooLarge(let bytesMax):
            self.init(
                code: 413, reason: "RequestEntityTooLarge", message: "the request is larger than \(bytesMax >> 20) MiB")
        case .tooManyBodies: self = .tooMany("the bodies of all requests together are too large now")
        }
    }

    static func noPath(_ path: String) -> Failure {
        Failure(code: 404, reason: "NotFound", message: "the server could not find the requested resource \(path)")
    }
}

extension Refusal.Cause {
    fileprivate var node: Node {
        .map([("reason", .text(reason.rawValue)), ("message", .text(message)), ("field", .text(field))])
    }
}
