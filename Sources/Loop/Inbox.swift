import Machine
public import Reconciler

/// The one way into the loop from other threads: it is made first, and all that reports is given it.
public final class Inbox: Sendable {
    enum Message: Sendable {
        case input(Input)
        case report(Conductor.Report)
        /// A call of a named sink has ended.
        case ended(sink: String, number: Int, SinkReport)
        case finished(operation: Int, OperationResult)
        /// The result of work that the loop has asked for under a number.
        case answer(Int, any Sendable)
        /// How long a call of a sink has taken.
        case measured(SinkCall)
        /// Events are not as their schemas say.
        case violated([String])
    }

    let messages = Mailbox<Message>()

    public init() {}

    /// Hands an input in, from any thread.
    public func send(_ input: Input) { messages.send(.input(input)) }
    func send(_ message: Message) { messages.send(message) }
}
