import Planner
import Values

/// What is known of one named sink at this moment; not stored.
public struct SinkFacts: Sendable, Equatable {
    /// Since the start of the daemon: events that it has taken, calls that have failed, and events that it has not taken.
    public private(set) var delivered = 0
    public private(set) var failures = 0
    public private(set) var refusals = 0
    /// Why its last call failed; nil: it did not.
    public private(set) var problem: String?
    /// When the oldest event was made that it was asked to take and has not taken; nil: none is known.
    public private(set) var oldestMs: Int64?
    /// It is left alone until then; and with parked objects, when a call with them alone has failed.
    private(set) var retryAt: Deadline?
    private(set) var parkedRetryAt: Deadline?
    /// Calls that have failed since the last that did not.
    private var failuresInARow = 0
    /// What was asked of it last was about parked objects: news come next.
    private(set) var wasParked = false

    mutating func note(_ report: SinkReport, _ now: Moment) {
        oldestMs = report.oldestMs
        if case .parked = report.request.part { wasParked = true } else { wasParked = false }
        guard let failure = report.failure else {
            delivered += report.confirmed
            refusals += report.held.count
            (problem, retryAt) = (nil, nil)
            // News that are taken say nothing of the objects that are parked.
            if wasParked { parkedRetryAt = nil }
            if parkedRetryAt == nil { failuresInARow = 0 }
            return
        }
        failures += 1
        failuresInARow += 1
        problem = String(failure.words.prefix(Limits.sinkReasonMax))
        let pause =
            switch failure {
            case .busy(_, let afterMs): min(max(afterMs, Limits.sinkBusyMsMin), Limits.sinkBusyMsMax)
            case .lost, .gone:
                Self.pauseMs(failuresInARow, report.request.sink, UInt64(clamping: report.request.from))
            }
        // That parked objects fail says little of others, which are tried before the whole sink is left alone.
        if case .lost = failure, wasParked {
            parkedRetryAt = Deadline(now, afterMs: pause)
        } else {
            retryAt = Deadline(now, afterMs: pause)
        }
    }

    mutating func anchor(_ now: Moment) {
        retryAt = retryAt?.anchored(now)
        parkedRetryAt = parkedRetryAt?.anchored(now)
    }

    /// It is asked again at once.
    mutating func forgetPause() { (retryAt, parkedRetryAt, failuresInARow) = (nil, nil, 0) }

    func mayTry(_ now: Moment) -> Bool { retryAt?.isDue(now) ?? true }
    func mayTryParked(_ now: Moment) -> Bool { parkedRetryAt?.isDue(now) ?? true }

    /// The pause after so many failures: growing, capped, with a jitter of a quarter that depends on the place alone.
    static func pauseMs(_ failures: Int, _ sink: String, _ place: UInt64) -> Int64 {
        let base = DeliveryFacts.backoffMs(failures)
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325 ^ place &* 0x9e37_79b9_7f4a_7c15
        for byte in sink.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
        hash = (hash ^ UInt64(clamping: failures)) &* 0x0000_0100_0000_01b3
        return base * 3 / 4 + Int64(hash >> 33) % (base / 2 + 1)
    }
}
