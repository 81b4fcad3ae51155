/// Where a replica stands, and an agent as a whole: the first phase that any of its replicas has.
///
/// The order is that of precedence: what needs attention stands before what works, and what works before what rests.
public enum AgentPhase: String, Sendable, CaseIterable, Comparable {
    case failed = "Failed"
    case backingOff = "BackingOff"
    case stopping = "Stopping"
    case starting = "Starting"
    case scheduled = "Scheduled"
    case created = "Created"
    case ready = "Ready"
    case completed = "Completed"
    case stopped = "Stopped"
    /// Of an agent only: `suspend` is set and nothing gets time any more.
    case suspended = "Suspended"

    private var order: Int {
        switch self {
        case .failed: 0
        case .backingOff: 1
        case .stopping: 2
        case .starting: 3
        case .scheduled: 4
        case .created: 5
        case .ready: 6
        case .completed: 7
        case .stopped: 8
        case .suspended: 9
        }
    }

    public static func < (a: AgentPhase, b: AgentPhase) -> Bool { a.order < b.order }
}
