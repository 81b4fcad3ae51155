import Machine
public import Manifests
public import Planner
public import Reconciler
public import Values

/// The isolation `gvisor` on a machine without containerd: agents in sandboxes, each `runsc run` under a supervisor.
public struct GvisorDriver: Driver {
    public struct Configuration: Sendable {
        /// The daemon's state directory.
        public var state: String
        /// Path of the program `agentos-supervise`.
        public var supervisor: String
        public var storeID: String
        /// The limit of open files that agents get unless they ask for another.
        public var openFiles: Int64
        public var programs: RunscPrograms
        /// Directories of the machine that manifests may name.
        public var hostPaths: [String]
        public var network: BridgeNetwork
        /// Threads of gVisor itself that count against an agent's limit of processes.
        public var pidsHeadroom: Int64
        /// The group of the unified hierarchy, a path from its root, below which agents get theirs; nil: the daemon's own.
        public var agentsCgroup: String?

        /// Directory of the run directories.
        var runs: String { "\(state)/sandboxes" }

        public init(
            state: String, supervisor: String, storeID: String, openFiles: Int64, programs: RunscPrograms,
            hostPaths: [String], network: BridgeNetwork, pidsHeadroom: Int64,
            agentsCgroup: String? = nil
        ) {
            self.state = state
            self.supervisor = supervisor
            self.storeID = storeID
            self.openFiles = openFiles
            self.programs = programs
            self.hostPaths = hostPaths
            self.network = network
            self.pidsHeadroom = pidsHeadroom
            self.agentsCgroup = agentsCgroup
        }

        var containers: ContainerSettings {
            ContainerSettings(
                volumes: Volumes(state: state, runs: runs, hostPaths: hostPaths), network: network,
                openFiles: openFiles, pidsHeadroom: pidsHeadroom, signalMax: RunscPrograms.signalMax)
        }
    }

    public let name = "gvisor"
    private let configuration: Configuration
    private let cgroups: Cgroups
    private let thread: SupervisedThread

    /// Starts the driver's thread. `report` gets what is observed. Assumes: the daemon is root.
    public init(_ configuration: Configuration, report: @escaping @Sendable (Input) -> Void) {
        self.configuration = configuration
        cgroups = Cgroups(storeID: configuration.storeID, below: configuration.agentsCgroup)
        let runs = SupervisedRuns.Configuration(
            name: name, runs: configuration.runs, homes: "\(configuration.state)/homes",
            supervisor: configuration.supervisor, storeID: configuration.storeID)
        thread = SupervisedThread(runs, cgroups, report: report) { GvisorLauncher(configuration, $0) }
    }

    public func refusals(_ spec: AgentSpec) -> [Refusal.Cause] {
        var causes = cgroups.causes(against: spec) + configuration.containers.refusals(spec)
        if spec.imageArchive == nil {
            causes.append(
                Refusal.Cause(
                    message: "without containerd there is no store of images; name an archive as imageArchive",
                    field: "spec.image"))
        }
        return causes
    }

    public func perform(
        _ operation: Operation, _ context: StartContext?, report: @escaping @Sendable (OperationResult) -> Void
    ) {
        thread.perform(operation, context, report)
    }

    public func execute(_ execution: Execution, report: @escaping @Sendable (ExecutionResult) -> Void) {
        thread.execute(execution, nil, report)
    }

    public func open(_ execution: Execution) -> any CommandSession {
        CommandHandle(execution) { [thread] in thread.execute(execution, $0, $1) }
    }

    public func keeps(_ run: RunID) -> Bool { Files.exists("\(configuration.runs)/\(run.text)") }

    public func logs(_ request: LogRequest) -> any LogSession {
        LogHandle(directory: "\(configuration.runs)/\(request.run.text)", request)
    }

    /// A sandbox has its own network inside of that of its processes: only its address leads there.
    public func dial(_ run: Run, port: UInt16, report: @escaping @Sendable (DialResult) -> Void) {
        guard run.spec.network != .host else {
            return PortDialer(run: run.id, place: .machine, port: port).dial(report)
        }
        PortDialer.dialAddress(of: run, port: port, report)
    }

    public func observe() { thread.observe() }
    public func forget(_ uid: UID, report: @escaping @Sendable () -> Void) { thread.forget(uid, report) }

    public func measure(_ runs: [RunID], report: @escaping @Sendable ([RunID: RunUsage]) -> Void) {
        thread.measure(runs, report)
    }

    /// Removes the cgroups that hold the groups of runs and what sandboxes share, when none is left.
    public func removeEmptyParents() {
        cgroups.removeParents()
        configuration.containers.volumes.removeEmpty()
        configuration.network.removeEmpty()
    }
}
