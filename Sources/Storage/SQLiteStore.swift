internal import CCrypto
import CLinux
import Glibc
import Manifests
import Planner
public import Reconciler

/// The embedded store: one SQLite database in WAL mode with synchronous=FULL.
///
/// Guarantee: `commit` is one transaction. Assumes: one thread at a time.
public final class SQLiteStore: Store, @unchecked Sendable {  // one caller at a time: the store's worker thread
    private var database: Database
    public let path: String
    /// Made once with the database and kept in it; every instance we make carries it.
    public let storeID: String

    private init(database: consuming Database, path: String, storeID: String) {
        self.database = database
        self.path = path
        self.storeID = storeID
    }

    /// Opens or makes the database, checks it and brings it to the current version.
    ///
    /// - Parameter freshID: the store id for a new database.
    /// - Throws: `.fatal` with what to do when the database is damaged or newer than this program; it is never changed then.
    public static func open(_ path: String, freshID: String, nowMs: Int64) throws(StoreFailure) -> SQLiteStore {
        var database = try Database.open(path)
        do {
            try check(&database)
        } catch {
            throw .fatal(
                "the database \(path) is damaged and was left as it is (\(words(error))); "
                    + "restore a backup with 'agentos-apply restore FILE', or move the file away to start empty")
        }
        try database.execute(
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA journal_size_limit=16777216;"
        )
        try migrate(&database, path, nowMs)
        try database.run("INSERT OR IGNORE INTO meta VALUES ('store_id', ?)", [.text(freshID)])
        try registerSchemas(&database)
        let ids = try database.query("SELECT value FROM meta WHERE key = 'store_id'") { $0.text(0) }
        return SQLiteStore(database: database, path: path, storeID: ids.first ?? freshID)
    }

    private static func words(_ failure: StoreFailure) -> String {
        switch failure {
        case .retry(let words), .fatal(let words): words
        }
    }

    private static func check(_ database: inout Database) throws(StoreFailure) {
        let rows = try database.query("PRAGMA quick_check(1)") { $0.text(0) }
        if rows.first != "ok" { throw .fatal(rows.first ?? "unreadable") }
    }

    private static func migrate(_ database: inout Database, _ path: String, _ nowMs: Int64) throws(StoreFailure) {
        try database.execute(
            "CREATE TABLE IF NOT EXISTS migrations (number INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL, applied_ms INTEGER NOT NULL) STRICT"
        )
        let applied = try database.query("SELECT number, checksum FROM migrations ORDER BY number") {
            (Int($0.int(0)), $0.text(1))
        }
        if let last = applied.last, last.0 > (Migrations.all.last?.number ?? 0) {
            throw .fatal(
                "the database \(path) has version \(last.0), newer than this program's \(Migrations.all.last?.number ?? 0); "
                    + "use the newer program, or restore a backup made before the upgrade")
        }
        for (number, checksum) in applied {
            guard let known = Migrations.all.first(where: { $0.number == number }), sha256(known.sql) == checksum else {
                throw .fatal(
                    "migration \(number) of \(path) is not the one this program knows; the database was left as it is")
            }
        }
        let missing = Migrations.all.filter { step in !applied.contains { $0.0 == step.number } }
        if let first = missing.first, !applied.isEmpty {
            let copy = "\(path).before-\(first.number)"
            unlink(copy)
            try database.copy(to: copy)
        }
        for step in missing {
            try database.execute("BEGIN IMMEDIATE")
            do {
                try database.execute(step.sql)
                try database.run(
                    "INSERT INTO migrations VALUES (?, ?, ?, ?)",
                    [.int(Int64(step.number)), .text(step.name), .text(sha256(step.sql)), .int(nowMs)])
                try database.execute("COMMIT")
            } catch {
                try? database.execute("ROLLBACK")  // the first error is the one to report
                throw error
            }
        }
    }

