/// A set of fields, each a path of map keys to a leaf, as a tree.
///
/// What is asked about one path costs its length, however many paths there are.
public struct FieldTree: Sendable, Equatable {
    /// None: the tree is a leaf, or empty when it is the root.
    private(set) var children: [String: FieldTree] = [:]

    public init() {}

    public init(_ paths: some Sequence<[String]>) {
        for path in paths { insert(path[...]) }
    }

    public var isEmpty: Bool { children.isEmpty }

    /// How many names there are on all paths together, and how many on the longest.
    var extent: (count: Int, depth: Int) {
        children.values.reduce(into: (0, 0)) { extent, child in
            let (count, depth) = child.extent
            extent = (extent.0 + 1 + count, max(extent.1, 1 + depth))
        }
    }

    /// All paths, in their order.
    public var paths: [[String]] {
        children.sorted { $0.key < $1.key }.flatMap { key, child in
            child.isEmpty ? [[key]] : child.paths.map { [key] + $0 }
        }
    }

    /// Whether the path, a field above it or one below it is in the set.
    func touches(_ path: some Sequence<String>) -> Bool {
        var node = self
        if node.isEmpty { return false }
        for key in path {
            guard let next = node.children[key] else { return false }
            if next.isEmpty { return true }
            node = next
        }
        return true
    }

    /// Puts a path into the set, or a whole tree behind it.
    mutating func insert(_ path: ArraySlice<String>, _ tree: FieldTree = FieldTree()) {
        guard let key = path.first else { return formUnion(tree) }
        children[key, default: FieldTree()].insert(path.dropFirst(), tree)
    }

    /// Takes out the path, the field above it and all below it.
    mutating func remove(touching path: ArraySlice<String>) {
        guard let key = path.first, let child = children[key] else { return }
        if child.isEmpty || path.count == 1 {
            children[key] = nil
        } else {
            children[key]?.remove(touching: path.dropFirst())
            if children[key]?.isEmpty == true { children[key] = nil }
        }
    }

    mutating func formUnion(_ other: FieldTree) {
        for (key, child) in other.children { children[key, default: FieldTree()].formUnion(child) }
    }

    /// The paths at or below a path.
    func paths(below path: [String]) -> [[String]] {
        var node = self
        for key in path {
            guard let next = node.children[key] else { return [] }
            node = next
        }
        return node.isEmpty ? [path] : node.paths.map { path + $0 }
    }
}
