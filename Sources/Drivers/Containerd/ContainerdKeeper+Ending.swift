import GRPC
import Glibc
import Machine
import Manifests
import Planner
import Reconciler
import Values

/// Ends of runs, and what goes with them.
extension ContainerdKeeper {
    func kill(_ run: RunID, signal: Int32, all: Bool) async throws(GRPCFailure) {
        do throws(GRPCFailure) { try await client.tasks.kill(run.text, signal: signal, all: all) } catch {
            // It has ended, or never was: what runtimes answer then differs.
            if error.isOutage { throw error }
        }
    }

    func freeze(_ run: RunID, _ isFrozen: Bool) async throws(GRPCFailure) {
        do throws(GRPCFailure) { try await client.tasks.freeze(run.text, isFrozen) } catch {
            // It has ended, or is so already; what is true is observed.
            if error.isOutage { throw error }
        }
    }

    func giveUp(_ run: RunID) async throws(GRPCFailure) -> OperationResult {
        let directory = directory(run)
        switch try await look(run) {
        case .running, .ending, .exited, .absent: break
        case .starting, nil:
            do throws(Files.Failure) { try directory.giveUpRuntimeClaim(for: configuration.storeID) } catch {
                return .failed(error.words)
            }
            try await clear(run)
        }
        await tell(run)
        return .done
    }

    /// Takes away all that containerd has of a run; what runs is killed.
    func clear(_ run: RunID) async throws(GRPCFailure) {
        try await forgetTask(run)
        try await client.containers.delete(run.text)
        try await client.snapshots.remove(run.text)
    }

    func forgetTask(_ run: RunID) async throws(GRPCFailure) {
        memoryKills.forget(run)
        for attempt in 0..<20 {
            do throws(GRPCFailure) { return try await client.tasks.delete(run.text) } catch {
                // It runs still, or is ending.
                if error.isOutage || attempt == 19 { throw error }
                if attempt == 1 { try await freeze(run, false) }
                try await kill(run, signal: SIGKILL, all: true)
                await pause(ms: 50)
            }
        }
    }

    private func pause(ms: Int64) async {
        await withUnsafeContinuation { continuation in loop.events.after(ms: ms) { continuation.resume() } }
    }

    /// - Returns: what is in the way.
    func detach(_ run: RunID) async -> String? {
        await withUnsafeContinuation { continuation in
            configuration.network.detach(run, loop.events) { continuation.resume(returning: $0?.message) }
        }
    }

    func removeOldDirectory(_ run: RunID) {
        let old = RunID(uid: run.uid, ordinal: run.ordinal, attempt: run.attempt - Limits.finishedRunsPerReplica)
        if old.attempt > 0 { removals.discard(directory(old).path) }
    }

    /// One look at the directories serves all that were deleted at the same time.
    func forgetAll() async {
        let batch = forgotten
        forgotten = []
        let runs = Dictionary(grouping: Files.names(in: configuration.runs).compactMap(RunID.init), by: \.uid)
        for (uid, done) in batch {
            await forget(uid, runs[uid] ?? [])
            done()
        }
    }

    private func forget(_ uid: UID, _ runs: [RunID]) async {
        for run in runs {
            do throws(GRPCFailure) {
                if directory(run).exit == nil { try await clear(run) }
                _ = await detach(run)  // the sweep at the next start finds it
                configuration.volumes.remove(run)
                removals.discard(directory(run).path)
            } catch {
                note(error)  // the sweep at the next start finds it
            }
        }
        removals.discard("\(configuration.state)/homes/\(uid.hex)")
    }

    /// Removes what crashes left: containers of this store without a run directory, and layers whose unpacking was cut
    /// off.
    func sweep() async throws(GRPCFailure) {
        let state = configuration.state
        removals.sweep([configuration.runs, "\(state)/homes"])
        configuration.network.sweep(loop.events) { run in
            ["containers", "sandboxes"].contains { Files.exists("\(state)/\($0)/\(run.text)") }
        }
        let ours = [Self.storeLabel: configuration.storeID, Self.driverLabel: configuration.name]
        for id in try await client.containers.ids(labels: ours) {
            guard let run = RunID(id), !Files.exists(directory(run).path) else { continue }
            try await clear(run)
        }
        // Those of other stores may be filled at this moment.
        for name in try await client.snapshots.names() where name.hasPrefix(images.unpackPrefix) {
            try await client.snapshots.remove(name)
        }
    }
}
