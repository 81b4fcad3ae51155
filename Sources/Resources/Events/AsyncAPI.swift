import Reconciler
public import Values

/// `Documentation/asyncapi.yaml`: what is told, where, and how it looks, as AsyncAPI 3 says such things.
///
/// One channel for each type of events: subjects of NATS have the type in them, files and webhooks carry all of them.
public enum AsyncAPI {
    public static var document: Node {
        let current = EventDescription.current
        return .map([
            ("asyncapi", "3.0.0"),
            (
                "info",
                .map([
                    ("title", "Events of agentos-apply"), ("version", "1.0.0"),
                    (
                        "description",
                        "CloudEvents 1.0 for files, webhooks and NATS JetStream: at least once, in the order of each object."
                    ),
                ])
            ),
            ("defaultContentType", "application/cloudevents+json"),
            ("channels", .map(current.map { ($0.type.text, channel($0.type.text)) })),
            ("operations", .map(current.map { ("tell.\($0.type.text)", operation($0.type.text)) })),
            (
                "components",
                .map([
                    ("messages", .map(current.map { ($0.type.text, message($0)) })),
                    ("schemas", .map([("CloudEvent", envelope)])),
                ])
            ),
        ])
    }

    private static func reference(_ place: String) -> Node { .map([("$ref", .text(place))]) }

    private static func channel(_ type: String) -> Node {
        .map([
            ("address", .text("agentos.{namespace}.\(type)")),
            ("messages", .map([(type, reference("#/components/messages/\(type)"))])),
            (
                "parameters",
                .map([
                    (
                        "namespace",
                        .map([("description", "The namespace of the object; _ for objects that have none.")])
                    )
                ])
            ),
        ])
    }

    private static func operation(_ type: String) -> Node {
        .map([
            ("action", "send"), ("channel", reference("#/channels/\(type)")),
            ("messages", .list([reference("#/channels/\(type)/messages/\(type)")])),
        ])
    }

    private static func message(_ description: EventDescription) -> Node {
        let type = description.type.text
        let own = Node.map([
            ("type", .map([("const", .text("dev.agentos.\(type)"))])),
            ("data", reference("./schemas/\(type)/v\(description.version).json")),
        ])
        return .map([
            ("name", .text(type)), ("title", .text(type)), ("summary", .text(ReasonWords.sentence(description.type))),
            ("contentType", "application/cloudevents+json"),
            (
                "payload",
                .map([
                    (
                        "allOf",
                        .list([
                            reference("#/components/schemas/CloudEvent"),
                            .map([("type", "object"), ("properties", own)]),
                        ])
                    )
                ])
            ),
        ])
    }

    private static let envelope: Node = {
        let fields: [(String, String)] = [
            ("id", "the uid of the object and the number of the event: who has seen it drops it"),
            ("source", "who tells"), ("type", "dev.agentos. and the type of the event"),
            ("time", "when it was committed"),
            ("datacontenttype", "application/json"),
            ("partitionkey", "the uid of the object: events with the same key are in order"),
            ("sequence", "counts the events of an object, from 1, without a gap"),
        ]
        let texts = fields.map { name, text -> (String, Node?) in
            (name, .map([("type", "string"), ("description", .text(text))]))
        }
        let version: (String, Node?) = ("specversion", .map([("const", "1.0")]))
        let data: (String, Node?) = ("data", .map([("type", "object"), ("description", "the event")]))
        let all = [version] + texts + [data]
        return .map([
            ("type", "object"), ("properties", .map(all)), ("required", .list(all.map { .text($0.0) })),
        ])
    }()
}
