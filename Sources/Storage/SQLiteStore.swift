import CCrypto
import CLinux
import Glibc
import Manifests
public import Planner
public import Reconciler
public import Values

/// The embedded store: one SQLite database in WAL mode with synchronous=FULL.
///
/// Guarantee: `commit` is one transaction. Assumes: one thread at a time.
public final class SQLiteStore: Store, @unchecked Sendable {  // one caller at a time: the store's worker thread
    var database: Database
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
}
