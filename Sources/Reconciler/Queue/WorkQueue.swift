import Manifests
import Planner
import Values

/// The keys of the objects that are to be looked at: now, at a time, or when something comes free.
///
/// A key is in it once, however often it is marked. Guarantee: what a step took and could not commit is in it again
/// after `giveBack`. Assumes: one step at a time.
struct WorkQueue: Sendable {
    /// What an object can wait for without a time.
    enum Need: Sendable, CaseIterable {
        case slot, room, input
    }

    /// Where a key stands among those of one round.
    struct Rank: Sendable, Comparable {
        var priority: Int
        var createdAtMs: Int64
        var key: ObjectKey

        static func < (a: Rank, b: Rank) -> Bool {
            (-a.priority, a.createdAtMs, a.key) < (-b.priority, b.createdAtMs, b.key)
        }
    }

    /// How often one step looks at one key: what a key does to others can come back to it.
    static let roundsMax = 4

    private(set) var dirty: Set<ObjectKey>
    private var timers = TimerHeap<ObjectKey>()
    private var waiting: [ObjectKey: Need] = [:]
    /// The keys that wait for each need.
    private var waiters: [Need: Set<ObjectKey>] = [:]
    private var rounds: [ObjectKey: Int] = [:]

    init(_ dirty: Set<ObjectKey> = []) { self.dirty = dirty }

    var isEmpty: Bool { dirty.isEmpty }

    /// Boot time of the first key that is due later.
    mutating func nextDueMs() -> Int64? { timers.next() }

    // MARK: What makes a key dirty

    mutating func mark(_ key: ObjectKey) { dirty.insert(key) }

    mutating func mark(_ keys: some Sequence<ObjectKey>) { dirty.formUnion(keys) }

    /// Looks at a key at a boot time; nil: not because of time.
    mutating func wake(_ key: ObjectKey, atMs: Int64?) { timers.set(key, at: atMs) }

    /// Puts a key among those that wait for a need, or takes it out of all.
    mutating func wait(_ key: ObjectKey, for need: Need?) {
        if let old = waiting.removeValue(forKey: key) { waiters[old]?.remove(key) }
        guard let need else { return }
        waiting[key] = need
        waiters[need, default: []].insert(key)
    }

    /// All keys that wait for a need.
    func waiters(for need: Need) -> Set<ObjectKey> { waiters[need] ?? [] }

    // MARK: One step

    /// Begins a step: what is due by now is dirty.
    mutating func begin(nowMs: Int64) {
        rounds = [:]
        mark(timers.due(nowMs))
    }

    /// The keys of the next round, in their order; none when the step has looked at everything it may look at.
    mutating func take(into taken: inout Taken, rank: (ObjectKey) -> Rank) -> [ObjectKey] {
        let keys = dirty.filter { rounds[$0, default: 0] < Self.roundsMax }
        dirty.subtract(keys)
        for key in keys { rounds[key, default: 0] += 1 }
        taken.keys.formUnion(keys)
        return Self.ordered(keys, rank)
    }

    /// Marks the first so many of those that wait for a start slot.
    mutating func release(slots: Int, rank: (ObjectKey) -> Rank) {
        guard slots > 0, let waiters = waiters[.slot], !waiters.isEmpty else { return }
        for key in Self.ordered(waiters, rank).prefix(slots) { release(key) }
    }

    /// Marks all that wait for room on the machine.
    mutating func releaseRoom() { for key in waiters(for: .room) { release(key) } }

    private mutating func release(_ key: ObjectKey) {
        wait(key, for: nil)
        mark(key)
    }

    private static func ordered(_ keys: Set<ObjectKey>, _ rank: (ObjectKey) -> Rank) -> [ObjectKey] {
        keys.map(rank).sorted().map(\.key)
    }

    // MARK: Outcome

    /// What a step took is to be looked at again: its commit failed.
    mutating func giveBack(_ taken: Taken) { mark(taken.keys) }
}

/// What a step has taken up, and what is given back when its commit fails: all of it, and in one value.
struct Taken: Sendable {
    var keys: Set<ObjectKey> = []
    /// Sources whose objects were compared with what is declared.
    var sources: Set<UID> = []
}
