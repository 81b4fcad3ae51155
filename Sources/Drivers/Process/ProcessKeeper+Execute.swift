import CLinux
import Glibc
import Machine
import Planner
import Reconciler
import Values

/// Commands beside an agent: with the user, environment, directory and cgroups that it has now.
extension ProcessKeeper {
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
            let specification =
                if let sandbox {
                    try sandbox.specification(execution, id: id, boot: bootID, cgroups: process.cgroups)
                } else {
                    try specification(execution, process, directory)
                }
            let streams = execution.streams.map { (input: $0.input, output: $0.output, error: $0.error) }
            let report = try Supervisor(path: configuration.supervisor).start(
                ["exec", String(execution.timeoutMs)], in: nil, specification, streams: streams)
            awaitEnd(report, execution) { [self] result in
                guard let sandbox else { return done(result) }
                func finish() { done(sandbox.finish(execution.run, id: id, result)) }
                if case .exited = result { return finish() }
                sandbox.end(execution.run, id: id, supervisor: configuration.supervisor, events, done: finish)
            }
        } catch {
            _ = sandbox?.finish(execution.run, id: id, .failed(error.words))
            if execution.control >= 0 { close(execution.control) }
            done(.failed(error.words))
        }
    }

    private func specification(
        _ execution: Execution, _ process: RunDirectory.Process, _ directory: RunDirectory
    ) throws(Files.Failure) -> Supervisor.Specification {
        let place = "/proc/\(process.pid)"
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink("\(place)/cwd", &buffer, buffer.count - 1)
        guard count > 0, let environment = Files.text("\(place)/environ", limit: 2 << 20),
            let status = Files.text("\(place)/status")
        else { throw Files.Failure(code: errno, what: place) }
        func identity(_ name: String) -> UInt32? {
            let line = status.split(separator: "\n").first { $0.hasPrefix(name) }
            return user == 0
                ? line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { UInt32($0) } : nil
        }
        let confinement = directory.confinement
        var specification = Supervisor.Specification(
            boot: bootID, directory: String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self),
            arguments: execution.command, environment: environment.split(separator: "\0").map(String.init))
        specification.user = identity("Uid:")
        specification.group = identity("Gid:")
        specification.openFiles = configuration.openFiles
        specification.systemCalls = try configuration.systemCalls.digits
        specification.readable = confinement?.readable
        specification.writable = confinement?.writable ?? []
        specification.cgroups = process.cgroups
        return specification
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
