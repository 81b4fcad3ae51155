import Machine
public import Manifests
public import Planner
public import Reconciler
public import Values

/// The isolations `containerd` and `gvisor`: agents are containers of a containerd, run by runc or by gVisor's runsc.
///
/// The port only sends messages; the work is done on the driver's own thread by `ContainerdKeeper`.
public struct ContainerdDriver: Driver {
    public struct Configuration: Sendable {
        /// `containerd` or `gvisor`.
        public var name: String
        public var socket: String
        /// The containerd namespace that holds images and containers.
        public var namespace: String
        /// The daemon's state directory.
        public var state: String
        /// Directory of this driver's run directories, below `state`.
        public var runs: String
        /// Path of the program `agentos-supervise`, which writes the logs.
        public var supervisor: String
        public var storeID: String
        /// The program that runs containers in place of runc; for gVisor, by network mode.
        public var runtimes: [AgentSpec.Network: String]
        /// Directories of the machine that manifests may name.
        public var hostPaths: [String]
        /// The limit of open files that agents get unless they ask for another.
        public var openFiles: Int64
        /// Threads of the runtime itself that count against an agent's limit of processes.
        public var pidsHeadroom: Int64
        /// For agents that ask for `mode: Bridge`.
        public var network: BridgeNetwork

        public init(
            name: String, socket: String, namespace: String, state: String, runs: String, supervisor: String,
            storeID: String, runtimes: [AgentSpec.Network: String], hostPaths: [String], openFiles: Int64,
            pidsHeadroom: Int64, network: BridgeNetwork
        ) {
            self.name = name
            self.socket = socket
            self.namespace = namespace
            self.state = state
            self.runs = runs
            self.supervisor = supervisor
            self.storeID = storeID
            self.runtimes = runtimes
            self.hostPaths = hostPaths
            self.openFiles = openFiles
            self.pidsHeadroom = pidsHeadroom
            self.network = network
        }

        /// The group that holds those of runs, from the root of each hierarchy.
        var cgroupsParent: String { "/agentos-\(storeID.prefix(12))" }
        var volumes: Volumes { containers.volumes }
        var containers: ContainerSettings {
            ContainerSettings(
                volumes: Volumes(state: state, runs: runs, hostPaths: hostPaths), network: network,
                openFiles: openFiles, pidsHeadroom: pidsHeadroom,
                signalMax: runtimes.isEmpty ? 64 : RunscPrograms.signalMax)
        }
    }

    enum Message: Sendable {
        case operate(Operation, StartContext?, @Sendable (OperationResult) -> Void)
        case execute(Execution, CommandEnds?, @Sendable (ExecutionResult) -> Void)
        case observe
        case forget(UID, @Sendable () -> Void)
        case measure([RunID], @Sendable ([RunID: RunUsage]) -> Void)
    }

    private let configuration: Configuration
    private let mailbox: Mailbox<Message>

    public var name: String { configuration.name }

    /// Starts the driver's thread. `report` gets what is observed.
    public init(_ configuration: Configuration, report: @escaping @Sendable (Input) -> Void) {
        self.configuration = configuration
        mailbox = Mailbox()
        let mailbox = mailbox
        startThread(name: "\(configuration.name)-driver", stackBytes: 1 << 20) {
            let loop = DriverLoop()
            let keeper = ContainerdKeeper(configuration, loop: loop, report: report)
            loop.run(mailbox) { messages in
                keeper.assumeIsolated { keeper in for message in messages { keeper.take(message) } }
            }
        }
    }

    public func refusals(_ spec: AgentSpec) -> [Refusal.Cause] { configuration.containers.refusals(spec) }

    public func perform(
        _ operation: Operation, _ context: StartContext?, report: @escaping @Sendable (OperationResult) -> Void
    ) {
        mailbox.send(.operate(operation, context, report))
    }

    public func execute(_ execution: Execution, report: @escaping @Sendable (ExecutionResult) -> Void) {
        mailbox.send(.execute(execution, nil, report))
    }

    public func open(_ execution: Execution) -> any CommandSession {
        CommandHandle(execution) { [mailbox] in mailbox.send(.execute(execution, $0, $1)) }
    }

    public func keeps(_ run: RunID) -> Bool { Files.exists("\(configuration.runs)/\(run.text)") }

    public func logs(_ request: LogRequest) -> any LogSession {
        LogHandle(directory: "\(configuration.runs)/\(request.run.text)", request)
    }

    /// A sandbox of gVisor has its own network inside of that of its processes: only its address leads there.
    public func dial(_ run: Run, port: UInt16, report: @escaping @Sendable (DialResult) -> Void) {
        guard run.spec.network != .host else {
            return PortDialer(run: run.id, place: .machine, port: port).dial(report)
        }
        guard configuration.runtimes.isEmpty else {
            return PortDialer.dialAddress(of: run, port: port, report)
        }
        guard let pid = run.pid else { return report(.refused("it has no process yet")) }
        PortDialer(run: run.id, place: .inside(pid: pid, address: run.facts.address), port: port).dial(report)
    }

    public func observe() { mailbox.send(.observe) }

    public func forget(_ uid: UID, report: @escaping @Sendable () -> Void) { mailbox.send(.forget(uid, report)) }

    public func measure(_ runs: [RunID], report: @escaping @Sendable ([RunID: RunUsage]) -> Void) {
        mailbox.send(.measure(runs, report))
    }

    /// Unmounts and removes what no container uses any more.
    public func removeEmptyParents() {
        configuration.volumes.removeEmpty()
        configuration.network.removeEmpty()
        // Runtimes remove a container's group, and leave what they made above it.
        CgroupMounts.removeEmpty(configuration.cgroupsParent)
    }
}
