public import Manifests
public import Planner
public import Values

/// A named sink of the configuration, as far as decisions depend on it.
public struct SinkRule: Sendable, Equatable {
    public var name: String
    /// What kind of place it is, in the words of the configuration.
    public var kind: String
    /// A start waits until its events have reached the sink.
    public var isRequired: Bool
    public var filter: EventFilter

    public init(name: String, kind: String = "", isRequired: Bool = false, filter: EventFilter = EventFilter()) {
        self.name = name
        self.kind = kind
        self.isRequired = isRequired
        self.filter = filter
    }
}

/// Which events a sink wants; all that is empty takes everything.
public struct EventFilter: Sendable, Equatable {
    /// `agent.created`, `agent.*`, `*.deleted`, `*`.
    public var types: [String]
    public var namespaces: Set<String>
    /// Of the labels that the object had when the event was made.
    public var labels: SelectorTerms?

    public init(types: [String] = [], namespaces: Set<String> = [], labels: SelectorTerms? = nil) {
        self.types = types
        self.namespaces = namespaces
        self.labels = labels
    }

    /// - Parameter label: the value of a label of the event's object.
    public func wants(type: String, namespace: String, label: (String) -> String?) -> Bool {
        (types.isEmpty || types.contains { Self.matches(type, $0) })
            && (namespaces.isEmpty || namespaces.contains(namespace)) && (labels?.match(label) ?? true)
    }

    private static func matches(_ type: String, _ pattern: String) -> Bool {
        if pattern == "*" { return true }
        let (words, wanted) = (type.split(separator: "."), pattern.split(separator: "."))
        return words.count == wanted.count && zip(words, wanted).allSatisfy { $1 == "*" || $0 == $1 }
    }
}

/// How far a named sink has got in the journal; stored.
public struct SinkCursor: Sendable, Equatable {
    public var name: String
    /// What is before it in the journal has reached the sink, is not wanted by it, or is of a parked object.
    public var offset: Int64
    /// The highest position of an event before the offset.
    public var position: Int64
    /// Why the sink wants nothing more; nil: it does.
    public var gone: String?
    /// Objects with an event that the sink has not taken: their later events wait for it.
    public var parked: [UID: ParkedObject] = [:]

    public init(name: String, offset: Int64, position: Int64, gone: String? = nil) {
        self.name = name
        self.offset = offset
        self.position = position
        self.gone = gone
    }

    /// The first offset that is still needed.
    public var leastOffset: Int64 { parked.values.reduce(offset) { min($0, $1.offset) } }
    public var deadLetters: Int { parked.values.count { $0.phase == .deadLettered } }
    /// No further object can be parked: the sink waits for a person.
    public var isFull: Bool { parked.count >= Limits.parkedObjectsMax }

    mutating func anchor(_ now: Moment) {
        for (uid, object) in parked {
            if case .retrying(let at) = object.phase { parked[uid]?.phase = .retrying(at: at.anchored(now)) }
        }
    }

    /// All events of an object before an offset have reached the sink.
    func hasTaken(_ uid: UID, before offset: Int64) -> Bool {
        self.offset >= offset && parked[uid].map { $0.offset >= offset } ?? true
    }
}

/// Where the delivery of one object's events to one sink has stopped.
public struct ParkedObject: Sendable, Equatable {
    /// What becomes of a parked object.
    public enum Phase: Sendable, Equatable {
        /// The event comes again then.
        case retrying(at: Deadline)
        /// The event waits for a person.
        case deadLettered
        /// What has waited is delivered, up to where the cursor is.
        case following
    }

    /// Of the event in the journal.
    public var offset: Int64
    public var position: Int64
    /// Events of lower numbers have reached the sink, or were given up.
    public var sequence: Int64
    public var type: String
    /// When it was made; of an event that the store has no longer, when the oldest was that it has.
    public var atMs: Int64
    /// How often the sink has not taken it.
    public var attempts: Int
    /// Why it was not taken last.
    public var reason: String
    public var phase: Phase

    public init(
        offset: Int64, position: Int64, sequence: Int64, type: String, atMs: Int64, attempts: Int, reason: String,
        phase: Phase
    ) {
        self.offset = offset
        self.position = position
        self.sequence = sequence
        self.type = type
        self.atMs = atMs
        self.attempts = attempts
        self.reason = reason
        self.phase = phase
    }

    /// When it is to be tried, in milliseconds since boot; nil: not before somebody says so.
    var dueBootMs: Int64? {
        switch phase {
        case .retrying(let at): at.bootMs
        case .deadLettered: nil
        case .following: 0
        }
    }

    func isDue(_ now: Moment) -> Bool {
        switch phase {
        case .retrying(let at): at.isDue(now)
        case .deadLettered: false
        case .following: true
        }
    }
}

/// A change of what is stored of a sink.
public enum SinkWrite: Sendable, Equatable {
    /// Without its parked objects, which have writes of their own.
    case cursor(SinkCursor)
    case parked(sink: String, UID, ParkedObject)
    case released(sink: String, UID)
    /// With all that is parked.
    case removed(String)
}

/// What becomes of an event that a sink has not taken.
public enum ParkedResolution: String, Sendable, CaseIterable {
    /// It is tried again, and what waits behind it follows.
    case replay
    /// It is given up, and what waits behind it follows.
    case skip
    /// It and all that waits behind it are given up.
    case drop
}
