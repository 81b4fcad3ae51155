import Manifests
import Planner
public import Reconciler
import Values

/// Writing: one change set, one transaction.
extension SQLiteStore {
    public func commit(_ changes: ChangeSet) throws(StoreFailure) {
        try database.execute("BEGIN IMMEDIATE")
        do throws(StoreFailure) {
            try write(changes)
            try database.execute("COMMIT")
        } catch {
            try? database.execute("ROLLBACK")  // the first error is the one to report
            throw error
        }
        mark.write(
            CommitMark.Numbers(
                storeID: storeID, position: changes.position, resourceVersion: changes.resourceVersion))
    }

    private func write(_ changes: ChangeSet) throws(StoreFailure) {
        for removed in changes.removed {
            try database.run("DELETE FROM objects WHERE uid = ?", [.text(removed.uid.hex)])
        }
        for write in changes.objects { try save(write) }
        for write in changes.replicas { try save(write) }
        for revision in changes.revisions { try save(revision) }
        for event in changes.events { try save(event) }
        for record in changes.audit { try save(record) }
        for delivery in changes.deliveries { try save(delivery) }
        for consumer in changes.consumers { try save(consumer) }
        for sink in changes.sinks { try save(sink) }
        for answer in changes.answers { try save(answer) }
        for write in changes.measurements { try save(write) }
        for uid in changes.tombstones {
            try database.run("INSERT OR IGNORE INTO tombstones VALUES (?)", [.text(uid.hex)])
        }
        for uid in changes.tombstonesCleared {
            try database.run("DELETE FROM tombstones WHERE uid = ?", [.text(uid.hex)])
        }
        if changes.endsRestore { try Continuity.endRestore(&database) }
        for (key, value) in [("resource_version", changes.resourceVersion), ("position", changes.position)] {
            try database.run(
                "INSERT INTO meta VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = ?2",
                [.text(key), .text(String(value))])
        }
    }

    private func save(_ write: ChangeSet.ObjectWrite) throws(StoreFailure) {
        let object = write.object
        if write.statusOnly {
            try database.run(
                "UPDATE objects SET resource_version = ?, status = ? WHERE uid = ?",
                [.int(object.resourceVersion), .optional(Column.status(object)), .text(object.uid.hex)])
            return
        }
        var content = object.content
        if object.key.kind.traits.hidesData { content["data"] = nil }
        try database.run(
            """
            INSERT INTO objects VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT (uid) DO UPDATE SET generation=excluded.generation,
            resource_version=excluded.resource_version, content=excluded.content, managers=excluded.managers,
            deleted_ms=excluded.deleted_ms, delete_grace_ms=excluded.delete_grace_ms, revision=excluded.revision,
            own_user=excluded.own_user, status=excluded.status, origin=excluded.origin
            """,
            [
                .text(object.uid.hex), .text(object.key.kind.rawValue), .text(object.key.namespace),
                .text(object.key.name),
                .int(object.generation), .int(object.resourceVersion), .int(object.createdAtMs),
                .text(JSONWriter.text(content)),
                .text(Column.text(object.managers)), .optional(object.deletion?.atMs),
                .optional(object.deletion?.graceMs),
                .optional((object.agent?.revision).map(Int64.init)), .optional((object.agent?.ownUser).map(Int64.init)),
                .optional(Column.status(object)), .optional(object.origin.map(Column.text)),
            ])
        if object.key.kind.traits.hidesData {
            try SealedSecrets.save(object, in: &database, keys)
        }
    }

    private func save(_ write: ChangeSet.ReplicaWrite) throws(StoreFailure) {
        let replica = write.replica
        let uid = Bindable.text(write.uid.hex)
        var (seen, removed, reason, deadline, retry): (Bool?, Bool?, StopReason?, Deadline?, Int?) = (
            nil, nil, nil, nil, nil
        )
        switch replica.phase {
        case .created, .scheduled, .ready: break
        case .starting(_, let flag): seen = flag
        case .failed(_, let flag), .completed(_, let flag): removed = flag
        case .backingOff(let until, let revision): (deadline, retry) = (until, revision)
        case .stopping(_, let why, let killAt): (reason, deadline) = (why, killAt)
        case .stopped(let why): reason = why
        }
        try database.run(
            "INSERT OR REPLACE INTO replicas VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)",
            [
                uid, .int(Int64(replica.ordinal)), .int(Int64(replica.attempt)), .int(Int64(replica.restarts)),
                .int(Int64(replica.backoffStep)), .text(replica.phase.name.rawValue),
                .optional(replica.phase.run?.id.text),
                .optional(seen.map { $0 ? 1 : 0 }), .optional(removed.map { $0 ? 1 : 0 }), .optional(reason?.rawValue),
                .optional(deadline.map(Column.text)), .optional(retry.map(Int64.init)),
                .optional(replica.lastExit.map(Column.text)),
            ])
        guard let run = write.run else { return }
        let isOver = replica.phase.run?.id != run.id || removed != nil
        try database.run(
            """
            INSERT INTO runs VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT (uid, ordinal, attempt) DO UPDATE SET
            phase=excluded.phase, pid=excluded.pid, started_ms=excluded.started_ms, ready_at=excluded.ready_at,
            gate=excluded.gate, exit=coalesce(excluded.exit, exit), inputs=excluded.inputs, start_by=excluded.start_by,
            facts=excluded.facts, startup_by=excluded.startup_by
            """,
            [
                uid, .int(Int64(run.id.ordinal)), .int(Int64(run.id.attempt)), .int(Int64(run.revision)),
                .text(replica.phase.name.rawValue),
                .text(JSONWriter.text(run.effective.node)), .text(Column.inputs(run)), .int(run.createdAtMs),
                .text(Column.text(run.startBy)), .optional(run.pid.map(Int64.init)), .optional(run.startedAtMs),
                .optional(run.readyAt.map(Column.text)), .optional(run.gate),
                .optional(isOver ? replica.lastExit.map(Column.text) : nil),
                .optional(Column.facts(run)),
                .optional(run.startupBy.map(Column.text)),
            ])
        if isOver {
            // Counted from this run: after a restore the replica's number may be far ahead of it.
            try database.run(
                "DELETE FROM runs WHERE uid = ? AND ordinal = ? AND attempt <= ?",
                [uid, .int(Int64(run.id.ordinal)), .int(Int64(run.id.attempt - Limits.finishedRunsPerReplica))])
        }
    }

