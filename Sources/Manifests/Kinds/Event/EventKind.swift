import Values

/// What happened to an object, as `kubectl get events` and `describe` show it. The daemon tells its own events in this form;
/// clients may add theirs.
enum EventKind {
    static let definition = KindDescription(
        "Event", resource: "events", shortNames: ["ev"], text: "What happened to an object.", nameRule: .subdomain,
        fields: fields,
        columns: [
            Column("LAST SEEN", text: "The time since it happened last.") { .since(lastSeen($0)) },
            Column("TYPE", text: "Normal or Warning.") { .text($0["type"]?.string ?? "") },
            Column("REASON", text: "What happened, in one word.") { .text($0["reason"]?.string ?? "") },
            Column("OBJECT", text: "The object that it happened to.") { .text(object($0)) },
            Column("SUBOBJECT", text: "The part of the object.", isWide: true) {
                .text($0[path: "involvedObject", "fieldPath"]?.string ?? "")
            },
            Column("SOURCE", text: "Who tells it.", isWide: true) {
                .text($0[path: "source", "component"]?.string ?? $0["reportingComponent"]?.string ?? "")
            },
            Column("MESSAGE", text: "What happened, in words.") { .text($0["message"]?.string ?? "") },
            Column("FIRST SEEN", text: "The time since it happened first.", isWide: true) {
                .since($0["firstTimestamp"]?.string ?? lastSeen($0))
            },
            Column("COUNT", text: "How often it happened.", type: .integer, isWide: true) {
                .number($0["count"]?.int ?? $0[path: "series", "count"]?.int ?? 1)
            },
            Column("NAME", text: "The name of the event.", isWide: true) {
                .text($0[path: "metadata", "name"]?.string ?? "")
            },
        ],
        selectableFields: [
            "involvedObject.kind", "involvedObject.namespace", "involvedObject.name", "involvedObject.uid",
            "involvedObject.apiVersion", "involvedObject.resourceVersion", "involvedObject.fieldPath", "reason",
            "reportingComponent", "type",
        ])

    private static let text = Shape.string(.any)
    private static let count = Shape.integer(0...Int64(Int32.max))

    private static let reference: [Field] = [
        Field("apiVersion", text, text: "The version of its kind."), Field("kind", text, text: "Its kind."),
        Field("namespace", text, text: "Its namespace."), Field("name", text, text: "Its name."),
        Field("uid", text, text: "Its identity."), Field("resourceVersion", text, text: "Its version."),
        Field("fieldPath", text, text: "The part of it."),
    ]

    private static let fields = [
        Field("involvedObject", .object(reference), required: true, text: "The object that it happened to."),
        Field("reason", text, text: "What happened, in one word."),
        Field("message", text, text: "What happened, in words."),
        Field(
            "source",
            .object([
                Field("component", text, text: "The program that tells it."),
                Field("host", text, text: "The machine where it happened."),
            ]), text: "Who tells it."),
        Field("firstTimestamp", text, text: "When it happened first."),
        Field("lastTimestamp", text, text: "When it happened last."),
        Field("count", count, text: "How often it happened."),
        Field("type", text, text: "Normal or Warning."),
        Field("eventTime", text, text: "When it was noticed first."),
        Field(
            "series",
            .object([
                Field("count", count, text: "How often it has happened so far."),
                Field("lastObservedTime", text, text: "When it happened last."),
            ]), text: "What is known of its repeats."),
        Field("action", text, text: "What was done, or failed."),
        Field("related", .object(reference), text: "Another object that has to do with it."),
        Field("reportingComponent", text, text: "The controller that tells it."),
        Field("reportingInstance", text, text: "Which instance of the controller."),
    ]

    private static func lastSeen(_ event: Node) -> String? {
        [
            event["lastTimestamp"], event[path: "series", "lastObservedTime"], event["firstTimestamp"],
            event["eventTime"], event[path: "metadata", "creationTimestamp"],
        ].compactMap { $0?.string }.first.map(wholeSeconds)
    }

    /// A time that says microseconds, as clients of Kubernetes write it, in seconds.
    private static func wholeSeconds(_ time: String) -> String { time.hasSuffix("Z") ? "\(time.prefix(19))Z" : time }

    private static func object(_ event: Node) -> String {
        let (kind, name) = (
            event[path: "involvedObject", "kind"]?.string, event[path: "involvedObject", "name"]?.string
        )
        return "\((kind ?? "").lowercased())/\(name ?? "")"
    }
}
