import Manifests
import Planner
import Reconciler
import Resources
import Values

/// An error as this face shows it, in Kubernetes' terms.
struct Failure: Error {
    /// One document of a resource, stored or not.
    struct Subject {
        var resource: Resource
        var name: String
    }

    var code: Int
    var reason: String
    var message: String
    var subject: Subject?
    var causes: [Refusal.Cause]
    /// What it is about, where that is no object.
    var details: Node?
    /// When the same may be asked again, where that helps.
    var retryAfterSeconds: Int64 = 1

    init(code: Int, reason: String, message: String, key: ObjectKey? = nil, causes: [Refusal.Cause] = []) {
        self.code = code
        self.reason = reason
        self.message = message
        subject = key.map { Subject(resource: .of($0.kind), name: $0.name) }
        self.causes = causes
    }

    init(_ refusal: Refusal) {
        let (code, reason) = Self.status(of: refusal)
        self.init(
            code: code, reason: reason, message: refusal.words, key: refusal.key, causes: refusal.causes)
        if case .deliveryBehind(_, let afterMs) = refusal { retryAfterSeconds = (afterMs + 999) / 1000 }
    }

    static func notFound(_ key: ObjectKey) -> Failure { Failure(.notFound(key)) }
    static func invalid(_ key: ObjectKey, _ causes: [Refusal.Cause]) -> Failure { Failure(.invalid(key, causes)) }
    static func notFound(_ call: Call) -> Failure {
        let message = "\(call.resource.qualifiedName) \"\(call.name)\" not found"
        var failure = Failure(code: 404, reason: "NotFound", message: message)
        failure.subject = Subject(resource: call.resource, name: call.name)
        return failure
    }
    static let unavailable = Failure(.unavailable)

    /// Status codes and reasons of everything that the daemon refuses.
    private static func status(of refusal: Refusal) -> (code: Int, reason: String) {
        switch refusal {
        case .notFound, .noReplica, .notStuck, .noConsumer, .noSink: (404, "NotFound")
        case .malformed: (400, "BadRequest")
        case .unfitting(_, .tooCostly): (413, "RequestEntityTooLarge")
        case .invalid, .unfitting, .keyReused: (422, "Invalid")
        case .conflict(_, .exists): (409, "AlreadyExists")
        case .conflict: (409, "Conflict")
        case .forbidden: (403, "Forbidden")
        case .expired: (410, "Expired")
        case .tooMany, .deliveryBehind: (429, "TooManyRequests")
        case .unavailable, .notStored: (503, "ServiceUnavailable")
        }
    }
}
