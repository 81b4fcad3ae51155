import Manifests
public import Planner
public import Reconciler
public import Values

/// The daemon's own events in the form of Kubernetes' kind Event, for `kubectl get events` and `describe`.
public enum ToldEvent {
    /// The event of a record of the outbox: how often it was told, since when, and the version that shows it.
    public static func document(
        _ record: EventRecord, _ key: ObjectKey, _ uid: UID, count: Int, firstMs: Int64, version: Int64
    ) -> Node {
        let envelope = JSONReader.read(record.payload) ?? .emptyMap
        let (object, data) = (envelope["object"], envelope["data"] ?? .emptyMap)
        let kind = object?["kind"]?.string.flatMap(Kind.init)
        let first = Node.text(Timestamp.seconds(firstMs))
        let last = Node.text(Timestamp.seconds(record.atMs))
        return .map([
            ("apiVersion", "v1"), ("kind", "Event"),
            (
                "metadata",
                .map([
                    ("name", .text(key.name)), ("namespace", .text(key.namespace)), ("uid", .text(uid.text)),
                    ("resourceVersion", .text(String(version))), ("creationTimestamp", first),
                ])
            ),
            (
                "involvedObject",
                .map([
                    ("kind", object?["kind"]), ("apiVersion", (kind?.apiVersion).map { .text($0) }),
                    ("namespace", kind?.isNamespaced == true ? object?["namespace"] : nil),
                    ("name", object?["name"]), ("uid", object?["uid"]),
                ])
            ),
            ("reason", .text(reason(record.type, data))), ("message", .text(message(record.type, data))),
            ("source", .map([("component", "agentos-apply")])), ("firstTimestamp", first), ("lastTimestamp", last),
            ("count", .number(count)), ("type", warnings.contains(record.type) ? "Warning" : "Normal"),
            ("reportingComponent", "agentos-apply"), ("reportingInstance", ""),
        ])
    }

    private static let warningTypes: [EventType] = [
        .run(.failed), .run(.backingOff), .run(.lost), .run(.unready), .sourceFailed, .objectDrifted, .consumerExpired,
        .sinkExpired, .sinkGone, .objectiveBurning, .objectiveSpent,
    ]
    private static let warnings = Set(warningTypes.map(\.text))

    /// `run.backing_off` is BackingOff, `agent.created` is Created.
    private static func reason(_ type: String, _ data: Node) -> String {
        if data["deletionTimestamp"] != nil { return "DeletionRequested" }
        let word = type.split(separator: ".").last ?? ""
        return word.split(separator: "_").map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined()
    }

    private static func message(_ type: String, _ data: Node) -> String {
        if let ordinal = data["ordinal"]?.int { return "replica \(ordinal): \(transition(data))" }
        let words = (data.map?.entries ?? []).compactMap { entry -> String? in
            if let list = entry.value.list {
                return "\(entry.key): \(list.compactMap(\.string).joined(separator: ", "))"
            }
            return entry.value.scalarText.map { "\(entry.key): \($0)" }
        }
        return words.isEmpty ? type : words.joined(separator: ", ")
    }

    /// What happened to a replica.
    private static func transition(_ data: Node) -> String {
        var words = [data["reason"]?.string ?? ""]
        if let code = data["exitCode"]?.int { words.append("exit code \(code)") }
        if let signal = data["signal"]?.string { words.append(signal) }
        if let message = data["message"]?.string { words.append(message) }
        if let wait = data["retryInMs"]?.int { words.append("again in \(wait) ms") }
        return words.joined(separator: ", ")
    }
}
