public import Values

/// One field in which two documents differ, as people read it.
public struct Difference: Sendable, Equatable {
    /// `spec.env[NAME].value`: items of lists that have names are told by those.
    public var path: String
    /// Nil: it is not there.
    public var from: Node?
    public var to: Node?

    /// All of them, in the order of the new document, and what is there no more after what is.
    public static func all(from old: Node?, to new: Node?) -> [Difference] {
        var found: [Difference] = []
        collect(old, new, "", &found)
        return found
    }

    private static func collect(_ old: Node?, _ new: Node?, _ path: String, _ found: inout [Difference]) {
        if old == new { return }
        let before = old.flatMap(parts) ?? (old == nil ? [] : nil)
        let after = new.flatMap(parts) ?? (new == nil ? [] : nil)
        // A field whose form has changed, and one that is no map, is told whole.
        guard let before, let after, !(before.isEmpty && after.isEmpty) else {
            return found.append(Difference(path: path, from: old, to: new))
        }
        let known = Dictionary(before, uniquingKeysWith: { first, _ in first })
        let left = Set(after.map(\.0))
        for (step, value) in after { collect(known[step], value, path + separator(path, step), &found) }
        for (step, value) in before where !left.contains(step) {
            collect(value, nil, path + separator(path, step), &found)
        }
    }

    private static func separator(_ path: String, _ step: String) -> String {
        path.isEmpty || step.hasPrefix("[") ? step : ".\(step)"
    }

    /// The fields of a map, or the items of a list that all have different names; nil for other values.
    private static func parts(_ node: Node) -> [(String, Node)]? {
        if let map = node.map { return map.entries.map { ($0.key.contains(".") ? "[\($0.key)]" : $0.key, $0.value) } }
        guard let list = node.list, !list.isEmpty else { return nil }
        let names = list.compactMap { $0["name"]?.string }
        guard names.count == list.count, Set(names).count == names.count else { return nil }
        return zip(names, list).map { name, item in
            var item = item
            item["name"] = nil
            return ("[\(name)]", item)
        }
    }

    var node: Node { .map([("path", .text(path)), ("from", from), ("to", to)]) }
}
