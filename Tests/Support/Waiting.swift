import Glibc
package import Testing

/// How tests wait: for a condition, with a deadline.
extension World {
    /// After which what has not come is taken for lost. Long, as a machine may be ten times slower than another and pause
    /// for many seconds: it passes only when something is wrong.
    package static let patienceMs = 120_000

    /// Waits for a condition; records an issue when it does not come in time.
    @discardableResult
    package static func until(
        _ what: String, _ timeoutMs: Int = patienceMs, at place: SourceLocation = #_sourceLocation,
        _ condition: () -> Bool
    ) -> Bool {
        let hasCome = becomes(within: timeoutMs, condition)
        if !hasCome { Issue.record("not within \(timeoutMs) ms: \(what)", sourceLocation: place) }
        return hasCome
    }

    /// Whether a condition comes true in time. The whole time passes only when it does not.
    package static func becomes(within timeoutMs: Int, every pauseMs: Int = 10, _ condition: () -> Bool) -> Bool {
        let deadline = now() + timeoutMs
        while now() < deadline {
            if condition() { return true }
            pass(ms: pauseMs)
        }
        return condition()
    }

    /// Whether a value changes in time.
    package static func changes(within timeoutMs: Int, _ value: () -> String) -> Bool {
        let before = value()
        return becomes(within: timeoutMs) { value() != before }
    }

    /// Lets time pass up to the moment of a fault, which a chaos test draws. Never to wait for something.
    package static func pass(ms: Int) { usleep(UInt32(ms) * 1000) }

    package static func now() -> Int {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return time.tv_sec * 1000 + time.tv_nsec / 1_000_000
    }
}
