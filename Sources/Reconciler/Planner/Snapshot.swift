public import Manifests
import Values

/// Everything that a decision about one agent depends on, beside `now`.
public struct Snapshot: Sendable {
    public struct Dependency: Sendable, Equatable {
        public var name: String
        public var condition: AgentSpec.Dependency.Condition
        public var met: Bool
        public var found: Bool
        /// It has failed and is not started again as it is.
        public var hasFailed: Bool

        public init(
            name: String, condition: AgentSpec.Dependency.Condition, met: Bool, found: Bool, hasFailed: Bool = false
        ) {
            self.name = name
            self.condition = condition
            self.met = met
            self.found = found
            self.hasFailed = hasFailed
        }
    }

    // What is desired.
    public var uid: UID
    public var effective: EffectiveSpec
    public var revision: Int
    public var isDeleting = false
    /// Overrides the spec's grace period when the deletion asked for another.
    public var deleteGraceMs: Int64?

    /// Foreign controllers that must let go before a deletion ends.
    public var finalizers: [String] = []

    /// Fields of the declared spec that wait because it is paused.
    public var heldBack: [String] = []

    // What is recorded.
    public var replicas: [Replica]
    public var lastSequence: Int64 = 0
    public var publishedSequence: Int64 = 0
    /// Runs whose events have not reached all sinks that starts wait for.
    public var sinkWaits: [RunID: SinkWait] = [:]

    // What is observed.
    /// The first full observation after the start of the daemon is there.
    public var isObserved = true
    /// After a restore: the drivers that have yet to tell what lives.
    public var unobserved: [String] = []
    /// Something of the agent lives that no committed run explains: nothing is started beside it.
    public var hasStray = false
    /// Why the driver cannot be used at the moment.
    public var driverProblem: String?
    public var instances: [RunID: Instance] = [:]
    public var operations: [RunID: OperationState] = [:]
    /// What the probes of runs have found; nothing before the first verdict.
    public var probes: [RunID: ProbeState] = [:]

    // What the rest of the machine allows.
    public var dependencies: [Dependency] = []
    /// A dependent that is stopping too still lives: this agent waits with its own stop.
    public var hasStoppingDependents = false
    /// A Secret or ConfigMap that is missing.
    public var missingInput: AgentSpec.Input?
    /// Versions of the Secrets and ConfigMaps that a new run starts with.
    public var inputVersions: [String: Int64] = [:]
    public var startSlots = Int.max
    public var freeCpuMilli = Int64.max
    public var freeMemoryBytes = Int64.max

    public init(uid: UID, effective: EffectiveSpec, revision: Int, replicas: [Replica]) {
        self.uid = uid
        self.effective = effective
        self.revision = revision
        self.replicas = replicas
    }

    public var spec: AgentSpec { effective.spec }
}

/// Why a start waits for a sink.
public enum SinkWait: Sendable, Equatable {
    case behind(sink: String)
    case deadLettered(sink: String, position: Int64)
    /// The sink has said that it wants nothing more.
    case gone(sink: String)

    public var reason: Condition.Reason {
        switch self {
        case .behind: .waitingForSink
        case .deadLettered: .deadLettered
        case .gone: .sinkSwitchedOff
        }
    }

    public var message: String {
        switch self {
        case .behind(let sink): "a start waits until the sink \"\(sink)\" has its events"
        case .deadLettered(let sink, let position):
            "a start waits: the sink \"\(sink)\" has refused the event at position \(position)"
        case .gone(let sink): "a start waits: the sink \"\(sink)\" has said that it wants no more events"
        }
    }
}

/// Why a replica that should run has not been started.
public enum Waiting: Sendable, Equatable {
    case dependency(Snapshot.Dependency)
    case input(AgentSpec.Input)
    case cpu(requestedMilli: Int64, freeMilli: Int64)
    case memory(requestedBytes: Int64, freeBytes: Int64)
    case slot
    case observation
    /// A backup was restored, and these drivers have yet to tell what lives.
    case restored([String])
    /// Something of the agent lives that no record explains, and is being ended.
    case stray
    case driver(String)
    /// With strategy Recreate, replicas of an earlier revision, which a pause keeps.
    case earlierRevision
    /// What the description of the kind refuses in the stored spec.
    case invalid(String)

    public var reason: Condition.Reason {
        switch self {
        case .dependency(let target):
            !target.found ? .dependencyNotFound : target.hasFailed ? .dependencyFailed : .dependencyNotReady
        case .input: .inputNotFound
        case .cpu, .memory: .insufficientResources
        case .slot: .waitingForStartSlot
        case .observation, .restored, .stray: .waitingForObservation
        case .driver: .driverUnavailable
        case .earlierRevision: .waitingForEarlierRevision
        case .invalid: .invalidSpec
        }
    }

    public var message: String {
        switch self {
        case .dependency(let target) where !target.found: "agent \"\(target.name)\" does not exist in this namespace"
        case .dependency(let target) where target.hasFailed:
            "agent \"\(target.name)\" has failed for good and is not \(target.condition.rawValue)"
        case .dependency(let target): "agent \"\(target.name)\" is not \(target.condition.rawValue) yet"
        case .input(let input): input.missing
        case .cpu(let requested, let free): "cpu: \(requested)m requested, \(max(0, free))m free"
        case .memory(let requested, let free):
            "memory: \(requested >> 20)Mi requested, \(max(0, free) >> 20)Mi free"
        case .slot: "other agents start first"
        case .observation: "the drivers are still being observed"
        case .restored(let drivers):
            "a backup was restored: nothing starts before it is known what lives with \(drivers.joined(separator: ", "))"
        case .stray: "an instance of it lives that no record explains, and must end first"
        case .driver(let what): what
        case .earlierRevision:
            "strategy Recreate: replicas of an earlier revision run, and must stop first; paused keeps them"
        case .invalid(let what): what
        }
    }
}

/// The decision about one agent: what to write, what to do, when to look again.
public struct Plan: Sendable {
    public var replicas: [Replica]
    public var transitions: [Transition] = []
    public var operations: [Operation] = []
    /// Look again after this many milliseconds at the latest.
    public var wakeInMs: Int64?
    public var waiting: Waiting?

    public var isEmpty: Bool { transitions.isEmpty && operations.isEmpty }
}
