import CLinux
import Glibc
internal import Manifests
internal import Planner
internal import Reconciler

/// Commands beside an agent, as further processes of its container.
extension ContainerdKeeper {
    func execute(_ execution: Execution) async -> ExecutionResult {
        let relay = execution.streams.map {
            StreamRelay($0, isTerminal: execution.isTerminal, directory: configuration.runs, events: loop.events)
        }
        defer {
            relay?.close()
        }
        lastExecution += 1
        let id = "exec-\(getpid())-\(lastExecution)"
        let container = execution.run.text
        let control = CommandControl(execution.control, loop.events) { columns, rows in
            self.spawn { await $0.resize(container, id, columns, rows) }
        } hungUp: {
            self.spawn { await $0.killExecution(container, id) }
        }
        defer { control.stop() }
        do throws(GRPCFailure) {
            let process = try await process(of: container, execution)
            _ = try await client.call("tasks.v1.Tasks/Exec") {
                $0.put(1, container)
                $0.put(2, relay?.input ?? "")
                $0.put(3, relay?.output ?? "")
                // A terminal has one output.
                $0.put(4, execution.isTerminal ? "" : relay?.error ?? "")
                $0.put(5, execution.isTerminal)
                ContainerdClient.any(
                    &$0, 6, type: "types.containerd.io/opencontainers/runtime-spec/1/Process", process)
                $0.put(7, id)
            }
            let result = await runExecution(execution, container, id, relay)
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

    private func runExecution(
        _ execution: Execution, _ container: String, _ id: String, _ relay: StreamRelay?
    ) async -> ExecutionResult {
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
            relay?.open {
                // The shim holds the input open itself until it is told.
                self.spawn { await $0.closeInput(container, id) }
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

    private func closeInput(_ container: String, _ id: String) async {
        _ = try? await client.call("tasks.v1.Tasks/CloseIO") {
            $0.put(1, container)
            $0.put(2, id)
            $0.put(3, true)
        }
    }

    private func resize(_ container: String, _ id: String, _ columns: UInt16, _ rows: UInt16) async {
        _ = try? await client.call("tasks.v1.Tasks/ResizePty") {
            $0.put(1, container)
            $0.put(2, id)
            $0.put(3, UInt64(columns))
            $0.put(4, UInt64(rows))
        }
    }

    /// The agent's own process with another command: its user, environment and rights.
    private func process(of container: String, _ execution: Execution) async throws(GRPCFailure) -> [UInt8] {
        let answer = try await client.call("containers.v1.Containers/Get") { $0.put(1, container) }
        let bytes = answer.message(1).message(5).bytes(2)
        guard var process = JSONReader.read(String(decoding: bytes, as: UTF8.self))?["process"] else {
            throw GRPCFailure(.internalError, "the container has no process")
        }
        process["args"] = .list(execution.command.map { .text($0) })
        if execution.isTerminal {
            process["terminal"] = true
            var size: (columns: UInt16, rows: UInt16) = (80, 24)
            if let streams = execution.streams { _ = agentos_get_window(streams.input, &size.columns, &size.rows) }
            process["consoleSize"] = .map([
                ("height", .number(Int(size.rows))), ("width", .number(Int(size.columns))),
            ])
        }
        return JSONWriter.bytes(process)
    }
}
