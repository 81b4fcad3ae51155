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
    /// Runs a command beside an agent, with nothing to read; what it writes is dropped. `report` is called once.
    func execute(_ execution: Execution, report: @escaping @Sendable (ExecutionResult) -> Void)
    /// Runs a command beside an agent with the streams of a caller.
    func open(_ execution: Execution) -> any CommandSession
    /// Connects to a port of a run, from where it listens; `report` is called once.
    func dial(_ run: Run, port: UInt16, report: @escaping @Sendable (DialResult) -> Void)
    /// Measures running agents; `report` is called once, without those about which nothing is known.
    func measure(_ runs: [RunID], report: @escaping @Sendable ([RunID: RunUsage]) -> Void)
    /// Something of a run is kept, its log among it. May be asked on any thread, and answers at once.
    func keeps(_ run: RunID) -> Bool
    /// What a run has written.
    func logs(_ request: LogRequest) -> any LogSession
    /// Removes homes and run directories of a deleted agent.
    func forget(_ uid: UID, report: @escaping @Sendable () -> Void)
    /// Removes what only running agents need; called when the daemon ends and none is left.
    func removeEmptyParents()
}

/// A command to run once where a run lives: as its user, in its isolation, within its limits.
public struct Execution: Sendable {
    public var run: RunID
    public var command: [String]
    /// The whole of it is killed after so long; 0 for no limit.
    public var timeoutMs: Int64
    /// Its streams are one terminal.
    public var isTerminal: Bool

    public init(run: RunID, command: [String], timeoutMs: Int64, isTerminal: Bool = false) {
        self.run = run
        self.command = command
        self.timeoutMs = timeoutMs
        self.isTerminal = isTerminal
    }
}

/// A connection to a port of a run.
public enum DialResult: Sendable {
    /// A stream socket, which belongs to whoever is told.
    case connected(Int32)
    case refused(String)
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
