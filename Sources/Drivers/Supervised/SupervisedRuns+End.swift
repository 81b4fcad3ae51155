import CLinux
import Glibc
import Machine
import Manifests
import Planner
import Reconciler
import Values

/// Ends of runs and what they leave. Nothing here costs more because there are many other runs or processes.
extension SupervisedRuns {
    /// Ends all of a run that lives; of one that has ended nothing is looked at.
    func kill(_ run: RunID) {
        let directory = directory(run)
        guard directory.exit == nil else { return }
        guard let process = directory.process, process.boot == bootID else {
            if case .supervisor(let pid, let start, bootID) = directory.claim { Self.send(SIGKILL, pid, start) }
            return
        }
        process.cgroups.forEach(Cgroups.end)
        Self.send(SIGKILL, process.pid, process.start)
        // It ends all of the tree at once, which is its own.
        Self.send(SIGTERM, process.supervisor, process.supervisorStart)
        if ProcessTable.isStopped(process.supervisor)
            || !ProcessTable.isAlive(process.supervisor, process.supervisorStart)
        {
            endTree(run, process) { _ in }
        }
    }

    /// Without the supervisor's help: its descendants, what carries the run's name or is of its session, and itself.
    func endTree(_ run: RunID, _ process: RunDirectory.Process, done: @escaping (Bool) -> Void) {
        process.cgroups.forEach(Cgroups.end)
        processes.end(
            ProcessSweep.Target(
                mark: "AGENTOS_RUN=\(run.text)", leader: (process.pid, process.start),
                roots: [(process.pid, process.start), (process.supervisor, process.supervisorStart)]), done: done)
    }

    static func send(_ number: Int32, _ pid: Int32, _ start: UInt64) {
        let fd = open(pid, start)
        guard fd >= 0 else { return }
        _ = agentos_pidfd_signal(fd, number)
        close(fd)
    }

    func remove(_ run: RunID, _ done: @escaping @Sendable (OperationResult) -> Void) {
        unwatch(run)
        let directory = directory(run)
        guard directory.exit == nil, let process = directory.process, process.boot == bootID else {
            return removeGroups(run, done)
        }
        // Nobody wrote how it ended, so nobody ended its tree.
        endTree(run, process) { [unowned self] isDone in
            if isDone { removeGroups(run, done) } else { done(.failed("a process of the run does not end")) }
        }
    }

    private func removeGroups(_ run: RunID, _ done: @escaping @Sendable (OperationResult) -> Void) {
        let groups = Set((directory(run).process?.cgroups ?? []) + cgroups.places(of: run)).sorted()
        removeGroups(groups, triesLeft: 40) { [unowned self] isDone in
            guard isDone else { return done(.failed("a cgroup still has processes")) }
            let old = RunID(uid: run.uid, ordinal: run.ordinal, attempt: run.attempt - Limits.finishedRunsPerReplica)
            if old.attempt > 0 {
                drop(old)
                removals.discard(directory(old).path)
            }
            launcher.remove(run) { done($0.map { .failed($0) } ?? .done) }
        }
    }

    private func removeGroups(_ groups: [String], triesLeft: Int, _ done: @escaping (Bool) -> Void) {
        let left = Cgroups.remove(groups)
        if left.isEmpty || triesLeft == 0 { return done(left.isEmpty) }
        events.after(ms: 2) { [unowned self] in removeGroups(left, triesLeft: triesLeft - 1, done) }
    }

    // MARK: Deleted agents

    /// Removes run directories and homes of a deleted agent; one look at the directories serves all that were deleted
    /// at the same time.
    func forget(_ uid: UID, _ done: @escaping @Sendable () -> Void) {
        forgotten.append((uid, done))
        if !isForgetting { events.after(ms: 0) { [unowned self] in forgetAll() } }
        isForgetting = true
    }

    private func forgetAll() {
        let batch = forgotten
        forgotten = []
        let path = configuration.runs
        files.run { () -> [RunID]? in
            (try? Files.list(path)).map { $0.compactMap(RunID.init) }
        } then: { [self] (found: [RunID]?) in
            guard let found else {
                // What cannot be read is not empty: it is read again.
                forgotten = batch + forgotten
                events.after(ms: Limits.rereadMs) { [unowned self] in forgetAll() }
                return
            }
            let runs = Dictionary(grouping: found, by: \.uid)
            for (uid, done) in batch {
                for run in runs[uid] ?? [] {
                    drop(run)
                    launcher.remove(run) { _ in }  // the sweep at the next start finds what is left
                    removals.discard(directory(run).path)
                }
                removals.discard("\(configuration.homes)/\(uid.hex)")
                done()
            }
            // Those that came meanwhile have one look, too.
            isForgetting = !forgotten.isEmpty
            if isForgetting { forgetAll() }
        }
    }

    /// What a crash left.
    func sweep() {
        launcher.sweep()
        removals.sweep([configuration.runs, configuration.homes])
    }
}
