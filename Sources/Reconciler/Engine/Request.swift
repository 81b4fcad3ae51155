import Manifests
public import Planner
import Values

/// A change that somebody asks for.
public struct Request: Sendable {
    /// What is asked for.
    public enum Verb: Sendable {
        case write(Write)
        case delete(Deletion)
        case batch(Batch)
        case replay(position: Int64)
        case skip(position: Int64)
        /// Registers the consumer when it is new.
        case acknowledge(consumer: String, position: Int64, journalOffset: Int64)
        case removeConsumer(String)
        /// What becomes of one event that a named sink has not taken, or of all of them.
        case resolve(ParkedResolution, sink: String, position: Int64?)
        /// Forgets how far a sink had got that is configured no more.
        case forgetSink(String)
        /// Allows a command beside a running replica.
        case execute(ObjectKey, ordinal: Int, command: [String])
        /// Allows connections to ports of a running replica.
        case forward(ObjectKey, ordinal: Int, ports: [UInt16])

        /// A deletion without conditions.
        public static func delete(_ key: ObjectKey, graceMs: Int64?) -> Verb {
            .delete(Deletion(key: key, graceMs: graceMs))
        }
    }

    /// The deletion of one object.
    public struct Deletion: Sendable {
        public var key: ObjectKey
        /// Overrides the grace period of the spec.
        public var graceMs: Int64?
        /// Only told whether it would be done.
        public var dryRun: Bool
        /// The deletion is refused for any other object of this name, or any other version of it.
        public var preconditions: Preconditions
        public var propagation: Propagation

        public init(
            key: ObjectKey, graceMs: Int64? = nil, dryRun: Bool = false, preconditions: Preconditions = Preconditions(),
            propagation: Propagation = .background
        ) {
            self.key = key
            self.graceMs = graceMs
            self.dryRun = dryRun
            self.preconditions = preconditions
            self.propagation = propagation
        }
    }

    /// What becomes of the objects that name a deleted one as their owner.
    public enum Propagation: String, Sendable, CaseIterable {
        /// They are deleted after it.
        case background = "Background"
        /// They are deleted before it.
        case foreground = "Foreground"
        /// They stay, without this owner.
        case orphan = "Orphan"
    }

    /// The object that a request is meant for; it is refused for any other, and for any other version of it.
    public struct Preconditions: Sendable, Equatable {
        public var uid: String?
        public var resourceVersion: String?

        public init(uid: String? = nil, resourceVersion: String? = nil) {
            self.uid = uid
            self.resourceVersion = resourceVersion
        }
    }

    public var id: Int
    public var principal: Principal
    public var verb: Verb
    /// What the request is part of, as 32 hex digits.
    public var trace: String?
    /// It is carried out once, however often it comes.
    public var once: Once?

    /// What tells a request that comes again from another.
    public struct Once: Sendable, Equatable {
        public var key: String
        /// Of the request as a whole; the same key with another is refused.
        public var digest: String

        public init(key: String, digest: String) {
            self.key = key
            self.digest = digest
        }
    }

    public init(id: Int, principal: Principal, verb: Verb, trace: String? = nil, once: Once? = nil) {
        self.id = id
        self.principal = principal
        self.verb = verb
        self.trace = trace
        self.once = once
    }
}

/// The answer to a request; given only after the commit.
public enum Answer: Sendable {
    case applied(Applied)
    /// The object as it is left, or nil when it is gone.
    case deleted(StoredObject?)
    /// The command may run beside this run, or its ports be connected to.
    case execution(RunID, driver: String)
    case done
    /// What a batch has led to; when something of it was refused, nothing was done.
    case forecast(Forecast)
    /// The request was carried out before.
    case kept(KeptAnswer)
    case failure(Refusal)

    /// What a write has come to, or would come to.
    public struct Applied: Sendable {
        public var object: StoredObject
        public var result: ApplyResult
        /// Fields whose change restarts replicas.
        public var restarts: [String]
        /// What a start of the agent waits for; nil when nothing waits.
        public var waits: Waiting?
        /// What was passed over.
        public var warnings: [String] = []
    }
}

/// What a write did to its object.
public enum ApplyResult: String, Sendable { case created, configured, unchanged }