    private func save(_ event: EventRecord) throws(StoreFailure) {
        try database.run(
            "INSERT INTO outbox (position, uid, sequence, event_type, namespace, occurred_ms, payload) VALUES (?,?,?,?,?,?,?)",
            [
                .int(event.position), .text(event.uid.hex), .int(event.sequence), .text(event.type),
                .text(event.namespace),
                .int(event.atMs), .text(event.payload),
            ])
        try database.run(
            "INSERT INTO ledgers VALUES (?1, ?2, 0) ON CONFLICT (uid) DO UPDATE SET last_sequence = ?2",
            [.text(event.uid.hex), .int(event.sequence)])
    }

    private func save(_ record: AuditRecord) throws(StoreFailure) {
        try database.run(
            "INSERT INTO audit (at_ms, actor, verb, kind, namespace, name, uid, source, detail, position) VALUES (?,?,?,?,?,?,?,?,?,?)",
            [
                .int(record.atMs), .text(record.principal.user), .text(record.verb),
                .text(record.key?.kind.rawValue ?? ""),
                .text(record.key?.namespace ?? ""), .text(record.key?.name ?? ""), .optional(record.uid?.hex),
                .text(record.source),
                .text(record.detail), .optional(record.position),
            ])
    }

    private func save(_ delivery: DeliveryWrite) throws(StoreFailure) {
        switch delivery {
        case .published(let position, let atMs):
            try database.run(
                "UPDATE outbox SET state = 'Published', published_ms = ?2, retry_at = NULL WHERE position = ?1",
                [.int(position), .int(atMs)])
            try advance(position)
        case .retrying(let position, let attempts, let at, let message):
            try database.run(
                "UPDATE outbox SET state = 'Retrying', attempts = ?, retry_at = ?, error = ? WHERE position = ?",
                [.int(Int64(attempts)), .text(Column.text(at)), .text(message), .int(position)])
        case .deadLettered(let position, let attempts, let message):
            try database.run(
                "UPDATE outbox SET state = 'DeadLettered', attempts = ?, retry_at = NULL, error = ? WHERE position = ?",
                [.int(Int64(attempts)), .text(message), .int(position)])
        case .replayed(let position):
            try database.run(
                "UPDATE outbox SET state = 'OutboxWritten', attempts = 0, retry_at = NULL, error = NULL WHERE position = ?",
                [.int(position)])
        case .skipped(let position):
            try database.run(
                "UPDATE outbox SET state = 'Skipped', retry_at = NULL WHERE position = ?", [.int(position)])
            try advance(position)
        case .acknowledged(let upTo):
            try database.run(
                "UPDATE outbox SET state = 'Acknowledged' WHERE state = 'Published' AND position <= ?", [.int(upTo)])
        }
    }

    private func advance(_ position: Int64) throws(StoreFailure) {
        try database.run(
            "UPDATE ledgers SET published_sequence = (SELECT sequence FROM outbox WHERE position = ?1) WHERE uid = (SELECT uid FROM outbox WHERE position = ?1)",
            [.int(position)])
    }

    private func save(_ answer: KeptAnswer) throws(StoreFailure) {
        try database.run(
            "INSERT OR REPLACE INTO idempotency VALUES (?, ?, ?, ?, ?)",
            [
                .text(answer.principal), .text(answer.key), .text(answer.digest), .text(Column.text(answer.object)),
                .int(answer.atMs),
            ])
    }

    private func save(_ consumer: ConsumerWrite) throws(StoreFailure) {
        switch consumer {
        case .upsert(let consumer):
            try database.run(
                "INSERT OR REPLACE INTO consumers VALUES (?,?,?,?)",
                [
                    .text(consumer.name), .int(consumer.position), .int(consumer.journalOffset),
                    .int(consumer.isExpired ? 1 : 0),
                ])
        case .removed(let name):
            try database.run("DELETE FROM consumers WHERE name = ?", [.text(name)])
        }
    }
}
