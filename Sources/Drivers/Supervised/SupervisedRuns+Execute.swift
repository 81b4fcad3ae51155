import CLinux
import Glibc
import Machine
import Planner
import Reconciler
import Values

/// Commands beside an agent, each under a supervisor of its own.
extension SupervisedRuns {
    func execute(_ execution: Execution, _ done: @escaping @Sendable (ExecutionResult) -> Void) {
        defer {
            if let streams = execution.streams {
                for fd in [streams.input, streams.output, streams.error] { close(fd) }
            }
        }
        let directory = directory(execution.run)
        guard directory.exit == nil, let process = directory.process, process.boot == bootID,
            ProcessTable.isAlive(process.pid, process.start)
        else {
            if execution.control >= 0 { close(execution.control) }
            return done(.failed("the agent does not run"))
        }
        lastExecution += 1
        let id = "exec-\(getpid())-\(lastExecution)"
        do throws(Files.Failure) {
            let specification = try launcher.command(execution, id: id, process, directory)
            let streams = execution.streams.map { (input: $0.input, output: $0.output, error: $0.error) }
            let report = try Supervisor(path: configuration.supervisor).start(
                ["exec", String(execution.timeoutMs)], in: nil, specification, streams: streams)
            awaitEnd(report, execution) { [self] result in launcher.finish(execution, id: id, result, done: done) }
        } catch {
            if execution.control >= 0 { close(execution.control) }
            let words = error.words
            launcher.finish(execution, id: id, .failed(words)) { _ in done(.failed(words)) }
        }
    }

    private func awaitEnd(
        _ report: Int32, _ execution: Execution, _ done: @escaping (ExecutionResult) -> Void
    ) {
        func close() {
            events.unwatch(report)
            Glibc.close(report)
        }
        let control = CommandControl(execution.control, events) {
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
