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

/// One start through containerd: image, snapshot, container, task, program. Each step may be there already, from a start
/// that a crash cut off.
extension ContainerdKeeper {
    static let storeLabel = "agentos.dev/store"
    static let driverLabel = "agentos.dev/driver"

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

    func makeContainer(_ run: Run, _ context: StartContext) async throws(StartProblem) -> Instance {
        let id = run.id.text
        let image = try await resolveImage(run.spec)
        let spec: Node
        do throws(Volumes.Problem) {
            spec = try configuration.containers.specification(
                of: run, context, image, cgroupsPath: cgroupsPath(run.id)
            ).node
        } catch { throw refused(error.message) }
        if cancelled.contains(run.id) { throw .cancelled }
        let rootfs = try await prepareSnapshot(id, image)
        if cancelled.contains(run.id) { throw .cancelled }
        let specBytes = JSONWriter.bytes(spec)
        _ = try await calling("creating the container") { () throws(GRPCFailure) in
            try await client.created { () throws(GRPCFailure) in
                _ = try await client.call("containers.v1.Containers/Create") {
                    self.putContainer(&$0, run, context, image, specBytes)
                }
            }
        }
        if cancelled.contains(run.id) { throw .cancelled }
        let address = run.spec.network == .bridge ? try await attach(run.id) : nil
        let log =
            "binary://\(configuration.supervisor)?log="
            + Self.escaped(
                "\(Limits.logBytesMax):\(Limits.logFilesMax):\(configuration.runs)/\(id)")
        _ = try await calling("creating the task") { () throws(GRPCFailure) in
            try await client.created { () throws(GRPCFailure) in
                _ = try await client.call("tasks.v1.Tasks/Create", deadlineMs: 20_000) {
                    $0.put(1, id)
                    for mount in rootfs { $0.putAlways(3, mount) }
                    $0.put(5, log)
                    $0.put(6, log)
                }
            }
        }
        if cancelled.contains(run.id) { throw .cancelled }
        let started = RunDirectory.Started(
            boot: bootID, atMs: agentos_wall_ms(), image: image.digest, address: address)
        do throws(Files.Failure) { try directory(run.id).write(started) } catch { throw refused(error.words) }
        let answer = try await calling("starting the task") { () throws(GRPCFailure) in
            try await client.call("tasks.v1.Tasks/Start", deadlineMs: 20_000) { $0.put(1, id) }
        }
        return .running(
            pid: Int32(clamping: answer.number(1)), startedAtMs: started.atMs,
            facts: InstanceFacts(image: started.image, address: started.address))
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
            return try await images.resolve(spec.image ?? "")
        } catch {
            switch error {
            case .missing(let message): throw refused(message, .imageNotFound)
            case .unusable(let message): throw refused(message)
            case .runtime(let failure):
                if failure.isOutage { throw .outage(failure) }
                throw refused(failure.message)
            }
        }
    }

    private func prepareSnapshot(_ id: String, _ image: ResolvedImage)
        async throws(StartProblem) -> [ArraySlice<UInt8>]
    {
        return try await calling("preparing the root file system") { () throws(GRPCFailure) in
            do throws(GRPCFailure) {
                return try await client.call("snapshots.v1.Snapshots/Prepare") {
                    $0.put(1, ContainerdImages.snapshotter)
                    $0.put(2, id)
                    $0.put(3, image.chainID)
                    // Without this the collector may take it before its container is there.
                    $0.put(4, map: ["containerd.io/gc.root": "agentos", Self.storeLabel: configuration.storeID])
                }.all(1)
            } catch {
                guard error.code == .alreadyExists else { throw error }
                return try await client.call("snapshots.v1.Snapshots/Mounts") {
                    $0.put(1, ContainerdImages.snapshotter)
                    $0.put(2, id)
                }.all(1)
            }
        }
    }

    private func putContainer(
        _ writer: inout ProtoWriter, _ run: Run, _ context: StartContext, _ image: ResolvedImage, _ spec: [UInt8]
    ) {
        let labels = [
            Self.storeLabel: configuration.storeID, Self.driverLabel: configuration.name,
            "agentos.dev/namespace": context.namespace, "agentos.dev/agent": context.agent,
        ]
        writer.put(1) { container in
            container.put(1, run.id.text)
            container.put(2, map: labels)
            container.put(3, run.spec.image ?? image.digest)
            container.put(4) { runtime in
                runtime.put(1, "io.containerd.runc.v2")
                if let program = configuration.runtimes[run.spec.network ?? .none] {
                    var options = ProtoWriter()
                    options.put(6, program)
                    ContainerdClient.any(&runtime, 2, type: "containerd.runc.v1.Options", options.bytes)
                }
            }
            ContainerdClient.any(
                &container, 5, type: "types.containerd.io/opencontainers/runtime-spec/1/Spec", spec)
            container.put(6, ContainerdImages.snapshotter)
            container.put(7, run.id.text)
        }
    }

    /// As in the query of a URL.
    private static func escaped(_ text: String) -> String {
        let hex = Array("0123456789ABCDEF")
        return text.utf8.map { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x2e, 0x2f, 0x3a, 0x5f: String(UnicodeScalar(byte))
            default: "%\(hex[Int(byte >> 4)])\(hex[Int(byte & 15)])"
            }
        }.joined()
    }
}
