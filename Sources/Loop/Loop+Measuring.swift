public import Planner
import Reconciler
public import Values

extension Loop {
    public var now: Moment { clock.now() }

    /// Counts something that the engine does not see by itself: it is told of all of it together, a moment later.
    public func measure(_ measured: Measured, isGood: Bool) {
        if untold.isEmpty {
            events.after(ms: Limits.measuredToldMs) { [unowned self] in
                let counts = untold
                untold = [:]
                report(.inputs([.measured(counts)]))
            }
        }
        untold[measured, default: Counts()].add(Counts(good: isGood ? 1 : 0, bad: isGood ? 0 : 1))
    }
}
