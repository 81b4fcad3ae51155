public import Reconciler
import Values

extension Loop {
    /// Reads what is known of the past, on a thread of its own and beside commits.
    ///
    /// - Parameter body: may call only what the store's port allows from any thread.
    public func readBeside<Value: Sendable>(
        _ body: @escaping @Sendable (any Store) throws(StoreFailure) -> Value,
        _ done: @escaping (Result<Value, StoreFailure>) -> Void
    ) {
        ask(
            on: { [planThread] in planThread.run($0) }, ms: Limits.storeReadMs,
            { store throws(StoreFailure) in
                do throws(StoreFailure) { return try body(store) } catch {
                    throw .retry(error.words)  // a reading that fails says nothing about the store
                }
            }, done)
    }
}
