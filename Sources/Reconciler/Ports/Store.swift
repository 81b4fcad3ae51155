public import Planner
public import Values

/// The durable home of all control state. Called from one thread at a time.
public protocol Store: Sendable {
    func load() throws(StoreFailure) -> EngineState
    /// Guarantee: all of the set is durable when this returns, or nothing of it.
    func commit(_ changes: ChangeSet) throws(StoreFailure)
    /// Events that are not published, in order of position, without those of the excluded objects.
    func unpublished(limit: Int, excluding: [UID]) throws(StoreFailure) -> [EventRecord]
    /// Removes what is older or more than `Limits` allows.
    func trim(nowMs: Int64) throws(StoreFailure)

    /// The latest events of one object, newest first.
    func events(of uid: UID, limit: Int) throws(StoreFailure) -> [EventRecord]
    /// The event of an object with this sequence; nil: it is not kept.
    func event(of uid: UID, sequence: Int64) throws(StoreFailure) -> EventRecord?
    /// Records of the outbox, newest first; of one position, or of those that delivery is stuck at.
    func outbox(position: Int64?, stuckOnly: Bool, limit: Int) throws(StoreFailure) -> [OutboxRecord]
    /// What the audit tells of all that had this name, newest first, up to a time. May be called from any thread.
    func history(of key: ObjectKey, untilMs: Int64, limit: Int) throws(StoreFailure) -> [HistoryEntry]
    /// What is kept of the revisions of objects, in their order, newest first of each. May be called from any thread.
    func revisions(of uids: [UID]) throws(StoreFailure) -> [Revision]
    /// Compares all that is stored with what was written. May be called from any thread.
    func scrub() throws(StoreFailure)
    /// Seals Secrets with the first of these keys that an older one has sealed, at most so many; returns how many are left.
    func reseal(with keys: SecretKeys, limit: Int) throws(StoreFailure) -> Int
    /// Puts all into the one file; nothing is written afterwards.
    func finish()
    /// Copies the store to a new file, consistent at one moment, while it is in use. May be called from any thread.
    func backup(to path: String) throws(StoreFailure)
}

/// What went wrong with the store, as far as the caller acts on it.
public enum StoreFailure: Error, Sendable {
    /// Nothing was written; the same may succeed later (disk full, busy).
    case retry(String)
    /// The store cannot be trusted or reached any more; the daemon ends, agents run on.
    case fatal(String)

    public var words: String {
        switch self {
        case .retry(let words), .fatal(let words): words
        }
    }
}

/// Where the delivery of an event stands.
public enum OutboxState: String, Sendable, CaseIterable {
    case outboxWritten = "OutboxWritten"
    case retrying = "Retrying"
    case published = "Published"
    case acknowledged = "Acknowledged"
    case deadLettered = "DeadLettered"
    case skipped = "Skipped"
}

/// An event with the state of its delivery.
public struct OutboxRecord: Sendable, Equatable {
    public var event: EventRecord
    public var state: OutboxState
    /// How often the sink has refused it.
    public var attempts: Int
    /// Why it was refused last.
    public var error: String?

    public init(event: EventRecord, state: OutboxState, attempts: Int, error: String?) {
        self.event = event
        self.state = state
        self.attempts = attempts
        self.error = error
    }
}
