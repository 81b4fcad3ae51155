import Machine
import Values

/// Work on files that may never answer, such as those of a network that is gone: each piece has a thread of its own and a
/// deadline, after which nobody waits for it any more.
final class Looks {
    enum Failure: Error {
        /// Its thread still waits.
        case late
        /// So many threads wait already that no more are made.
        case tooMany
    }

    private let events: EventLoop
    private let results: SideWork
    /// Threads that nobody waits for.
    private var stuck = 0

    init(_ events: EventLoop) {
        self.events = events
        results = SideWork(name: "looks", events: events)
    }

    /// Calls `then` once, on the loop's thread; and `late` when it comes back after its deadline.
    func take<Found: Sendable>(
        deadlineMs: Int64 = Int64(Limits.lookMsMax), _ look: @escaping @Sendable () -> Found,
        late: @escaping (Found) -> Void = { _ in }, then: @escaping (Result<Found, Failure>) -> Void
    ) {
        if stuck >= Limits.stuckLooksMax { return then(.failure(.tooMany)) }
        var isLate = false
        let timer = events.after(ms: deadlineMs) { [unowned self] in
            isLate = true
            stuck += 1
            then(.failure(.late))
        }
        let deliver = results.expect { [unowned self] (found: Found) in
            if isLate {
                stuck -= 1
                return late(found)
            }
            events.cancel(timer)
            then(.success(found))
        }
        startThread(name: "look", stackBytes: 4 << 20) { deliver(look()) }
    }
}
