import CLinux
import GRPC
import Glibc
import Machine
import Manifests
import Planner
import Reconciler

/// Does the work of a containerd driver on its own thread.
///
/// All truth is in containerd and in the run directories; what is kept here is which starts are under way.
actor ContainerdKeeper {
    static let storeLabel = "agentos.dev/store"
    static let driverLabel = "agentos.dev/driver"

    /// containerd cannot be used; it is asked again.
    private struct Outage {
        var problem: String
        var isRetrying = false
    }

    let configuration: ContainerdDriver.Configuration
    let client: ContainerdClient
    let images: ContainerdImages
    let bootID = ProcessTable.bootID
    let loop: DriverLoop
    /// Work on files beside the loop.
    let files: SideWork
    let removals: Removals
    var lastExecution = 0
    /// Commands whose time is up.
    var lateCommands: Set<String> = []
    let report: @Sendable (Input) -> Void
    let memoryGroups = CgroupMounts.memory
    var starts = Starts()
    var memoryKills = MemoryKills()
    /// What was told while a complete observation is made; it is newer.
    var fresh: [RunID: Instance?]?
    private var outage: Outage?
    private var isSubscribed = false
    private var isSwept = false
    /// Deleted agents whose files are still there.
    var forgotten: [(uid: UID, done: @Sendable () -> Void)] = []

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.executor.asUnownedSerialExecutor() }

    init(
        _ configuration: ContainerdDriver.Configuration, loop: DriverLoop, report: @escaping @Sendable (Input) -> Void
    ) {
        self.configuration = configuration
        self.loop = loop
        self.report = report
        let client = ContainerdClient(
            socket: configuration.socket, namespace: configuration.namespace, events: loop.events)
        self.client = client
        files = SideWork(name: "\(configuration.name)-files", events: loop.events)
        removals = Removals(name: configuration.name, events: loop.events)
        images = ContainerdImages(client: client, namespace: configuration.namespace, storeID: configuration.storeID)
    }

    func take(_ message: ContainerdDriver.Message) {
        switch message {
        case .operate(let operation, let context, let done):
            spawn { done(await $0.perform(operation, context)) }
        case .execute(let execution, let ends, let done): spawn { done(await $0.execute(execution, ends)) }
        case .measure(let runs, let done): spawn { done(await $0.measure(runs)) }
        case .observe: spawn { await $0.observeAll() }
        case .forget(let uid, let done):
            forgotten.append((uid, done))
            if forgotten.count == 1 { spawn { await $0.forgetAll() } }
        }
    }

    nonisolated func spawn(_ body: @escaping @Sendable (isolated ContainerdKeeper) async -> Void) {
        Task { await body(self) }
    }

    func directory(_ run: RunID) -> RunDirectory { RunDirectory(path: "\(configuration.runs)/\(run.text)") }

    func cgroupsPath(_ run: RunID) -> String { "\(configuration.cgroupsParent)/\(run.text)" }

    private func perform(_ operation: Operation, _ context: StartContext?) async -> OperationResult {
        let run = operation.run
        do throws(GRPCFailure) {
            switch operation.verb {
            case .start(let run):
                guard let context else { return .failed("the agent is gone") }
                return try await start(run, context)
            case .signal(let number):
                let signal = number ?? directory(run).started?.stopSignal ?? Signals.terminate
                try await kill(run, signal: signal, all: false)
            case .freeze, .thaw:
                try await freeze(run, operation.verb == .freeze)
                await tell(run)
            case .kill:
                if starts.cancel(run) { return Self.stillStarting }
                // Some runtimes kill nothing that is frozen.
                if try await client.tasks.get(run.text)?.status == .paused { try await freeze(run, false) }
                try await kill(run, signal: SIGKILL, all: true)
                await tell(run)
            case .giveUp:
                if starts.cancel(run) { return Self.stillStarting }
                return try await giveUp(run)
            case .remove:
                try await clear(run)
                if let problem = await detach(run) { return .failed(problem) }
                configuration.volumes.remove(run)
                removeOldDirectory(run)
            }
            return .done
        } catch {
            return failed(error)
        }
    }

    static let stillStarting = OperationResult.failed("its start is still under way")

    func failed(_ failure: GRPCFailure) -> OperationResult {
        if failure.isOutage { note(failure) }
        return .failed(failure.message)
    }

    // MARK: containerd itself

    /// The namespace is there, exits are told, and what a crash left half-made is gone.
    func connect() async throws(GRPCFailure) {
        if isSubscribed { return }
        try await client.makeNamespace(configuration.namespace)
        if isSubscribed { return }
        isSubscribed = true
        client.subscribe(namespace: configuration.namespace) { id, event in
            switch event {
            case .exited: self.exited(id)
            case .ranOutOfMemory: self.ranOutOfMemory(id)
            }
        } ended: { failure in
            self.isSubscribed = false
            self.note(failure ?? GRPCFailure(.unavailable, "containerd ended the connection"))
        }
        if isSwept { return }
        try await sweep()
        isSwept = true
    }

    private func exited(_ id: String) {
        guard let run = RunID(id), !starts.exited(run), Files.exists(directory(run).path) else { return }
        spawn { await $0.tell(run) }
    }

    /// Says that containerd cannot be used, and asks again each second until it can.
    func note(_ failure: GRPCFailure) {
        let words = "containerd at \(configuration.socket): \(failure.message)"
        if outage == nil { report(.driverState(driver: configuration.name, problem: words)) }
        let isRetrying = outage?.isRetrying ?? false
        outage = Outage(problem: words, isRetrying: true)
        guard !isRetrying else { return }
        loop.events.after(ms: 1000) {
            self.outage?.isRetrying = false
            self.spawn { await $0.observeAll() }
        }
    }

    /// containerd has answered whole.
    func noteSuccess() {
        guard outage != nil else { return }
        outage = nil
        report(.driverState(driver: configuration.name, problem: nil))
    }
}
