import CLinux
import GRPC
import Glibc
import Machine
import Manifests
import Planner
import Reconciler
import Values

/// Why a start did not get to its end.
enum StartProblem: Error {
    /// Nothing is known; the same start may go on later.
    case outage(GRPCFailure)
    case cancelled
    /// It cannot be started.
    case exit(Exit)
}

/// One start through containerd: image, network, snapshot, container, task, program. Each step may be there already, from
/// a start that a crash cut off.
extension ContainerdKeeper {
    private enum Outcome {
        case running(Instance)
        /// What there is says it.
        case observable
        case ended(Exit)
        case failed(String)
    }

    func start(_ run: Run, _ context: StartContext) async throws(GRPCFailure) -> OperationResult {
        guard starts.begin(run.id) else { return Self.stillStarting }
        let outcome: Result<Outcome, GRPCFailure>
        do throws(GRPCFailure) { outcome = .success(try await attempt(run, context)) } catch {
            outcome = .failure(error)
        }
        let hasEnded = starts.end(run.id)
        switch try outcome.get() {
        case .running(let instance) where !hasEnded:
            fresh?[run.id] = .some(instance)
            report(.observed(driver: configuration.name, [run.id: instance], complete: false))
        case .running, .observable: await tell(run.id)
        case .ended(let exit):
            _ = try await finish(run.id, exit)
            await tell(run.id)
        case .failed(let why): return .failed(why)
        }
        return .done
    }

    private func attempt(_ run: Run, _ context: StartContext) async throws(GRPCFailure) -> Outcome {
        let directory = directory(run.id)
        // Without its directory containerd has not heard of it yet.
        let task = Files.exists(directory.path) ? try await client.tasks.get(run.id.text) : nil
        if directory.exit != nil || directory.ending != nil || (task != nil && task?.status != .created) {
            return .observable
        }
        if !directory.takeRuntimeClaim(for: configuration.storeID) {
            guard case .runtime = directory.claim else {
                return Files.exists("\(directory.path)/claim") ? .observable : .failed("cannot write \(directory.path)")
            }
        }
        do throws(StartProblem) { return .running(try await makeContainer(run, context)) } catch {
            switch error {
            case .outage(let failure): throw failure
            case .cancelled: return .failed("the start was given up")
            case .exit(let exit):
                try await clear(run.id)
                return .ended(exit)
            }
        }
    }

    // MARK: Steps

    private func makeContainer(_ run: Run, _ context: StartContext) async throws(StartProblem) -> Instance {
        let id = run.id.text
        let image = try await resolveImage(run.spec)
        try proceed(run.id, to: .preparing)
        let address = run.spec.network == .bridge ? try await attach(run.id) : nil
        try proceed(run.id, to: .preparing)
        let rootfs = try await prepareSnapshot(id, image)
        try proceed(run.id, to: .preparing)
        let ground = ContainerSettings.Ground(
            image: image, files: RootFiles(layers: rootfs.flatMap(\.layers)), address: address)
        let spec = try await specification(of: run, context, on: ground)
        try proceed(run.id, to: .preparing)
        let container = ContainerdClient.Containers.Container(
            id: id,
            labels: [
                Self.storeLabel: configuration.storeID, Self.driverLabel: configuration.name,
                "agentos.dev/namespace": context.namespace, "agentos.dev/agent": context.agent,
            ], image: run.spec.image ?? image.digest, runtime: configuration.runtimes[run.spec.network ?? .none],
            spec: JSONWriter.bytes(spec))
        try await calling("creating the container") { () throws(GRPCFailure) in
            try await client.containers.create(container)
        }
        try proceed(run.id, to: .creating)
        try await calling("creating the task") { () throws(GRPCFailure) in
            try await client.tasks.create(id, rootfs: rootfs, output: logURI(run.id))
        }
        try proceed(run.id, to: .launching)
        let started = RunDirectory.Started(
            boot: bootID, atMs: agentos_wall_ms(), image: image.digest, address: address,
            stopSignal: image.stopSignal)
        do throws(Files.Failure) { try directory(run.id).write(started) } catch { throw refused(error.words) }
        let pid = try await calling("starting the task") { () throws(GRPCFailure) in try await client.tasks.start(id) }
        return .running(
            pid: pid, startedAtMs: started.atMs, facts: InstanceFacts(image: started.image, address: started.address))
    }

    /// Also makes its directories, and gives them to its user file by file: beside, since that may take long.
    private func specification(
        of run: Run, _ context: StartContext, on ground: ContainerSettings.Ground
    ) async throws(StartProblem) -> Node {
        let (containers, group) = (configuration.containers, cgroupsPath(run.id))
        let made: Result<Node, Volumes.Problem> = await withUnsafeContinuation { continuation in
            files.run { () -> Result<Node, Volumes.Problem> in
                do throws(Volumes.Problem) {
                    return .success(
                        try containers.specification(of: run, context, on: ground, cgroupsPath: group).node)
                } catch { return .failure(error) }
            } then: {
                continuation.resume(returning: $0)
            }
        }
        do throws(Volumes.Problem) { return try made.get() } catch { throw refused(error.message) }
    }

    private func proceed(_ run: RunID, to step: StartState.Step) throws(StartProblem) {
        do throws(Starts.Cancelled) { try starts.proceed(run, to: step) } catch { throw .cancelled }
    }

    private func refused(_ message: String, _ reason: Exit.Reason = .startError) -> StartProblem {
        .exit(Exit(reason: reason, message: message, atMs: agentos_wall_ms()))
    }

    private func calling<Value>(
        _ step: String, _ body: () async throws(GRPCFailure) -> Value
    ) async throws(StartProblem) -> Value {
        do throws(GRPCFailure) { return try await body() } catch {
            if error.isOutage { throw .outage(error) }
            throw refused("\(step): \(error.message)")
        }
    }

    private func attach(_ run: RunID) async throws(StartProblem) -> String {
        let network = configuration.containers.network
        let result = await withUnsafeContinuation { continuation in
            network.attach(run, loop.events) { continuation.resume(returning: $0) }
        }
        do throws(BridgeNetwork.Problem) { return try result.get() } catch { throw refused(error.message) }
    }

    private func resolveImage(_ spec: AgentSpec) async throws(StartProblem) -> ResolvedImage {
        do throws(ContainerdImages.Problem) {
            if let archive = spec.imageArchive { return try await images.resolve(archive: archive) }
            return try await images.resolve(ImageReference(spec.image ?? ""))
        } catch {
            switch error {
            case .image(let problem): throw refused(problem.message, problem.reason)
            case .runtime(let failure):
                if failure.isOutage { throw .outage(failure) }
                throw refused(failure.message)
            }
        }
    }

    private func prepareSnapshot(
        _ id: String, _ image: ResolvedImage
    ) async throws(StartProblem) -> [ContainerdClient.Mount] {
        // Without the label the collector may take it before its container is there.
        let labels = ["containerd.io/gc.root": "agentos", Self.storeLabel: configuration.storeID]
        return try await calling("preparing the root file system") { () throws(GRPCFailure) in
            do throws(GRPCFailure) {
                return try await client.snapshots.prepare(id, parent: image.chainID, labels: labels)
            } catch {
                guard error.code == .alreadyExists else { throw error }
                return try await client.snapshots.mounts(id)
            }
        }
    }

    /// The supervisor writes the log.
    private func logURI(_ run: RunID) -> String {
        let settings = "\(Limits.logBytesMax):\(Limits.logFilesMax):\(configuration.runs)/\(run.text)"
        return "binary://\(configuration.supervisor)?log=\(Percent.encode(settings))"
    }
}
