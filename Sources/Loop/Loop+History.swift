public import Reconciler
import Synchronization
import Values

extension Loop {
    /// Reads what is known of the past, on a thread of its own and beside commits.
    ///
    /// - Parameter body: may call only what the store's port allows from any thread.
    public func readBeside<Value: Sendable>(
        _ body: @escaping @Sendable (any Store) throws(StoreFailure) -> Value,
        _ done: @escaping (Result<Value, StoreFailure>) -> Void
    ) {
        guard hasRoomBeside else { return done(.failure(.retry("too much is asked of the past at once"))) }
        ask(
            on: { [unowned self] in runBeside($0) }, ms: Limits.storeReadMs,
            { store throws(StoreFailure) in
                do throws(StoreFailure) { return try body(store) } catch {
                    throw .retry(error.words)  // a reading that fails says nothing about the store
                }
            }, done)
    }

    /// Whether one more may wait for the thread beside the loop, where each holds a state of its own.
    var hasRoomBeside: Bool { besideCount.value.withLock { $0 < Limits.plannedBesideMax } }

    func runBeside(_ body: @escaping @Sendable () -> Void) {
        besideCount.value.withLock { $0 += 1 }
        planThread.run { [besideCount] in
            body()
            besideCount.value.withLock { $0 -= 1 }
        }
    }
}

final class BesideCount: Sendable { let value = Mutex(0) }
