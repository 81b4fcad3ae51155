import CLinux
import Glibc
import Machine
import Manifests
import Planner
import Reconciler
import Values

/// Starts of sandboxes: image and network first, which take their time, then the supervisor as for any process.
extension ProcessKeeper {
    func prepare(
        _ run: Run, _ context: StartContext, _ sandbox: Sandbox, _ done: @escaping @Sendable (OperationResult) -> Void
    ) {
        guard preparing.insert(run.id).inserted else { return done(.failed("its start is still under way")) }
        sandbox.images.resolve(archive: run.spec.imageArchive ?? "") { [mailbox] root in
            mailbox.send(.unpacked(run, context, root, done))
        }
    }

    func unpacked(
        _ run: Run, _ context: StartContext, _ root: Result<UnpackedImages.Root, ImageProblem>,
        _ done: @escaping @Sendable (OperationResult) -> Void
    ) {
        guard let sandbox else { return }
        func go(_ root: UnpackedImages.Root, address: String?) {
            preparing.remove(run.id)
            // Meanwhile it may have been given up.
            if look(run.id) != nil {
                tell(run.id)
                return done(.done)
            }
            launch(run, context, sandbox, Sandbox.Prepared(root: root, address: address), done)
        }
        switch root {
        case .failure(let problem): refuse(run.id, problem.reason, problem.message, done)
        case .success(let root) where run.spec.network == .bridge:
            // The directory says that the network is somebody's.
            do throws(Files.Failure) { try Files.makeDirectory(directory(run.id).path) } catch {
                preparing.remove(run.id)
                return done(.failed(error.words))
            }
            sandbox.containers.network.attach(run.id, events) { [unowned self] result in
                switch result {
                case .success(let address): go(root, address: address)
                case .failure(let problem): refuse(run.id, .startError, problem.message, done)
                }
            }
        case .success(let root): go(root, address: nil)
        }
    }

    private func launch(
        _ run: Run, _ context: StartContext, _ sandbox: Sandbox, _ prepared: Sandbox.Prepared,
        _ done: @escaping @Sendable (OperationResult) -> Void
    ) {
        let directory = directory(run.id)
        var resources = run.spec.resources
        resources.limitPids = resources.limitPids.map { $0 + sandbox.settings.pidsHeadroom }
        do throws(Files.Failure) {
            try Files.makeDirectory(directory.path)
            let groups = try cgroups.make(run.id, resources)
            let specification: Supervisor.Specification
            do throws(Volumes.Problem) {
                specification = try sandbox.specification(run, context, prepared, boot: bootID, cgroups: groups)
            } catch { return refuse(run.id, .startError, error.message, done) }
            try directory.write(
                RunDirectory.Started(
                    boot: bootID, atMs: agentos_wall_ms(), image: prepared.root.image.digest, address: prepared.address)
            )
            let report = try Supervisor(path: configuration.supervisor).start(
                [run.id.text], in: directory.path, specification)
            awaitReport(run.id, report, done)
        } catch {
            done(.failed(error.words))
        }
    }

    /// The run cannot start and never will.
    private func refuse(
        _ run: RunID, _ reason: Exit.Reason, _ message: String, _ done: @escaping @Sendable (OperationResult) -> Void
    ) {
        preparing.remove(run)
        let directory = directory(run)
        guard directory.takeClaim() else {
            tell(run)
            return done(look(run) == nil ? .failed("cannot write \(directory.path)") : .done)
        }
        do throws(Files.Failure) {
            try directory.write(ending: Exit(reason: reason, message: message, atMs: agentos_wall_ms()))
            try directory.finishEnding()
            tell(run)
            done(.done)
        } catch { done(.failed(error.words)) }
    }
}
