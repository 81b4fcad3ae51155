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
    var uid: String?
    var resourceVersion: String?

    private static let fields: Set<String> = [
        "kind", "apiVersion", "gracePeriodSeconds", "preconditions", "dryRun", "propagationPolicy", "orphanDependents",
        "ignoreStoreReadErrorWithClusterBreakingPotential",
    ]

    init(_ call: Call) throws(Failure) {
        graceSeconds = call.parameters[Query.gracePeriodSeconds].map { Int($0) }
        dryRun = call.parameters[Query.dryRun] != nil
        if call.exchange.body.isEmpty { return }
        var diagnostics = Diagnostics()
        guard let body = JSONReader.read(call.exchange.body, file: "body", diagnostics: &diagnostics),
            diagnostics.isEmpty, let map = body.map
        else { throw .badRequest(diagnostics.kept.first?.description ?? "the body is no object of kind DeleteOptions") }
        if let unknown = map.entries.first(where: { !Self.fields.contains($0.key) }) {
            throw .badRequest("unknown field \"\(unknown.key)\" of DeleteOptions")
        }
        if let kind = body["kind"], kind.string != "DeleteOptions" {
            throw .badRequest("the body of a deletion is of kind DeleteOptions")
        }
        if let grace = body["gracePeriodSeconds"], !grace.isNull {
            guard let seconds = grace.int, (0...86_400).contains(seconds) else {
                let cause = Refusal.Cause(
                    message: "must be from 0 to 86400", field: "gracePeriodSeconds")
                throw .invalid(call.key, [cause])
            }
            graceSeconds = seconds
        }
        if let words = body["dryRun"], !words.isNull {
            guard let list = words.list, list.allSatisfy({ $0.string == "All" }) else {
                throw .badRequest("dryRun: expected [\"All\"]")
            }
            if !list.isEmpty { dryRun = true }
        }
        try readPreconditions(body["preconditions"])
    }

    private mutating func readPreconditions(_ node: Node?) throws(Failure) {
        guard let node, !node.isNull else { return }
        guard let map = node.map else { throw .badRequest("preconditions: expected uid and resourceVersion") }
        for entry in map.entries where !entry.value.isNull {
            guard let text = entry.value.string else {
                throw .badRequest("preconditions.\(entry.key): expected a string")
            }
            switch entry.key {
            case "uid": uid = text
            case "resourceVersion": resourceVersion = text
            default: throw .badRequest("preconditions.\(entry.key): expected uid or resourceVersion")
            }
        }
    }
}
