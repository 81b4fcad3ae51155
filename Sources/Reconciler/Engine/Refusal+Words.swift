import Manifests
public import Planner
import Values

/// Refusals as sentences: Sources keep them among their errors, faces show them.
extension Refusal {
    public var words: String {
        switch self {
        case .notFound(let key): return "\(key.kind.qualifiedResource) \"\(key.name)\" not found"
        case .noReplica(let key, let ordinal): return "agent \"\(key.name)\" has no replica \(ordinal)"
        case .notStuck(let position):
            return "no stuck event at position \(position); see 'agentos-apply outbox list'"
        case .noConsumer(let name): return "consumer \"\(name)\" not found"
        case .noSink(let name): return "sink \"\(name)\" not found; see 'agentos-apply outbox sinks'"
        case .invalid(let key, let causes):
            let what = causes.map { $0.field.isEmpty ? $0.message : "\($0.field): \($0.message)" }
            return "\(key.kind.qualifiedSingular) \"\(key.name)\" is invalid: \(what.joined(separator: "; "))"
        case .malformed(let key, let what): return what.words(key)
        case .unfitting(_, let problem): return problem.words
        case .conflict(let key, let conflict): return conflict.words(key)
        case .forbidden(let key, let why):
            guard let key else { return why.words }
            return "\(key.kind.qualifiedResource) \"\(key.name)\" is forbidden: \(why.words)"
        case .expired(let consumer):
            return
                "consumer \"\(consumer.name)\" has expired: events after position \(consumer.position) were dropped before it "
                + "acknowledged them; remove it with 'agentos-apply events --consumer \(consumer.name) --remove' to start anew"
        case .keyReused(let key): return "the Idempotency-Key \"\(key)\" was used for another request"
        case .tooMany(let retryAfterMs): return "too many requests; try again in \((retryAfterMs + 999) / 1000) s"
        case .deliveryBehind(let sink, let retryAfterMs):
            let what = sink.map { "for the required sink \"\($0)\"" } ?? "for the event journal"
            return
                "too many events wait \(what); nothing new is taken until it is further, try again in "
                + "\((retryAfterMs + 999) / 1000) s; see 'agentos-apply outbox sinks'"
        case .unavailable: return "the daemon cannot take that now; nothing was changed; try again"
        case .notStored(let why): return "the change could not be stored; nothing was changed: \(why)"
        }
    }

    /// The object that it is about.
    public var key: ObjectKey? {
        switch self {
        case .notFound(let key), .noReplica(let key, _), .invalid(let key, _), .conflict(let key, _),
            .malformed(let key, _), .unfitting(let key, _):
            key
        case .forbidden(let key, _): key
        case .notStuck, .noConsumer, .noSink, .expired, .keyReused, .tooMany, .deliveryBehind, .unavailable,
            .notStored:
            nil
        }
    }

    /// The fields that it is about.
    public var causes: [Cause] {
        switch self {
        case .invalid(_, let causes), .malformed(_, .fields(let causes)): causes
        case .conflict(_, .managers(let owners)):
            owners.map {
                Cause(reason: .managerConflict, message: "conflict with \"\($0.manager)\"", field: $0.path)
            }
        case .notFound, .noReplica, .notStuck, .noConsumer, .noSink, .malformed, .unfitting, .conflict, .forbidden,
            .expired, .keyReused, .tooMany, .deliveryBehind, .unavailable, .notStored:
            []
        }
    }
}

extension Refusal.Malformed {
    fileprivate func words(_ key: ObjectKey) -> String {
        switch self {
        case .fields(let causes):
            let what = causes.map { $0.reason == .duplicate ? $0.message : "unknown field \"\($0.field)\"" }
            return
                "\(key.kind.rawValue) in version \"\(key.kind.version)\" cannot be handled as a \(key.kind.rawValue): "
                + "strict decoding error: \(what.joined(separator: ", "))"
        case .patch(let problem): return problem.words
        case .identity(let field, let found, let expected):
            return "the \(field) of the object (\(found)) does not match that of the address (\(expected))"
        case .versionOfNew: return "resourceVersion should not be set on objects to be created"
        case .managedFields: return "metadata.managedFields is no list of the fields of managers"
        case .subresource(let part): return "\(key.kind.qualifiedResource) have no \(part.rawValue)"
        }
    }
}

