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
        let deliver = expect(then)
        worker.run { deliver(work()) }
    }

    /// What another thread calls once with a result, for `then` to get it on the loop's thread.
    package func expect<Result: Sendable>(_ then: @escaping (Result) -> Void) -> @Sendable (Result) -> Void {
        last += 1
        waiting[last] = { if let result = $0 as? Result { then(result) } }
        return { [results, number = last] in results.send((number, $0)) }
    }
}
