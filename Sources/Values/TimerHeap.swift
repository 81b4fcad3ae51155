/// Keys by the time at which they are due; a key has one time.
///
/// Each turn of a loop asks: inlinable, so that other modules have it for their own type of key.
public struct TimerHeap<Key: Hashable & Sendable>: Sendable {
    @usableFromInline var heap: [(at: Int64, key: Key)] = []
    @usableFromInline var times: [Key: Int64] = [:]

    @inlinable
    public init() {}

    /// Gives a key another time; nil: none.
    @inlinable
    public mutating func set(_ key: Key, at: Int64?) {
        guard times[key] != at else { return }
        times[key] = at
        guard let at else { return }
        heap.append((at, key))
        var child = heap.count - 1
        while child > 0, heap[(child - 1) / 2].at > heap[child].at {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    /// The earliest time; entries that were superseded are dropped on the way.
    @inlinable
    public mutating func next() -> Int64? {
        while let first = heap.first {
            if times[first.key] == first.at { return first.at }
            pop()
        }
        return nil
    }

    /// Takes the keys that are due out, the earliest first.
    @inlinable
    public mutating func due(_ now: Int64) -> [Key] {
        var result: [Key] = []
        while let at = next(), at <= now, let key = heap.first?.key {
            pop()
            times[key] = nil
            result.append(key)
        }
        return result
    }

    @inlinable
    mutating func pop() {
        guard let last = heap.popLast(), !heap.isEmpty else { return }
        heap[0] = last
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count && heap[child].at < heap[least].at {
                least = child
            }
            if least == parent { return }
            heap.swapAt(parent, least)
            parent = least
        }
    }
}
