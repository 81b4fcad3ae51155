public import Values

/// Whether a reader of an older schema is surprised by a newer one: no field is removed, no type is narrowed, and nothing is
/// required that was not.
public enum SchemaCompatibility {
    /// What of the newer schema breaks the rules, in words, each with its field.
    public static func breaks(_ old: Node, _ new: Node) -> [String] { breaks(old, new, "") }

    private static func breaks(_ old: Node, _ new: Node, _ path: String) -> [String] {
        // What is said of the version is not said of the event.
        if path == "schema_version" { return [] }
        var found = narrowed(old, new).map { "\(path.isEmpty ? "the whole" : path): \($0)" }
        for entry in old["properties"]?.map?.entries ?? [] {
            let place = path.isEmpty ? entry.key : "\(path).\(entry.key)"
            if let field = new["properties"]?[entry.key] {
                found += breaks(entry.value, field, place)
            } else {
                found.append("\(place): was removed")
            }
        }
        let required = Set((old["required"]?.list ?? []).compactMap(\.string))
        for name in (new["required"]?.list ?? []).compactMap(\.string) where !required.contains(name) {
            found.append("\(path.isEmpty ? name : "\(path).\(name)"): is required, and was not")
        }
        for inner in ["items", "additionalProperties"] {
            guard let field = new[inner] else { continue }
            found += breaks(old[inner] ?? .emptyMap, field, "\(path)[]")
        }
        return found
    }

    /// Values that the older schema has and the newer one has not.
    private static func narrowed(_ old: Node, _ new: Node) -> [String] {
        var found: [String] = []
        if let type = new["type"]?.string, type != old["type"]?.string,
            !(type == "number" && old["type"]?.string == "integer")
        {
            found.append("was \(old["type"]?.string ?? "anything"), is \(type)")
        }
        if let words = new["enum"]?.list {
            let before = old["enum"]?.list
            if before == nil || before?.allSatisfy(words.contains) == false { found.append("takes fewer words") }
        }
        if let least = new["minimum"]?.int, least > old["minimum"]?.int ?? .min { found.append("begins at \(least)") }
        for keyword in ["const", "format", "pattern"] {
            if let value = new[keyword], value != old[keyword] { found.append("has another \(keyword)") }
        }
        return found
    }
}
