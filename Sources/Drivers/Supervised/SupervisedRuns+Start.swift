import CLinux
import Glibc
import Machine
import Planner
import Reconciler

/// Starts: what a run needs first, which may take its time, then its cgroups and its supervisor, which takes the claim.
extension SupervisedRuns {
    func start(_ run: Run, _ context: StartContext, _ done: @escaping @Sendable (OperationResult) -> Void) {
        if look(run.id) != nil {
            tell(run.id)
            return done(.done)
        }
        guard beginPreparing(run.id) else { return done(.failed("its start is still under way")) }
        launcher.prepare(run, context) { [unowned self] launch in
            let isWanted = endPreparing(run.id)
            switch look(run.id) {
            case nil where isWanted: break
            case nil, .absent:
                // It was given up, or forgotten: what was made for it meanwhile goes.
                launcher.remove(run.id) { _ in }
                if directory(run.id).claim == nil { removals.discard(directory(run.id).path) }
                tell(run.id)
                return done(.failed("the start was given up"))
            case .starting, .running, .ending, .exited:
                tell(run.id)
                return done(.done)
            }
            do throws(LaunchProblem) {
                let report = try supervise(run, try launch.get())
                awaitReport(run.id, report, done)
            } catch {
                switch error {
                case .retry(let message): done(.failed(message))
                case .refused(let reason, let message): refuse(run.id, reason, message, done)
                }
            }
        }
    }

    /// Starts the supervisor; the descriptor of its report.
    private func supervise(_ run: Run, _ launch: Launch) throws(LaunchProblem) -> Int32 {
        let directory = directory(run.id)
        do throws(Files.Failure) { try Files.makeDirectory(directory.path) } catch { throw .retry(error.words) }
        let groups = try cgroups.make(run.id, launcher.resources(of: run))
        let specification = try launch.specification(groups)
        if let problem = specification.problem { throw .refused(.startError, problem) }
        do throws(Files.Failure) {
            return try Supervisor(path: configuration.supervisor).start(
                [run.id.text], in: directory.path, specification)
        } catch { throw .retry(error.words) }
    }

    private func awaitReport(_ run: RunID, _ fd: Int32, _ done: @escaping @Sendable (OperationResult) -> Void) {
        events.watch(fd) { [unowned self] _ in
            events.unwatch(fd)
            close(fd)
            // Whatever the line says, the run directory says it too, and stays.
            tell(run)
            done(look(run) == nil ? .failed("the supervisor ended without a claim") : .done)
        }
    }

    /// The run cannot start and never will.
    private func refuse(
        _ run: RunID, _ reason: Exit.Reason, _ message: String, _ done: @escaping @Sendable (OperationResult) -> Void
    ) {
        let directory = directory(run)
        guard directory.takeClaim(for: configuration.storeID) else {
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
