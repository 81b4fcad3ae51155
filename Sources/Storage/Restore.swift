import Glibc
public import Reconciler
import Values

/// Taking over a backup: the file waits beside the database and is put in place when the daemon starts.
///
/// Flow: the waiting file takes, in one transaction, the numbers of the database that it replaces and the events that are
/// still to be delivered; the replaced one is moved aside; the waiting one gets its name.
/// Guarantee: no number is given out twice, and no event that was committed is lost where the replaced database can be
/// read. A daemon that is killed at any point finishes the restore at its next start.
public enum Restore {
    /// What is wrong with a waiting file, or nil when it can be restored.
    ///
    /// The file is opened for writing: what a killed restore had begun in it is undone.
    public static func problem(with path: String, _ keyring: (any SecretKeyring)? = nil) -> String? {
        guard access(path, R_OK) == 0 else { return "the file \(path) is not there" }
        do throws(StoreFailure) {
            var database = try Database.open(path, .write)
            do throws(StoreFailure) { try Integrity.check(&database, path) } catch {
                return "it is damaged: \(error.words)"
            }
            let version =
                try database.query("SELECT max(number) FROM migrations") { row throws(StoreFailure) in
                    try row.optionalInt(0) ?? 0
                }.first ?? 0
            let known = Migrations.all.last?.number ?? 0
            if let keyring, let key = try SealedSecrets.missingKey(&database, try keyring.read()) {
                return "its Secrets are sealed with the key \(key), which is not in \(keyring.place): put that key "
                    + "there first, or into the file \(keyring.place).\(key)"
            }
            return version > Int64(known) ? "it has version \(version), newer than this program's \(known)" : nil
        } catch {
            return "it is not a database of this program: \(error.words)"
        }
    }

    /// Puts a waiting file in place of the database, which is kept beside it.
    ///
    /// - Parameter journal: the events that were delivered, for when the replaced database cannot be read.
    /// - Returns: where the replaced database is, or nil when nothing waited.
    public static func takeOver(
        waiting: String, database path: String, nowMs: Int64, journal: (any EventLog)? = nil,
        keyring: (any SecretKeyring)? = nil
    ) throws(StoreFailure) -> String? {
        guard access(waiting, F_OK) == 0 else { return nil }
        if let problem = problem(with: waiting, keyring) {
            throw .fatal("the file \(waiting) cannot be restored: \(problem); remove it to go on")
        }
        try noteRestored(waiting)
        let kept = "\(path).replaced-\(nowMs)"
        // Without it a restore was killed between its two renamings: all numbers are in the waiting file by then.
        if access(path, F_OK) == 0 {
            try carry(from: path, to: waiting, journal)
            try setAside(path, as: kept)
        }
        try rename(waiting, to: path)
        dropOldest(of: path)
        return kept
    }

    private static func noteRestored(_ path: String) throws(StoreFailure) {
        var database = try Database.open(path, .write)
        try database.execute("PRAGMA journal_mode=DELETE")
        try Continuity.noteRestored(&database)
    }

    private static func carry(from old: String, to new: String, _ journal: (any EventLog)?) throws(StoreFailure) {
        var database = try Database.open(new, .write)
        try database.execute("PRAGMA journal_mode=DELETE")
        let first =
            try database.query(
                """
                SELECT coalesce((SELECT min(position) - 1 FROM outbox WHERE state IN \(Continuity.pending)),
                (SELECT cast(value AS INTEGER) FROM meta WHERE key = 'position'), 0)
                """
            ) { row throws(StoreFailure) in try row.int(0) }.first ?? 0
        let delivered = Continuity.delivered(journal, after: first)
        let mark = CommitMark.read(SQLiteStore.markPath(old))
        let told = max(mark?.position ?? 0, delivered.map(\.position).max() ?? 0)
        func note(_ database: inout Database) throws(StoreFailure) {
            try Continuity.raise(&database, position: told, resourceVersion: (mark?.resourceVersion ?? 0) + 1)
            try Continuity.note(delivered, in: &database)
        }
        do throws(StoreFailure) {
            try database.run("ATTACH DATABASE ? AS replaced", [.text(old)])
            try database.transaction { database throws(StoreFailure) in
                try carryRows(&database)
                try note(&database)
            }
        } catch {
            // A damaged database is a reason to restore: what has left the house is in the journal.
            try database.transaction { database throws(StoreFailure) in try note(&database) }
        }
    }

