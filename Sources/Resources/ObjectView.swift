import Manifests
import Planner
public import Reconciler
public import Values

/// Objects as people see them: what is declared, and the status beside it.
extension EngineState {
    /// The object as it is shown, with what the state says about its surroundings.
    public func render(_ object: StoredObject) -> Node {
        let kind = object.key.kind
        var entries: [(String, Node?)] = [
            ("apiVersion", .text(kind.apiVersion)), ("kind", .text(kind.rawValue)), ("metadata", metadata(object)),
        ]
        for entry in object.content.map?.entries ?? [] where entry.key != "metadata" && entry.key != "status" {
            entries.append((entry.key, entry.value))
        }
        entries.append(("status", ForeignStatus.joined(ownStatus(object), object.content["status"])))
        return .map(entries)
    }

    private func ownStatus(_ object: StoredObject) -> Node? {
        switch object.key.kind.traits.state {
        case .none: return nil
        case .replicas:
            let inputVersion = { (key: ObjectKey) in objects[key]?.resourceVersion }
            return object.agent.map { status($0, object, ledgers[object.uid] ?? Ledger(), inputVersion) }
        case .sync: return object.source.map(status)
        case .tenant: return namespaceStatus(object)
        }
    }

    private func metadata(_ object: StoredObject) -> Node {
        let declaredBy = object.origin.flatMap { origin in
            keysByUID[origin.source].map {
                Node.map([
                    ("source", .text("\($0.namespace)/\($0.name)")), ("file", .text(origin.file)),
                    ("line", .number(origin.line)),
                ])
            }
        }
        let managers: Node? = object.managers.isEmpty ? nil : object.managedFields
        return .map(object.metadata + [("declaredBy", declaredBy), ("managedFields", managers)])
    }

    /// As Kubernetes shows it: the condition names what a deletion waits for.
    private func namespaceStatus(_ object: StoredObject) -> Node {
        guard let deletion = object.deletion else { return .map([("phase", "Active")]) }
        let inside = contents(of: object.key.name).map { "\($0.key.kind.qualifiedSingular)/\($0.key.name)" }
        let shown = inside.prefix(5).joined(separator: ", ") + (inside.count > 5 ? " and \(inside.count - 5) more" : "")
        let finalizers = object.finalizers.joined(separator: ", ")
        let (kind, reason, message) =
            inside.isEmpty
            ? ("NamespaceFinalizersRemaining", "SomeFinalizersRemain", "waiting for finalizers: \(finalizers)")
            : ("NamespaceContentRemaining", "SomeResourcesRemain", "waiting for \(shown)")
        let condition = Node.map([
            ("type", .text(kind)), ("status", "True"), ("reason", .text(reason)), ("message", .text(message)),
            ("lastTransitionTime", .text(Timestamp.seconds(deletion.atMs))),
        ])
        return .map([("phase", "Terminating"), ("conditions", .list([condition]))])
    }

    private func status(
        _ agent: AgentState, _ object: StoredObject, _ ledger: Ledger, _ inputVersion: (ObjectKey) -> Int64?
    ) -> Node {
        let shown = agent.replicas.filter { $0.ordinal < agent.effective.spec.replicas || $0.phase.isLive }
        let restarts = shown.reduce(0) { $0 + $1.restarts }
        let published = ledger.publishedSequence
        return .map([
            ("observedGeneration", .number(agent.observedGeneration)), ("phase", .text(agent.summary.phase.rawValue)),
            ("revision", .number(agent.revision)), ("replicas", .number(agent.effective.spec.replicas)),
            ("readyReplicas", .number(agent.summary.readyReplicas)),
            ("updatedReplicas", .number(agent.summary.updatedReplicas)),
            ("restarts", .number(restarts)),
            ("conditions", .list(agent.summary.conditions.map(condition))),
            ("runs", .list(shown.map { run($0, object, inputVersion) })),
            (
                "consistency",
                .map([
                    ("phase", .text(consistencyPhase(ledger))), ("lastSequence", .number(ledger.lastSequence)),
                    ("publishedSequence", .number(published)),
                    ("acknowledgedSequence", .number(ledger.acknowledgedSequence)),
                ])
            ),
        ])
    }

