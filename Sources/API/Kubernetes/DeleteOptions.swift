import HTTP
import Manifests
import Planner
import Reconciler
import Values

/// How an object is to be deleted: of the query, and of a body of Kubernetes' kind DeleteOptions, which goes first.
struct DeleteOptions {
    var graceSeconds: Int?
    var dryRun: Bool
    /// The deletion is refused for any other object, or version of it.
    var preconditions = Request.Preconditions()
    var propagation = Request.Propagation.background

    private static let fields: Set<String> = [
        "kind", "apiVersion", "gracePeriodSeconds", "preconditions", "dryRun", "propagationPolicy", "orphanDependents",
        "ignoreStoreReadErrorWithClusterBreakingPotential",
    ]

    init(_ call: Call) throws(Failure) {
        graceSeconds = call.parameters[Query.gracePeriodSeconds].map { Int($0) }
        dryRun = call.parameters[Query.dryRun] != nil
        if call.parameters.has(Query.orphanDependents) { propagation = .orphan }
        if let word = call.parameters[Query.propagationPolicy].flatMap(Request.Propagation.init) { propagation = word }
        guard let body = try call.bodyObject("DeleteOptions") else { return }
        if let unknown = body.map?.entries.first(where: { !Self.fields.contains($0.key) }) {
            throw .badRequest("unknown field \"\(unknown.key)\" of DeleteOptions")
        }
        if let kind = body["kind"], kind.string != "DeleteOptions" {
            throw .badRequest("the body of a deletion is of kind DeleteOptions")
        }
        if let grace = body["gracePeriodSeconds"], !grace.isNull {
            guard let seconds = grace.int, (0...86_400).contains(seconds) else {
                throw Self.invalid(Refusal.Cause(message: "must be from 0 to 86400", field: "gracePeriodSeconds"))
            }
            graceSeconds = seconds
        }
        if let words = body["dryRun"], !words.isNull {
            guard let list = words.list, list.allSatisfy({ $0.string == "All" }) else {
                throw .badRequest("dryRun: expected [\"All\"]")
            }
            if !list.isEmpty { dryRun = true }
        }
        if let orphan = body["orphanDependents"], !orphan.isNull {
            guard let orphan = orphan.bool else { throw .badRequest("orphanDependents: expected true or false") }
            propagation = orphan ? .orphan : .background
        }
        if let policy = body["propagationPolicy"], !policy.isNull {
            guard let word = policy.string.flatMap(Request.Propagation.init) else {
                let words = Request.Propagation.allCases.map(\.rawValue).joined(separator: ", ")
                let cause = Refusal.Cause(
                    reason: .notSupported, message: "expected one of \(words)", field: "propagationPolicy")
                throw Self.invalid(cause)
            }
            propagation = word
        }
        try readPreconditions(body["preconditions"])
    }

    /// It is the options that are wrong, and not any object.
    private static func invalid(_ cause: Refusal.Cause) -> Failure {
        Failure(
            code: 422, reason: "Invalid", message: "DeleteOptions is invalid: \(cause.field): \(cause.message)",
            causes: [cause])
    }

    func deletion(of key: ObjectKey) -> Request.Deletion {
        Request.Deletion(
            key: key, graceMs: graceSeconds.map { Int64($0) * 1000 }, dryRun: dryRun, preconditions: preconditions,
            propagation: propagation)
    }

    private mutating func readPreconditions(_ node: Node?) throws(Failure) {
        guard let node, !node.isNull else { return }
        guard let map = node.map else { throw .badRequest("preconditions: expected uid and resourceVersion") }
        for entry in map.entries where !entry.value.isNull {
            guard let text = entry.value.string else {
                throw .badRequest("preconditions.\(entry.key): expected a string")
            }
            switch entry.key {
            case "uid": preconditions.uid = text
            case "resourceVersion": preconditions.resourceVersion = text
            default: throw .badRequest("preconditions.\(entry.key): expected uid or resourceVersion")
            }
        }
    }
}
