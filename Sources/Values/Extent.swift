/// How large a node is, and whether its text could be read again.
public struct Extent: Sendable, Equatable {
    /// Nesting of maps and lists.
    public private(set) var depth = 0
    /// Values, each map and each list among them.
    public private(set) var count = 0
    /// Of keys and texts, as they are in memory.
    public private(set) var textBytes = 0
    /// A key that stands twice in one map, which no strict reader takes.
    public private(set) var doubleKey: String?

    /// Assumes: the node is not nested deeper than the stack allows, as everything is that was read.
    public init(_ node: Node) { add(node, 0) }

    private mutating func add(_ node: Node, _ around: Int) {
        count += 1
        switch node.value {
        case .null, .bool, .int, .double: break
        case .string(let text): textBytes += text.utf8.count
        case .list(let items):
            depth = max(depth, around + 1)
            for item in items { add(item, around + 1) }
        case .map(let map):
            depth = max(depth, around + 1)
            if doubleKey == nil { doubleKey = map.doubleKey }
            for entry in map.entries {
                textBytes += entry.key.utf8.count
                add(entry.value, around + 1)
            }
        }
    }
}

extension NodeMap {
    fileprivate var doubleKey: String? {
        if entries.count <= 8 {
            return entries.indices.first { index in entries[..<index].contains { $0.key == entries[index].key } }.map {
                entries[$0].key
            }
        }
        var seen: Set<String> = []
        return entries.first { !seen.insert($0.key).inserted }?.key
    }
}

/// Guarantee: nodes that are equal have the same hash, in whatever order the entries of their maps stand.
extension Node: Hashable {
    public func hash(into hasher: inout Hasher) {
        switch value {
        case .null: hasher.combine(0)
        case .bool(let flag): hasher.combine(flag)
        case .int(let number): hasher.combine(number)
        case .double(let number): hasher.combine(number)
        case .string(let text): hasher.combine(text)
        case .list(let items): hasher.combine(items)
        case .map(let map):
            var sum = 0
            for entry in map.entries {
                var one = Hasher()
                one.combine(entry.key)
                one.combine(entry.value)
                sum &+= one.finalize()
            }
            hasher.combine(sum)
        }
    }
}
