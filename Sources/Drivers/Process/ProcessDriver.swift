import Machine
public import Manifests
public import Planner
public import Reconciler
public import Values

/// The isolation `process`: agents are processes of this machine, each under a supervisor of its own.
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
        /// The group of the unified hierarchy, a path from its root, below which agents get theirs; nil: the daemon's own.
        public var agentsCgroup: String?

        public init(
            runs: String, homes: String, supervisor: String, storeID: String, systemCalls: SystemCallFilter,
            openFiles: Int64, agentsCgroup: String? = nil
        ) {
            self.runs = runs
            self.homes = homes
            self.supervisor = supervisor
            self.storeID = storeID
            self.systemCalls = systemCalls
            self.openFiles = openFiles
            self.agentsCgroup = agentsCgroup
        }
    }

    public let name = "process"
    private let configuration: Configuration
    private let cgroups: Cgroups
    private let thread: SupervisedThread
    private let user: UInt32

    /// Starts the driver's thread. `report` gets what is observed.
    public init(_ configuration: Configuration, user: UInt32, report: @escaping @Sendable (Input) -> Void) {
        self.configuration = configuration
        self.user = user
        cgroups = Cgroups(storeID: configuration.storeID, below: configuration.agentsCgroup)
        let runs = SupervisedRuns.Configuration(
            name: name, runs: configuration.runs, homes: configuration.homes, supervisor: configuration.supervisor,
            storeID: configuration.storeID)
        thread = SupervisedThread(runs, cgroups, report: report) { events in
            ProcessLauncher(configuration, user: user, events: events)
        }
    }

    public func refusals(_ spec: AgentSpec) -> [Refusal.Cause] {
        var causes = cgroups.causes(against: spec)
        if user != 0 {
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

    public func dial(_ run: Run, port: UInt16, report: @escaping @Sendable (DialResult) -> Void) {
        PortDialer(run: run.id, place: .machine, port: port).dial(report)
    }

    public func observe() { thread.observe() }
    public func forget(_ uid: UID, report: @escaping @Sendable () -> Void) { thread.forget(uid, report) }

    public func measure(_ runs: [RunID], report: @escaping @Sendable ([RunID: RunUsage]) -> Void) {
        thread.measure(runs, report)
    }

    /// Removes the cgroups that hold the groups of runs, when none is left.
    public func removeEmptyParents() { cgroups.removeParents() }
}

extension Cgroups {
    /// What of a spec cannot be honoured here.
    func causes(against spec: AgentSpec) -> [Refusal.Cause] {
        var causes = refusals(spec.resources).map {
            Refusal.Cause(message: $0.message, field: $0.field)
        }
        if spec.freezes, !canFreeze {
            causes.append(
                Refusal.Cause(
                    message: "Freeze needs a cgroup of version 2 that this user may write; use Stop",
                    field: "spec.suspendMode"))
        }
        return causes
    }
}
