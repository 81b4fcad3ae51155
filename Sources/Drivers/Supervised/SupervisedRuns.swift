import CLinux
import Glibc
import Machine
import Manifests
import Planner
import Reconciler
import Values

/// Runs that live under a supervisor of their own: their claims, their ends, and how they are found again. One thread's.
///
/// All truth is in the run directories and in the kernel; what is kept here are descriptors to be woken by.
final class SupervisedRuns {
    struct Configuration: Sendable {
        /// Name of the driver.
        var name: String
        /// Directory of the run directories; directory of the agents' own directories.
        var runs: String
        var homes: String
        /// Path of the program `agentos-supervise`.
        var supervisor: String
        var storeID: String
    }

    /// What is known of a run between two looks at it.
    private enum State {
        /// What its start needs is being made.
        case preparing
        /// It lives. Descriptors that wake us at the end of its processes; -1 where there is none (any more).
        case watched(agent: Int32, supervisor: Int32)
    }

    let configuration: Configuration
    let launcher: any Launcher
    let cgroups: Cgroups
    let events: EventLoop
    let bootID = ProcessTable.bootID
    let processes: ProcessSweep
    let files: SideWork
    let removals: Removals
    private let report: @Sendable (Input) -> Void
    private var states: [RunID: State] = [:]
    private var memory: MemoryWatches?
    /// Whose a run directory is does not change: true for ours.
    private var isOurs: [RunID: Bool] = [:]
    private var isSwept = false
    private var isObservedAgain = false
    /// The next look at a run whose end may wake nobody.
    private var looks: [RunID: EventLoop.TimerID] = [:]
    var forgotten: [(uid: UID, done: @Sendable () -> Void)] = []
    var isForgetting = false
    var lastExecution = 0

    init(
        _ configuration: Configuration, _ launcher: any Launcher, _ cgroups: Cgroups, events: EventLoop,
        report: @escaping @Sendable (Input) -> Void
    ) {
        self.configuration = configuration
        self.launcher = launcher
        self.cgroups = cgroups
        self.events = events
        self.report = report
        processes = ProcessSweep(events: events)
        files = SideWork(name: "run-files", events: events)
        removals = Removals(name: configuration.name, events: events)
        memory = MemoryWatches(events) { [unowned self] run in tell(run) }
    }

    func directory(_ run: RunID) -> RunDirectory { RunDirectory(path: "\(configuration.runs)/\(run.text)") }

    func perform(
        _ operation: Operation, _ context: StartContext?, _ done: @escaping @Sendable (OperationResult) -> Void
    ) {
        let run = operation.run
        switch operation.verb {
        case .start(let run):
            guard let context else { return done(.failed("the agent is gone")) }
            start(run, context, done)
        case .signal(let given):
            let number = given ?? directory(run).started?.stopSignal ?? Signals.terminate
            guard directory(run).exit == nil, let process = directory(run).process, process.boot == bootID else {
                return done(.done)
            }
            launcher.signal(run, process, number) { done(.done) }
        case .freeze, .thaw:
            let isDone = directory(run).process.map { Cgroups.freeze($0.cgroups, operation.verb == .freeze) }
            tell(run)
            done(isDone == false ? .failed("the cgroup of the agent cannot be frozen") : .done)
        case .kill:
            kill(run)
            done(.done)
        case .giveUp:
            _ = directory(run).takeClaim(for: configuration.storeID)
            tell(run)
            done(.done)
        case .remove:
            remove(run, done)
        }
    }

    // MARK: Observing

    /// What the files and the kernel say about a run; nil when it was never started.
    func look(_ run: RunID) -> Instance? {
        let directory = directory(run)
        if let exit = directory.exit { return .exited(launcher.exit(of: run, exit)) }
        if let process = directory.process {
            guard process.boot == bootID else { return .exited(lost(.machineRestarted, "the machine was restarted")) }
            return look(run, directory, process)
        }
        switch directory.claim {
        case nil: return nil
        case .daemon, .runtime: return .absent
        case .damaged:
            let message = "the machine was restarted before what was written about the run was on the disk"
            return .exited(lost(.machineRestarted, message))
        case .supervisor(let pid, let start, let boot):
            guard boot == bootID else { return .exited(lost(.machineRestarted, "the machine was restarted")) }
            if ProcessTable.isAlive(pid, start) { return .starting }
            // The same again: it may have got further between the looks. Without a supervisor a held child never runs.
            if directory.exit != nil || directory.process != nil { return look(run) }
            return .exited(lost(.startError, "the supervisor ended before the start"))
        }
    }

