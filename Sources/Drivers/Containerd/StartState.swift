package import Planner

/// How far one start has got, from its message to its answer.
///
/// Expected flow: `preparing` → `creating` → `launching`, or `cancelled` from one of the first two. A start that was given
/// up finds that out at its next step, because only `proceed` leads there.
package enum StartState: Sendable, Equatable {
    /// Image, network, root file system and container are being made.
    case preparing(cancelled: Bool)
    /// containerd is making the task: a process is there that does not run the agent's program yet.
    case creating(cancelled: Bool)
    /// containerd was told to run the program, which may end before the answer is here. It is killed like any other.
    case launching(ended: Bool)

    /// What may follow a step of the same name, too: most starts prepare in several steps.
    package enum Step { case preparing, creating, launching }
}

/// The starts that are under way in this life of the daemon.
package struct Starts {
    /// The start was given up meanwhile.
    package struct Cancelled: Error {}

    private var states: [RunID: StartState] = [:]

    package init() {}

    package func isUnderWay(_ run: RunID) -> Bool { states[run] != nil }

    /// False when one of the same run is under way already.
    package mutating func begin(_ run: RunID) -> Bool {
        guard states[run] == nil else { return false }
        states[run] = .preparing(cancelled: false)
        return true
    }

    /// Goes on with the next step. Assumes: it has begun.
    package mutating func proceed(_ run: RunID, to step: StartState.Step) throws(Cancelled) {
        switch states[run] {
        case .preparing(cancelled: true), .creating(cancelled: true), nil: throw Cancelled()
        case .preparing(cancelled: false), .creating(cancelled: false), .launching: break
        }
        states[run] =
            switch step {
            case .preparing: .preparing(cancelled: false)
            case .creating: .creating(cancelled: false)
            case .launching: .launching(ended: false)
            }
    }

    /// Gives a start up. False when none is under way: then there is something else to end.
    package mutating func cancel(_ run: RunID) -> Bool {
        switch states[run] {
        case nil: return false
        case .preparing: states[run] = .preparing(cancelled: true)
        case .creating: states[run] = .creating(cancelled: true)
        // Too late: its answer comes first.
        case .launching: break
        }
        return true
    }

    /// Takes note of an exit. False when no start is under way that would tell it.
    package mutating func exited(_ run: RunID) -> Bool {
        guard let state = states[run] else { return false }
        if case .launching = state { states[run] = .launching(ended: true) }
        return true
    }

    /// Ends a start. True when the exit of its program was told meanwhile.
    @discardableResult
    package mutating func end(_ run: RunID) -> Bool { states.removeValue(forKey: run) == .launching(ended: true) }
}
