import Manifests
import Planner
import Values

/// What a field of an event holds.
public indirect enum EventForm: Sendable, Equatable {
    case text
    /// RFC 3339, in UTC.
    case time
    /// One of these.
    case words([String])
    /// A whole number from this one on.
    case number(from: Int64)
    case texts
    /// Texts by their names.
    case labels
    case map([EventField])
}

/// One field of an event, or of its data.
public struct EventField: Sendable, Equatable {
    public var name: String
    public var form: EventForm
    public var isRequired: Bool
    /// What it means.
    public var text: String

    init(_ name: String, _ form: EventForm, required: Bool = false, _ text: String) {
        self.name = name
        self.form = form
        isRequired = required
        self.text = text
    }
}

/// One version of what is told with one type of events. Schemas, documents and checks are made of these.
///
/// A version that was released is never edited: a change is a further version, which readers of the one before can read
/// (`SchemaCompatibility`), and the old one stays in `former`.
public struct EventDescription: Sendable {
    public let type: EventType
    /// From 1 on; an event says it as `schema_version`.
    public let version: Int
    public let data: [EventField]

    /// Descriptions that others have superseded, the oldest first.
    static let former: [EventDescription] = []
    public static let current: [EventDescription] = EventType.allCases.map { type in
        EventDescription(type: type, version: version(of: type), data: data(of: type))
    }
    /// All versions of all types; of each type, the oldest first.
    public static let all = former + current

    static func version(of type: EventType) -> Int { 1 }

    static func described(_ type: String, _ version: Int) -> EventDescription? { byName["\(type) \(version)"] }

    private static let byName = Dictionary(
        all.map { ("\($0.type.text) \($0.version)", $0) }, uniquingKeysWith: { first, _ in first })

    // MARK: What all events have

    static let envelope: [EventField] = [
        EventField("event_id", .text, required: true, "the uid of the object and the number of the event"),
        EventField("event_type", .text, required: true, "what has happened"),
        EventField("schema_version", .number(from: 1), required: true, "the version of this description"),
        EventField("occurred_at", .time, required: true, "when it was committed"),
        EventField("trace_id", .text, required: true, "what the change is part of, as W3C Trace Context writes it"),
        EventField("tenant_id", .text, required: true, "the namespace; empty for objects of none"),
        EventField("agent_id", .text, "the uid of the agent"),
        EventField("object", .map(object), required: true, "what it is about"),
        EventField("sequence", .number(from: 1), required: true, "counts the events of the object, without a gap"),
        EventField("position", .number(from: 1), required: true, "counts all events, in the order of their commits"),
        EventField("generation", .number(from: 0), required: true, "of the object"),
        EventField("revision", .number(from: 0), "of the agent"),
        EventField("run_id", .text, "the run that it is about"),
    ]

    private static let object: [EventField] = [
        EventField("kind", .text, required: true, "its kind"),
        EventField("namespace", .text, required: true, "its namespace; empty where it has none"),
        EventField("name", .text, required: true, "its name"),
        EventField("uid", .text, required: true, "told apart from others of its name by this"),
        EventField("labels", .labels, "its labels at that time"),
    ]

    // MARK: What each of them has

    private static func data(of type: EventType) -> [EventField] {
        switch type {
        case .created: [EventField("manager", .text, required: true, "the field manager that has declared it")]
        case .updated:
            [
                EventField("manager", .text, "the field manager that has changed it"),
                EventField("restarts", .texts, "changed fields for which replicas restart"),
                EventField("deletionTimestamp", .time, "when its deletion was asked for"),
            ]
        case .deleted: []
        case .run: run
        case .consumerExpired: [text("consumer", "its name"), number("position", "that it had acknowledged")]
        case .sinkExpired: [text("sink", "its name"), number("position", "that it had got up to")]
        case .sinkGone: [text("sink", "its name"), text("message", "what it has said")]
        case .sourceSynced:
            [
                text("sourceRevision", "that was applied"), number("declared", "objects that it declares"),
                number("applied", "objects that were changed"), number("pruned", "objects that are deleted"),
                number("drifted", "objects that somebody else had changed"),
                number("failed", "objects that could not be applied"),
            ]
        case .sourceFailed:
            [
                text("sourceRevision", "that was to be applied"), number("failed", "objects that could not be applied"),
                EventField("errors", .texts, required: true, "why, in words; some of many"),
            ]
        case .objectPruned: [text("source", "that no longer declares it, as namespace/name")]
        case .objectiveBurning, .objectiveSpent, .objectiveRecovered: objective
        case .objectDrifted:
            [
                text("source", "that declares it, as namespace/name"), text("file", "where it is declared"),
                EventField(
                    "policy", .words(SourceSpec.Drift.allCases.map(\.rawValue)), required: true,
                    "what the Source does about it"),
            ]
        }
    }

    private static let objective: [EventField] = [
        EventField(
            "indicator", .words(ObjectiveSpec.Indicator.allCases.map(\.rawValue)), required: true, "what is measured"),
        text("objective", "what is promised, in words"), text("window", "the time that is looked at"),
        EventField(
            "phase", .words(ObjectivePhase.allCases.map(\.rawValue)), required: true, "where the Objective stands now"),
        number("goodEvents", "in the window"), number("badEvents", "in the window"),
        EventField("attained", .text, "the share that was good, in percent"),
        text("budgetRemaining", "what is left of the events that may go wrong, in percent"),
    ]

    private static let run: [EventField] = [
        number("ordinal", "of the replica"), number("revision", "of the agent, that the run has"),
        text("reason", "why, in one word"), EventField("exitCode", .number(from: 0), "with which it has ended"),
        EventField("signal", .text, "that has ended it"), EventField("message", .text, "why, in words"),
        EventField("retryInMs", .number(from: 0), "milliseconds to the next attempt"),
        EventField("failures", .number(from: 1), "in a row"),
        EventField("childOOMKills", .number(from: 1), "children of it that the kernel has killed for want of memory"),
    ]

    private static func text(_ name: String, _ text: String) -> EventField {
        EventField(name, .text, required: true, text)
    }

    private static func number(_ name: String, _ text: String) -> EventField {
        EventField(name, .number(from: 0), required: true, text)
    }
}
