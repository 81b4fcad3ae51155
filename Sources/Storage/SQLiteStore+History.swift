import Manifests
public import Planner
public import Reconciler
import Values

extension SQLiteStore {
    /// Reads no more of the audit than what it tells of the object.
    static let historyQuery = """
        SELECT a.at_ms, a.actor, a.verb, a.uid, a.source, a.detail, a.position, o.sequence, o.payload
        FROM audit a LEFT JOIN outbox o ON o.position = a.position
        WHERE a.kind = ? AND a.namespace = ? AND a.name = ? AND a.at_ms <= ? ORDER BY a.id DESC LIMIT ?
        """

    /// Over a connection of its own, beside commits.
    public func history(of key: ObjectKey, untilMs: Int64, limit: Int) throws(StoreFailure) -> [HistoryEntry] {
        var database = try Database.open(path, .read)
        return try database.query(
            Self.historyQuery,
            [
                .text(key.kind.rawValue), .text(key.namespace), .text(key.name), .int(untilMs), .int(Int64(limit)),
            ]
        ) { row throws(StoreFailure) in
            HistoryEntry(
                atMs: try row.int(0), user: try row.text(1), verb: try row.text(2),
                uid: try row.optionalText(3).flatMap { UID($0) }, source: try row.text(4), detail: try row.text(5),
                position: try row.optionalInt(6), sequence: try row.optionalInt(7),
                payload: try row.optionalText(8))
        }
    }
}
