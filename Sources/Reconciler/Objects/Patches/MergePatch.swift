public import Values

/// Merging a map into a document (RFC 7386): null removes, maps are merged, everything else takes the place of what
/// was there.
public struct MergePatch: Sendable, Equatable {
    private let node: Node

    /// Takes the patch of an object, which is a map.
    public init(_ node: Node) throws(PatchProblem) {
        guard node.map != nil else { throw .malformed(.notAMap) }
        self.node = node
    }

    /// The document with the patch merged in. Its cost is that of both together.
    public func applied(to document: Node) -> Node { Self.merged(document, node) }

    private static func merged(_ target: Node?, _ patch: Node) -> Node {
        guard let changes = patch.map else { return patch }
        var result = MergedMap(target?.map)
        for change in changes.entries {
            result[change.key] = change.value.isNull ? nil : merged(result[change.key], change.value)
        }
        return result.node
    }
}

/// A map while others are merged into it: entries are found by name at once, and keep their order.
struct MergedMap {
    private var entries: [NodeMap.Entry?]
    private var places: [String: Int]

    init(_ map: NodeMap?) {
        entries = map?.entries ?? []
        places = [:]
        for (index, entry) in (map?.entries ?? []).enumerated() where places[entry.key] == nil {
            places[entry.key] = index
        }
    }

    subscript(key: String) -> Node? {
        get { places[key].flatMap { entries[$0]?.value } }
        set {
            if let index = places[key] {
                entries[index] = newValue.map { NodeMap.Entry(key: key, value: $0) }
            } else if let newValue {
                places[key] = entries.count
                entries.append(NodeMap.Entry(key: key, value: newValue))
            }
        }
    }

    var node: Node { Node(.map(NodeMap(entries.compactMap { $0 }))) }
}
