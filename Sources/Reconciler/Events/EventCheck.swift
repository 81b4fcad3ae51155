public import Values

extension EventDescription {
    /// How an event differs from what is described of its type and version, in words, each with its field; empty: not at all.
    ///
    /// Stricter than the schemas: what is not described differs, too.
    public static func problems(_ event: Node?) -> [String] {
        guard let event, let type = event["event_type"]?.string, let version = event["schema_version"]?.int else {
            return ["it has no event_type or no schema_version"]
        }
        guard let description = described(type, version) else { return ["\(type) v\(version): nothing describes it"] }
        let fields = envelope + [EventField("data", .map(description.data), required: true, "")]
        return problems(event, fields, "").map { "\(type) v\(version): \($0)" }
    }

    /// Of some events one is looked at: those whose position is a multiple of `every`; 0: none.
    public static func problems(in events: [EventRecord], every: Int) -> [String] {
        guard every > 0 else { return [] }
        return events.filter { $0.position % Int64(every) == 0 }.flatMap { problems(JSONReader.read($0.payload)) }
    }

    private static func problems(_ node: Node, _ fields: [EventField], _ path: String) -> [String] {
        guard let map = node.map else { return ["\(path): expected a map, found \(node.kindOfValue)"] }
        func place(_ name: String) -> String { path.isEmpty ? name : "\(path).\(name)" }
        var found: [String] = []
        for field in fields where field.isRequired && map[field.name] == nil {
            found.append("\(place(field.name)): is missing")
        }
        for entry in map.entries {
            if let field = fields.first(where: { $0.name == entry.key }) {
                found += problems(entry.value, field.form, place(entry.key))
            } else {
                found.append("\(place(entry.key)): is not described")
            }
        }
        return found
    }

    private static func problems(_ node: Node, _ form: EventForm, _ path: String) -> [String] {
        func expected(_ what: String, _ isThere: Bool) -> [String] {
            isThere ? [] : ["\(path): expected \(what), found \(node.kindOfValue)"]
        }
        switch form {
        case .text: return expected("a text", node.string != nil)
        case .time: return expected("a time", node.string.flatMap(Timestamp.parse) != nil)
        case .words(let words):
            return expected("one of \(words.joined(separator: ", "))", node.string.map(words.contains) ?? false)
        case .number(let from):
            return expected("a whole number from \(from) on", node.int.map { $0 >= from } ?? false)
        case .texts: return expected("texts", node.list?.allSatisfy { $0.string != nil } ?? false)
        case .labels: return expected("texts by name", node.map?.entries.allSatisfy { $0.value.string != nil } ?? false)
        case .map(let fields): return problems(node, fields, path)
        }
    }
}
