import Values

/// The fields in which two contents differ. Its cost is that of the contents, not of their square.
struct FieldDifference {
    /// Fields that have another value, or that were not there.
    private(set) var changed: [[String]] = []
    /// Fields that are there no more, with all below them.
    private(set) var removed: [[String]] = []

    init(from old: Node, to new: Node) { compare(old, new, []) }

    var isEmpty: Bool { changed.isEmpty && removed.isEmpty }

    private mutating func compare(_ old: Node, _ new: Node, _ path: [String]) {
        guard let before = old.map, let after = new.map, path.isEmpty || (!before.isEmpty && !after.isEmpty) else {
            if old != new { take(new, path) }
            return
        }
        let known = Dictionary(before.entries.map { ($0.key, $0.value) }, uniquingKeysWith: { first, _ in first })
        let left = Set(after.entries.map(\.key))
        for entry in after.entries {
            if let value = known[entry.key] {
                compare(value, entry.value, path + [entry.key])
            } else {
                take(entry.value, path + [entry.key])
            }
        }
        for entry in before.entries where !left.contains(entry.key) { removed.append(path + [entry.key]) }
    }

    private mutating func take(_ new: Node, _ path: [String]) {
        if new.map?.isEmpty == true { return changed.append(path) }
        for leaf in Leaves(of: new).paths { changed.append(path + leaf) }
    }
}
