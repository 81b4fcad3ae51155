import CLinux
import Glibc
internal import Manifests
internal import Planner
internal import Reconciler

/// Commands beside an agent, as further processes of its container.
extension ContainerdKeeper {
    func execute(_ execution: Execution) async -> ExecutionResult {
        let relay = execution.streams.map { StreamRelay($0, directory: configuration.runs, events: loop.events) }
        defer {
            relay?.close()
            if execution.hangup >= 0 { close(execution.hangup) }
        }
        lastExecution += 1
        let id = "exec-\(getpid())-\(lastExecution)"
        let container = execution.run.text
        do throws(GRPCFailure) {
            let process = try await process(of: container, execution.command)
            _ = try await client.call("tasks.v1.Tasks/Exec") {
                $0.put(1, container)
                $0.put(2, relay?.input ?? "")
                $0.put(3, relay?.output ?? "")
                $0.put(4, relay?.error ?? "")
                ContainerdClient.any(
                    &$0, 6, type: "types.containerd.io/opencontainers/runtime-spec/1/Process", process)
                $0.put(7, id)
            }
            relay?.open()
            let result = await runExecution(execution, container, id)
            await relay?.drain()
            _ = try? await client.call("tasks.v1.Tasks/DeleteProcess") {
                $0.put(1, container)
                $0.put(2, id)
            }
            return result
        } catch {
            return .failed(error.message)
        }
    }

    private func runExecution(_ execution: Execution, _ container: String, _ id: String) async -> ExecutionResult {
        // A caller that hangs up ends the command.
        if execution.hangup >= 0 {
            loop.events.watch(execution.hangup) { _ in
                self.loop.events.unwatch(execution.hangup)
                self.spawn { await $0.killExecution(container, id) }
            }
        }
        defer { if execution.hangup >= 0 { loop.events.unwatch(execution.hangup) } }
        do throws(GRPCFailure) {
            let deadlineMs = execution.timeoutMs > 0 ? execution.timeoutMs : nil
            let waiting = client.start("tasks.v1.Tasks/Wait", deadlineMs: deadlineMs) {
                $0.put(1, container)
                $0.put(2, id)
            }
            _ = try await client.call("tasks.v1.Tasks/Start") {
                $0.put(1, container)
                $0.put(2, id)
            }
            let status = try await waiting.value()
            return .exited(Int(truncatingIfNeeded: status.number(1)))
        } catch {
            await killExecution(container, id)
            if error.code == .deadlineExceeded { return .timedOut }
            return .failed(error.message)
        }
    }

    private func killExecution(_ container: String, _ id: String) async {
        _ = try? await client.call("tasks.v1.Tasks/Kill") {
            $0.put(1, container)
            $0.put(2, id)
            $0.put(3, UInt64(SIGKILL))
        }
    }

    /// The agent's own process with another command: its user, environment and rights.
    private func process(of container: String, _ command: [String]) async throws(GRPCFailure) -> [UInt8] {
        let answer = try await client.call("containers.v1.Containers/Get") { $0.put(1, container) }
        let bytes = answer.message(1).message(5).bytes(2)
        guard var process = JSONReader.read(String(decoding: bytes, as: UTF8.self))?["process"] else {
            throw GRPCFailure(.internalError, "the container has no process")
        }
        process["args"] = .list(command.map { .text($0) })
        return JSONWriter.bytes(process)
    }
}
