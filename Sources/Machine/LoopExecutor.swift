import Glibc
import Synchronization

/// The one thread of a driver: an event loop, and the executor of the actor that works on it.
package final class DriverLoop: Sendable {
    // Made and used on the loop's thread only; the actor that holds it runs nowhere else.
    package nonisolated(unsafe) let events = EventLoop()
    package let executor = LoopExecutor()

    package init() {}

    package func run<Message: Sendable>(_ mailbox: Mailbox<Message>, _ take: @escaping ([Message]) -> Void) {
        executor.attach(to: events)
        events.receive(mailbox, take)
        events.run()
    }
}

/// Runs the jobs of an actor on the thread of an event loop.
package final class LoopExecutor: SerialExecutor {
    private let jobs = Mailbox<UnownedJob>()
    private let thread = Mutex<pthread_t?>(nil)

    package init() {}

    package func enqueue(_ job: consuming ExecutorJob) { jobs.send(UnownedJob(job)) }

    /// Call on the loop's thread, before it runs.
    package func attach(to events: EventLoop) {
        thread.withLock { $0 = pthread_self() }
        events.receive(jobs) { [unowned self] jobs in
            for job in jobs { job.runSynchronously(on: asUnownedSerialExecutor()) }
        }
    }

    package func checkIsolated() {
        precondition(thread.withLock { $0.map { pthread_equal($0, pthread_self()) != 0 } ?? false }, "not on the loop")
    }
}
