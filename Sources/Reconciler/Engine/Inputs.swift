import Manifests
public import Planner
public import Values

/// What reaches the engine. Inputs carry keys and facts, never orders to the reconciler.
public enum Input: Sendable {
    case request(Request)
    /// What a driver sees. `complete`: all its instances; others are gone.
    case observed(driver: String, [RunID: Instance], complete: Bool)
    case finished(Operation, OperationResult)
    /// A verdict of a run's probes.
    case probed(RunID, ProbeState)
    /// A driver's runtime cannot be used, with the reason, or can be used again.
    case driverState(driver: String, problem: String?)
    case delivered([DeliveryVerdict])
    /// The sink cannot be reached; nothing of the batch is known to be stored.
    case sinkUnavailable(String)
    case homesRemoved(UID)
    /// What a Source declares; with the request of somebody who has asked to read it now.
    case sourceRead(UID, SourceSnapshot, Refresh?)
    /// The sink keeps events from this offset on.
    case retained(from: Int64)
}

/// Somebody asks that a Source is read and applied now.
public struct Refresh: Sendable, Equatable {
    public var number: Int
    public var actor: String
    /// All that it no longer declares is to be deleted, however much it is.
    public var force: Bool

    public init(number: Int, actor: String, force: Bool) {
        self.number = number
        self.actor = actor
        self.force = force
    }
}

public enum OperationResult: Sendable, Equatable {
    case done
    case failed(String)
}

public struct DeliveryVerdict: Sendable, Equatable {
    public var position: Int64
    public var uid: UID
    public var sequence: Int64
    /// Nil: confirmed as durable by the sink.
    public var refusal: String?

    public init(position: Int64, uid: UID, sequence: Int64, refusal: String? = nil) {
        self.position = position
        self.uid = uid
        self.sequence = sequence
        self.refusal = refusal
    }
}

/// A change that somebody asks for.
public struct Request: Sendable {
    public enum Verb: Sendable {
        case apply(Apply)
        case delete(Deletion)
        case replay(position: Int64)
        case skip(position: Int64)
        /// Registers the consumer when it is new.
        case acknowledge(consumer: String, position: Int64, journalOffset: Int64)
        case removeConsumer(String)
        /// Allows a command beside a running replica.
        case execute(ObjectKey, ordinal: Int, command: [String])

        public static func delete(_ key: ObjectKey, graceMs: Int64?) -> Verb {
            .delete(Deletion(key: key, graceMs: graceMs))
        }
    }

    public struct Deletion: Sendable {
        public var key: ObjectKey
        public var graceMs: Int64?
        public var dryRun: Bool
        /// The deletion is refused for any other object of this name, or any other version of it.
        public var uid: String?
        public var resourceVersion: String?

        public init(
            key: ObjectKey, graceMs: Int64? = nil, dryRun: Bool = false, uid: String? = nil,
            resourceVersion: String? = nil
        ) {
            self.key = key
            self.graceMs = graceMs
            self.dryRun = dryRun
            self.uid = uid
            self.resourceVersion = resourceVersion
        }
    }

    public struct Apply: Sendable {
        public var key: ObjectKey
        public var node: Node
        public var manager: String
        public var force: Bool
        public var dryRun: Bool
        /// `file:line`, for the audit.
        public var source: String
        /// Used when the object is new.
        public var freshUID: UID
        /// Set when a Source applies.
        public var origin: Origin?

        public init(
            key: ObjectKey, node: Node, manager: String, force: Bool, dryRun: Bool, source: String, freshUID: UID
        ) {
            self.key = key
            self.node = node
            self.manager = manager
            self.force = force
            self.dryRun = dryRun
            self.source = source
            self.freshUID = freshUID
        }
    }

    public var id: Int
    public var actor: String
    public var verb: Verb

    public init(id: Int, actor: String, verb: Verb) {
        self.id = id
        self.actor = actor
        self.verb = verb
    }
}

/// The answer to a request; given only after the commit.
public enum Answer: Sendable {
    case applied(Node, ApplyResult, restarts: [String])
    case deleted(Node?)
    /// The command may run beside this run.
    case execution(RunID, driver: String)
    case done
    case failure(Failure)
}

public enum ApplyResult: String, Sendable { case created, configured, unchanged }

/// Why a request was refused, in Kubernetes' terms.
public struct Failure: Error, Sendable, Equatable {
    public struct Cause: Sendable, Equatable {
        public var reason: String
        public var message: String
        public var field: String

        public init(reason: String, message: String, field: String) {
            self.reason = reason
            self.message = message
            self.field = field
        }
    }

    public var code: Int
    public var reason: String
    public var message: String
    public var key: ObjectKey?
    public var causes: [Cause]

    public init(code: Int, reason: String, message: String, key: ObjectKey? = nil, causes: [Cause] = []) {
        self.code = code
        self.reason = reason
        self.message = message
        self.key = key
        self.causes = causes
    }

    public static func notFound(_ key: ObjectKey) -> Failure {
        Failure(
            code: 404, reason: "NotFound", message: "\(key.kind.qualifiedResource) \"\(key.name)\" not found", key: key)
    }

    public static func invalid(_ key: ObjectKey, _ causes: [Cause]) -> Failure {
        let what = causes.map { $0.field.isEmpty ? $0.message : "\($0.field): \($0.message)" }.joined(separator: "; ")
        let name = key.kind.qualifiedSingular
        return Failure(
            code: 422, reason: "Invalid", message: "\(name) \"\(key.name)\" is invalid: \(what)", key: key,
            causes: causes)
    }

    public static func forbidden(_ key: ObjectKey, _ why: String) -> Failure {
        Failure(
            code: 403, reason: "Forbidden",
            message: "\(key.kind.qualifiedResource) \"\(key.name)\" is forbidden: \(why)", key: key)
    }

    public static let unavailable = Failure(
        code: 503, reason: "ServiceUnavailable",
        message: "the change could not be stored; nothing was changed; try again")
}

/// One change of the readable state.
public struct WatchEvent: Sendable {
    public enum Change: String, Sendable {
        case added = "ADDED"
        case modified = "MODIFIED"
        case deleted = "DELETED"
    }

    public var change: Change
    public var resourceVersion: Int64
    public var object: StoredObject
}

/// What a step leads to once it is committed.
public struct Step: Sendable {
    public var changes = ChangeSet()
    public var answers: [(id: Int, answer: Answer)] = []
    public var operations: [Operation] = []
    public var watch: [WatchEvent] = []
    /// Inputs to look at again when the commit fails.
    var inputs: [Input] = []
    var draft = Draft()
    /// Answers that show an object as it is at the end of the step, by their index.
    var rendered: [Int: ObjectKey] = [:]
    /// Runs that this step asks an operation for: a key may be planned more than once in a step.
    var asked: [RunID: Int] = [:]
    /// Sources whose objects were compared with what is declared.
    var synced: Set<UID> = []

    /// Refreshes of Sources whose result this step took.
    public var refreshes: [Int] {
        inputs.compactMap { if case .sourceRead(_, _, let refresh?) = $0 { refresh.number } else { nil } }
    }

    /// Objects whose delivery this step tells of, by uid.
    public var changedLedgers: Set<UID> { Set(draft.ledgers.keys) }

    /// The sink has answered for a batch.
    public var tellsDelivery: Bool {
        inputs.contains {
            switch $0 {
            case .delivered, .sinkUnavailable: true
            case .request, .observed, .finished, .driverState, .probed, .homesRemoved, .retained, .sourceRead: false
            }
        }
    }
}
