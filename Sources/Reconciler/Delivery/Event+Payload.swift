import Manifests
import Planner
import Values

/// How events are written: for consumers in the envelope of `manifest.md`, for the audit as verb and detail.
extension Event {
    /// The envelope as JSON, as `EventDescription` says.
    func payload(_ object: StoredObject, sequence: Int64, position: Int64, trace: String?, _ now: Moment) -> String {
        let type = type(of: object.key.kind)
        return JSONWriter.text(
            .map([
                ("event_id", .text("\(object.uid.text)-\(sequence)")), ("event_type", .text(type.text)),
                ("schema_version", .number(EventDescription.version(of: type))),
                ("occurred_at", .text(Timestamp.milliseconds(now.wallMs))),
                ("trace_id", .text(trace ?? object.ownTrace)),
                ("tenant_id", .text(object.key.namespace)),
                ("agent_id", object.agent != nil ? .text(object.uid.text) : nil),
                (
                    "object",
                    .map([
                        ("kind", .text(object.key.kind.rawValue)), ("namespace", .text(object.key.namespace)),
                        ("name", .text(object.key.name)), ("uid", .text(object.uid.text)),
                        ("labels", object.labels.isEmpty ? nil : .strings(object.labels)),
                    ])
                ),
                ("sequence", .number(sequence)), ("position", .number(position)),
                ("generation", .number(object.generation)),
                ("revision", (object.agent?.revision).map { .number($0) }), ("run_id", run.map { .text($0.text) }),
                ("data", .map(data(now))),
            ]))
    }

    private func data(_ now: Moment) -> [(String, Node?)] {
        switch self {
        case .created(let manager): return [("manager", .text(manager))]
        case .updated(let manager, let restarts):
            return [
                ("restarts", restarts.isEmpty ? nil : .list(restarts.map(Node.text))), ("manager", .text(manager)),
            ]
        case .deletionRequested: return [("deletionTimestamp", .text(Timestamp.milliseconds(now.wallMs)))]
        case .deleted: return []
        case .run(let transition): return data(transition)
        case .consumerExpired(let consumer):
            return [("consumer", .text(consumer.name)), ("position", .number(consumer.position))]
        case .sinkExpired(let sink, let position): return [("sink", .text(sink)), ("position", .number(position))]
        case .sinkGone(let sink, let reason): return [("sink", .text(sink)), ("message", .text(reason))]
        case .synced(let sync):
            return [
                ("sourceRevision", .text(sync.revision)), ("declared", .number(sync.declared)),
                ("applied", .number(sync.applied)), ("pruned", .number(sync.pruned)),
                ("drifted", .number(sync.drifted)), ("failed", .number(sync.failed)),
            ]
        case .syncFailed(let revision, let failed, let errors):
            return [
                ("sourceRevision", .text(revision)), ("failed", .number(failed)),
                ("errors", .list(errors.map(Node.text))),
            ]
        case .pruned(let source): return [("source", .text("\(source.namespace)/\(source.name)"))]
        case .drifted(let source, let place, let policy):
            return [
                ("source", .text("\(source.namespace)/\(source.name)")), ("file", .text(place)),
                ("policy", .text(policy.rawValue)),
            ]
        case .objectiveBurning(let report), .objectiveSpent(let report), .objectiveRecovered(let report):
            return data(report)
        }
    }

    private func data(_ report: ObjectiveReport) -> [(String, Node?)] {
        let (spec, reading) = (report.spec, report.reading)
        return [
            ("indicator", .text(spec.indicator.rawValue)), ("objective", .text(spec.words)),
            ("window", .text(ObjectiveSpec.time(spec.windowMs))), ("phase", .text(reading.phase.rawValue)),
            ("goodEvents", .number(reading.good)), ("badEvents", .number(reading.bad)),
            ("attained", reading.attained.map { .text(ObjectiveSpec.percent($0)) }),
            ("budgetRemaining", .text(ObjectiveSpec.percent(reading.budget(spec)))),
        ]
    }

    private func data(_ transition: Transition) -> [(String, Node?)] {
        [
            ("ordinal", .number(transition.ordinal)), ("revision", .number(transition.revision)),
            ("reason", .text(transition.reason.text)), ("exitCode", transition.exit?.code.map { .number($0) }),
            ("signal", transition.exit?.signal.map { .text(Signals.name(of: Int32($0))) }),
            ("message", (transition.exit?.message).flatMap { $0.isEmpty ? nil : .text($0) }),
            ("retryInMs", transition.retryInMs.map { .number($0) }),
            ("failures", transition.failures.flatMap { $0 > 0 ? .number($0) : nil }),
            ("childOOMKills", Self.childOOMKills(transition).map { .number($0) }),
        ]
    }

    private static func childOOMKills(_ transition: Transition) -> Int? {
        let kills = transition.childOOMKills ?? transition.exit?.childOOMKills ?? 0
        return kills > 0 ? kills : nil
    }

    // MARK: Audit

    var auditVerb: String {
        switch self {
        case .created: "created"
        case .updated: "updated"
        case .deletionRequested: "delete"
        case .deleted: "deleted"
        case .run(let transition): transition.name.rawValue
        case .consumerExpired, .sinkExpired: "expire"
        case .sinkGone: "switch-off"
        case .synced, .syncFailed: "sync"
        case .pruned: "prune"
        case .drifted: "drifted"
        case .objectiveBurning, .objectiveSpent, .objectiveRecovered: "measure"
        }
    }

    var auditDetail: String {
        switch self {
        case .created, .deletionRequested, .deleted: ""
        case .updated(_, let restarts): restarts.isEmpty ? "" : "restarts: \(restarts.joined(separator: ", "))"
        case .run(let transition): transition.reason.text
        case .consumerExpired(let consumer): consumer.name
        case .sinkExpired(let sink, _), .sinkGone(let sink, _): sink
        case .synced(let sync): sync.revision
        case .syncFailed(let revision, _, _): revision
        case .pruned: "no longer declared"
        case .drifted(_, _, let policy): policy.rawValue
        case .objectiveBurning(let report), .objectiveSpent(let report), .objectiveRecovered(let report):
            report.reading.phase.rawValue
        }
    }
}

extension StoredObject {
    /// The trace of what nobody has asked for: one for each generation.
    var ownTrace: String {
        UID(high: uid.high, low: uid.low &+ UInt64(generation) &* 0x9e37_79b9_7f4a_7c15).hex
    }

    /// The trace that the next run of the agent is part of.
    public var workTrace: String { agent?.trace ?? ownTrace }
}
