public enum ExecutionResult: Sendable, Equatable {
    /// The exit code, or 128 and the signal.
    case exited(Int)
    /// Nothing ran: 127 when there is no such program, 126 when there is and it cannot be executed, as shells say it.
    case unstarted(code: Int, String)
    case timedOut
    case failed(String)
}
