import Manifests
import Planner
import Values

/// What is known of the sink that events are delivered to.
struct DeliveryFacts: Sendable {
    /// Publishing stopped until then because the sink was unreachable.
    private(set) var retryAt: Deadline?
    private(set) var problem: String?
    private var failures = 0

    mutating func noteReachable() {
        failures = 0
        problem = nil
    }

    mutating func noteUnreachable(_ why: String, _ now: Moment) {
        failures += 1
        problem = why
        retryAt = Deadline(now, afterMs: Self.backoffMs(failures))
    }

    mutating func forgetRetry(_ now: Moment) {
        if let retryAt, retryAt.isDue(now) { self.retryAt = nil }
    }

    func mayTry(_ now: Moment) -> Bool { retryAt?.isDue(now) ?? true }

    /// The pause after so many failures in a row.
    static func backoffMs(_ failures: Int) -> Int64 {
        min(Int64(Limits.publishBackoffMsMax), Int64(100) << Int64(min(failures, 12)))
    }
}
