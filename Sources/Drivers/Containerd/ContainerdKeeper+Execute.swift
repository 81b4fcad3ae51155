import CLinux
import GRPC
import Glibc
import Machine
import Manifests
import Planner
import Reconciler
import Values

/// Commands beside an agent, as further processes of its container.
extension ContainerdKeeper {
    func execute(_ execution: Execution, _ ends: CommandEnds?) async -> ExecutionResult {
        let relay = ends.map {
            StreamRelay($0, isTerminal: execution.isTerminal, directory: configuration.runs, events: loop.events)
        }
        defer {
            relay?.close()
        }
        lastExecution += 1
        let id = "exec-\(getpid())-\(lastExecution)"
        let container = execution.run.text
        let control = CommandControl(ends?.control ?? -1, loop.events) {
            self.spawn { await $0.resize(execution, ends, id) }
        } hungUp: {
            self.spawn { await $0.killExecution(container, id) }
        }
        defer { control.stop() }
        do throws(GRPCFailure) {
            let process = try await process(of: container, execution, id)
            let command = ContainerdClient.Tasks.Command(
                id: id, input: relay?.input ?? "", output: relay?.output ?? "",
                // A terminal has one output.
                error: execution.isTerminal ? "" : relay?.error ?? "", isTerminal: execution.isTerminal,
                process: process)
            try await client.tasks.execute(container, command)
            let result = await runExecution(execution, ends, container, id, relay)
            await relay?.drain()
            try? await client.tasks.deleteCommand(container, exec: id)  // it goes with its container
            return result
        } catch {
            return ContainerProgram.end(.failed(error.message), of: execution.command.first ?? "")
        }
    }

    private func runExecution(
        _ execution: Execution, _ ends: CommandEnds?, _ container: String, _ id: String, _ relay: StreamRelay?
    ) async -> ExecutionResult {
        var timer: EventLoop.TimerID?
        if execution.timeoutMs > 0 {
            timer = loop.events.after(ms: execution.timeoutMs) {
                self.lateCommands.insert(id)
                self.spawn { await $0.killExecution(container, id) }
            }
        }
        defer {
            if let timer { loop.events.cancel(timer) }
            lateCommands.remove(id)
        }
        do throws(GRPCFailure) {
            let waiting = client.tasks.wait(container, exec: id)
            try await client.tasks.start(container, exec: id)
            relay?.open {
                // The shim holds the input open itself until it is told.
                self.spawn { await $0.closeInput(container, id) }
            }
            await resize(execution, ends, id)
            // Late before there was anything to kill.
            if lateCommands.contains(id) { await killExecution(container, id) }
            let status = try await waiting.exitStatus()
            // What it left behind ends with it.
            await killProcesses(container, id)
            return lateCommands.contains(id) ? .timedOut : .exited(status)
        } catch {
            await killExecution(container, id)
            if lateCommands.contains(id) { return .timedOut }
            return ContainerProgram.end(.failed(error.message), of: execution.command.first ?? "")
        }
    }

    private func killExecution(_ container: String, _ id: String) async {
        if let root = configuration.runtimes[.none] { await endInSandbox(root, container, id) }
        await killProcesses(container, id)
        try? await client.tasks.kill(container, exec: id, signal: SIGKILL)  // it may have ended
    }

    /// Kills all of the container's processes that carry the command's mark.
    private func killProcesses(_ container: String, _ id: String) async {
        if !configuration.runtimes.isEmpty { return }  // not visible outside the sandbox
        let mark = "\(Self.mark)=\(id)"
        for _ in 0..<10 {
            guard let processes = try? await client.tasks.pids(container) else { return }
            var isClean = true
            for pid in processes {
                let pidfd = agentos_pidfd_open(pid)
                guard pidfd >= 0 else { continue }
                defer { close(pidfd) }
                let environment = Files.text("/proc/\(pid)/environ", limit: 2 << 20) ?? ""
                guard environment.split(separator: "\0").contains(where: { $0 == mark }) else { continue }
                isClean = false
                _ = agentos_pidfd_signal(pidfd, SIGKILL)
            }
            if isClean { return }
        }
    }

    private static let mark = "AGENTOS_EXEC"

    private func endInSandbox(_ program: String, _ container: String, _ id: String) async {
        let file = "\(configuration.runs)/\(container)/\(id).pid"
        let words = [program, "end", "/run/containerd/runc/\(configuration.namespace)", container, file]
        let null = agentos_open_null()
        let pid = withCStrings(words) { argv in
            withCStrings(["PATH=/usr/bin:/bin"]) { agentos_spawn(program, argv, $0, "/", null, null, null, null, -1) }
        }
        close(null)
        let pidfd = pid > 0 ? agentos_pidfd_open(pid) : -1
        guard pidfd >= 0 else { return }
        await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
            loop.events.watch(pidfd) { [events = loop.events] _ in
                events.unwatch(pidfd)
                close(pidfd)
                continuation.resume()
            }
        }
        unlink(file)
    }

    private func closeInput(_ container: String, _ id: String) async {
        try? await client.tasks.closeInput(container, exec: id)  // it may have ended
    }

    /// Gives the command's terminal the size of the caller's.
    private func resize(_ execution: Execution, _ ends: CommandEnds?, _ id: String) async {
        var size: (columns: UInt16, rows: UInt16) = (0, 0)
        guard execution.isTerminal, let ends,
            agentos_get_window(ends.input, &size.columns, &size.rows) == 0
        else { return }
        try? await client.tasks.resizeTerminal(execution.run.text, exec: id, columns: size.columns, rows: size.rows)
    }

    /// The agent's own process with another command: its user, environment and rights.
    private func process(of container: String, _ execution: Execution, _ id: String) async throws(GRPCFailure)
        -> [UInt8]
    {
        let spec = try await client.containers.get(container)?.spec ?? []
        guard var process = JSONReader.read(String(decoding: spec, as: UTF8.self))?["process"] else {
            throw GRPCFailure(.internalError, "the container has no process")
        }
        process["args"] = .list(execution.command.map { .text($0) })
        if execution.isTerminal { process["terminal"] = true }
        process["env"] = .list((process["env"]?.list ?? []) + [.text("\(Self.mark)=\(id)")])
        return JSONWriter.bytes(process)
    }
}
