public import Manifests
public import Values

/// How a run ended.
public struct Exit: Sendable, Equatable {
    public enum Reason: String, Sendable, CaseIterable {
        case completed = "Completed"
        case error = "Error"
        case oomKilled = "OOMKilled"
        /// The instance could not be made: the message names the step.
        case startError = "StartError"
        case startTimeout = "StartTimeout"
        /// The message says how to get the image.
        case imageNotFound = "ImageNotFound"
        /// Ended because a probe failed; the message says which.
        case unhealthy = "Unhealthy"
        /// Nobody could read how it ended.
        case unknown = "Unknown"
        case machineRestarted = "MachineRestarted"
    }

    public var code: Int?
    public var signal: Int?
    public var reason: Reason
    public var message: String
    public var atMs: Int64
    /// How many children of the run's main process the kernel has killed for want of memory.
    public var childOOMKills: Int

    public init(
        code: Int? = nil, signal: Int? = nil, reason: Reason, message: String = "", atMs: Int64, childOOMKills: Int = 0
    ) {
        self.code = code
        self.signal = signal
        self.reason = reason
        self.message = message
        self.atMs = atMs
        self.childOOMKills = childOOMKills
    }

    public var succeeded: Bool { reason == .completed }
}

/// What a driver reports about one run.
public enum Instance: Sendable, Equatable {
    /// Claimed by a supervisor, its process not known yet.
    case starting
    /// `isFrozen`: it holds its memory and gets no time.
    case running(pid: Int32, startedAtMs: Int64, facts: InstanceFacts = InstanceFacts(), isFrozen: Bool = false)
    /// Its main process has ended; what is left of its tree was asked to end too and has the rest of its grace period.
    case ending(Exit)
    /// Ended; nothing of it runs any more.
    case exited(Exit)
    /// We hold its claim: it never ran and never will.
    case absent

    var childOOMKills: Int {
        switch self {
        case .running(_, _, let facts, _): facts.childOOMKills
        case .ending(let exit), .exited(let exit): exit.childOOMKills
        case .starting, .absent: 0
        }
    }
}

/// What a driver made of a run: fixed when its instance is first seen, but for what is counted.
public struct InstanceFacts: Sendable, Equatable {
    /// Digest of the image that it runs.
    public var image: String?
    /// Its own address in the network, where it has one.
    public var address: String?
    /// How many children of its main process the kernel has killed for want of memory.
    public var childOOMKills: Int

    public init(image: String? = nil, address: String? = nil, childOOMKills: Int = 0) {
        self.image = image
        self.address = address
        self.childOOMKills = childOOMKills
    }
}

/// What the probes of a run say, thresholds applied.
public struct ProbeState: Sendable, Equatable {
    /// The startup probe has succeeded, or there is none.
    public var hasStarted: Bool
    /// What the readiness probe says; nil before its first verdict and without one.
    public var isReady: Bool?
    /// Why the run must end: the liveness or startup probe failed for good.
    public var failure: String?
    /// Why it is not ready, in words.
    public var message: String

    public init(hasStarted: Bool = false, isReady: Bool? = nil, failure: String? = nil, message: String = "") {
        self.hasStarted = hasStarted
        self.isReady = isReady
        self.failure = failure
        self.message = message
    }
}

/// A spec with the nodes it was read from; shared by an agent and its runs.
public final class EffectiveSpec: Sendable, Equatable {
    public let node: Node
    public let spec: AgentSpec

    public init(_ node: Node) {
        self.node = node
        spec = AgentSpec(node)
    }

    public static func == (a: EffectiveSpec, b: EffectiveSpec) -> Bool { a === b || a.node == b.node }
}

/// One attempt to run one replica, as committed before anything was done.
public struct Run: Sendable, Equatable {
    public var id: RunID
    public var revision: Int
    public var effective: EffectiveSpec
    /// Resource versions of the Secrets and ConfigMaps the environment was made from, `Kind/name` to version.
    public var inputs: [String: Int64] = [:]
    public var createdAtMs: Int64
    public var startBy: Deadline
    public var pid: Int32?
    public var startedAtMs: Int64?
    public var facts = InstanceFacts()
    /// It was suspended and keeps its memory: its instance is frozen, or is to be.
    public var isFrozen = false
    /// One of many attempts of a crash loop, of which no event speaks.
    public var isUntold = false
    /// Until then the startup probe must have succeeded; fixed when the instance is first seen.
    public var startupBy: Deadline?
    public var readyAt: Moment?
    /// The sequence that must be published before Ready; fixed when the instance is first seen.
    public var gate: Int64?

