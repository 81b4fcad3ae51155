/// Every transition has one name and one event type.
public enum TransitionName: String, Sendable, CaseIterable {
    case scheduled, starting, started, ready, unready, failed, completed, compensated, lost, stopping, stopped
    case backingOff = "backing_off"
    /// No change of state: the kernel has killed children of the run's main process.
    case childOOMKilled = "child_oom_killed"
}

/// A change of one replica's state, to be told.
public struct Transition: Sendable, Equatable {
    /// Why a replica has changed its state.
    public enum Reason: Sendable, Equatable {
        case admitted, start, restart, instanceSeen, started, frozen, unready, backOff, crashLoopBackOff, outOfMemory
        case ended(Exit.Reason)
        case asked(StopReason)

        public var text: String {
            switch self {
            case .admitted: "Admitted"
            case .start: "Start"
            case .restart: "Restart"
            case .instanceSeen: "InstanceSeen"
            case .started: "Started"
            case .frozen: "Frozen"
            case .unready: "Unready"
            case .backOff: "BackOff"
            case .crashLoopBackOff: "CrashLoopBackOff"
            case .outOfMemory: "OutOfMemory"
            case .ended(let reason): reason.rawValue
            case .asked(let reason): reason.rawValue
            }
        }
    }

    public var name: TransitionName
    public var ordinal: Int
    public var run: RunID?
    public var revision: Int
    public var reason: Reason
    public var exit: Exit?
    public var retryInMs: Int64?
    /// Failures in a row, where another attempt follows them.
    public var failures: Int?
    /// Children of the run's main process that the kernel has killed so far.
    public var childOOMKills: Int?
}
