import CLinux
import Machine
import Values

/// Work on files that may never answer, such as those of a network that is gone: each piece has a thread of its own and a
/// deadline, after which nobody waits for it any more.
///
/// A file system that does not answer holds a few threads at most; what is to be looked at elsewhere goes on.
final class Looks {
    enum Failure: Error {
        /// Its thread still waits.
        case late
        /// As many threads as there may be wait already.
        case tooMany
    }

    /// The threads that are at one file system.
    private struct Lane {
        var running = 0
        /// Nobody waits for them.
        var stuck = 0
        var waiting: [Waiting] = []
    }

    private struct Waiting {
        var begin: () -> Void
        var refuse: () -> Void
    }

    private let events: EventLoop
    private let results: SideWork
    /// By the place where the file system is mounted.
    private var lanes: [String: Lane] = [:]
    private var mounts: (all: [Mount], atMs: Int64) = ([], .min)

    init(_ events: EventLoop) {
        self.events = events
        results = SideWork(name: "looks", events: events)
    }

    private var stuck: Int { lanes.values.reduce(0) { $0 + $1.stuck } }
    private var threads: Int { lanes.values.reduce(stuck) { $0 + $1.running } }

    /// Calls `then` once, later, on the loop's thread; and `late` when it comes back after its deadline.
    ///
    /// - Parameter path: what is looked at, without links where that is known.
    func take<Found: Sendable>(
        at path: String, deadlineMs: Int64 = Int64(Limits.lookMsMax), _ look: @escaping @Sendable () -> Found,
        late: @escaping (Found) -> Void = { _ in }, then: @escaping (Result<Found, Failure>) -> Void
    ) {
        let place = mount(of: path)
        let waiting = Waiting(
            begin: { [unowned self] in begin(at: place, deadlineMs, look, late, then) },
            refuse: { then(.failure(.tooMany)) })
        lanes[place, default: Lane()].waiting.append(waiting)
        events.after(ms: 0) { [unowned self] in goOn(at: place) }
    }

    /// Begins what waits, as far as there are threads for it.
    private func goOn() {
        for place in lanes.keys.sorted() { goOn(at: place) }
    }

    private func goOn(at place: String) {
        while let lane = lanes[place], let next = lane.waiting.first {
            // Its turn may never come.
            if lane.stuck >= Limits.looksPerMountMax || stuck >= Limits.looksMax {
                lanes[place]?.waiting = []
                for waiting in lane.waiting { waiting.refuse() }
                break
            }
            guard lane.running + lane.stuck < Limits.looksPerMountMax, threads < Limits.looksMax else { break }
            lanes[place]?.waiting.removeFirst()
            next.begin()
        }
        if let lane = lanes[place], lane.running + lane.stuck == 0, lane.waiting.isEmpty { lanes[place] = nil }
    }

    private func begin<Found: Sendable>(
        at place: String, _ deadlineMs: Int64, _ look: @escaping @Sendable () -> Found,
        _ late: @escaping (Found) -> Void, _ then: @escaping (Result<Found, Failure>) -> Void
    ) {
        lanes[place]?.running += 1
        var isLate = false
        let timer = events.after(ms: deadlineMs) { [unowned self] in
            isLate = true
            lanes[place]?.running -= 1
            lanes[place]?.stuck += 1
            then(.failure(.late))
            goOn()
        }
        let deliver = results.expect { [unowned self] (found: Found) in
            if isLate {
                lanes[place]?.stuck -= 1
                late(found)
            } else {
                events.cancel(timer)
                lanes[place]?.running -= 1
                then(.success(found))
            }
            goOn()
        }
        startThread(name: "look", stackBytes: 4 << 20) { deliver(look()) }
    }

    /// The mount that a path is below; the kernel names them without asking them.
    private func mount(of path: String) -> String {
        let now = agentos_boot_ms()
        if now - 1000 > mounts.atMs { mounts = (Mount.all, now) }
        return Mount.of(path, mounts.all)?.place ?? "/"
    }
}
