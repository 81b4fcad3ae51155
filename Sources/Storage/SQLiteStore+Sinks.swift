import Planner
import Reconciler
import Values

/// How far named sinks have got, and what is parked for them.
extension SQLiteStore {
    /// The words of the states of parked objects.
    private enum ParkedState: String, CaseIterable {
        case retrying = "Retrying"
        case deadLettered = "DeadLettered"
        case following = "Following"
    }

    func save(_ write: SinkWrite) throws(StoreFailure) {
        switch write {
        case .cursor(let cursor):
            try database.run(
                """
                INSERT INTO sinks VALUES (?,?,?,?) ON CONFLICT (name) DO UPDATE SET
                journal_offset=excluded.journal_offset, position=excluded.position, gone=excluded.gone
                """,
                [.text(cursor.name), .int(cursor.offset), .int(cursor.position), .optional(cursor.gone)])
        case .parked(let sink, let uid, let parked): try save(parked, uid, sink)
        case .released(let sink, let uid):
            try database.run("DELETE FROM parked WHERE sink = ? AND uid = ?", [.text(sink), .text(uid.hex)])
        case .removed(let name): try database.run("DELETE FROM sinks WHERE name = ?", [.text(name)])
        }
    }

    private func save(_ parked: ParkedObject, _ uid: UID, _ sink: String) throws(StoreFailure) {
        var (state, retryAt): (ParkedState, Deadline?) = (.following, nil)
        switch parked.phase {
        case .retrying(let at): (state, retryAt) = (.retrying, at)
        case .deadLettered: state = .deadLettered
        case .following: break
        }
        try database.run(
            "INSERT OR REPLACE INTO parked VALUES (?,?,?,?,?,?,?,?,?,?)",
            [
                .text(sink), .text(uid.hex), .int(parked.offset), .int(parked.position), .int(parked.sequence),
                .text(parked.type), .int(Int64(parked.attempts)), .text(state.rawValue),
                .optional(retryAt.map(Column.text)), .text(parked.reason),
            ])
    }

    func loadSinks(into state: inout EngineState) throws(StoreFailure) {
        for cursor in try database.query(
            "SELECT name, journal_offset, position, gone FROM sinks",
            row: { row throws(StoreFailure) in
                SinkCursor(
                    name: try row.text(0), offset: try row.int(1), position: try row.int(2),
                    gone: try row.optionalText(3))
            })
        { state.sinks[cursor.name] = cursor }
        let parked = try database.query(
            """
            SELECT sink, uid, journal_offset, position, sequence, event_type, attempts, state, retry_at, reason, coalesce(
              (SELECT occurred_ms FROM outbox WHERE outbox.position = parked.position),
              (SELECT occurred_ms FROM outbox ORDER BY position LIMIT 1), 0) FROM parked
            """
        ) { row throws(StoreFailure) in
            let word = try row.value(7, Column.name) as ParkedState
            let retryAt = try row.optional(8, Column.deadline)
            let phase: ParkedObject.Phase =
                switch word {
                case .retrying:
                    .retrying(at: retryAt ?? Deadline(boot: 0, bootMs: 0, wallMs: 0, lengthMs: 0))
                case .deadLettered: .deadLettered
                case .following: .following
                }
            return (
                sink: try row.text(0), uid: try row.value(1, Column.uid),
                ParkedObject(
                    offset: try row.int(2), position: try row.int(3), sequence: try row.int(4), type: try row.text(5),
                    atMs: try row.int(10), attempts: try row.count(6), reason: try row.text(9), phase: phase)
            )
        }
        for (sink, uid, object) in parked { state.sinks[sink]?.parked[uid] = object }
    }
}
