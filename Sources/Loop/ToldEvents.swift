import Manifests
public import Planner
public import Reconciler
public import Values

/// How the daemon's own events are shown as objects of kind Event. Made by those who know their words.
public struct EventWords: Sendable {
    /// The document of an event of the outbox: its record, its key, its identity, how often it was told and since when.
    public var document:
        @Sendable (EventRecord, ObjectKey, UID, _ count: Int, _ firstMs: Int64, _ version: Int64) -> Node

    public init(
        document:
            @escaping @Sendable (EventRecord, ObjectKey, UID, _ count: Int, _ firstMs: Int64, _ version: Int64) -> Node
    ) {
        self.document = document
    }
}

/// The latest of the daemon's own events, one for each object and type: repeats are counted.
///
/// They are on the shelf beside the events that clients have stored, and nothing is made of them until somebody reads them.
struct ToldEvents {
    /// How often an event was told, and since when.
    struct Tally {
        var count: Int
        var firstMs: Int64
        var lastMs: Int64
        var position: Int64
    }

    private var tallies: [ObjectKey: Tally] = [:]
    /// In the order in which they were told last, by namespace; what was told again since stands there twice.
    private var order: [String: [(key: ObjectKey, position: Int64)]] = [:]

    /// The name of the event of an object and a type: by arithmetic, so that it is the same after a restart.
    static func key(_ record: EventRecord) -> ObjectKey {
        let bytes = record.type.utf8.map { $0 == UInt8(ascii: "_") ? UInt8(ascii: "-") : $0 }
        let type = String(decoding: bytes, as: UTF8.self)
        return ObjectKey(
            .event, namespace: record.namespace.isEmpty ? "default" : record.namespace,
            name: "\(record.uid.text).\(type)")
    }

    /// Counts one more; events that were counted already are not.
    mutating func add(_ record: EventRecord, _ key: ObjectKey) -> Tally? {
        var tally = tallies[key] ?? Tally(count: 0, firstMs: record.atMs, lastMs: record.atMs, position: 0)
        guard record.position > tally.position else { return nil }
        tally.count += 1
        tally.lastMs = record.atMs
        tally.position = record.position
        tallies[key] = tally
        order[key.namespace, default: []].append((key, record.position))
        return tally
    }

    /// The events that are told no longer: too many of their namespace, or too old.
    mutating func expire(_ namespace: String, olderThanMs: Int64) -> [ObjectKey] {
        guard var queue = order[namespace] else { return [] }
        var (start, gone) = (0, [ObjectKey]())
        var live = queue.reduce(0) { tallies[$1.key]?.position == $1.position ? $0 + 1 : $0 }
        while start < queue.count {
            let (key, position) = queue[start]
            if let tally = tallies[key], tally.position == position {
                guard live > Limits.toldEventsMax || tally.lastMs < olderThanMs else { break }
                tallies[key] = nil
                gone.append(key)
                live -= 1
            }
            start += 1
        }
        queue.removeFirst(start)
        queue.removeAll { tallies[$0.key]?.position != $0.position }
        order[namespace] = queue.isEmpty ? nil : queue
        return gone
    }

    /// Whether a namespace has gathered so much that it is worth going through.
    func isFull(_ namespace: String) -> Bool { (order[namespace]?.count ?? 0) > 2 * Limits.toldEventsMax }

    var namespaces: [String] { order.keys.sorted() }
}
