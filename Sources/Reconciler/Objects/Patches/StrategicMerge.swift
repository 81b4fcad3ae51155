public import Values

/// Kubernetes' merge that knows the lists of its own kinds: some are sets, or are merged by a key of their items.
///
/// Source: the directives of "strategic merge patch" in Kubernetes' API conventions.
public struct StrategicMerge: Sendable, Equatable {
    /// How a list takes the items of a patch.
    private enum ListRule {
        case atomic
        case set
        case keyed(String)
    }

    /// The lists of Kubernetes' own kinds that are not taken as a whole, by their path.
    private static func rule(_ path: [String]) -> ListRule {
        switch path {
        case ["metadata", "finalizers"], ["spec", "finalizers"]: .set
        case ["metadata", "ownerReferences"]: .keyed("uid")
        case ["secrets"], ["imagePullSecrets"]: .keyed("name")
        case ["status", "conditions"]: .keyed("type")
        default: .atomic
        }
    }

    private let node: Node

    /// Takes the patch of an object, which is a map.
    public init(_ node: Node) throws(PatchProblem) {
        guard node.map != nil else { throw .malformed(.notAMap) }
        self.node = node
    }

    /// The document with the patch merged in. Its cost is that of both together.
    public func applied(to document: Node) throws(PatchProblem) -> Node { try Self.merged(document, node, []) }

    private static func wrong(_ why: String) -> PatchProblem { .malformed(.directive(why)) }

    private static func merged(_ target: Node?, _ patch: Node, _ path: [String]) throws(PatchProblem) -> Node {
        guard let changes = patch.map else { return patch }
        var result = MergedMap(target?.map)
        switch patch["$patch"]?.string {
        case nil, "merge": break
        case "replace": result = MergedMap(nil)
        case "delete": return .emptyMap
        case let word?: throw wrong("$patch is \"\(word)\"; expected merge, replace or delete")
        }
        if let kept = patch["$retainKeys"] {
            guard let names = kept.list?.compactMap(\.string) else { throw wrong("$retainKeys is no list of names") }
            let retained = Set(names)
            for entry in target?.map?.entries ?? [] where !retained.contains(entry.key) { result[entry.key] = nil }
        }
        var orders: [(name: String, wanted: Node)] = []
        for change in changes.entries {
            let (key, value) = (change.key, change.value)
            if key == "$patch" || key == "$retainKeys" { continue }
            if let name = key.behind("$setElementOrder/") {
                orders.append((name, value))
            } else if let name = key.behind("$deleteFromPrimitiveList/") {
                guard let gone = value.list.map({ Set($0) }) else { throw wrong("\(key) is no list") }
                if let items = result[name]?.list { result[name] = .list(items.filter { !gone.contains($0) }) }
            } else if key.hasPrefix("$") {
                throw wrong("unknown directive \(key)")
            } else if value.isNull {
                result[key] = nil
            } else if let items = value.list {
                result[key] = try list(result[key]?.list ?? [], items, path + [key])
            } else {
                result[key] = try merged(result[key], value, path + [key])
            }
        }
        for (name, wanted) in orders { try order(&result, name, wanted, path) }
        return result.node
    }

    private static func list(_ old: [Node], _ items: [Node], _ path: [String]) throws(PatchProblem) -> Node {
        switch rule(path) {
        case .atomic: return .list(items)
        case .set:
            let known = Set(old)
            return .list(old + items.filter { !known.contains($0) })
        case .keyed(let key):
            if items.contains(where: { $0["$patch"]?.string == "replace" && $0[key] == nil }) {
                return .list(items.filter { $0["$patch"] == nil })
            }
            var result: [Node?] = old
            var places: [Node: Int] = [:]
            for (index, item) in old.enumerated() {
                if let name = item[key], places[name] == nil { places[name] = index }
            }
            for item in items {
                guard let name = item[key] else {
                    throw wrong("an item of \(path.joined(separator: ".")) has no \(key)")
                }
                if item["$patch"]?.string == "delete" {
                    if let index = places.removeValue(forKey: name) { result[index] = nil }
                } else if let index = places[name] {
                    result[index] = try merged(result[index], item, path + ["*"])
                } else {
                    places[name] = result.count
                    result.append(try merged(nil, item, path + ["*"]))
                }
            }
            return .list(result.compactMap { $0 })
        }
    }

    /// Puts a list into the order that the patch names; what it does not name stays behind.
    private static func order(_ map: inout MergedMap, _ name: String, _ wanted: Node, _ path: [String])
        throws(PatchProblem)
    {
        guard let wanted = wanted.list else { throw wrong("$setElementOrder/\(name) is no list") }
        guard let items = map[name]?.list else { return }
        let key: String? = if case .keyed(let key) = rule(path + [name]) { key } else { nil }
        func identity(_ node: Node) -> Node? { key.map { node[$0] } ?? node }
        let places = Dictionary(
            wanted.enumerated().map { (identity($1), $0) }, uniquingKeysWith: { first, _ in first })
        let ranked = items.enumerated().map { index, item in (places[identity(item)] ?? wanted.count, index, item) }
        map[name] = .list(ranked.sorted { ($0.0, $0.1) < ($1.0, $1.1) }.map(\.2))
    }
}

extension String {
    /// The rest behind a prefix; nil without it.
    fileprivate func behind(_ prefix: String) -> String? { hasPrefix(prefix) ? String(dropFirst(prefix.count)) : nil }
}
