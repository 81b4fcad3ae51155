import Manifests
public import Planner
public import Values

/// All that one step writes, in one transaction.
public struct ChangeSet: Sendable {
    public struct ObjectWrite: Sendable {
        public var object: StoredObject
        /// Only resourceVersion and status changed; the declared content did not.
        public var statusOnly: Bool
    }

    public struct ReplicaWrite: Sendable {
        public var uid: UID
        public var replica: Replica
        /// The phase that the replica's current run ended or is in, for its history row.
        public var run: Run?
    }

    public var resourceVersion: Int64 = 0
    /// Position of the last event; outlives the rows of the outbox.
    public var position: Int64 = 0
    public var objects: [ObjectWrite] = []
    public var removed: [(key: ObjectKey, uid: UID)] = []
    public var replicas: [ReplicaWrite] = []
    /// Revisions that have begun, or were given another cause; older ones than the store keeps go.
    public var revisions: [Revision] = []
    public var events: [EventRecord] = []
    public var audit: [AuditRecord] = []
    public var deliveries: [DeliveryWrite] = []
    public var consumers: [ConsumerWrite] = []
    public var sinks: [SinkWrite] = []
    public var answers: [KeptAnswer] = []
    /// What was measured and is not written yet.
    public var measurements: [Measurements.Write] = []
    /// Objects whose homes and run directories are to be removed, and those where that is done.
    public var tombstones: [UID] = []
    public var tombstonesCleared: [UID] = []
    /// All that lives is explained by what is committed: nothing waits for a restore any more.
    public var endsRestore = false

    public init() {}

    public var isEmpty: Bool {
        objects.isEmpty && removed.isEmpty && replicas.isEmpty && revisions.isEmpty && events.isEmpty && audit.isEmpty
            && deliveries.isEmpty && consumers.isEmpty && sinks.isEmpty && answers.isEmpty && measurements.isEmpty
            && tombstones.isEmpty && tombstonesCleared.isEmpty && !endsRestore
    }
}

/// One event, as it is stored and delivered.
public struct EventRecord: Sendable, Equatable {
    public var position: Int64
    public var uid: UID
    public var sequence: Int64
    public var type: String
    public var namespace: String
    public var atMs: Int64
    /// The envelope of `manifest.md` as JSON, without a line end.
    public var payload: String

    public init(
        position: Int64, uid: UID, sequence: Int64, type: String, namespace: String, atMs: Int64, payload: String
    ) {
        self.position = position
        self.uid = uid
        self.sequence = sequence
        self.type = type
        self.namespace = namespace
        self.atMs = atMs
        self.payload = payload
    }
}

extension EventRecord {
    /// The trace that the event is part of, as its payload says; nil for a payload that is not ours.
    public var traceID: String? {
        // It stands before all that people have written, where the search ends.
        let name = #""trace_id":""#.utf8
        var rest = payload.utf8[...]
        while let quote = rest.firstIndex(of: UInt8(ascii: "\"")) {
            rest = rest[quote...]
            if rest.starts(with: name) { return String(rest.dropFirst(name.count).prefix(Self.traceDigits)) }
            if rest.starts(with: #""object":"#.utf8) { return nil }
            rest = rest.dropFirst()
        }
        return nil
    }

    private static let traceDigits = 32
}

/// Who did what to which object, kept beside the event.
public struct AuditRecord: Sendable, Equatable {
    public var atMs: Int64
    public var principal: Principal
    public var verb: String
    /// Nil: the object is gone, and with it its name.
    public var key: ObjectKey?
    public var uid: UID?
    /// `file:line` of the manifest, where one was sent.
    public var source: String
    public var detail: String
    /// The event of the same change; nil for commands that make none.
    public var position: Int64?
}

/// A change of an outbox row's delivery state.
public enum DeliveryWrite: Sendable, Equatable {
    case published(position: Int64, atMs: Int64)
    case retrying(position: Int64, attempts: Int, at: Deadline, message: String)
    case deadLettered(position: Int64, attempts: Int, message: String)
    case replayed(position: Int64)
    case skipped(position: Int64)
    /// All published rows up to this position.
    case acknowledged(upTo: Int64)
}

/// A durable reader of the event journal.
public struct Consumer: Sendable, Equatable {
    public var name: String
    public var position: Int64
    /// Where the reader stands in the journal, in its own count.
    public var journalOffset: Int64
    public var isExpired: Bool

    public init(name: String, position: Int64, journalOffset: Int64, isExpired: Bool = false) {
        self.name = name
        self.position = position
        self.journalOffset = journalOffset
        self.isExpired = isExpired
    }
}

public enum ConsumerWrite: Sendable, Equatable {
    case upsert(Consumer)
    case removed(String)
}