    static func sha256(_ text: String) -> String {
        var digest = [UInt8](repeating: 0, count: Int(SHA256_DIGEST_LENGTH))
        let bytes = Array(text.utf8)
        _ = SHA256(bytes, bytes.count, &digest)
        return digest.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    /// Event schemas are registered once and never edited.
    private static func registerSchemas(_ database: inout Database) throws(StoreFailure) {
        for (type, schema) in EventSchemas.all {
            try database.run(
                "INSERT OR IGNORE INTO event_schemas VALUES (?, 1, ?)", [.text(type), .text(JSONWriter.text(schema))])
        }
    }

    // MARK: Commit

    public func commit(_ changes: ChangeSet) throws(StoreFailure) {
        try database.execute("BEGIN IMMEDIATE")
        do {
            for removed in changes.removed {
                try database.run("DELETE FROM objects WHERE uid = ?", [.text(removed.uid.hex)])
            }
            for write in changes.objects { try save(write) }
            for write in changes.replicas { try save(write) }
            for event in changes.events { try save(event) }
            for record in changes.audit { try save(record) }
            for delivery in changes.deliveries { try save(delivery) }
            for consumer in changes.consumers { try save(consumer) }
            for uid in changes.tombstones {
                try database.run("INSERT OR IGNORE INTO tombstones VALUES (?)", [.text(uid.hex)])
            }
            for uid in changes.tombstonesCleared {
                try database.run("DELETE FROM tombstones WHERE uid = ?", [.text(uid.hex)])
            }
            for (key, value) in [("resource_version", changes.resourceVersion), ("position", changes.position)] {
                try database.run(
                    "INSERT INTO meta VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = ?2",
                    [.text(key), .text(String(value))])
            }
            try database.execute("COMMIT")
        } catch {
            try? database.execute("ROLLBACK")  // the first error is the one to report
            throw error
        }
    }

    private func save(_ write: ChangeSet.ObjectWrite) throws(StoreFailure) {
        let object = write.object
        if write.statusOnly {
            try database.run(
                "UPDATE objects SET resource_version = ?, status = ? WHERE uid = ?",
                [.int(object.resourceVersion), .optional(object.agent.map(Column.status)), .text(object.uid.hex)])
            return
        }
        var content = object.content
        if object.key.kind == .secret { content["data"] = nil }
        try database.run(
            """
            INSERT INTO objects VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT (uid) DO UPDATE SET generation=excluded.generation,
            resource_version=excluded.resource_version, content=excluded.content, managers=excluded.managers,
            deleted_ms=excluded.deleted_ms, delete_grace_ms=excluded.delete_grace_ms, revision=excluded.revision,
            own_user=excluded.own_user, status=excluded.status
            """,
            [
                .text(object.uid.hex), .text(object.key.kind.rawValue), .text(object.key.namespace),
                .text(object.key.name),
                .int(object.generation), .int(object.resourceVersion), .int(object.createdAtMs),
                .text(JSONWriter.text(content)),
                .text(Column.text(object.managers)), .optional(object.deletion?.atMs),
                .optional(object.deletion?.graceMs),
                .optional((object.agent?.revision).map(Int64.init)), .optional((object.agent?.ownUser).map(Int64.init)),
                .optional(object.agent.map(Column.status)),
            ])
        if object.key.kind == .secret {
            try database.run(
                "INSERT INTO secrets VALUES (?1, 'none', ?2) ON CONFLICT (uid) DO UPDATE SET data = ?2",
                [.text(object.uid.hex), .text(JSONWriter.text(object.content["data"] ?? .emptyMap))])
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
                .int(Int64(replica.backoffStep)), .text(replica.phase.name), .optional(replica.phase.run?.id.text),
                .optional(seen.map { $0 ? 1 : 0 }), .optional(removed.map { $0 ? 1 : 0 }), .optional(reason?.rawValue),
                .optional(deadline.map(Column.text)), .optional(retry.map(Int64.init)),
                .optional(replica.lastExit.map(Column.text)),
            ])
        guard let run = write.run else { return }
        let inputs = Node.map(run.inputs.sorted { $0.key < $1.key }.map { ($0.key, .number($0.value)) })
        let isOver = replica.phase.run?.id != run.id || removed != nil
        try database.run(
            """
            INSERT INTO runs VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT (uid, ordinal, attempt) DO UPDATE SET
            phase=excluded.phase, pid=excluded.pid, started_ms=excluded.started_ms, ready_at=excluded.ready_at,
            gate=excluded.gate, exit=coalesce(excluded.exit, exit), inputs=excluded.inputs, start_by=excluded.start_by
            """,
            [
                uid, .int(Int64(run.id.ordinal)), .int(Int64(run.id.attempt)), .int(Int64(run.revision)),
                .text(replica.phase.name),
                .text(JSONWriter.text(run.effective.node)), .text(JSONWriter.text(inputs)), .int(run.createdAtMs),
                .text(Column.text(run.startBy)), .optional(run.pid.map(Int64.init)), .optional(run.startedAtMs),
                .optional(run.readyAt.map(Column.text)), .optional(run.gate),
                .optional(isOver ? replica.lastExit.map(Column.text) : nil),
            ])
        if isOver {
            try database.run(
                "DELETE FROM runs WHERE uid = ? AND ordinal = ? AND attempt <= ?",
                [uid, .int(Int64(run.id.ordinal)), .int(Int64(replica.attempt - Limits.finishedRunsPerReplica))])
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
                .int(record.atMs), .text(record.actor), .text(record.verb), .text(record.key.kind.rawValue),
                .text(record.key.namespace), .text(record.key.name), .optional(record.uid?.hex), .text(record.source),
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

    // MARK: Reads

    public func unpublished(limit: Int, excluding: [UID]) throws(StoreFailure) -> [EventRecord] {
        let list = JSONWriter.text(.list(excluding.map { .text($0.hex) }))
        return try database.query(
            """
            SELECT position, uid, sequence, event_type, namespace, occurred_ms, payload FROM outbox
            WHERE state IN ('OutboxWritten', 'Retrying', 'DeadLettered') AND uid NOT IN (SELECT value FROM json_each(?))
            ORDER BY position LIMIT ?
            """, [.text(list), .int(Int64(limit))]
        ) { row in
            EventRecord(
                position: row.int(0), uid: UID(row.text(1)) ?? UID(high: 0, low: 0), sequence: row.int(2),
                type: row.text(3),
                namespace: row.text(4), atMs: row.int(5), payload: row.text(6))
        }
    }

    /// The latest events of one object, newest first.
    public func events(of uid: UID, limit: Int) throws(StoreFailure) -> [String] {
        try database.query(
            "SELECT payload FROM outbox WHERE uid = ? ORDER BY sequence DESC LIMIT ?",
            [.text(uid.hex), .int(Int64(limit))]
        ) { $0.text(0) }
    }

    /// Outbox rows as the API shows them, newest first; of one position, or of those that delivery is stuck at.
    public func outbox(position: Int64?, stuckOnly: Bool, limit: Int) throws(StoreFailure) -> [Node] {
        let filter =
            position != nil ? "position = ?1" : stuckOnly ? "state IN ('Retrying', 'DeadLettered')" : "position > 0"
        return try database.query(
            "SELECT position, state, attempts, event_type, error, payload FROM outbox WHERE \(filter) ORDER BY position DESC LIMIT ?2",
            [.int(position ?? 0), .int(Int64(limit))]
        ) { row in
            .map([
                ("position", .number(row.int(0))), ("state", .text(row.text(1))), ("attempts", .number(row.int(2))),
                ("event_type", .text(row.text(3))), ("error", row.optionalText(4).map(Node.text)),
                ("event", JSONReader.read(row.text(5))),
            ])
        }
    }

    public func trim(nowMs: Int64) throws(StoreFailure) {
        let old = nowMs - Limits.retentionMs
        try database.run(
            """
            DELETE FROM outbox WHERE state IN ('Published', 'Acknowledged', 'Skipped') AND (occurred_ms < ?1
            OR position <= (SELECT max(position) FROM outbox) - ?2)
            AND (state <> 'Published' OR position <= coalesce((SELECT min(position) FROM consumers WHERE expired = 0), position))
            """, [.int(old), .int(Int64(Limits.outboxRowsMax))])
        try database.run(
            "DELETE FROM audit WHERE at_ms < ? OR id <= (SELECT max(id) FROM audit) - ?",
            [.int(old), .int(Int64(Limits.auditRowsMax))])
        try database.run(
            """
            DELETE FROM ledgers WHERE published_sequence = last_sequence AND uid NOT IN (SELECT uid FROM objects)
            AND uid NOT IN (SELECT uid FROM outbox)
            """)
    }

    /// Copies the database, consistent at one moment, while it is in use.
    public func backup(to path: String) throws(StoreFailure) { try database.copy(to: path) }

    /// Without it the next start finds the same in the write-ahead log.
    public func finish() { try? database.execute("PRAGMA wal_checkpoint(TRUNCATE)") }

    // MARK: Load

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
            delete_grace_ms, revision, own_user, status FROM objects
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
            if kind == .agent {
                let far = Deadline(boot: 0, bootMs: 0, wallMs: 0, lengthMs: 0)
                var agent = AgentState(effective: EffectiveSpec(content["spec"] ?? .emptyMap), progressBy: far)
                agent.revision = Int(row.int(11))
                agent.ownUser = row.optionalInt(12).map { UInt32(clamping: $0) }
                if let status = row.optionalText(13) { Column.apply(status: status, to: &agent) }
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
            "SELECT uid, ordinal, attempt, revision, spec, inputs, created_ms, start_by, pid, started_ms, ready_at, gate FROM runs",
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
