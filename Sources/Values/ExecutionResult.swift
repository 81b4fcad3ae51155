public enum ExecutionResult: Sendable, Equatable {
    /// The exit code, or 128 and the signal.
    case exited(Int)
    case timedOut
    case failed(String)
}
