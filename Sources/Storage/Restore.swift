import Glibc
import Manifests
import Planner
public import Reconciler
import Values

/// Taking over a backup: the file waits beside the database and is put in place when the daemon starts.
public enum Restore {
    /// What is wrong with a database file, or nil when it can be restored.
    public static func problem(with path: String) -> String? {
        guard access(path, R_OK) == 0 else { return "the file \(path) is not there" }
        do throws(StoreFailure) {
            var database = try Database.open(path, readOnly: true)
            let check = try database.query("PRAGMA quick_check(1)") { $0.text(0) }
            guard check.first == "ok" else { return "it is damaged: \(check.first ?? "unreadable")" }
            let version = try database.query("SELECT max(number) FROM migrations") { Int($0.int(0)) }.first ?? 0
            let known = Migrations.all.last?.number ?? 0
            return version > known ? "it has version \(version), newer than this program's \(known)" : nil
        } catch {
            switch error {
            case .retry(let words), .fatal(let words): return "it is not a database of this program: \(words)"
            }
        }
    }

    /// Puts a waiting file in place of the database, which is kept beside it.
    ///
    /// Numbers go on from the replaced database where it can be read, so that no position, sequence or
    /// resourceVersion is given out twice. A crash at any point is repaired by the next start.
    /// - Returns: where the replaced database is, or nil when nothing waited.
    public static func takeOver(waiting: String, database path: String, nowMs: Int64) throws(StoreFailure) -> String? {
        guard access(waiting, F_OK) == 0 else { return nil }
        if let problem = problem(with: waiting) {
            throw .fatal("the file \(waiting) cannot be restored: \(problem); remove it to go on")
        }
        let kept = "\(path).replaced-\(nowMs)"
        if access(path, F_OK) == 0 {
            try carryNumbers(from: path, to: waiting)
            for suffix in ["-wal", "-shm"] { unlink(path + suffix) }
            guard rename(path, kept) == 0 else {
                throw .fatal("\(path) cannot be moved away: \(String(cString: strerror(errno)))")
            }
        }
        for suffix in ["-wal", "-shm"] { unlink(waiting + suffix) }
        guard rename(waiting, path) == 0 else {
            throw .fatal("\(waiting) cannot be put in place: \(String(cString: strerror(errno)))")
        }
        dropOldest("\(path).replaced-*")
        return kept
    }

    /// Keeps the newest of the databases that restores have replaced.
    private static func dropOldest(_ pattern: String) {
        var found = glob_t()
        defer { globfree(&found) }
        guard glob(pattern, 0, nil, &found) == 0 else { return }
        // Sorted by name, and the names end with a time of equal length.
        for index in 0..<max(0, Int(found.gl_pathc) - Limits.backupsMax) {
            if let path = found.gl_pathv[index] { unlink(path) }
        }
    }

    private static func carryNumbers(from old: String, to new: String) throws(StoreFailure) {
        var meta: [(String, Int64)] = []
        var ledgers: [(String, Int64)] = []
        do throws(StoreFailure) {
            var database = try Database.open(old)
            try database.execute("PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode=DELETE")
            meta = try database.query("SELECT key, value FROM meta WHERE key IN ('position', 'resource_version')") {
                ($0.text(0), Int64($0.text(1)) ?? 0)
            }
            ledgers = try database.query("SELECT uid, last_sequence FROM ledgers") { ($0.text(0), $0.int(1)) }
        } catch {
            return  // a damaged database is a reason to restore: there is nothing to carry over
        }
        var database = try Database.open(new)
        try database.execute("BEGIN IMMEDIATE")
        for (key, value) in meta {
            try database.run(
                "INSERT INTO meta VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = max(cast(value AS INTEGER), ?3) || ''",
                [.text(key), .text(String(value + 1)), .int(value + 1)])
        }
        for (uid, last) in ledgers {
            // What was told meanwhile is told; the sequence goes on after it.
            try database.run(
                "UPDATE ledgers SET published_sequence = ?2, last_sequence = ?2 WHERE uid = ?1 AND last_sequence < ?2",
                [.text(uid), .int(last)])
            try database.run(
                "UPDATE outbox SET state = 'Skipped', retry_at = NULL WHERE uid = ?1 AND state IN ('OutboxWritten', 'Retrying', 'DeadLettered') AND sequence <= ?2",
                [.text(uid), .int(last)])
        }
        try database.execute("COMMIT; PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode=DELETE")
    }
}
