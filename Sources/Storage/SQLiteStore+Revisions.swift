import Manifests
public import Planner
public import Reconciler
import Values

/// The revisions of agents: rows beside their objects, which go with them.
extension SQLiteStore {
    /// Over a connection of its own, beside commits.
    public func revisions(of uids: [UID]) throws(StoreFailure) -> [Revision] {
        var database = try Database.open(path, .read)
        var found: [Revision] = []
        for uid in uids {
            found += try database.query(
                "SELECT uid, revision, template, at_ms, actor, cause FROM revisions WHERE uid = ? ORDER BY revision DESC",
                [.text(uid.hex)]
            ) { row throws(StoreFailure) in
                Revision(
                    uid: try row.value(0, Column.uid), number: try row.count(1),
                    template: try row.value(2, Document.tree), atMs: try row.optionalInt(3),
                    user: try row.optionalText(4), cause: try row.optionalText(5))
            }
        }
        return found
    }

    /// One that is there already is given its cause. An older one with the same template goes, as in Kubernetes, and the
    /// oldest that are too many.
    func save(_ revision: Revision) throws(StoreFailure) {
        let (uid, number) = (Bindable.text(revision.uid.hex), Bindable.int(Int64(revision.number)))
        let template = Bindable.text(JSONWriter.text(revision.template))
        try database.run(
            "INSERT INTO revisions VALUES (?,?,?,?,?,?) ON CONFLICT (uid, revision) DO UPDATE SET cause = excluded.cause",
            [
                uid, number, template, .optional(revision.atMs), .optional(revision.user), .optional(revision.cause),
            ])
        // Compared as trees: a migration has written the fields in another order.
        let older = try database.query(
            "SELECT revision, template FROM revisions WHERE uid = ? AND revision < ?", [uid, number]
        ) { row throws(StoreFailure) in (try row.int(0), try row.value(1, Document.tree)) }
        for (old, kept) in older where kept == revision.template {
            try database.run("DELETE FROM revisions WHERE uid = ? AND revision = ?", [uid, .int(old)])
        }
        try database.run(
            """
            DELETE FROM revisions WHERE uid = ?1 AND revision <=
            (SELECT revision FROM revisions WHERE uid = ?1 ORDER BY revision DESC LIMIT 1 OFFSET ?2)
            """, [uid, .int(Int64(Limits.revisionsMax))])
    }

    /// The templates of the current revisions of agents that are paused: what they declare may be another.
    func loadHeldTemplates() throws(StoreFailure) -> [UID: Node] {
        let rows = try database.query(
            """
            SELECT revisions.uid, template FROM revisions JOIN objects
            ON objects.uid = revisions.uid AND objects.revision = revisions.revision
            WHERE json_extract(content, '$.spec.paused')
            """
        ) { row throws(StoreFailure) in (try row.value(0, Column.uid), try row.value(1, Document.tree)) }
        return Dictionary(rows, uniquingKeysWith: { first, _ in first })
    }
}
