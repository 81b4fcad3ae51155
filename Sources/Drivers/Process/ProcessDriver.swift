import Machine
public import Manifests
public import Planner
public import Reconciler
public import Values

/// The isolation `process`: agents are processes of this machine, each under a supervisor of its own.
///
/// The port only sends messages; the work is done on the driver's own thread by `ProcessKeeper`.
public struct ProcessDriver: Driver {
    public struct Configuration: Sendable {
        /// Directory of the run directories.
        public var runs: String
        /// Directory of the agents' own directories.
        public var homes: String
        /// Path of the program `agentos-supervise`.
        public var supervisor: String
        public var storeID: String
        /// The filter of system calls that agents get.
        public var systemCalls: SystemCallFilter
        /// The limit of open files that agents get unless they ask for another.
        public var openFiles: Int64
        /// `process`, or `gvisor` when agents live in sandboxes.
        public var name = "process"
        public var sandbox: SandboxSettings?
        /// The daemon's state directory.
        public var state = ""

        public init(
            runs: String, homes: String, supervisor: String, storeID: String, systemCalls: SystemCallFilter,
            openFiles: Int64
        ) {
            self.runs = runs
            self.homes = homes
            self.supervisor = supervisor
            self.storeID = storeID
            self.systemCalls = systemCalls
            self.openFiles = openFiles
        }
    }

    enum Message: Sendable {
        case operate(Operation, StartContext?, @Sendable (OperationResult) -> Void)
        case execute(Execution, @Sendable (ExecutionResult) -> Void)
        case observe
        case forget(UID, @Sendable () -> Void)
        case measure([RunID], @Sendable ([RunID: RunUsage]) -> Void)
        /// The root file system of a run that starts is there.
        case unpacked(
            Run, StartContext, Result<UnpackedImages.Root, ImageProblem>,
            @Sendable (OperationResult) -> Void)
    }

    public var name: String { configuration.name }
    private let configuration: Configuration
    private let cgroups: Cgroups
    private let mailbox: Mailbox<Message>
    private let isRoot: Bool
    private let user: UInt32

    /// Starts the driver's thread. `report` gets what is observed.
    public init(_ configuration: Configuration, user: UInt32, report: @escaping @Sendable (Input) -> Void) {
        self.configuration = configuration
        self.user = user
        isRoot = user == 0
        cgroups = Cgroups(storeID: configuration.storeID)
        mailbox = Mailbox()
        let (mailbox, cgroups) = (mailbox, cgroups)
        startThread(name: "\(configuration.name)-driver", stackBytes: 1 << 20) {
            let events = EventLoop()
            let sandbox = configuration.sandbox.map {
                Sandbox(
                    $0, state: configuration.state, runs: configuration.runs, store: configuration.storeID,
                    openFiles: configuration.openFiles)
            }
            let keeper = ProcessKeeper(
                configuration, cgroups, user: user, events: events, sandbox: sandbox, mailbox: mailbox, report: report)
            events.receive(mailbox) { messages in messages.forEach(keeper.take) }
            events.run()
        }
    }

    public func refusals(_ spec: AgentSpec) -> [Refusal.Cause] {
        var causes = cgroups.refusals(spec.resources).map {
            Refusal.Cause(message: $0.message, field: $0.field)
        }
        if let sandbox = configuration.sandbox {
            let volumes = Volumes(state: configuration.state, runs: configuration.runs, hostPaths: sandbox.hostPaths)
            let settings = ContainerSettings(
                volumes: volumes, network: sandbox.network, openFiles: configuration.openFiles,
                pidsHeadroom: sandbox.pidsHeadroom)
            causes += settings.refusals(spec)
            if spec.imageArchive == nil {
                causes.append(
                    Refusal.Cause(
                        message: "without containerd there is no store of images; name an archive as imageArchive",
                        field: "spec.image"))
            }
        }
        if spec.freezes, !cgroups.canFreeze {
            causes.append(
                Refusal.Cause(
                    message: "Freeze needs a cgroup of version 2 that this user may write; use Stop",
                    field: "spec.suspendMode"))
        }
        if !isRoot {
            for (field, value) in [("runAsUser", spec.runAsUser), ("runAsGroup", spec.runAsGroup)] {
                guard let value, value != user else { continue }
                causes.append(
                    Refusal.Cause(
                        message: "the daemon runs as user \(user) and cannot become \(value); run it as root",
                        field: "spec.securityContext.\(field)"))
            }
        }
        return causes
    }

    public func perform(
        _ operation: Operation, _ context: StartContext?, report: @escaping @Sendable (OperationResult) -> Void
    ) {
        mailbox.send(.operate(operation, context, report))
    }

    public func execute(_ execution: Execution, report: @escaping @Sendable (ExecutionResult) -> Void) {
        mailbox.send(.execute(execution, report))
    }

    public func open(_ execution: Execution) -> any CommandSession {
        CommandHandle(execution) { [mailbox] in mailbox.send(.execute($0, $1)) }
    }

    public func logs(_ request: LogRequest) -> any LogSession {
        LogHandle(directory: "\(configuration.runs)/\(request.run.text)", request)
    }

    public func observe() { mailbox.send(.observe) }

    public func forget(_ uid: UID, report: @escaping @Sendable () -> Void) { mailbox.send(.forget(uid, report)) }

    public func measure(_ runs: [RunID], report: @escaping @Sendable ([RunID: RunUsage]) -> Void) {
        mailbox.send(.measure(runs, report))
    }

    public func logFiles(_ run: RunID) -> [String] { RunDirectory(path: "\(configuration.runs)/\(run.text)").logs }

    /// Removes the cgroups that hold the groups of runs and what sandboxes share, when none is left.
    public func removeEmptyParents() {
        cgroups.removeParents()
        guard let sandbox = configuration.sandbox else { return }
        Volumes(state: configuration.state, runs: configuration.runs, hostPaths: []).removeEmpty()
        sandbox.network.removeEmpty()
    }
}
