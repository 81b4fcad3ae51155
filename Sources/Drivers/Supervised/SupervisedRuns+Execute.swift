import CLinux
import Glibc
import Machine
import Planner
import Reconciler
import Values

/// Commands beside an agent, each under a supervisor of its own.
extension SupervisedRuns {
    func execute(
        _ execution: Execution, _ ends: CommandEnds?, _ done: @escaping @Sendable (ExecutionResult) -> Void
    ) {
        defer { ends?.closeStreams() }
        let control = ends?.control ?? -1
        let directory = directory(execution.run)
        guard directory.exit == nil, let process = directory.process, process.boot == bootID,
            ProcessTable.isAlive(process.pid, process.start)
        else {
            if control >= 0 { close(control) }
            return done(.failed("the agent does not run"))
        }
        lastExecution += 1
        let id = "exec-\(getpid())-\(lastExecution)"
        do throws(Files.Failure) {
            let specification = try launcher.command(execution, id: id, process, directory)
            let streams = ends.map { (input: $0.input, output: $0.output, error: $0.error) }
            let report = try Supervisor(path: configuration.supervisor).start(
                ["exec", String(execution.timeoutMs)], in: nil, specification, streams: streams)
            awaitEnd(report, control) { [self] result in launcher.finish(execution, id: id, result, done: done) }
        } catch {
            if control >= 0 { close(control) }
            let words = error.words
            launcher.finish(execution, id: id, .failed(words)) { _ in done(.failed(words)) }
        }
    }

    private func awaitEnd(
        _ report: Int32, _ control: Int32, _ done: @escaping (ExecutionResult) -> Void
    ) {
        func close() {
            events.unwatch(report)
            Glibc.close(report)
        }
        let control = CommandControl(control, events) {
            // Nobody waits any more: the closed report ends the command.
            close()
            done(.failed("the caller hung up"))
        }
        events.watch(report) { _ in
            let end = Supervisor.end(reportedAt: report)
            close()
            control.stop()
            done(end)
        }
    }
}
