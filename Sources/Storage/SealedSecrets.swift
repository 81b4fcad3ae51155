import Glibc
import Manifests
import Planner
import Reconciler
import Values

/// The values of Secrets in the database: each sealed for the object that it belongs to.
enum SealedSecrets {
    /// The number of the migration that sealed what was plain.
    static let since = 5

    private struct Row {
        var uid: UID
        var namespace: String
        var name: String
        var keyID: String
        var sealed: [UInt8]

        var title: String { "\(namespace)/\(name)" }
        var context: [UInt8] { SealedSecrets.context(uid, namespace, name) }
    }

    private static func context(_ uid: UID, _ namespace: String, _ name: String) -> [UInt8] {
        Array("Secret/\(namespace)/\(name)/\(uid.hex)".utf8)
    }

    private static func bytes(_ data: Node) -> [UInt8] { Array(JSONWriter.text(data).utf8) }

    private static func rows(_ database: inout Database, _ filter: String, _ values: [Bindable] = [])
        throws(StoreFailure) -> [Row]
    {
        try database.query(
            "SELECT secrets.uid, namespace, name, key_id, sealed FROM secrets JOIN objects USING (uid) \(filter)",
            values
        ) { row throws(StoreFailure) in
            Row(
                uid: try row.value(0, Column.uid), namespace: try row.text(1), name: try row.text(2),
                keyID: try row.text(3), sealed: try row.bytes(4))
        }
    }

    static func save(_ object: StoredObject, in database: inout Database, _ keys: SecretKeys) throws(StoreFailure) {
        let context = context(object.uid, object.key.namespace, object.key.name)
        let sealed = keys.current.seal(bytes(object.content["data"] ?? .emptyMap), for: context)
        try put(object.uid, sealed, keys.current, in: &database)
    }

    private static func put(
        _ uid: UID, _ sealed: [UInt8], _ key: SealingKey, in database: inout Database
    ) throws(StoreFailure) {
        try database.run(
            "INSERT INTO secrets VALUES (?1, ?2, ?3) ON CONFLICT (uid) DO UPDATE SET key_id = ?2, sealed = ?3",
            [.text(uid.hex), .text(key.id), .bytes(sealed)])
    }

    /// The data of all Secrets. One that cannot be opened is told by its name, and nothing is loaded.
    static func load(
        _ database: inout Database, _ keys: SecretKeys, _ place: String, _ path: String
    ) throws(StoreFailure) -> [UID: Node] {
        var found: [UID: Node] = [:]
        var lost: [String: [String]] = [:]
        for row in try rows(&database, "") {
            guard let key = keys[row.keyID] else {
                lost[row.keyID, default: []].append(row.title)
                continue
            }
            guard let plain = key.open(row.sealed, for: row.context),
                let data = JSONReader.read(String(decoding: plain, as: UTF8.self))
            else {
                throw .damaged(
                    table: "secrets", row: row.uid.hex,
                    "the Secret \(row.title) cannot be opened with the key \(key.id)")
            }
            found[row.uid] = data
        }
        guard let (key, names) = lost.min(by: { $0.key < $1.key }) else { return found }
        let more = names.count > 3 ? " and \(names.count - 3) more" : ""
        throw .fatal(
            "the Secrets \(names.sorted().prefix(3).joined(separator: ", "))\(more) are sealed with the key \(key), which "
                + "is not in \(place): put that key there; or, to go on without their values, make the file "
                + "\(forgetting(path)). Nothing was changed")
    }

    /// Whoever makes this file goes on without the values of Secrets whose key is lost.
    static func forgetting(_ path: String) -> String { "\(Directory.of(path))/forget-secrets" }

    /// Empties the Secrets whose key is not there, where somebody wants that.
    static func forgetLost(_ database: inout Database, _ keys: SecretKeys, _ path: String) throws(StoreFailure) {
        guard access(forgetting(path), F_OK) == 0 else { return }
        let lost = try rows(&database, "").filter { keys[$0.keyID] == nil }
        try database.transaction { database throws(StoreFailure) in
            for row in lost {
                try put(row.uid, keys.current.seal(bytes(.emptyMap), for: row.context), keys.current, in: &database)
            }
        }
        unlink(forgetting(path))
    }

    // MARK: Keys

    /// The keys of the ring. The first key is made only where nothing is sealed yet.
    static func keys(_ database: inout Database, _ ring: any SecretKeyring) throws(StoreFailure) -> SecretKeys {
        if let keys = try ring.read() { return keys }
        if try isSealing(&database), let row = try rows(&database, "LIMIT 1").first {
            throw .fatal(
                "the Secret \(row.title) and others are sealed with the key \(row.keyID), but \(ring.place) is not there: "
                    + "put it back. Nothing was changed")
        }
        return try ring.renew(after: nil)
    }

    /// Seals some of what other keys have sealed with the first one; returns how many are left.
    static func reseal(_ database: inout Database, _ keys: SecretKeys, limit: Int) throws(StoreFailure) -> Int {
        let old = try rows(
            &database, "WHERE key_id <> ? LIMIT ?", [.text(keys.current.id), .int(Int64(limit))])
        try database.transaction { database throws(StoreFailure) in
            for row in old {
                guard let plain = keys[row.keyID]?.open(row.sealed, for: row.context) else {
                    throw .retry("the Secret \(row.title) cannot be opened with the key \(row.keyID)")
                }
                try put(row.uid, keys.current.seal(plain, for: row.context), keys.current, in: &database)
            }
        }
        return try database.query("SELECT count(*) FROM secrets WHERE key_id <> ?", [.text(keys.current.id)]) {
            row throws(StoreFailure) in try row.count(0)
        }.first ?? 0
    }

    /// A key that sealed a Secret of a database, and that is not there.
    static func missingKey(_ database: inout Database, _ keys: SecretKeys?) throws(StoreFailure) -> String? {
        guard try isSealing(&database) else { return nil }
        return try database.query("SELECT DISTINCT key_id FROM secrets") { row throws(StoreFailure) in try row.text(0) }
            .sorted().first { keys?[$0] == nil }
    }

    /// The database has values that are sealed, or room for them: it is of `since` or later.
    private static func isSealing(_ database: inout Database) throws(StoreFailure) -> Bool {
        try database.query("SELECT count(*) FROM pragma_table_info('secrets') WHERE name = 'key_id'") {
            row throws(StoreFailure) in try row.flag(0)
        }.first == true
    }

    /// What was plain before `since`.
    static func sealPlain(_ database: inout Database, _ keys: SecretKeys) throws(StoreFailure) {
        let plain = try database.query(
            "SELECT uid, namespace, name, data FROM plain_secrets JOIN objects USING (uid)"
        ) { row throws(StoreFailure) in
            (try row.value(0, Column.uid), try row.text(1), try row.text(2), try row.value(3, Document.tree))
        }
        for (uid, namespace, name, data) in plain {
            try put(
                uid, keys.current.seal(bytes(data), for: context(uid, namespace, name)), keys.current, in: &database)
        }
        try database.execute("DROP TABLE plain_secrets")
    }
}
