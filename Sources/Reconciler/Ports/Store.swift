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

    /// The latest events of one object as JSON, newest first.
    func events(of uid: UID, limit: Int) throws(StoreFailure) -> [String]
    /// Outbox rows as the API shows them, newest first; of one position, or of those that delivery is stuck at.
    func outbox(position: Int64?, stuckOnly: Bool, limit: Int) throws(StoreFailure) -> [Node]
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