    public init(id: RunID, revision: Int, effective: EffectiveSpec, createdAtMs: Int64, startBy: Deadline) {
        self.id = id
        self.revision = revision
        self.effective = effective
        self.createdAtMs = createdAtMs
        self.startBy = startBy
    }

    public var spec: AgentSpec { effective.spec }
}

public enum StopReason: String, Sendable, CaseIterable {
    case deleted = "Deleted"
    case scaledDown = "ScaledDown"
    case suspended = "Suspended"
    case replaced = "Replaced"
    /// A probe says that it does not do its work any more; another run follows.
    case unhealthy = "Unhealthy"
}

/// The control state of one replica.
public enum Phase: Sendable, Equatable {
    case created
    case scheduled
    case starting(Run, seen: Bool)
    case ready(Run)
    /// The run ended; `removed` once what was left of it is gone. Stays here when nothing follows.
    case failed(Run, removed: Bool)
    case backingOff(until: Deadline, revision: Int)
    case stopping(Run, StopReason, killAt: Deadline)
    case stopped(StopReason)
    /// Finished work; `removed` once what was left of the run is gone.
    case completed(Run, removed: Bool)

    public var name: AgentPhase {
        switch self {
        case .created: .created
        case .scheduled: .scheduled
        case .starting: .starting
        case .ready: .ready
        case .failed: .failed
        case .backingOff: .backingOff
        case .stopping: .stopping
        case .stopped: .stopped
        case .completed: .completed
        }
    }

    public var run: Run? {
        switch self {
        case .starting(let run, _), .ready(let run), .failed(let run, _), .stopping(let run, _, _),
            .completed(let run, _):
            run
        case .created, .scheduled, .backingOff, .stopped: nil
        }
    }

    /// The same phase with what is known of its run now; one without a run stays as it is.
    public func replacing(_ run: Run) -> Phase {
        switch self {
        case .starting(_, let seen): .starting(run, seen: seen)
        case .ready: .ready(run)
        case .failed(_, let removed): .failed(run, removed: removed)
        case .stopping(_, let reason, let killAt): .stopping(run, reason, killAt: killAt)
        case .completed(_, let removed): .completed(run, removed: removed)
        case .created, .scheduled, .backingOff, .stopped: self
        }
    }

    /// The same phase with its deadlines in terms of this boot.
    public func anchored(_ now: Moment) -> Phase {
        switch self {
        case .starting(var run, let seen):
            run.startBy = run.startBy.anchored(now)
            run.startupBy = run.startupBy?.anchored(now)
            return .starting(run, seen: seen)
        case .backingOff(let until, let revision): return .backingOff(until: until.anchored(now), revision: revision)
        case .stopping(let run, let reason, let killAt): return .stopping(run, reason, killAt: killAt.anchored(now))
        case .created, .scheduled, .ready, .failed, .stopped, .completed: return self
        }
    }

    /// Its instance was seen, and nobody has asked it to stop.
    var isUp: Bool {
        switch self {
        case .starting(_, let seen): seen
        case .ready: true
        case .created, .scheduled, .failed, .backingOff, .stopping, .stopped, .completed: false
        }
    }

    /// Its last run failed; another may follow.
    var isDown: Bool {
        switch self {
        case .failed, .backingOff: true
        case .created, .scheduled, .starting, .ready, .stopping, .stopped, .completed: false
        }
    }

    /// Something of the replica may exist on the machine.
    public var isLive: Bool {
        switch self {
        case .starting, .ready, .stopping: true
        case .failed(_, let removed), .completed(_, let removed): !removed
        case .created, .scheduled, .backingOff, .stopped: false
        }
    }
}

/// One ordinal of an agent.
public struct Replica: Sendable, Equatable {
    public var ordinal: Int
    /// Counts runs; never goes back while the object exists.
    public var attempt = 0
    public var restarts = 0
    public var backoffStep = 0
    public var phase = Phase.created
    public var lastExit: Exit?

    public init(ordinal: Int) { self.ordinal = ordinal }

    /// It has failed again and again.
    var isInCrashLoop: Bool { backoffStep >= Limits.crashLoopFailures }
}