    /// Takes what the attached database knows and the restored one does not: numbers, and the progress of delivery.
    private static func carryRows(_ database: inout Database) throws(StoreFailure) {
        let numbers = try database.query(
            "SELECT key, cast(value AS INTEGER) FROM replaced.meta WHERE key IN ('position', 'resource_version')"
        ) { row throws(StoreFailure) in (try row.text(0), try row.int(1)) }
        let byKey = Dictionary(numbers, uniquingKeysWith: { first, _ in first })
        try Continuity.raise(
            &database, position: byKey["position"] ?? 0, resourceVersion: (byKey["resource_version"] ?? 0) + 1)
        let isOwn = try database.query(
            """
            SELECT (SELECT value FROM main.meta WHERE key = 'store_id')
            IS (SELECT value FROM replaced.meta WHERE key = 'store_id')
            """
        ) { row throws(StoreFailure) in try row.flag(0) }
        guard isOwn.first == true else { return }  // of another store: its events are not ours to deliver
        // What was started since the backup may be there still: its attempts are not numbered anew.
        try database.run(
            """
            UPDATE replicas SET attempt = max(attempt, coalesce((SELECT attempt FROM replaced.replicas old
            WHERE old.uid = replicas.uid AND old.ordinal = replicas.ordinal), 0))
            """)
        try database.run(
            """
            INSERT OR IGNORE INTO main.replicas (uid, ordinal, attempt, restarts, backoff_step, phase, reason)
            SELECT uid, ordinal, attempt, 0, 0, 'Stopped', 'ScaledDown' FROM replaced.replicas
            WHERE attempt > 0 AND uid IN (SELECT uid FROM main.objects)
            """)
        try database.run(
            """
            UPDATE outbox SET state = 'Published', published_ms = occurred_ms, retry_at = NULL
            WHERE state IN \(Continuity.pending) AND sequence <=
            (SELECT published_sequence FROM replaced.ledgers old WHERE old.uid = outbox.uid)
            """)
        try database.run(
            """
            INSERT INTO main.outbox (position, uid, sequence, event_type, namespace, occurred_ms, payload)
            SELECT position, uid, sequence, event_type, namespace, occurred_ms, payload FROM replaced.outbox old
            WHERE state IN \(Continuity.pending)
            AND sequence > coalesce((SELECT last_sequence FROM main.ledgers own WHERE own.uid = old.uid), 0)
            """)
        try database.run(
            """
            INSERT INTO main.ledgers SELECT uid, last_sequence, published_sequence FROM replaced.ledgers WHERE true
            ON CONFLICT (uid) DO UPDATE SET last_sequence = max(last_sequence, excluded.last_sequence)
            """)
        try carrySinks(&database)
    }

    /// What named sinks have taken, they have taken, whatever the backup knows of them.
    private static func carrySinks(_ database: inout Database) throws(StoreFailure) {
        let tables = try database.query(
            """
            SELECT (SELECT count(*) FROM main.sqlite_schema WHERE name = 'sinks')
            + (SELECT count(*) FROM replaced.sqlite_schema WHERE name = 'sinks')
            """
        ) { row throws(StoreFailure) in try row.int(0) }.first
        guard tables == 2 else { return }
        try database.run("DELETE FROM main.parked WHERE sink IN (SELECT name FROM replaced.sinks)")
        try database.run(
            """
            INSERT INTO main.sinks SELECT * FROM replaced.sinks WHERE true ON CONFLICT (name) DO UPDATE SET
            journal_offset = excluded.journal_offset, position = excluded.position, gone = excluded.gone
            """)
        try database.run("INSERT INTO main.parked SELECT * FROM replaced.parked")
    }

    /// Moves a database away, with all that was committed to it in the one file where it can be read.
    private static func setAside(_ path: String, as kept: String) throws(StoreFailure) {
        do throws(StoreFailure) {
            let database = try Database.open(path, .write)
            try database.execute("PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode=DELETE")
        } catch {
            // Damaged: its log is kept beside it, below.
        }
        // The files of the replaced database go before it does: SQLite would play them into the one that follows.
        for suffix in ["-wal", "-journal"] where access(path + suffix, F_OK) == 0 {
            try rename(path + suffix, to: kept + suffix)
        }
        unlink(path + "-shm")
        try rename(path, to: kept)
    }

    private static func rename(_ from: String, to: String) throws(StoreFailure) {
        guard Glibc.rename(from, to) == 0 else {
            throw .fatal("\(from) cannot be renamed to \(to): \(String(cString: strerror(errno)))")
        }
        Directory.sync(of: to)  // renamings reach the disk in their order
    }

    /// Keeps the newest of the databases that restores have replaced.
    private static func dropOldest(of path: String) {
        let paths = Directory.files(path, ".replaced-*")
        // Sorted by name, and the names end with a time of equal length.
        let databases = paths.filter { !$0.hasSuffix("-wal") && !$0.hasSuffix("-journal") }
        for path in databases.dropLast(Limits.backupsMax) {
            for suffix in ["", "-wal", "-journal"] { unlink(path + suffix) }
        }
    }
}
