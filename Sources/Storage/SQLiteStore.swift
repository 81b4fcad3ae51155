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
    let mark: CommitMark
    /// What Secrets are sealed with.
    public internal(set) var keys: SecretKeys
    let keyring: any SecretKeyring

    private init(
        database: consuming Database, path: String, storeID: String, _ keys: SecretKeys, _ keyring: any SecretKeyring
    ) {
        self.database = database
        self.path = path
        self.storeID = storeID
        self.keys = keys
        self.keyring = keyring
        mark = CommitMark.open(Self.markPath(path))
    }

    /// Opens or makes the database, checks it and brings it to the current version.
    ///
    /// - Parameters:
    ///   - freshID: the store id for a new database.
    ///   - journal: the events that were delivered.
    ///   - keyring: the keys of Secrets; a key file beside the database when none is given.
    /// - Throws: `.fatal` with what to do when the database is damaged, has lost commits, or is newer than this program;
    ///   it is never changed then.
    public static func open(
        _ path: String, freshID: String, nowMs: Int64, journal: (any EventLog)? = nil,
        keyring: (any SecretKeyring)? = nil
    ) throws(StoreFailure) -> SQLiteStore {
        var status = stat()
        let wasThere = stat(path, &status) == 0 && status.st_size > 0
        // Asked before SQLite has it open: a file that is closed takes all locks of this process on it along.
        let isUnchecked = wasThere && !Pages.areChecked(path)
        var database = try Database.open(path)
        do throws(StoreFailure) { try Integrity.check(&database, path) } catch {
            switch error {
            case .fatal(let words): throw damaged(path, words)
            // Nothing is known against the file, so that nobody is to move it away.
            case .retry(let words): throw .retry("the database \(path) cannot be read now, and is as it was: \(words)")
            }
        }
        try database.execute(settings)
        let ring = keyring ?? SecretKeyFile("\(Directory.of(path))/secrets.key")
        let keys = try SealedSecrets.keys(&database, ring)
        try Migrator.migrate(&database, path, nowMs, keys)
        if isUnchecked {
            _ = consume database
            // The checksums come last: whoever has them has no plain copies any more, whenever it was killed.
            KeptCopies.seal(path, nowMs, keys)
            try Pages.renew(path)
            database = try Database.open(path)
            try database.execute(settings)
        }
        try SealedSecrets.forgetLost(&database, keys, path)
        try registerKinds(&database)
        try registerSchemas(&database)
        try Continuity.settleLedgers(&database)
        let storeID = try beginNumbers(&database, path, isNew: !wasThere, freshID: freshID, journal)
        return SQLiteStore(database: database, path: path, storeID: storeID, keys, ring)
    }

    /// Why this program cannot go on with a database that another process serves; nil when it can, or there is none yet.
    public static func refusal(of path: String) -> String? {
        guard access(path, F_OK) == 0 else { return nil }
        do throws(StoreFailure) {
            var database = try Database.open(path, .read)
            _ = try Migrator.known(&database, path)
            return nil
        } catch { return error.words }
    }

    private static let settings = """
        PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA journal_size_limit=16777216;
        PRAGMA secure_delete=ON;
        """

    private static func damaged(_ path: String, _ words: String) -> StoreFailure {
        .fatal(
            "the database \(path) is damaged and was left as it is (\(words)); restore a backup with 'agentos-apply "
                + "restore FILE', or move the file away to start empty")
    }

    static func markPath(_ path: String) -> String { "\(Directory.of(path))/committed" }

    /// Compares the database with what is known to have been committed and delivered, and gives a new one its id.
    private static func beginNumbers(
        _ database: inout Database, _ path: String, isNew: Bool, freshID: String, _ journal: (any EventLog)?
    ) throws(StoreFailure) -> String {
        let known = try database.query("SELECT key, value FROM meta WHERE key = 'store_id'") {
            row throws(StoreFailure) in
            try row.text(1)
        }.first
        let position = try number("position", in: &database)
        let version = try number("resource_version", in: &database)
        let mark = CommitMark.read(markPath(path))
        let told = journal?.lastPosition ?? 0
        let isOwnMark = mark?.storeID == known || known == nil
        let committed = max(told, isOwnMark ? mark?.position ?? 0 : 0)
        let hasLost = committed > position || (isOwnMark && mark?.resourceVersion ?? 0 > version)
        let accepting = "\(Directory.of(path))/accept-loss"
        if hasLost, !isNew, access(accepting, F_OK) != 0 {
            throw .fatal(
                "the database \(path) ends at event \(position), but events up to \(committed) were committed: it is "
                    + "damaged, or it is an older copy; it was left as it is. Restore a backup with 'agentos-apply "
                    + "restore FILE'; or, to go on with it without what it has lost, make the file \(accepting)")
        }
        let storeID = known ?? freshID
        let isAhead = told > position || mark?.position ?? 0 > position || mark?.resourceVersion ?? 0 > version
        guard isAhead || known == nil else { return storeID }
        // What was given out before by a database that is gone, or has lost it, is not given out again.
        let delivered = known == nil ? [] : Continuity.delivered(journal, after: position)
        try database.transaction { database throws(StoreFailure) in
            try database.run("INSERT OR IGNORE INTO meta VALUES ('store_id', ?)", [.text(freshID)])
            guard isAhead else { return }
            try Continuity.raise(
                &database, position: max(told, mark?.position ?? 0), resourceVersion: (mark?.resourceVersion ?? 0) + 1)
            try Continuity.note(delivered, in: &database)
        }
        unlink(accepting)
        return storeID
    }

    /// The kinds of this program are rows: SQL accepts objects of no other.
    private static func registerKinds(_ database: inout Database) throws(StoreFailure) {
        for kind in Kind.allCases {
            try database.run(
                "INSERT OR IGNORE INTO kinds VALUES (?, ?, ?)",
                [.text(kind.rawValue), .int(kind.isNamespaced ? 1 : 0), .int(kind.traits.state == .replicas ? 1 : 0)])
        }
    }

    /// Up to which event the journal has confirmed delivery, as far as it is remembered.
    public func publishedPosition() throws(StoreFailure) -> Int64 {
        try database.query("SELECT max(position) FROM outbox WHERE state IN ('Published', 'Acknowledged')") {
            row throws(StoreFailure) in try row.optionalInt(0) ?? 0
        }
        .first ?? 0
    }

    /// Event schemas are registered once and never edited.
    private static func registerSchemas(_ database: inout Database) throws(StoreFailure) {
        for (type, version, schema) in EventSchemas.all {
            try database.run(
                "INSERT OR IGNORE INTO event_schemas VALUES (?, ?, ?)",
                [.text(type), .int(Int64(version)), .text(JSONWriter.text(schema))])
        }
    }

    // MARK: Reads

    public func unpublished(limit: Int, excluding: [UID]) throws(StoreFailure) -> [EventRecord] {
        let list = JSONWriter.text(.list(excluding.map { .text($0.hex) }))
        return try database.query(
            """
            SELECT \(Self.eventColumns) FROM outbox
            WHERE state IN \(Continuity.pending) AND uid NOT IN (SELECT value FROM json_each(?))
            ORDER BY position LIMIT ?
            """, [.text(list), .int(Int64(limit))]
        ) { row throws(StoreFailure) in try Self.event(row) }
    }

    public func events(of uid: UID, limit: Int) throws(StoreFailure) -> [EventRecord] {
        try database.query(
            "SELECT \(Self.eventColumns) FROM outbox WHERE uid = ? ORDER BY sequence DESC LIMIT ?",
            [.text(uid.hex), .int(Int64(limit))]
        ) { row throws(StoreFailure) in try Self.event(row) }
    }

    public func event(of uid: UID, sequence: Int64) throws(StoreFailure) -> EventRecord? {
        try database.query(
            "SELECT \(Self.eventColumns) FROM outbox WHERE uid = ? AND sequence = ?", [.text(uid.hex), .int(sequence)]
        ) { row throws(StoreFailure) in try Self.event(row) }.first
    }

    private static let eventColumns = "position, uid, sequence, event_type, namespace, occurred_ms, payload"

    private static func event(_ row: borrowing RowReader) throws(StoreFailure) -> EventRecord {
        EventRecord(
            position: try row.int(0), uid: try row.value(1, Column.uid), sequence: try row.int(2),
            type: try row.text(3), namespace: try row.text(4), atMs: try row.int(5), payload: try row.text(6))
    }

    public func outbox(position: Int64?, stuckOnly: Bool, limit: Int) throws(StoreFailure) -> [OutboxRecord] {
        let filter =
            position != nil ? "position = ?1" : stuckOnly ? "state IN ('Retrying', 'DeadLettered')" : "position > 0"
        return try database.query(
            """
            SELECT \(Self.eventColumns), state, attempts, error FROM outbox WHERE \(filter)
            ORDER BY position DESC LIMIT ?2
            """,
            [.int(position ?? 0), .int(Int64(limit))]
        ) { row throws(StoreFailure) in
            OutboxRecord(
                event: try Self.event(row), state: try row.value(7, Column.name), attempts: try row.count(8),
                error: try row.optionalText(9))
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
            DELETE FROM idempotency WHERE at_ms < ?1
            OR at_ms < (SELECT at_ms FROM idempotency ORDER BY at_ms DESC LIMIT 1 OFFSET ?2)
            """, [.int(nowMs - Limits.keptAnswerMs), .int(Int64(Limits.keptAnswersMax))])
        try database.run(
            """
            DELETE FROM ledgers WHERE published_sequence = last_sequence AND uid NOT IN (SELECT uid FROM objects)
            AND uid NOT IN (SELECT uid FROM outbox)
            """)
    }

    /// Copies the database, consistent at one moment, while it is in use: over a connection of its own, beside commits.
    public func backup(to path: String) throws(StoreFailure) { try Database.open(self.path, .read).copy(to: path) }

    /// Compares all pages with their checksums, and the write-ahead log with its own, beside commits.
    public func scrub() throws(StoreFailure) {
        var database = try Database.open(path, .read)
        try database.execute("BEGIN")  // the log does not begin anew meanwhile
        do throws(StoreFailure) { try Integrity.check(&database, path) } catch {
            throw Self.damaged(path, error.words)
        }
        let frames = database.committedFrames
        if let frame = WriteAheadLog.damagedFrame(path, among: frames) {
            throw Self.damaged("\(path)-wal", "frame \(frame) of \(frames) is not as it was written")
        }
    }

    public func reseal(with keys: SecretKeys, limit: Int) throws(StoreFailure) -> Int {
        self.keys = keys
        return try SealedSecrets.reseal(&database, keys, limit: limit)
    }

    /// Without it the next start finds the same in the write-ahead log.
    public func finish() { try? database.execute("PRAGMA wal_checkpoint(TRUNCATE)") }
}
