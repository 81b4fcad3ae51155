import Values

/// The content of an object while fields are merged into it: maps whose entries are found by name at once.
struct ContentTree {
    private indirect enum Kind {
        case leaf(Node)
        case map([String: ContentTree], order: [String])
    }

    private var kind: Kind

    init(_ node: Node) {
        guard let map = node.map else {
            kind = .leaf(node)
            return
        }
        var children: [String: ContentTree] = [:]
        for entry in map.entries { children[entry.key] = ContentTree(entry.value) }
        kind = .map(children, order: map.entries.map(\.key))
    }

    /// The content with its entries in the order in which they came.
    var node: Node {
        switch kind {
        case .leaf(let node): return node
        case .map(let children, let order):
            var left = children
            let entries = order.compactMap { key in
                left.removeValue(forKey: key).map { NodeMap.Entry(key: key, value: $0.node) }
            }
            return Node(.map(NodeMap(entries)))
        }
    }

    private var isMap: Bool { if case .map = kind { true } else { false } }

    private var isEmptyMap: Bool { if case .map(let children, _) = kind { children.isEmpty } else { false } }

    /// Whether setting a field to this value changes nothing. An empty map says that there is a map, and clears nothing.
    func holds(_ value: Node, at path: [String]) -> Bool {
        guard let found = find(path[...]) else { return false }
        return value.map?.isEmpty == true ? found.isMap : found.node == value
    }

    private func find(_ path: ArraySlice<String>) -> ContentTree? {
        guard let key = path.first else { return self }
        guard case .map(let children, _) = kind else { return nil }
        return children[key]?.find(path.dropFirst())
    }

    mutating func set(_ path: ArraySlice<String>, _ value: Node) {
        guard let key = path.first else {
            if value.map?.isEmpty == true, isMap { return }
            self = ContentTree(value)
            return
        }
        var (children, order): ([String: ContentTree], [String]) = ([:], [])
        if case .map(let old, let names) = kind { (children, order) = (old, names) }
        kind = .leaf(.emptyMap)  // the map below has one owner and is not copied
        if children[key] == nil { order.append(key) }
        children[key, default: ContentTree(.emptyMap)].set(path.dropFirst(), value)
        kind = .map(children, order: order)
    }

    /// Removes a field, and the maps around it that are empty then.
    mutating func remove(_ path: ArraySlice<String>) {
        guard let key = path.first, case .map(var children, let order) = kind, children[key] != nil else { return }
        kind = .leaf(.emptyMap)
        if path.count > 1 { children[key]?.remove(path.dropFirst()) }
        if path.count == 1 || children[key]?.isEmptyMap == true { children[key] = nil }
        // A name that comes back stands where it stood before.
        kind = .map(children, order: order)
    }
}
