import Manifests
import Planner
public import Reconciler
import Values

/// Reading all control state at start. A row that cannot be read is told; nothing is left out.
extension SQLiteStore {
    public func load() throws(StoreFailure) -> EngineState {
        var state = EngineState()
        state.resourceVersion = try Self.number("resource_version", in: &database)
        state.position = try Self.number("position", in: &database)
        state.backlog =
            try database.query("SELECT count(*) FROM outbox WHERE state IN \(Continuity.pending)") {
                row throws(StoreFailure) in try row.count(0)
            }.first ?? 0
        state.isRestored = try Continuity.isRestored(&database)
        try loadObjects(into: &state)
        for consumer in try database.query(
            "SELECT name, position, journal_offset, expired FROM consumers",
            row: { row throws(StoreFailure) in
                Consumer(
                    name: try row.text(0), position: try row.int(1), journalOffset: try row.int(2),
                    isExpired: try row.flag(3))
            })
        { state.consumers[consumer.name] = consumer }
        try loadSinks(into: &state)
        try loadLedgers(into: &state)
        try loadMeasurements(into: &state)
        for answer in try database.query(
            "SELECT principal, key, digest, answer, at_ms FROM idempotency",
            row: { row throws(StoreFailure) in
                KeptAnswer(
                    principal: try row.text(0), key: try row.text(1), digest: try row.text(2),
                    object: try row.value(3, Column.about), atMs: try row.int(4))
            })
        { state.keptAnswers.keep(answer) }
        state.tombstones = Set(
            try database.query("SELECT uid FROM tombstones") { row throws(StoreFailure) in
                try row.value(0, Column.uid)
            })
        return state
    }

    /// One of the database's own numbers; 0 in a new one.
    static func number(_ key: String, in database: inout Database) throws(StoreFailure) -> Int64 {
        try database.query("SELECT key, value FROM meta WHERE key = ?", [.text(key)]) { row throws(StoreFailure) in
            try row.value(1) { text throws(Damage) in
                guard let number = WholeNumber.read(text, in: 0...Int64.max) else {
                    throw Damage("it is no number: \"\(text.prefix(60))\"")
                }
                return number
            }
        }.first ?? 0
    }

    private func loadLedgers(into state: inout EngineState) throws(StoreFailure) {
        let rows = try database.query(
            """
            SELECT uid, last_sequence, published_sequence FROM ledgers
            WHERE uid IN (SELECT uid FROM objects) OR published_sequence < last_sequence
            """
        ) { row throws(StoreFailure) in
            var ledger = Ledger()
            ledger.lastSequence = try row.int(1)
            ledger.publishedSequence = try row.int(2)
            return (try row.value(0, Column.uid), ledger)
        }
        for (uid, ledger) in rows { state.ledgers[uid] = ledger }
        if state.consumers.values.contains(where: { !$0.isExpired }) {
            let waiting = try database.query(
                "SELECT position, uid, sequence FROM outbox WHERE state = 'Published' ORDER BY position"
            ) { row throws(StoreFailure) in (try row.int(0), try row.value(1, Column.uid), try row.int(2)) }
            for (position, uid, sequence) in waiting {
                state.ledgers[uid]?.awaitAcknowledgement(position: position, sequence: sequence)
            }
        }
        let stuck = try database.query(
            "SELECT position, uid, attempts, state, retry_at FROM outbox WHERE state IN ('Retrying', 'DeadLettered')"
        ) { row throws(StoreFailure) in
            let retryAt = try row.optional(4, Column.deadline)
            let stuck = Ledger.Stuck(
                position: try row.int(0), attempts: try row.count(2),
                isDeadLetter: try row.value(3, Column.name) == OutboxState.deadLettered,
                retryAt: retryAt ?? Deadline(boot: 0, bootMs: 0, wallMs: 0, lengthMs: 0))
            return (try row.value(1, Column.uid), stuck)
        }
        for (uid, record) in stuck { state.ledgers[uid]?.stuck = record }
    }

    private func loadObjects(into state: inout EngineState) throws(StoreFailure) {
        let secrets = try SealedSecrets.load(&database, keys, keyring.place, path)
        let replicas = try loadReplicas()
        let templates = try loadHeldTemplates()
        let objects = try database.query(
            """
            SELECT uid, kind, namespace, name, generation, resource_version, created_ms, content, managers, deleted_ms,
            delete_grace_ms, revision, own_user, status, origin FROM objects
            """
        ) { row throws(StoreFailure) in try Self.object(row) }
        for var object in objects {
            if object.key.kind.traits.hidesData {
                guard let data = secrets[object.uid] else {
                    throw .damaged(table: "secrets", row: object.uid.hex, "it is not there")
                }
                object.content["data"] = data
            }
            if let template = templates[object.uid], let spec = object.content["spec"] {
                object.agent?.effective = EffectiveSpec(AgentSpec.spec(spec, with: template))
            }
            object.agent?.replicas = replicas[object.uid] ?? []
            // Runs of the current revision share the agent's spec in memory.
            if let effective = object.agent?.effective { object.agent?.replicas.shareSpec(effective) }
            state.objects[object.key] = object
        }
    }

