import Glibc

/// Work that takes its time, done on a thread beside a loop; what comes of it goes back to the loop's thread.
package final class SideWork {
    private let worker: Worker
    private let results = Mailbox<(number: Int, value: any Sendable)>()
    private var waiting: [Int: (any Sendable) -> Void] = [:]
    private var last = 0

    package init(name: String, events: EventLoop) {
        worker = Worker(name: name)
        events.receive(results) { [unowned self] results in
            for result in results { waiting.removeValue(forKey: result.number)?(result.value) }
        }
    }

    /// Calls `then` once, on the loop's thread. Works one after the other, in the order they were asked for.
    package func run<Result: Sendable>(
        _ work: @escaping @Sendable () -> Result, then: @escaping (Result) -> Void
    ) {
        last += 1
        waiting[last] = { if let result = $0 as? Result { then(result) } }
        let (number, results) = (last, results)
        worker.run { results.send((number, work())) }
    }
}
