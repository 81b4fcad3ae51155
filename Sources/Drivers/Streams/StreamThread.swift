import Machine
import Reconciler
import Synchronization

/// The thread that carries bytes for the drivers of this machine: logs from their files, commands' streams from their
/// descriptors. Sessions are handles that send messages to it.
final class StreamThread: Sendable {
    /// What is open; touched on the thread only.
    final class Keeper {
        let events = EventLoop()
        var logs: [Int: LogStream] = [:]
        var commands: [Int: CommandStream] = [:]
    }

    static let shared = StreamThread()

    private let jobs = Mailbox<@Sendable (Keeper) -> Void>()
    private let lastID = Atomic<Int>(0)

    private init() {
        let jobs = jobs
        startThread(name: "streams") {
            let keeper = Keeper()
            keeper.events.receive(jobs) { jobs in for job in jobs { job(keeper) } }
            keeper.events.run()
        }
    }

    /// Does something on the thread, after all that was sent before.
    func run(_ job: @escaping @Sendable (Keeper) -> Void) { jobs.send(job) }

    func nextID() -> Int { lastID.add(1, ordering: .relaxed).newValue }
}
