import CLinux
import GRPC
import Glibc
import Machine
import Manifests
import Planner
import Reconciler
import Values

/// Does the work of a containerd driver on its own thread.
///
/// All truth is in containerd and in the run directories; what is kept here is which starts are under way.
actor ContainerdKeeper {
    let configuration: ContainerdDriver.Configuration
    let client: ContainerdClient
    let images: ContainerdImages
    let bootID = ProcessTable.bootID
    let loop: DriverLoop
    var lastExecution = 0
    /// Commands whose time is up.
    var lateCommands: Set<String> = []
    private let report: @Sendable (Input) -> Void
    private let memoryGroups = CgroupMounts.memory

    /// Starts that are under way in this life of the daemon.
    private var starting: Set<RunID> = []
    /// Starts that must not go on.
    var cancelled: Set<RunID> = []
    /// Runs of which an exit was told while they were started.
    private var endedEarly: Set<RunID> = []
    /// What was told while a complete observation is made; it is newer.
    private var fresh: [RunID: Instance?]?
    private var isSubscribed = false
    private var isSwept = false
    private var isRetrying = false
    private var problem: String?

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
        images = ContainerdImages(client: client, namespace: configuration.namespace)
    }

    func take(_ message: ContainerdDriver.Message) {
        switch message {
        case .operate(let operation, let context, let done):
            spawn { done(await $0.perform(operation, context)) }
        case .execute(let execution, let done): spawn { done(await $0.execute(execution)) }
        case .measure(let runs, let done):
            spawn { keeper in
                let ids = Set(runs.map(\.text))
                let known = (try? await keeper.client.usages()) ?? [:]
                let ours = known.filter { ids.contains($0.key) }.compactMap { id, usage in RunID(id).map { ($0, usage) }
                }
                done(Dictionary(ours, uniquingKeysWith: { first, _ in first }))
            }
        case .observe: spawn { await $0.observeAll() }
        case .forget(let uid, let done):
            spawn {
                await $0.forget(uid)
                done()
            }
        }
    }

    nonisolated func spawn(_ body: @escaping @Sendable (isolated ContainerdKeeper) async -> Void) {
        Task { await body(self) }
    }

    func directory(_ run: RunID) -> RunDirectory { RunDirectory(path: "\(configuration.runs)/\(run.text)") }

    private func perform(_ operation: Operation, _ context: StartContext?) async -> OperationResult {
        let run = operation.run
        do throws(GRPCFailure) {
            switch operation.verb {
            case .start(let run):
                guard let context else { return .failed("the agent is gone") }
                return try await start(run, context)
            case .signal(let number): try await kill(run, signal: number, all: false)
            case .freeze, .thaw:
                try await freeze(run, operation.verb == .freeze)
                await tell(run)
            case .kill:
                if starting.contains(run) { return cancelStart(run) }
                // Some runtimes kill nothing that is frozen.
                if try await client.task(run.text)?.status == .paused { try await freeze(run, false) }
                try await kill(run, signal: SIGKILL, all: true)
                await tell(run)
            case .giveUp:
                if starting.contains(run) { return cancelStart(run) }
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

    private func failed(_ failure: GRPCFailure) -> OperationResult {
        if failure.isOutage { note(failure) }
        return .failed(failure.message)
    }

    private func cancelStart(_ run: RunID) -> OperationResult {
        cancelled.insert(run)
        return .failed("its start is still under way")
    }

    // MARK: Observing

    /// What containerd and the files say about a run; nil when its start has to begin or go on.
    private func look(_ run: RunID) async throws(GRPCFailure) -> Instance? {
        if let exit = directory(run).exit { return .exited(exit) }
        if starting.contains(run) { return .starting }
        return try await look(run, try await client.task(run.text))
    }

    private func look(_ run: RunID, _ task: ContainerdClient.TaskState?) async throws(GRPCFailure) -> Instance? {
        let directory = directory(run)
        if let exit = directory.exit { return .exited(exit) }
        if starting.contains(run) { return .starting }
        if let ending = directory.ending { return try await finish(run, ending) }
        switch task?.status {
        case .running, .paused, .pausing:
            let started = directory.started
            return .running(
                pid: task?.pid ?? 0, startedAtMs: started?.atMs ?? 0,
                facts: InstanceFacts(image: started?.image, address: started?.address),
                isFrozen: task?.status == .paused)
        case .stopped:
            guard let task else { return nil }
            return try await finish(run, exit(of: run, task))
        case .created, .unknown:
            if case .daemon = directory.claim { try await clear(run) } else { return nil }
            return .absent
        case nil:
            if let started = directory.started {
                return .exited(
                    started.boot == bootID
                        ? Exit(
                            reason: .unknown, message: "containerd does not know how it ended", atMs: agentos_wall_ms())
                        : Exit(reason: .machineRestarted, message: "the machine was restarted", atMs: agentos_wall_ms())
                )
            }
            if case .daemon = directory.claim { return .absent }
            return nil
        }
    }

    private func exit(of run: RunID, _ task: ContainerdClient.TaskState) -> Exit {
        let status = task.exitStatus
        // Runtimes report signals as shells do.
        let signal = (129...192).contains(status) ? status - 128 : nil
        var reason: Exit.Reason = status == 0 ? .completed : .error
        if status != 0, memoryGroups.ranOutOfMemory(cgroupsPath(run)) { reason = .oomKilled }
        return Exit(
            code: signal == nil ? status : nil, signal: signal, reason: reason,
            atMs: task.exitedAtMs > 0 ? task.exitedAtMs : agentos_wall_ms())
    }

    /// The exit is written down before containerd forgets it, and told when the log is complete and nothing lives.
    private func finish(_ run: RunID, _ exit: Exit) async throws(GRPCFailure) -> Instance {
        let directory = directory(run)
        if Files.exists(directory.path), directory.ending == nil {
            try onDisk { () throws(Files.Failure) in try directory.write(ending: exit) }
        }
        try await forgetTask(run)
        if directory.ending != nil { try onDisk { () throws(Files.Failure) in try directory.finishEnding() } }
        return .exited(exit)
    }

    private func onDisk(_ body: () throws(Files.Failure) -> Void) throws(GRPCFailure) {
        do throws(Files.Failure) { try body() } catch { throw GRPCFailure(.internalError, error.words) }
    }

    private func tell(_ run: RunID) async {
        do throws(GRPCFailure) {
            let instance = try await look(run)
            fresh?[run] = .some(instance)
            if let instance { report(.observed(driver: configuration.name, [run: instance], complete: false)) }
        } catch {
            _ = failed(error)
        }
    }

    private func observeAll() async {
        do throws(GRPCFailure) {
            try await connect()
            guard fresh == nil else { return }  // one is under way
            fresh = [:]
            defer { fresh = nil }
            let tasks = try await client.tasks()
            let byID = Dictionary(tasks.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
            var seen: [RunID: Instance] = [:]
            for name in Files.names(in: configuration.runs).sorted() {
                guard let run = RunID(name) else { continue }
                if let instance = try await look(run, byID[name]) { seen[run] = instance }
            }
            for task in tasks where task.status != .stopped {
                guard let run = RunID(task.id), seen[run] == nil, !Files.exists(directory(run).path),
                    try await isOurs(run)
                else { continue }
                seen[run] = .running(pid: task.pid, startedAtMs: 0)
            }
            for (run, instance) in fresh ?? [:] { seen[run] = instance }
            report(.observed(driver: configuration.name, seen, complete: true))
            if problem != nil {
                problem = nil
                report(.driverState(driver: configuration.name, problem: nil))
            }
        } catch {
            note(error)
        }
    }

    /// The namespace is there, exits are told, and what a crash left half-made is gone.
    private func connect() async throws(GRPCFailure) {
        if isSubscribed { return }
        _ = try await client.created { () throws(GRPCFailure) in
            _ = try await self.client.call("namespaces.v1.Namespaces/Create") {
                $0.put(1) { $0.put(1, self.configuration.namespace) }
            }
        }
        if isSubscribed { return }
        isSubscribed = true
        client.subscribe(namespace: configuration.namespace) { id in
            self.exited(id)
        } ended: { failure in
            self.isSubscribed = false
            self.note(failure ?? GRPCFailure(.unavailable, "containerd ended the connection"))
        }
        if !isSwept {
            isSwept = true
            try await sweep()
        }
    }

    private func exited(_ id: String) {
        guard let run = RunID(id) else { return }
        if starting.contains(run) {
            endedEarly.insert(run)
        } else if Files.exists(directory(run).path) {
            spawn { await $0.tell(run) }
        }
    }

    /// Says that containerd cannot be used, and asks again each second until it can.
    private func note(_ failure: GRPCFailure) {
        let words = "containerd at \(configuration.socket): \(failure.message)"
        if problem == nil { report(.driverState(driver: configuration.name, problem: words)) }
        problem = words
        guard !isRetrying else { return }
        isRetrying = true
        loop.events.after(ms: 1000) {
            self.isRetrying = false
            self.spawn { await $0.observeAll() }
        }
    }

    // MARK: Starting

    private func start(_ run: Run, _ context: StartContext) async throws(GRPCFailure) -> OperationResult {
        guard starting.insert(run.id).inserted else { return .failed("its start is still under way") }
        defer {
            starting.remove(run.id)
            cancelled.remove(run.id)
            endedEarly.remove(run.id)
        }
        let directory = directory(run.id)
        // Without its directory containerd has not heard of it yet.
        let task = Files.exists(directory.path) ? try await client.task(run.id.text) : nil
        if directory.exit != nil || directory.ending != nil || (task != nil && task?.status != .created) {
            starting.remove(run.id)
            await tell(run.id)
            return .done
        }
        if !directory.takeRuntimeClaim() {
            guard case .runtime = directory.claim else {
                starting.remove(run.id)
                await tell(run.id)
                return Files.exists("\(directory.path)/claim") ? .done : .failed("cannot write \(directory.path)")
            }
        }
        do throws(StartProblem) {
            let instance = try await makeContainer(run, context)
            starting.remove(run.id)
            if endedEarly.contains(run.id) {
                await tell(run.id)
            } else {
                fresh?[run.id] = .some(instance)
                report(.observed(driver: configuration.name, [run.id: instance], complete: false))
            }
            return .done
        } catch {
            switch error {
            case .outage(let failure): throw failure
            case .cancelled: return .failed("the start was given up")
            case .exit(let exit):
                try await clear(run.id)
                starting.remove(run.id)
                _ = try await finish(run.id, exit)
                await tell(run.id)
                return .done
            }
        }
    }

    func cgroupsPath(_ run: RunID) -> String { "/agentos-\(configuration.storeID.prefix(12))/\(run.text)" }

    // MARK: Ending

    private func kill(_ run: RunID, signal: Int32, all: Bool) async throws(GRPCFailure) {
        do throws(GRPCFailure) {
            _ = try await client.call("tasks.v1.Tasks/Kill") {
                $0.put(1, run.text)
                $0.put(3, UInt64(signal))
                $0.put(4, all)
            }
        } catch {
            // It has ended, or never was: what runtimes answer then differs.
            if error.isOutage { throw error }
        }
    }

    private func freeze(_ run: RunID, _ isFrozen: Bool) async throws(GRPCFailure) {
        do throws(GRPCFailure) {
            _ = try await client.call("tasks.v1.Tasks/\(isFrozen ? "Pause" : "Resume")") { $0.put(1, run.text) }
        } catch {
            // It has ended, or is so already; what is true is observed.
            if error.isOutage { throw error }
        }
    }

    private func giveUp(_ run: RunID) async throws(GRPCFailure) -> OperationResult {
        let directory = directory(run)
        switch try await look(run) {
        case .running, .ending, .exited, .absent: break
        case .starting, nil:
            do throws(Files.Failure) { try directory.giveUpRuntimeClaim() } catch { return .failed(error.words) }
            try await clear(run)
        }
        await tell(run)
        return .done
    }

    /// Takes away all that containerd has of a run; what runs is killed.
    func clear(_ run: RunID) async throws(GRPCFailure) {
        try await forgetTask(run)
        try await removed("containers.v1.Containers/Delete") { $0.put(1, run.text) }
        try await removed("snapshots.v1.Snapshots/Remove") {
            $0.put(1, ContainerdImages.snapshotter)
            $0.put(2, run.text)
        }
    }

    private func removed(_ method: String, _ build: (inout ProtoWriter) -> Void) async throws(GRPCFailure) {
        _ = try await client.found { () throws(GRPCFailure) in try await self.client.call(method, build) }
    }

    private func forgetTask(_ run: RunID) async throws(GRPCFailure) {
        for attempt in 0..<20 {
            do throws(GRPCFailure) {
                try await removed("tasks.v1.Tasks/Delete") { $0.put(1, run.text) }
                return
            } catch {
                // It runs still, or is ending.
                if error.isOutage || attempt == 19 { throw error }
                if attempt == 1 { try await freeze(run, false) }
                try await kill(run, signal: SIGKILL, all: true)
                await pause(ms: 50)
            }
        }
    }

    private func pause(ms: Int64) async {
        await withUnsafeContinuation { continuation in loop.events.after(ms: ms) { continuation.resume() } }
    }

    private func detach(_ run: RunID) async -> String? {
        await withUnsafeContinuation { continuation in
            configuration.network.detach(run, loop.events) { continuation.resume(returning: $0?.message) }
        }
    }

    private func removeOldDirectory(_ run: RunID) {
        let old = RunID(uid: run.uid, ordinal: run.ordinal, attempt: run.attempt - Limits.finishedRunsPerReplica)
        if old.attempt > 0 { Files.removeTree(directory(old).path) }
    }

    private func forget(_ uid: UID) async {
        for name in Files.names(in: configuration.runs) where name.hasPrefix(uid.hex) {
            guard let run = RunID(name) else { continue }
            do throws(GRPCFailure) {
                if directory(run).exit == nil { try await clear(run) }
                _ = await detach(run)  // the sweep at the next start finds it
                configuration.volumes.remove(run)
                Files.removeTree(directory(run).path)
            } catch {
                note(error)  // the sweep at the next start finds it
            }
        }
        Files.removeTree("\(configuration.state)/homes/\(uid.hex)")
    }

    // MARK: What crashes leave

    private func isOurs(_ run: RunID) async throws(GRPCFailure) -> Bool {
        let container = try await client.found { () throws(GRPCFailure) in
            try await self.client.call("containers.v1.Containers/Get") { $0.put(1, run.text) }
        }
        let labels = container?.message(1).map(2) ?? [:]
        return labels[Self.storeLabel] == configuration.storeID
            && labels[Self.driverLabel] == configuration.name
    }

    /// Removes containers of this store without a run directory, and layers whose unpacking was cut off.
    private func sweep() async throws(GRPCFailure) {
        let state = configuration.state
        configuration.network.sweep(loop.events) { run in
            ["containers", "sandboxes"].contains { Files.exists("\(state)/\($0)/\(run.text)") }
        }
        var request = ProtoWriter()
        request.putAlways(
            1,
            "labels.\"\(Self.storeLabel)\"==\(configuration.storeID),labels.\"\(Self.driverLabel)\"==\(configuration.name)"
                .utf8)
        var messages = [request.bytes][...]
        let containers = try await client.call(
            "containers.v1.Containers/ListStream", deadlineMs: 30_000, next: { messages.popFirst() })
        for container in containers {
            guard let run = RunID(container.message(1).string(1)), !Files.exists(directory(run).path) else { continue }
            try await clear(run)
        }
        var list = ProtoWriter()
        list.put(1, ContainerdImages.snapshotter)
        var lists = [list.bytes][...]
        for part in try await client.call(
            "snapshots.v1.Snapshots/List", deadlineMs: 30_000, next: { lists.popFirst() })
        {
            for bytes in part.all(1) {
                guard let name = try? ProtoMessage(bytes).string(1), name.hasPrefix(ContainerdImages.unpackPrefix)
                else {
                    continue
                }
                try await removed("snapshots.v1.Snapshots/Remove") {
                    $0.put(1, ContainerdImages.snapshotter)
                    $0.put(2, name)
                }
            }
        }
    }
}
