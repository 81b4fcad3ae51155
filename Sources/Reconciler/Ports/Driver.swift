public import Manifests
public import Planner
public import Values

/// One kind of isolation. All calls return at once; results are reported as inputs.
public protocol Driver: Sendable {
    var name: String { get }
    /// Fields of the spec that this driver cannot honour on this machine.
    func refusals(_ spec: AgentSpec) -> [Refusal.Cause]
    /// Performs one operation; `report` is called once.
    func perform(
        _ operation: Operation, _ context: StartContext?, report: @escaping @Sendable (OperationResult) -> Void)
    /// Asks for a complete observation.
    func observe()
    /// Runs a command beside an agent; `report` is called once.
    func execute(_ execution: Execution, report: @escaping @Sendable (ExecutionResult) -> Void)
    /// Runs a command beside an agent with the streams of a caller; those of the execution itself are left out.
    func open(_ execution: Execution) -> any CommandSession
    /// Measures running agents; `report` is called once, without those about which nothing is known.
    func measure(_ runs: [RunID], report: @escaping @Sendable ([RunID: RunUsage]) -> Void)
    /// What a run has written.
    func logs(_ request: LogRequest) -> any LogSession
    /// The log files of a run that are there, oldest first, in the CRI format.
    func logFiles(_ run: RunID) -> [String]
    /// Removes homes and run directories of a deleted agent.
    func forget(_ uid: UID, report: @escaping @Sendable () -> Void)
    /// Removes what only running agents need; called when the daemon ends and none is left.
    func removeEmptyParents()
}

/// A command to run once where a run lives: as its user, in its isolation, within its limits.
public struct Execution: Sendable {
    /// Descriptors for the command; the driver closes them.
    public struct Streams: Sendable {
        public var input: Int32
        public var output: Int32
        public var error: Int32

        public init(input: Int32, output: Int32, error: Int32) {
            self.input = input
            self.output = output
            self.error = error
        }
    }

    public var run: RunID
    public var command: [String]
    /// The whole of it is killed after so long; 0 for no limit.
    public var timeoutMs: Int64
    /// Nil: nothing to read, and what it writes is dropped.
    public var streams: Streams?
    /// The streams are one terminal, which becomes that of the command.
    public var isTerminal: Bool
    /// Ends the command when it is closed at the other end; a byte says that the terminal has another size. -1 for
    /// none; the driver closes it.
    public var control: Int32

    public init(
        run: RunID, command: [String], timeoutMs: Int64, streams: Streams? = nil, isTerminal: Bool = false,
        control: Int32 = -1
    ) {
        self.run = run
        self.command = command
        self.timeoutMs = timeoutMs
        self.streams = streams
        self.isTerminal = isTerminal
        self.control = control
    }
}

/// What a run has used of the processors since its start, and what it holds now.
public struct RunUsage: Sendable, Equatable {
    public var cpuNs: Int64
    public var memoryBytes: Int64
    public var processes: Int

    public init(cpuNs: Int64, memoryBytes: Int64, processes: Int) {
        self.cpuNs = cpuNs
        self.memoryBytes = memoryBytes
        self.processes = processes
    }
}