    private static func object(_ row: borrowing RowReader) throws(StoreFailure) -> StoredObject {
        let kind: Kind = try row.value(1, Column.name)
        let content = try row.value(7, Document.tree)
        let key = ObjectKey(kind, namespace: try row.text(2), name: try row.text(3))
        var object = StoredObject(
            key: key, uid: try row.value(0, Column.uid), createdAtMs: try row.int(6), content: content)
        object.generation = try row.int(4)
        object.resourceVersion = try row.int(5)
        object.managers = try row.value(8, Column.managers)
        if let atMs = try row.optionalInt(9) {
            object.deletion = StoredObject.Deletion(atMs: atMs, graceMs: try row.optionalInt(10))
        }
        object.origin = try row.optional(14, Column.origin)
        if kind.traits.state == .sync { object.source = try row.optional(13, Column.source) ?? SourceState() }
        if kind.traits.state == .objective {
            object.objective = try row.optional(13, Column.objective) ?? ObjectiveState()
        }
        if kind.traits.state == .replicas {
            guard let spec = content["spec"] else { throw row.damage(7, "it has no field spec") }
            let far = Deadline(boot: 0, bootMs: 0, wallMs: 0, lengthMs: 0)
            var agent = AgentState(effective: EffectiveSpec(spec), progressBy: far)
            agent.revision = try row.count(11)
            agent.ownUser = try row.optionalID(12)
            agent =
                try row.optional(13) { status throws(Damage) in
                    var read = agent
                    try Column.apply(status: status, to: &read)
                    return read
                } ?? agent
            object.agent = agent
        }
        return object
    }

    private func loadReplicas() throws(StoreFailure) -> [UID: [Replica]] {
        var runs: [RunID: Run] = [:]
        for run in try database.query(
            """
            SELECT uid, ordinal, attempt, revision, spec, inputs, created_ms, start_by, pid, started_ms, ready_at, gate, facts,
            startup_by FROM runs
            """, row: { row throws(StoreFailure) in try Self.run(row) })
        { runs[run.id] = run }
        var result: [UID: [Replica]] = [:]
        for (uid, replica) in try database.query(
            """
            SELECT uid, ordinal, attempt, restarts, backoff_step, phase, run, seen, removed, reason, deadline, retry_revision,
            last_exit FROM replicas ORDER BY uid, ordinal
            """,
            row: { row throws(StoreFailure) in try Self.replica(row, runs) })
        { result[uid, default: []].append(replica) }
        return result
    }

    private static func run(_ row: borrowing RowReader) throws(StoreFailure) -> Run {
        let id = RunID(uid: try row.value(0, Column.uid), ordinal: try row.count(1), attempt: try row.count(2))
        var run = Run(
            id: id, revision: try row.count(3), effective: EffectiveSpec(try row.value(4, Document.tree)),
            createdAtMs: try row.int(6), startBy: try row.value(7, Column.deadline))
        run.inputs = try row.value(5, Column.inputs)
        run.pid = try row.optionalID(8)
        run.startedAtMs = try row.optionalInt(9)
        run.readyAt = try row.optional(10, Column.moment)
        run.gate = try row.optionalInt(11)
        if let (facts, isFrozen, isUntold) = try row.optional(12, Column.facts) {
            (run.facts, run.isFrozen, run.isUntold) = (facts, isFrozen, isUntold)
        }
        run.startupBy = try row.optional(13, Column.deadline)
        return run
    }

    private static func replica(
        _ row: borrowing RowReader, _ runs: [RunID: Run]
    ) throws(StoreFailure) -> (UID, Replica) {
        let uid = try row.value(0, Column.uid)
        var replica = Replica(ordinal: try row.count(1))
        replica.attempt = try row.count(2)
        replica.restarts = try row.count(3)
        replica.backoffStep = try row.count(4)
        replica.lastExit = try row.optional(12, Column.exit)
        let deadline = try row.optional(10, Column.deadline)
        let reason: StopReason? = try row.optional(9, Column.name)
        let name: AgentPhase = try row.value(5, Column.name)
        let run = try row.optional(6) { text throws(Damage) in
            guard let run = runs[try Column.run(text)] else { throw Damage("the run \(text) is not in table runs") }
            return run
        }
        switch (name, run, deadline, reason) {
        case (.created, _, _, _): replica.phase = .created
        case (.scheduled, _, _, _): replica.phase = .scheduled
        case (.starting, let run?, _, _): replica.phase = .starting(run, seen: try row.flag(7))
        case (.ready, let run?, _, _): replica.phase = .ready(run)
        case (.failed, let run?, _, _): replica.phase = .failed(run, removed: try row.flag(8))
        case (.completed, let run?, _, _): replica.phase = .completed(run, removed: try row.flag(8))
        case (.backingOff, _, let until?, _): replica.phase = .backingOff(until: until, revision: try row.count(11))
        case (.stopping, let run?, let killAt?, let reason?): replica.phase = .stopping(run, reason, killAt: killAt)
        case (.stopped, _, _, let reason?): replica.phase = .stopped(reason)
        case (.starting, _, _, _), (.ready, _, _, _), (.failed, _, _, _), (.completed, _, _, _),
            (.backingOff, _, _, _), (.stopping, _, _, _), (.stopped, _, _, _), (.suspended, _, _, _):
            throw row.damage(5, "a replica that is \(name.rawValue) lacks what belongs to it")
        }
        return (uid, replica)
    }
}
