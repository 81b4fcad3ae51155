import Manifests
import Planner
public import Reconciler
import Values

/// Reading all control state at start.
extension SQLiteStore {
    public func load() throws(StoreFailure) -> EngineState {
        var state = EngineState()
        for (key, value) in try database.query(
            "SELECT key, value FROM meta", row: { ($0.text(0), Int64($0.text(1)) ?? 0) })
        {
            if key == "resource_version" { state.resourceVersion = value }
            if key == "position" { state.position = value }
        }
        state.backlog = Int(
            try database.query(
                "SELECT count(*) FROM outbox WHERE state IN ('OutboxWritten', 'Retrying', 'DeadLettered')"
            ) { $0.int(0) }.first ?? 0)
        try loadObjects(into: &state)
        for consumer in try database.query(
            "SELECT name, position, journal_offset, expired FROM consumers",
            row: { row in
                Consumer(name: row.text(0), position: row.int(1), journalOffset: row.int(2), isExpired: row.int(3) == 1)
            })
        { state.consumers[consumer.name] = consumer }
        try loadLedgers(into: &state)
        state.tombstones = Set(try database.query("SELECT uid FROM tombstones") { UID($0.text(0)) }.compactMap(\.self))
        return state
    }

    private func loadLedgers(into state: inout EngineState) throws(StoreFailure) {
        let rows = try database.query(
            """
            SELECT uid, last_sequence, published_sequence FROM ledgers
            WHERE uid IN (SELECT uid FROM objects) OR published_sequence < last_sequence
            """
        ) { ($0.text(0), $0.int(1), $0.int(2)) }
        for (text, last, published) in rows {
            guard let uid = UID(text) else { continue }
            var ledger = Ledger()
            ledger.lastSequence = last
            ledger.publishedSequence = published
            state.ledgers[uid] = ledger
        }
        if state.consumers.values.contains(where: { !$0.isExpired }) {
            let waiting = try database.query(
                "SELECT uid, position, sequence FROM outbox WHERE state = 'Published' ORDER BY position"
            ) { ($0.text(0), $0.int(1), $0.int(2)) }
            for (text, position, sequence) in waiting {
                guard let uid = UID(text) else { continue }
                state.ledgers[uid]?.awaitAcknowledgement(position: position, sequence: sequence)
            }
        }
        let stuck = try database.query(
            "SELECT uid, position, attempts, state, retry_at FROM outbox WHERE state IN ('Retrying', 'DeadLettered')"
        ) { ($0.text(0), $0.int(1), Int($0.int(2)), $0.text(3) == "DeadLettered", $0.optionalText(4)) }
        for (text, position, attempts, dead, retryAt) in stuck {
            guard let uid = UID(text) else { continue }
            state.ledgers[uid]?.stuck = Ledger.Stuck(
                position: position, attempts: attempts, isDeadLetter: dead,
                retryAt: retryAt.flatMap(Column.deadline) ?? Deadline(boot: 0, bootMs: 0, wallMs: 0, lengthMs: 0))
        }
    }

    private func loadObjects(into state: inout EngineState) throws(StoreFailure) {
        let secrets = Dictionary(
            try database.query("SELECT uid, data FROM secrets") { ($0.text(0), JSONReader.read($0.text(1))) },
            uniquingKeysWith: { first, _ in first })
        let replicas = try loadReplicas()
        let objects = try database.query(
            """
            SELECT uid, kind, namespace, name, generation, resource_version, created_ms, content, managers, deleted_ms,
            delete_grace_ms, revision, own_user, status, origin FROM objects
            """
        ) { row -> StoredObject? in
            guard let uid = UID(row.text(0)), let kind = Kind(rawValue: row.text(1)),
                let content = JSONReader.read(row.text(7))
            else { return nil }
            let key = ObjectKey(kind, namespace: row.text(2), name: row.text(3))
            var object = StoredObject(key: key, uid: uid, createdAtMs: row.int(6), content: content)
            object.generation = row.int(4)
            object.resourceVersion = row.int(5)
            object.managers = Column.managers(row.text(8))
            if let atMs = row.optionalInt(9) {
                object.deletion = StoredObject.Deletion(atMs: atMs, graceMs: row.optionalInt(10))
            }
            object.origin = row.optionalText(14).flatMap(Column.origin)
            if kind == .source {
                guard let source = row.optionalText(13).map(Column.source) ?? SourceState() else { return nil }
                object.source = source
            }
            if kind == .agent {
                let far = Deadline(boot: 0, bootMs: 0, wallMs: 0, lengthMs: 0)
                var agent = AgentState(effective: EffectiveSpec(content["spec"] ?? .emptyMap), progressBy: far)
                agent.revision = Int(row.int(11))
                agent.ownUser = row.optionalInt(12).map { UInt32(clamping: $0) }
                if let status = row.optionalText(13), !Column.apply(status: status, to: &agent) { return nil }
                object.agent = agent
            }
            return object
        }
        for case var object? in objects {
            if object.key.kind == .secret { object.content["data"] = secrets[object.uid.hex] ?? .emptyMap }
            object.agent?.replicas = replicas[object.uid] ?? []
            // Runs of the current revision share the agent's spec in memory.
            if let effective = object.agent?.effective { object.agent?.replicas.shareSpec(effective) }
            state.objects[object.key] = object
        }
        guard objects.allSatisfy({ $0 != nil }) else { throw .fatal("an object of the database cannot be read") }
    }

