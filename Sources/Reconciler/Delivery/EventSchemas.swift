public import Values

/// The JSON Schemas of all events, version 1. A schema in use is never edited, only superseded.
public enum EventSchemas {
    public static let all: [(type: String, schema: Node)] = EventType.allCases.map { ($0.text, schema($0)) }

    private static func schema(_ type: EventType) -> Node {
        let text = Node.map([("type", "string")])
        let integer = Node.map([("type", "integer")])
        return .map([
            ("$schema", "https://json-schema.org/draft/2020-12/schema"), ("title", .text(type.text)),
            ("type", "object"),
            (
                "properties",
                .map([
                    ("event_id", text), ("event_type", .map([("const", .text(type.text))])),
                    ("schema_version", .map([("const", 1)])),
                    ("occurred_at", text), ("trace_id", text), ("tenant_id", text), ("agent_id", text),
                    ("object", .map([("type", "object"), ("required", ["kind", "namespace", "name", "uid"])])),
                    ("sequence", integer), ("position", integer), ("generation", integer), ("revision", integer),
                    ("run_id", text), ("data", .map([("type", "object")])),
                ])
            ),
            (
                "required",
                [
                    "event_id", "event_type", "schema_version", "occurred_at", "tenant_id", "object", "sequence",
                    "position", "data",
                ]
            ),
        ])
    }
}