extension Refusal.Conflict {
    fileprivate func words(_ key: ObjectKey) -> String {
        switch self {
        case .managers(let owners):
            let first = owners.count == 1 ? "1 conflict" : "\(owners.count) conflicts"
            let each = owners.map { "conflict with \"\($0.manager)\": \($0.path)" }
            return "Apply failed with \(first): \(each.joined(separator: ", "))"
        case .beingDeleted:
            return "\(key.kind.qualifiedResource) \"\(key.name)\" is being deleted; wait until it is gone"
        case .exists: return "\(key.kind.qualifiedResource) \"\(key.name)\" already exists"
        case .modified:
            return
                "Operation cannot be fulfilled on \(key.kind.qualifiedResource) \"\(key.name)\": the object has been "
                + "modified; please apply your changes to the latest version and try again"
        case .uid(let expected, let found):
            return precondition(key, "UID", expected, found.text)
        case .resourceVersion(let expected, let found):
            return precondition(key, "ResourceVersion", expected, String(found))
        case .notRunning(let ordinal, let phase):
            return "replica \(ordinal) of agent \"\(key.name)\" does not run (\(phase.rawValue))"
        case .frozen(let ordinal):
            return "replica \(ordinal) of agent \"\(key.name)\" is frozen; set spec.suspend to false first"
        case .suspended: return "source \"\(key.name)\" is suspended; set spec.suspend to false first"
        case .notRead: return "source \"\(key.name)\" was not read yet"
        case .moved(let moves):
            let told = moves.prefix(Limits.movesToldMax).map(\.words).joined(separator: "; ")
            let more = moves.count - Limits.movesToldMax
            return
                "things have moved since the plan was made: \(told)\(more > 0 ? "; and \(more) more" : ""); "
                + "nothing was changed; make a new plan"
        }
    }
}

private func precondition(_ key: ObjectKey, _ what: String, _ expected: String, _ found: String) -> String {
    "Operation cannot be fulfilled on \(key.kind.qualifiedResource) \"\(key.name)\": "
        + "Precondition failed: \(what) in precondition: \(expected), \(what) in object meta: \(found)"
}

extension Refusal.Forbidden {
    fileprivate var words: String {
        switch self {
        case .defaultNamespace: "the namespace default always exists"
        case .namespaceEnds(let name): "the namespace \(name) is being deleted; nothing new is created in it"
        case .tooManyManagers: "more than \(Limits.fieldManagersMax) field managers"
        case .tooManyObjects: "more than \(Limits.objectsMax) objects"
        case .noUserLeft: "no user id is left for another agent"
        case .grants(let user, let missing):
            "user \"\(user)\" is attempting to grant rights that it does not hold itself: \(missing); "
                + "the verbs escalate and bind allow it"
        case .machineUser(let user):
            "user \"\(user)\" cannot escalate resource \"agents\": a process with securityContext.runAsUser or runAsGroup "
                + "is that user of the machine"
        case .frozen(let objective, let stand):
            "the budget of the Objective \"\(objective)\" is spent (\(stand)) and it freezes changes: only a rollback and a "
                + "suspension are taken. See 'agentos-apply slo \(objective)'; who has the verb override on it sets the "
                + "annotation \(Freeze.annotation) to a reason with the change"
        case .freezeOverride(let objective, let user):
            "user \"\(user)\" cannot override resource \"objectives\": the budget of \"\(objective)\" is spent and it freezes changes"
        case .tooManyGrants:
            "its rules come to more than \(Limits.accessPartsMax) single rights, which are not compared; make several roles"
        case .tooManyConsumers: "more than \(Limits.consumersMax) consumers"
        case .sinkInUse(let name): "the sink \"\(name)\" is configured; take it out of the daemon's settings first"
        }
    }
}

extension DeclaredView.Refusal {
    var words: String {
        switch self {
        case .namespace(let namespace, let source):
            "the Source may not write to the namespace \(namespace); the daemon's option "
                + "--source-namespaces \(source.namespace)/\(source.name)=\(namespace) allows it"
        case .declaredBy(let source, let place):
            "Source \(source.namespace)/\(source.name) at \(place) declares it already"
        }
    }
}

extension Forecast.Move {
    var words: String {
        let name = "\(key.kind.qualifiedSingular)/\(key.name)"
        switch self {
        case .unplanned: return "\(name) would change, too"
        case .dropped: return "\(name) would not change any more"
        case .made: return "\(name) was made"
        case .gone: return "\(name) was deleted"
        case .anew: return "\(name) was deleted and made again"
        case .declared(_, let from, let to):
            return "\(name) was changed (resourceVersion \(from), now \(to))"
        case .replica(_, let ordinal, let from, let to):
            let (before, after) = (from?.rawValue ?? "not there", to?.rawValue ?? "not there")
            return "replica \(ordinal) of \(name) was \(before) and is \(after)"
        case .outcome(_, let from, let to): return "\(name): \(from.rawValue) has become \(to.rawValue)"
        case .restarts: return "\(name) restarts for other fields"
        case .waits(_, let from, let to):
            let (before, after) = (from?.rawValue ?? "nothing", to?.rawValue ?? "nothing")
            return "\(name) waited for \(before) and waits for \(after)"
        }
    }
}
