import Manifests
import Values

/// Events as the newer group `events.k8s.io` has them: the same under other names.
enum EventView {
    static let view = View(
        of: .event, owner: { $0 }, stored: stored, documents: { [document($0)] })

    private static let version = "events.k8s.io/v1"

    /// The names of fields here, and where events are stored.
    private static let names: [(here: String, stored: String)] = [
        ("eventTime", "eventTime"), ("series", "series"), ("reportingController", "reportingComponent"),
        ("reportingInstance", "reportingInstance"), ("action", "action"), ("reason", "reason"),
        ("regarding", "involvedObject"), ("related", "related"), ("note", "message"), ("type", "type"),
        ("deprecatedSource", "source"), ("deprecatedFirstTimestamp", "firstTimestamp"),
        ("deprecatedLastTimestamp", "lastTimestamp"), ("deprecatedCount", "count"),
    ]
    private static let storedNames = Dictionary(uniqueKeysWithValues: names.map { ($0.here, $0.stored) })

    private static func document(_ event: Node) -> Node {
        var node = Node.map(
            [("apiVersion", .text(version)), ("kind", "Event"), ("metadata", event["metadata"])]
                + names.map { ($0.here, event[$0.stored]) })
        if node["reportingController"] == nil { node["reportingController"] = event[path: "source", "component"] }
        return node
    }

    /// A whole event, or a merge patch of one. What has no name here is named so that no field has it.
    private static func stored(_ event: Node) -> Node {
        guard let map = event.map else { return event }
        return Node(
            .map(
                NodeMap(
                    map.entries.map { entry in
                        var entry = entry
                        if let name = storedNames[entry.key] {
                            entry.key = name
                        } else if !["apiVersion", "kind", "metadata"].contains(entry.key) {
                            entry.key = "\(version) \(entry.key)"
                        } else if entry.key == "apiVersion", entry.value.string == version {
                            entry.value = "v1"
                        }
                        return entry
                    })))
    }

    static let fields = ObjectFields.root(
        apiVersion: version, kind: "Event", nameRule: .subdomain, isNamespaced: true,
        [
            Field("eventTime", .string(.any), text: "When it was noticed first."),
            Field("series", .anything, text: "What is known of its repeats."),
            Field("reportingController", .string(.any), text: "The controller that tells it."),
            Field("reportingInstance", .string(.any), text: "Which instance of the controller."),
            Field("action", .string(.any), text: "What was done, or failed."),
            Field("reason", .string(.any), text: "What happened, in one word."),
            Field("regarding", .anything, text: "The object that it happened to."),
            Field("related", .anything, text: "Another object that has to do with it."),
            Field("note", .string(.any), text: "What happened, in words."),
            Field("type", .string(.any), text: "Normal or Warning."),
            Field("deprecatedSource", .anything, text: "Who tells it."),
            Field("deprecatedFirstTimestamp", .string(.any), text: "When it happened first."),
            Field("deprecatedLastTimestamp", .string(.any), text: "When it happened last."),
            Field("deprecatedCount", .integer(0...Int64(Int32.max)), text: "How often it happened."),
        ])

    static let columns: [Column] = [
        Column("LAST SEEN", text: "The time since it happened last.") {
            .since($0["deprecatedLastTimestamp"]?.string ?? $0[path: "metadata", "creationTimestamp"]?.string)
        },
        Column("TYPE", text: "Normal or Warning.") { .text($0["type"]?.string ?? "") },
        Column("REASON", text: "What happened, in one word.") { .text($0["reason"]?.string ?? "") },
        Column("OBJECT", text: "The object that it happened to.") { event in
            let (kind, name) = (event[path: "regarding", "kind"]?.string, event[path: "regarding", "name"]?.string)
            return .text("\((kind ?? "").lowercased())/\(name ?? "")")
        },
        Column("MESSAGE", text: "What happened, in words.") { .text($0["note"]?.string ?? "") },
    ]

    static let selectableFields = [
        "regarding.kind", "regarding.namespace", "regarding.name", "regarding.uid", "reason", "reportingController",
        "type",
    ]
}
