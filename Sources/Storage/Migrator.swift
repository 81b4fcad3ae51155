import Glibc
import Reconciler
import Values

/// Brings a database to the version of this program, in one transaction for each missing step.
///
/// A step that changes a table makes a new one, copies the rows, drops the old one and renames, as SQLite's documentation
/// of ALTER TABLE says. References are not enforced in between; they and all pages are checked before the commit.
enum Migrator {
    /// A copy from before stays, unless Secrets stand there in plain.
    static func migrate(
        _ database: inout Database, _ path: String, _ nowMs: Int64, _ keys: SecretKeys
    ) throws(StoreFailure) {
        try database.execute(
            "CREATE TABLE IF NOT EXISTS migrations (number INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL, applied_ms INTEGER NOT NULL) STRICT"
        )
        let applied = try known(&database, path)
        let missing = Migrations.all.filter { step in !applied.contains { $0.0 == step.number } }
        if let first = missing.first, applied.contains(where: { $0.0 >= SealedSecrets.since }) {
            let copy = "\(path).before-\(first.number)"
            unlink(copy)
            try database.copy(to: copy)
        }
        try database.execute("PRAGMA foreign_keys=OFF")  // has no effect inside a transaction
        for step in missing {
            try database.transaction { database throws(StoreFailure) in
                try database.execute(step.sql)
                if step.number == SealedSecrets.since { try SealedSecrets.sealPlain(&database, keys) }
                try check(&database, step.number)
                try database.run(
                    "INSERT INTO migrations VALUES (?, ?, ?, ?)",
                    [.int(Int64(step.number)), .text(step.name), .text(sha256(step.sql)), .int(nowMs)])
            }
        }
        try database.execute("PRAGMA foreign_keys=ON")
    }

    /// The steps that a database has gone, with their checksums: all of them are this program's.
    static func known(_ database: inout Database, _ path: String) throws(StoreFailure) -> [(Int, String)] {
        let applied = try database.query("SELECT number, checksum FROM migrations ORDER BY number") {
            row throws(StoreFailure) in (try row.count(0), try row.text(1))
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
        return applied
    }

    private static func check(_ database: inout Database, _ number: Int) throws(StoreFailure) {
        let dangling = try database.query("PRAGMA foreign_key_check") { row throws(StoreFailure) in try row.text(0) }
        let damage = try database.query("PRAGMA integrity_check(1)") { row throws(StoreFailure) in
            try row.text(0)
        }.filter { $0 != "ok" }
        if let table = dangling.first {
            throw .fatal(
                "migration \(number) would leave rows of \(table) without what they refer to; nothing was changed")
        }
        if let words = damage.first { throw .fatal("migration \(number) found damage: \(words); nothing was changed") }
    }

    private static func sha256(_ text: String) -> String { SHA256Digest.hex(Array(text.utf8)) }
}
