public import Values

/// The JSON Schemas (draft 2020-12) of all events, made of their descriptions.
public enum EventSchemas {
    /// Every version of every type.
    public static let all: [(type: String, version: Int, schema: Node)] = EventDescription.all.map {
        ($0.type.text, $0.version, schema($0))
    }

    /// What is wrong with the descriptions of this program; empty in every program that passed its tests.
    ///
    /// Versions are numbered without a gap, and readers of each can read the next. Only types of several versions cost
    /// anything.
    public static var problems: [String] { problems(EventDescription.all) }

    static func problems(_ descriptions: [EventDescription]) -> [String] {
        var last: [EventType: EventDescription] = [:]
        var found: [String] = []
        for description in descriptions {
            let name = "\(description.type.text) v\(description.version)"
            let before = last.updateValue(description, forKey: description.type)
            if description.version != (before?.version ?? 0) + 1 {
                found.append("\(name): a version is missing before it")
            }
            guard let before else { continue }
            found += SchemaCompatibility.breaks(schema(before), schema(description)).map { "\(name): \($0)" }
        }
        return found
    }

    static func schema(_ description: EventDescription) -> Node {
        let type = description.type.text
        let entries = EventDescription.envelope.map { field -> (String, Node?) in
            switch field.name {
            case "event_type": (field.name, constant(.text(type), field.text))
            case "schema_version": (field.name, constant(.number(description.version), field.text))
            default: (field.name, schema(field))
            }
        }
        let data = Node.map(
            [("description", "what belongs to this type")] + map(description.data))
        let required = EventDescription.envelope.filter(\.isRequired).map { Node.text($0.name) } + ["data"]
        return .map([
            ("$schema", "https://json-schema.org/draft/2020-12/schema"),
            ("$id", .text("urn:agentos:event:\(type):v\(description.version)")), ("title", .text(type)),
            ("type", "object"), ("properties", .map(entries + [("data", data)])), ("required", .list(required)),
        ])
    }

    private static func constant(_ value: Node, _ text: String) -> Node {
        .map([("description", .text(text)), ("const", value)])
    }

    private static func schema(_ field: EventField) -> Node {
        .map([("description", .text(field.text))] + form(field.form))
    }

    private static func form(_ form: EventForm) -> [(String, Node?)] {
        switch form {
        case .text: [("type", "string")]
        case .time: [("type", "string"), ("format", "date-time")]
        case .words(let words): [("type", "string"), ("enum", .list(words.map(Node.text)))]
        case .number(let from): [("type", "integer"), ("minimum", .number(from))]
        case .texts: [("type", "array"), ("items", .map([("type", "string")]))]
        case .labels: [("type", "object"), ("additionalProperties", .map([("type", "string")]))]
        case .map(let fields): map(fields)
        }
    }

    /// Readers pass over fields that they do not know: a later version may have more.
    private static func map(_ fields: [EventField]) -> [(String, Node?)] {
        let required = fields.filter(\.isRequired).map { Node.text($0.name) }
        return [
            ("type", "object"), ("properties", .map(fields.map { ($0.name, schema($0)) })),
            ("required", required.isEmpty ? nil : .list(required)),
        ]
    }
}