    private func status(_ source: SourceState) -> Node {
        .map([
            ("observedGeneration", .number(source.observedGeneration)),
            ("phase", source.condition(.ready).map { .text($0.status ? "Ready" : $0.reason.rawValue) }),
            ("revision", source.revision.isEmpty ? nil : .text(source.revision)),
            ("lastSyncTime", source.syncedAtMs > 0 ? .text(Timestamp.milliseconds(source.syncedAtMs)) : nil),
            ("declared", .number(source.declared)), ("applied", .number(source.applied)),
            ("pruned", .number(source.pruned)),
            ("pruneWaits", source.pruneWaits > 0 ? .number(source.pruneWaits) : nil),
            ("drifted", .number(source.drifted.count)),
            ("driftedObjects", source.drifted.isEmpty ? nil : .list(source.drifted.map(Node.text))),
            ("failed", .number(source.failed)),
            ("errors", source.errors.isEmpty ? nil : .list(source.errors.map(Node.text))),
            ("conditions", .list(source.conditions.map(condition))),
        ])
    }

    private func consistencyPhase(_ ledger: Ledger) -> String {
        if let stuck = ledger.stuck { return stuck.isDeadLetter ? "DeadLettered" : "Retrying" }
        return ledger.publishedSequence == ledger.lastSequence ? "Published" : "OutboxWritten"
    }

    private func condition(_ timed: StatusSummary.TimedCondition) -> Node {
        .map([
            ("type", .text(timed.condition.kind.rawValue)), ("status", timed.condition.status ? "True" : "False"),
            ("reason", .text(timed.condition.reason.rawValue)), ("message", .text(timed.condition.message)),
            ("observedGeneration", .number(timed.observedGeneration)),
            ("lastTransitionTime", .text(Timestamp.seconds(timed.lastTransitionMs))),
        ])
    }

    private func run(_ replica: Replica, _ object: StoredObject, _ inputVersion: (ObjectKey) -> Int64?) -> Node {
        let run = replica.phase.run
        let id =
            replica.attempt > 0 ? RunID(uid: object.uid, ordinal: replica.ordinal, attempt: replica.attempt).text : nil
        var retryAt: Int64?
        if case .backingOff(let until, _) = replica.phase { retryAt = until.wallMs }
        let stale = (run?.inputs ?? [:]).filter { name, version in
            let parts = name.split(separator: "/", maxSplits: 1).map(String.init)
            guard parts.count == 2, let kind = Kind(rawValue: parts[0]) else { return false }
            return inputVersion(ObjectKey(kind, namespace: object.key.namespace, name: parts[1])) != version
        }.keys.sorted()
        return .map([
            ("ordinal", .number(replica.ordinal)), ("id", id.map(Node.text)),
            ("phase", .text(replica.phase.name.rawValue)),
            ("revision", run.map { .number($0.revision) }),
            ("pid", replica.phase.isLive ? (run?.pid).map { .number(Int($0)) } : nil),
            ("imageDigest", (run?.facts.image).map { .text($0) }),
            ("frozen", replica.phase.isLive && run?.isFrozen == true ? true : nil),
            ("address", replica.phase.isLive ? (run?.facts.address).map { .text($0) } : nil),
            ("startedAt", (run?.startedAtMs).map { .text(Timestamp.milliseconds($0)) }),
            ("readyAt", (run?.readyAt?.wallMs).map { .text(Timestamp.milliseconds($0)) }),
            ("restarts", .number(replica.restarts)), ("lastExit", replica.lastExit.map(Self.exit)),
            ("childOOMKills", (run?.facts.childOOMKills).flatMap(Self.count)),
            ("nextRetryAt", retryAt.map { .text(Timestamp.milliseconds($0)) }),
            ("staleInputs", stale.isEmpty ? nil : .list(stale.map(Node.text))),
        ])
    }

    static func exit(_ exit: Exit) -> Node {
        .map([
            ("code", exit.code.map { .number($0) }), ("signal", exit.signal.map { .text(Signals.name(of: Int32($0))) }),
            ("reason", .text(exit.reason.rawValue)), ("message", exit.message.isEmpty ? nil : .text(exit.message)),
            ("at", .text(Timestamp.milliseconds(exit.atMs))), ("childOOMKills", count(exit.childOOMKills)),
        ])
    }

    /// Nothing is shown of what never happened.
    private static func count(_ number: Int) -> Node? { number > 0 ? .number(number) : nil }
}
