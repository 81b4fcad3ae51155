import CLinux
import GRPC
import Machine
import Planner
import Reconciler

/// What containerd and the run directories say.
extension ContainerdKeeper {
    /// Nil when its start has to begin or go on.
    func look(_ run: RunID) async throws(GRPCFailure) -> Instance? {
        if let exit = directory(run).exit { return .exited(exit) }
        if starts.isUnderWay(run) { return .starting }
        return try await look(run, try await client.tasks.get(run.text))
    }

    private func look(_ run: RunID, _ task: ContainerdClient.Tasks.State?) async throws(GRPCFailure) -> Instance? {
        let directory = directory(run)
        if let exit = directory.exit { return .exited(exit) }
        if starts.isUnderWay(run) { return .starting }
        if let ending = directory.ending { return try await finish(run, ending) }
        switch task?.status {
        case .running, .paused, .pausing:
            let started = directory.started
            return .running(
                pid: task?.pid ?? 0, startedAtMs: started?.atMs ?? 0,
                facts: InstanceFacts(
                    image: started?.image, address: started?.address, childOOMKills: directory.childOOMKills),
                isFrozen: task?.status == .paused)
        case .stopped:
            guard let task else { return nil }
            return try await finish(run, exit(of: run, task))
        case .created, .unknown:
            if case .daemon = directory.claim { try await clear(run) } else { return nil }
            return .absent
        case nil:
            if let started = directory.started { return .exited(lost(started)) }
            if case .daemon = directory.claim { return .absent }
            return nil
        }
    }

    private func lost(_ started: RunDirectory.Started) -> Exit {
        started.boot == bootID
            ? Exit(reason: .unknown, message: "containerd does not know how it ended", atMs: agentos_wall_ms())
            : Exit(reason: .machineRestarted, message: "the machine was restarted", atMs: agentos_wall_ms())
    }

    private func exit(of run: RunID, _ task: ContainerdClient.Tasks.State) -> Exit {
        let status = task.exitStatus
        // Runtimes report signals as shells do.
        let signal = (129...192).contains(status) ? status - 128 : nil
        let memory = memory(of: run, status: status)
        return Exit(
            code: signal == nil ? status : nil, signal: signal,
            reason: status == 0 ? .completed : memory.isReason ? .oomKilled : .error,
            atMs: task.exitedAtMs > 0 ? task.exitedAtMs : agentos_wall_ms(), childOOMKills: memory.childKills)
    }

    /// The exit is written down before containerd forgets it, and told when the log is complete and nothing lives.
    func finish(_ run: RunID, _ exit: Exit) async throws(GRPCFailure) -> Instance {
        let directory = directory(run)
        if Files.exists(directory.path), directory.ending == nil {
            try onDisk { () throws(Files.Failure) in
                if exit.childOOMKills > directory.childOOMKills {
                    try directory.write(childOOMKills: exit.childOOMKills)
                }
                try directory.write(ending: exit)
            }
        }
        try await forgetTask(run)
        if directory.ending != nil { try onDisk { () throws(Files.Failure) in try directory.finishEnding() } }
        return .exited(exit)
    }

    private func onDisk(_ body: () throws(Files.Failure) -> Void) throws(GRPCFailure) {
        do throws(Files.Failure) { try body() } catch { throw GRPCFailure(.internalError, error.words) }
    }

    func tell(_ run: RunID) async {
        if let store = directory(run).store, store != configuration.storeID { return }
        do throws(GRPCFailure) {
            let instance = try await look(run)
            fresh?[run] = .some(instance)
            if let instance { report(.observed(driver: configuration.name, [run: instance], complete: false)) }
        } catch {
            _ = failed(error)
        }
    }

    func observeAll() async {
        do throws(GRPCFailure) {
            try await connect()
            guard fresh == nil else { return }  // one is under way
            fresh = [:]
            defer { fresh = nil }
            let tasks = try await client.tasks.list()
            let byID = Dictionary(tasks.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
            var seen: [RunID: Instance] = [:]
            for name in try runNames() {
                guard let run = RunID(name) else { continue }
                if try await isForeign(run, isThere: byID[name] != nil) { continue }
                if let instance = try await look(run, byID[name]) { seen[run] = instance }
                if byID[name]?.status == .running { lookForKills(run) }
            }
            for task in tasks where task.status != .stopped {
                guard let run = RunID(task.id), seen[run] == nil, !Files.exists(directory(run).path),
                    try await isOurs(run)
                else { continue }
                seen[run] = .running(pid: task.pid, startedAtMs: 0)
            }
            for (run, instance) in fresh ?? [:] { seen[run] = instance }
            report(.observed(driver: configuration.name, seen, complete: true))
            noteSuccess()
        } catch {
            note(error)
        }
    }

    /// What cannot be read is not taken for gone: then nothing is reported, and it is looked at again.
    private func runNames() throws(GRPCFailure) -> [String] {
        do throws(Files.Failure) { return try Files.list(configuration.runs).sorted() } catch {
            throw GRPCFailure(.internalError, error.words)
        }
    }

    /// It is of another store that lies in this directory, or lay: it is never touched.
    private func isForeign(_ run: RunID, isThere: Bool) async throws(GRPCFailure) -> Bool {
        if let store = directory(run).store { return store != configuration.storeID }
        // Files of earlier versions do not say it; its container does.
        if !isThere { return false }
        let isOurs = try await isOurs(run)
        return !isOurs
    }

    private func isOurs(_ run: RunID) async throws(GRPCFailure) -> Bool {
        let labels = try await client.containers.get(run.text)?.labels ?? [:]
        return labels[Self.storeLabel] == configuration.storeID && labels[Self.driverLabel] == configuration.name
    }

    func measure(_ runs: [RunID]) async -> [RunID: RunUsage] {
        let known = (try? await client.tasks.usages()) ?? [:]  // nothing is known about any
        return Dictionary(
            runs.compactMap { run in known[run.text].map { (run, $0) } }, uniquingKeysWith: { first, _ in first })
    }
}