    private func look(_ run: RunID, _ directory: RunDirectory, _ process: RunDirectory.Process) -> Instance {
        let isSupervised = ProcessTable.isAlive(process.supervisor, process.supervisorStart)
        if let ending = directory.ending {
            if let exit = directory.exit { return .exited(launcher.exit(of: run, exit)) }
            // Without its supervisor nobody waits for the rest of its tree: it is ended before anything follows.
            let exit = launcher.exit(of: run, ending)
            return isSupervised ? .ending(exit) : .exited(exit)
        }
        if isSupervised || ProcessTable.isAlive(process.pid, process.start) {
            if !launcher.isUp(run) { return .starting }
            var facts = launcher.facts(of: directory)
            facts.childOOMKills = directory.childOOMKills
            return .running(
                pid: process.pid, startedAtMs: process.atMs, facts: facts,
                isFrozen: Cgroups.isFrozen(process.cgroups))
        }
        // It may have ended between the two looks.
        if let exit = directory.exit { return .exited(launcher.exit(of: run, exit)) }
        return .exited(lost(.unknown, "its supervisor was gone when it ended"))
    }

    private func lost(_ reason: Exit.Reason, _ message: String) -> Exit {
        Exit(reason: reason, message: message, atMs: agentos_wall_ms())
    }

    func tell(_ run: RunID) {
        guard let instance = look(run) else { return }
        watch(run, instance)
        report(.observed(driver: configuration.name, [run: instance], complete: false))
    }

    func observeAll() {
        if !isSwept { sweep() }
        isSwept = true
        var seen: [RunID: Instance] = [:]
        let names: [String]
        do throws(Files.Failure) { names = try Files.list(configuration.runs) } catch {
            // Nothing that cannot be read is taken for gone.
            if isObservedAgain { return }
            isObservedAgain = true
            events.after(ms: Limits.rereadMs) { [unowned self] in
                isObservedAgain = false
                observeAll()
            }
            return
        }
        for name in names {
            guard let run = RunID(name), isOurs(run), let instance = look(run) else { continue }
            watch(run, instance)
            seen[run] = instance
        }
        report(.observed(driver: configuration.name, seen, complete: true))
    }

    /// False for the runs of another store that lies in this directory, or lay: they are never touched.
    private func isOurs(_ run: RunID) -> Bool {
        if let known = isOurs[run] { return known }
        let store = directory(run).store
        let verdict = store == nil || store == configuration.storeID
        if store != nil { isOurs[run] = verdict }
        return verdict
    }

    func measure(_ runs: [RunID]) -> [RunID: RunUsage] {
        // Made once, and only when a group does not know its members.
        var scan: ProcessScan?
        var usages: [RunID: RunUsage] = [:]
        for run in runs {
            guard let process = directory(run).process, process.boot == bootID else { continue }
            let members = process.cgroups.lazy.compactMap { Files.text("\($0)/cgroup.procs", limit: 1 << 20) }.first
            if let members {
                usages[run] = ProcessTable.usage(of: members.split(separator: "\n").compactMap { Int32($0) })
            } else {
                let all = scan ?? ProcessScan()
                scan = all
                usages[run] = ProcessTable.usage(of: [process.pid] + all.descendants(of: process.pid))
            }
        }
        return usages
    }

    // MARK: Watching

