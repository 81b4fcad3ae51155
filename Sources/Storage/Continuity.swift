import Planner
import Reconciler
import Values

/// Numbers go on after all that was given out: by a database, by the one that it replaces, and in the journal.
///
/// Guarantee: no position, sequence or resourceVersion is given out twice.
enum Continuity {
    /// States of an outbox record whose event is not delivered.
    static let pending = "('OutboxWritten', 'Retrying', 'DeadLettered')"

    /// An event that the journal holds.
    struct Delivered {
        var position: Int64
        var uid: UID
        var sequence: Int64
    }

    /// The events of the journal after a position.
    static func delivered(_ journal: (any EventLog)?, after position: Int64) -> [Delivered] {
        guard let journal else { return [] }
        var found: [Delivered] = []
        var offset = journal.offset(afterPosition: position)
        while true {
            let lines = journal.read(from: offset, limit: 1000)
            guard let last = lines.last else { return found }
            for line in lines where line.position > position {
                guard let event = JSONReader.read(line.text), let sequence = event["sequence"]?.int,
                    let uid = event[path: "object", "uid"]?.string.flatMap(UID.init)
                else { continue }
                found.append(Delivered(position: line.position, uid: uid, sequence: Int64(sequence)))
            }
            offset = last.nextOffset
        }
    }

    /// Raises a database's own numbers to at least these.
    static func raise(_ database: inout Database, position: Int64, resourceVersion: Int64) throws(StoreFailure) {
        for (key, value) in [("position", position), ("resource_version", resourceVersion)] {
            try database.run(
                "INSERT INTO meta VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = max(cast(value AS INTEGER), ?3) || ''",
                [.text(key), .text(String(value)), .int(value)])
        }
    }

    /// Takes note that the database knows nothing of what was started since it was copied.
    static func noteRestored(_ database: inout Database) throws(StoreFailure) {
        try database.run("INSERT OR IGNORE INTO meta VALUES ('restored', '1')")
    }

    static func isRestored(_ database: inout Database) throws(StoreFailure) -> Bool {
        try database.query("SELECT EXISTS (SELECT 1 FROM meta WHERE key = 'restored')") { row throws(StoreFailure) in
            try row.flag(0)
        }.first ?? false
    }

    static func endRestore(_ database: inout Database) throws(StoreFailure) {
        try database.run("DELETE FROM meta WHERE key = 'restored'")
    }

    /// Takes note of events that were delivered: their sequences are not used again, and they are not delivered again.
    static func note(_ delivered: [Delivered], in database: inout Database) throws(StoreFailure) {
        var last: [UID: Int64] = [:]
        for event in delivered { last[event.uid] = max(last[event.uid] ?? 0, event.sequence) }
        for (uid, sequence) in last.sorted(by: { $0.key < $1.key }) {
            try database.run(
                """
                UPDATE outbox SET state = 'Published', published_ms = occurred_ms, retry_at = NULL
                WHERE uid = ?1 AND sequence <= ?2 AND state IN \(pending)
                """, [.text(uid.hex), .int(sequence)])
            try database.run(
                """
                INSERT INTO ledgers VALUES (?1, ?2, ?2)
                ON CONFLICT (uid) DO UPDATE SET last_sequence = max(last_sequence, excluded.last_sequence)
                """, [.text(uid.hex), .int(sequence)])
        }
        try settleLedgers(&database)
    }

    /// A ledger waits for the first event that the outbox has yet to deliver, and for none that it does not hold.
    static func settleLedgers(_ database: inout Database) throws(StoreFailure) {
        let published =
            "coalesce((SELECT min(sequence) - 1 FROM outbox WHERE outbox.uid = ledgers.uid AND state IN \(pending)), last_sequence)"
        try database.run(
            """
            UPDATE ledgers SET published_sequence = \(published)
            WHERE (published_sequence < last_sequence OR uid IN (SELECT uid FROM outbox WHERE state IN \(pending)))
            AND published_sequence <> \(published)
            """)
    }
}
