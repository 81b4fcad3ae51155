import Values

/// Which version of a collection a client wants. Source: Kubernetes' rules for `resourceVersion` and
/// `resourceVersionMatch`.
struct ListOptions {
    /// The version that is asked for; nil and 0 for any.
    let version: Int64?
    let isExact: Bool
    let sendsInitialEvents: Bool

    init(_ call: Call) throws(Failure) {
        let parameters = call.parameters
        let isWatch = call.action.verb == .watch
        version = try Self.number(parameters[Query.resourceVersion])
        let match = parameters[Query.resourceVersionMatch]
        isExact = match == "Exact"
        sendsInitialEvents = parameters.has(Query.sendInitialEvents)
        if isWatch {
            if match != nil, parameters[Query.sendInitialEvents] == nil {
                throw .badRequest("resourceVersionMatch: is forbidden for a watch without sendInitialEvents")
            }
            if sendsInitialEvents, match != "NotOlderThan" {
                throw .badRequest("resourceVersionMatch: must be NotOlderThan with sendInitialEvents")
            }
        } else {
            if parameters[Query.sendInitialEvents] != nil {
                throw .badRequest("sendInitialEvents: is forbidden for a list")
            }
            if match != nil, parameters[Query.resourceVersion] == nil {
                throw .badRequest("resourceVersionMatch: is forbidden without resourceVersion")
            }
            if isExact, version == 0 {
                throw .badRequest("resourceVersionMatch: Exact is forbidden for the resourceVersion 0")
            }
            if parameters[Query.continuation] != nil, let version, version > 0 {
                throw .badRequest("resourceVersion: is forbidden with continue, which is of one version")
            }
        }
    }

    private static func number(_ text: String?) throws(Failure) -> Int64? {
        guard let text else { return nil }
        guard let number = WholeNumber.read(text, in: 0...Int64.max) else {
            throw .badRequest("resourceVersion: expected one that was answered, found \"\(text.prefix(64))\"")
        }
        return number
    }

    /// Refuses a list of a version that is not there yet, as after a restored backup, or not any more.
    func check(current: Int64) throws(Failure) {
        guard let version, version > 0 else { return }
        if version > current {
            let message = "the resourceVersion \(version) is later than \(current), the last one; list again without it"
            throw Failure(code: 410, reason: "Expired", message: message)
        }
        if isExact, version < current {
            throw Failure(
                code: 410, reason: "Expired", message: "The resourceVersion for the provided list is too old.")
        }
    }
}
