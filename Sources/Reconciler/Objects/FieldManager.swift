import Manifests
public import Values

/// The fields that one manager owns, as `metadata.managedFields` shows them.
///
/// Source: Kubernetes server-side apply, reduced to leaf paths: maps are granular, lists are atomic.
public struct FieldManager: Sendable, Equatable {
    public var name: String
    public var operation: String
    public var timeMs: Int64
    public var paths: Set<FieldPathKey>

    public init(name: String, operation: String, timeMs: Int64, paths: Set<FieldPathKey>) {
        self.name = name
        self.operation = operation
        self.timeMs = timeMs
        self.paths = paths
    }
}

/// A path of map keys to a leaf.
public struct FieldPathKey: Sendable, Hashable, Comparable {
    public var keys: [String]

    public init(_ keys: [String]) { self.keys = keys }

    public static func < (a: FieldPathKey, b: FieldPathKey) -> Bool { a.keys.lexicographicallyPrecedes(b.keys) }

    public var text: String { keys.map { ".\($0)" }.joined() }

    func isRelated(to other: FieldPathKey) -> Bool {
        zip(keys, other.keys).allSatisfy { $0 == $1 }
    }
}

/// What stands against an apply: another manager owns a field with another value.
public struct ApplyConflict: Error, Sendable, Equatable {
    public var owners: [Refusal.FieldOwner]
}

/// Merges what a manager applies into the live content.
///
/// Fields that this manager owned and no longer applies are removed unless another owns them.
public func applyFields(
    _ applied: Node, by manager: String, force: Bool, onto live: Node, managers: [FieldManager], nowMs: Int64
) throws(ApplyConflict) -> (content: Node, managers: [FieldManager]) {
    var leaves: [FieldPathKey: Node] = [:]
    collectLeaves(applied, [], into: &leaves)
    let mine = managers.first { $0.name == manager && $0.operation == "Apply" }
    var others = managers.filter { !($0.name == manager && $0.operation == "Apply") }

    var owners: [Refusal.FieldOwner] = []
    for path in leaves.keys.sorted() where value(live, path.keys) != leaves[path] {
        for index in others.indices {
            let taken = others[index].paths.filter { $0.isRelated(to: path) }
            if taken.isEmpty { continue }
            if force {
                others[index].paths.subtract(taken)
            } else {
                owners.append(Refusal.FieldOwner(manager: others[index].name, path: path.text))
            }
        }
    }
    guard owners.isEmpty else { throw ApplyConflict(owners: owners) }

    var content = live
    let kept = others.reduce(into: Set<FieldPathKey>()) { $0.formUnion($1.paths) }
    for path in (mine?.paths ?? []).sorted() where leaves[path] == nil && !kept.contains(path) {
        remove(&content, path.keys[...])
    }
    for path in leaves.keys.sorted() { set(&content, path.keys[...], leaves[path]!) }

    let paths = Set(leaves.keys)
    let time = mine?.paths == paths ? mine?.timeMs ?? nowMs : nowMs
    others.removeAll { $0.paths.isEmpty }
    return (content, others + [FieldManager(name: manager, operation: "Apply", timeMs: time, paths: paths)])
}

private func collectLeaves(_ node: Node, _ path: [String], into leaves: inout [FieldPathKey: Node]) {
    if let map = node.map, !map.isEmpty || path.isEmpty {
        for entry in map.entries where !entry.value.isNull {
            collectLeaves(entry.value, path + [entry.key], into: &leaves)
        }
    } else {
        leaves[FieldPathKey(path)] = node
    }
}

private func value(_ node: Node, _ keys: [String]) -> Node? {
    keys.reduce(Optional(node)) { $0?[$1] }
}

private func set(_ node: inout Node, _ keys: ArraySlice<String>, _ value: Node) {
    guard let key = keys.first else {
        node = value
        return
    }
    // An empty map declares that the map is there; it clears nothing.
    if keys.count == 1, value.map?.isEmpty == true, node[key]?.map != nil { return }
    var child = node[key] ?? .emptyMap
    set(&child, keys.dropFirst(), value)
    node[key] = child
}

private func remove(_ node: inout Node, _ keys: ArraySlice<String>) {
    guard let key = keys.first, var child = node[key] else { return }
    if keys.count > 1 {
        remove(&child, keys.dropFirst())
        node[key] = child.map?.isEmpty == true ? nil : child
    } else {
        node[key] = nil
    }
}

extension FieldManager {
    /// `fieldsV1`: nested maps with keys `f:NAME`.
    public var fieldsV1: Node {
        var root = Node.emptyMap
        for path in paths.sorted() { set(&root, path.keys.map { "f:\($0)" }[...], .emptyMap) }
        return root
    }

    public init?(_ node: Node, timeMs: Int64) {
        guard let name = node["manager"]?.string, let fields = node["fieldsV1"] else { return nil }
        var leaves: [FieldPathKey: Node] = [:]
        collectLeaves(fields, [], into: &leaves)
        let paths = leaves.keys.map { FieldPathKey($0.keys.map { String($0.dropFirst(2)) }) }
        self.init(name: name, operation: node["operation"]?.string ?? "Apply", timeMs: timeMs, paths: Set(paths))
    }
}
