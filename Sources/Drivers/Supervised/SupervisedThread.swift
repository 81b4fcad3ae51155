import Machine
import Planner
import Reconciler
import Values

/// The thread of a driver with supervised runs: the port only sends messages there.
struct SupervisedThread: Sendable {
    private enum Message: Sendable {
        case operate(Operation, StartContext?, @Sendable (OperationResult) -> Void)
        case execute(Execution, CommandEnds?, @Sendable (ExecutionResult) -> Void)
        case observe
        case forget(UID, @Sendable () -> Void)
        case measure([RunID], @Sendable ([RunID: RunUsage]) -> Void)
    }

    private let mailbox = Mailbox<Message>()

    /// Starts it. `launcher` is made there; `report` gets what is observed.
    init(
        _ configuration: SupervisedRuns.Configuration, _ cgroups: Cgroups, report: @escaping @Sendable (Input) -> Void,
        launcher: @escaping @Sendable (EventLoop) -> any Launcher
    ) {
        startThread(name: "\(configuration.name)-driver", stackBytes: 1 << 20) { [mailbox] in
            let events = EventLoop()
            let runs = SupervisedRuns(configuration, launcher(events), cgroups, events: events, report: report)
            events.receive(mailbox) { messages in
                for message in messages { Self.take(message, runs) }
            }
            events.run()
        }
    }

    private static func take(_ message: Message, _ runs: SupervisedRuns) {
        switch message {
        case .operate(let operation, let context, let done): runs.perform(operation, context, done)
        case .execute(let execution, let ends, let done): runs.execute(execution, ends, done)
        case .observe: runs.observeAll()
        case .forget(let uid, let done): runs.forget(uid, done)
        case .measure(let measured, let done): done(runs.measure(measured))
        }
    }

    func perform(
        _ operation: Operation, _ context: StartContext?, _ report: @escaping @Sendable (OperationResult) -> Void
    ) {
        mailbox.send(.operate(operation, context, report))
    }

    func execute(
        _ execution: Execution, _ ends: CommandEnds?, _ report: @escaping @Sendable (ExecutionResult) -> Void
    ) {
        mailbox.send(.execute(execution, ends, report))
    }

    func observe() { mailbox.send(.observe) }
    func forget(_ uid: UID, _ report: @escaping @Sendable () -> Void) { mailbox.send(.forget(uid, report)) }

    func measure(_ runs: [RunID], _ report: @escaping @Sendable ([RunID: RunUsage]) -> Void) {
        mailbox.send(.measure(runs, report))
    }
}
