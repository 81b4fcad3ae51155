public import Values

/// What a caller sends to a command.
public enum CommandInput: Sendable, Equatable {
    case bytes([UInt8])
    /// There is no more to read.
    case end
    /// The terminal has this size.
    case window(columns: UInt16, rows: UInt16)
}

/// What a command sends to its caller.
public enum CommandOutput: Sendable, Equatable {
    case output([UInt8])
    /// A terminal has one output, and nothing here.
    case error([UInt8])
    /// The last one.
    case ended(ExecutionResult)
}

/// A command that runs with the streams of a caller: messages both ways, each side as fast as the other reads.
///
/// Assumes: one question and one message at a time, from one thread.
public protocol CommandSession: Sendable {
    /// Sends a message; `taken` is called, on any thread, when the next may come.
    func send(_ input: CommandInput, taken: @escaping @Sendable () -> Void)
    /// Asks for what the command writes; `take` is called once, on any thread. What nobody asks for stays with the
    /// command, which waits.
    func next(_ take: @escaping @Sendable (CommandOutput) -> Void)
    /// The caller is gone: the command is ended, and nothing more is told.
    func hangUp()
}