    private func loadReplicas() throws(StoreFailure) -> [UID: [Replica]] {
        var runs: [RunID: Run] = [:]
        for run in try database.query(
            "SELECT uid, ordinal, attempt, revision, spec, inputs, created_ms, start_by, pid, started_ms, ready_at, gate, facts, startup_by FROM runs",
            row: { row -> Run? in
                guard let uid = UID(row.text(0)), let spec = JSONReader.read(row.text(4)),
                    let startBy = Column.deadline(row.text(7))
                else { return nil }
                var run = Run(
                    id: RunID(uid: uid, ordinal: Int(row.int(1)), attempt: Int(row.int(2))), revision: Int(row.int(3)),
                    effective: EffectiveSpec(spec), createdAtMs: row.int(6), startBy: startBy)
                for entry in JSONReader.read(row.text(5))?.map?.entries ?? [] {
                    run.inputs[entry.key] = Int64(entry.value.int ?? 0)
                }
                run.pid = row.optionalInt(8).map { Int32(clamping: $0) }
                run.startedAtMs = row.optionalInt(9)
                run.readyAt = row.optionalText(10).flatMap(Column.moment)
                run.gate = row.optionalInt(11)
                let facts = row.optionalText(12).flatMap { JSONReader.read($0) }
                run.isFrozen = facts?["frozen"]?.bool ?? false
                run.facts = InstanceFacts(image: facts?["image"]?.string, address: facts?["address"]?.string)
                run.startupBy = row.optionalText(13).flatMap(Column.deadline)
                return run
            })
        { if let run { runs[run.id] = run } }
        var result: [UID: [Replica]] = [:]
        let rows = try database.query(
            """
            SELECT uid, ordinal, attempt, restarts, backoff_step, phase, run, seen, removed, reason, deadline, retry_revision,
            last_exit FROM replicas ORDER BY uid, ordinal
            """
        ) { row -> (UID, Replica)? in
            guard let uid = UID(row.text(0)) else { return nil }
            var replica = Replica(ordinal: Int(row.int(1)))
            replica.attempt = Int(row.int(2))
            replica.restarts = Int(row.int(3))
            replica.backoffStep = Int(row.int(4))
            replica.lastExit = row.optionalText(12).flatMap(Column.exit)
            let run = row.optionalText(6).flatMap { RunID($0) }.flatMap { runs[$0] }
            let deadline = row.optionalText(10).flatMap(Column.deadline)
            let reason = row.optionalText(9).flatMap { StopReason(rawValue: $0) }
            switch (row.text(5), run, deadline, reason) {
            case ("Created", _, _, _): replica.phase = .created
            case ("Scheduled", _, _, _): replica.phase = .scheduled
            case ("Starting", let run?, _, _): replica.phase = .starting(run, seen: row.int(7) == 1)
            case ("Ready", let run?, _, _): replica.phase = .ready(run)
            case ("Failed", let run?, _, _): replica.phase = .failed(run, removed: row.int(8) == 1)
            case ("Completed", let run?, _, _): replica.phase = .completed(run, removed: row.int(8) == 1)
            case ("BackingOff", _, let until?, _): replica.phase = .backingOff(until: until, revision: Int(row.int(11)))
            case ("Stopping", let run?, let killAt?, let reason?):
                replica.phase = .stopping(run, reason, killAt: killAt)
            case ("Stopped", _, _, let reason?): replica.phase = .stopped(reason)
            default: return nil
            }
            return (uid, replica)
        }
        for case (let uid, let replica)? in rows { result[uid, default: []].append(replica) }
        guard rows.allSatisfy({ $0 != nil }) else { throw .fatal("a replica of the database cannot be read") }
        return result
    }
}
