import Manifests
import Planner
import Reconciler
import Values

extension PublishedState {
    /// How the types of events begin that are not told.
    private static let untold = Kind.allCases.filter(\.traits.isFleeting).map { "\($0.singular)." }

    /// Takes the daemon's own events of a step, or of before its start, as objects of kind Event.
    mutating func tell(_ records: [EventRecord]) -> [PublishedChange] {
        guard let words else { return [] }
        var changes: [PublishedChange] = []
        for record in records where !Self.untold.contains(where: record.type.hasPrefix) {
            let key = ToldEvents.key(record)
            guard let tally = told.add(record, key) else { continue }
            let uid = record.uid.derived(.told, record.type.hashOfBytes)
            let version = resourceVersion
            let before = self[.event][key.namespace, key.name]
            let object = PublishedObject(key, uid, version) {
                words.document(record, key, uid, tally.count, tally.firstMs, version)
            }
            put(object)
            changes.append(
                PublishedChange(
                    change: before == nil ? .added : .modified, resourceVersion: version, object: object,
                    before: before, bytes: 512 + record.payload.utf8.count))
            if told.isFull(key.namespace) { changes += expire(key.namespace, olderThanMs: .min) }
        }
        for change in changes { fleetingChanges.append(change) }
        return changes
    }

    /// Drops own events that are too old.
    mutating func expireEvents(nowMs: Int64) -> [PublishedChange] {
        let changes = told.namespaces.flatMap { expire($0, olderThanMs: nowMs - Int64(Limits.eventAgeMs)) }
        for change in changes { fleetingChanges.append(change) }
        return changes
    }

    private mutating func expire(_ namespace: String, olderThanMs: Int64) -> [PublishedChange] {
        told.expire(namespace, olderThanMs: olderThanMs).compactMap { key in
            guard let object = self[.event][key.namespace, key.name] else { return nil }
            remove(key)
            return PublishedChange(
                change: .deleted, resourceVersion: resourceVersion, object: object, before: object, bytes: 512,
                isExpiry: true)
        }
    }
}

extension String {
    /// FNV-1a: the same in every process, unlike the hash of the language.
    fileprivate var hashOfBytes: UInt64 {
        utf8.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    }
}