    /// Makes sure that the end of a run wakes us.
    private func watch(_ run: RunID, _ instance: Instance) {
        switch instance {
        case .exited, .absent: return unwatch(run)
        case .starting:
            let directory = directory(run)
            if directory.process != nil {
                launcher.awaitUp(run) { [unowned self] in tell($0) }
            }
            if case .supervisor(let pid, let start, _) = directory.claim { watchSupervisor(run, pid, start) }
        case .running, .ending:
            guard let process = directory(run).process else { return }
            watchSupervisor(run, process.supervisor, process.supervisorStart)
            watchAgent(run, process.pid, process.start)
            if memory?.watch(run, directory(run).path, process.cgroups) == true, directory(run).childOOMKills > 0 {
                tell(run)
            }
        }
        // All of it ended between the look and the watch: nothing would wake us.
        let (agent, supervisor) = watched(run)
        if agent < 0, supervisor < 0 { lookLater(run, afterMs: 10) }
    }

    private func watched(_ run: RunID) -> (agent: Int32, supervisor: Int32) {
        guard case .watched(let agent, let supervisor) = states[run] else { return (-1, -1) }
        return (agent, supervisor)
    }

    private func watchSupervisor(_ run: RunID, _ pid: Int32, _ start: UInt64) {
        guard watched(run).supervisor < 0 else { return }
        let fd = Self.open(pid, start)
        guard fd >= 0 else { return }
        states[run] = .watched(agent: watched(run).agent, supervisor: fd)
        events.watch(fd) { [unowned self] _ in
            events.unwatch(fd)
            close(fd)
            states[run] = .watched(agent: watched(run).agent, supervisor: -1)
            tell(run)
        }
    }

    private func watchAgent(_ run: RunID, _ pid: Int32, _ start: UInt64) {
        guard watched(run).agent < 0 else { return }
        let fd = Self.open(pid, start)
        guard fd >= 0 else { return }
        states[run] = .watched(agent: fd, supervisor: watched(run).supervisor)
        events.watch(fd) { [unowned self] _ in
            events.unwatch(fd)
            close(fd)
            let supervisor = watched(run).supervisor
            states[run] = .watched(agent: -1, supervisor: supervisor)
            // Its supervisor writes how it ended now; only one that is stopped or gone does not.
            lookLater(run, afterMs: supervisor >= 0 ? 5 : 0)
        }
    }

    /// Looks at a run again, more and more seldom, until its end is told or wakes us. A run has one such look at most.
    private func lookLater(_ run: RunID, afterMs delay: Int64) {
        guard looks[run] == nil else { return }
        looks[run] = events.after(ms: delay) { [unowned self] in
            looks[run] = nil
            checkEnd(run, after: delay)
        }
    }

    private func checkEnd(_ run: RunID, after delay: Int64) {
        let directory = directory(run)
        guard directory.exit == nil, directory.ending == nil, let process = directory.process,
            ProcessTable.isAlive(process.supervisor, process.supervisorStart)
        else { return tell(run) }
        if ProcessTable.isStopped(process.supervisor), !ProcessTable.isAlive(process.pid, process.start) {
            endTree(run, process) { _ in }
        }
        if watched(run).agent < 0 { lookLater(run, afterMs: min(1000, max(5, 4 * delay))) }
    }

    /// A pidfd of exactly the recorded process, or -1.
    static func open(_ pid: Int32, _ start: UInt64) -> Int32 {
        guard pid > 0 else { return -1 }
        let fd = agentos_pidfd_open(pid)
        if fd >= 0, agentos_process_start(pid, nil, nil) != start {
            close(fd)
            return -1
        }
        return fd
    }

    func unwatch(_ run: RunID) {
        memory?.forget(run)
        if let look = looks.removeValue(forKey: run) { events.cancel(look) }
        guard case .watched(let agent, let supervisor) = states.removeValue(forKey: run) else { return }
        for fd in [agent, supervisor] where fd >= 0 {
            events.unwatch(fd)
            close(fd)
        }
    }

    /// False when it is being prepared already.
    func beginPreparing(_ run: RunID) -> Bool {
        if case .preparing = states[run] { return false }
        states[run] = .preparing
        return true
    }

    /// False when the run was given up or forgotten meanwhile.
    func endPreparing(_ run: RunID) -> Bool {
        guard case .preparing = states[run] else { return false }
        states[run] = nil
        return true
    }

    func drop(_ run: RunID) {
        unwatch(run)
        isOurs[run] = nil
    }
}
