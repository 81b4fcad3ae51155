import CLinux
import Glibc
import Machine
import Manifests
import Planner
import Reconciler
import Values

/// Does the work of the process driver on its own thread.
///
/// All truth is in the run directories and in the kernel; what is kept here are descriptors to be woken by.
final class ProcessKeeper {
    private struct Watch {
        var agent: Int32 = -1
        var supervisor: Int32 = -1
    }

    let configuration: ProcessDriver.Configuration
    let cgroups: Cgroups
    let user: UInt32
    let events: EventLoop
    private let report: @Sendable (Input) -> Void
    let bootID = ProcessTable.bootID
    private var watches: [RunID: Watch] = [:]
    /// Set where agents live in sandboxes of gVisor.
    let sandbox: Sandbox?
    let mailbox: Mailbox<ProcessDriver.Message>
    /// Starts whose image or network is being made.
    var preparing: Set<RunID> = []
    private var isSwept = false
    var lastExecution = 0

    init(
        _ configuration: ProcessDriver.Configuration, _ cgroups: Cgroups, user: UInt32, events: EventLoop,
        sandbox: Sandbox?, mailbox: Mailbox<ProcessDriver.Message>, report: @escaping @Sendable (Input) -> Void
    ) {
        self.sandbox = sandbox
        self.mailbox = mailbox
        self.configuration = configuration
        self.cgroups = cgroups
        self.user = user
        self.events = events
        self.report = report
    }

    func take(_ message: ProcessDriver.Message) {
        switch message {
        case .operate(let operation, let context, let done): perform(operation, context, done)
        case .unpacked(let run, let context, let root, let done): unpacked(run, context, root, done)
        case .execute(let execution, let done): execute(execution, done)
        case .observe: observeAll()
        case .forget(let uid, let done):
            forget(uid)
            done()
        case .measure(let runs, let done):
            let known = runs.compactMap { run in usage(run).map { (run, $0) } }
            done(Dictionary(known, uniquingKeysWith: { first, _ in first }))
        }
    }

    func directory(_ run: RunID) -> RunDirectory { RunDirectory(path: "\(configuration.runs)/\(run.text)") }

    private func perform(
        _ operation: Operation, _ context: StartContext?, _ done: @escaping @Sendable (OperationResult) -> Void
    ) {
        switch operation.verb {
        case .start(let run):
            guard let context else { return done(.failed("the agent is gone")) }
            start(run, context, done)
        case .signal(let number):
            if let sandbox {
                return sandbox.signal(operation.run, number, supervisor: configuration.supervisor, events) {
                    done(.done)
                }
            }
            signal(operation.run, number)
            done(.done)
        case .freeze, .thaw:
            let isDone = directory(operation.run).process.map { Cgroups.freeze($0.cgroups, operation.verb == .freeze) }
            tell(operation.run)
            done(isDone == false ? .failed("the cgroup of the agent cannot be frozen") : .done)
        case .kill:
            endTree(operation.run)
            done(.done)
        case .giveUp:
            _ = directory(operation.run).takeClaim()
            tell(operation.run)
            done(.done)
        case .remove:
            remove(operation.run, done)
        }
    }

    // MARK: Observing

    /// What the files and the kernel say about a run; nil when it was never started.
    func look(_ run: RunID) -> Instance? {
        let directory = directory(run)
        if let exit = directory.exit { return .exited(sandbox?.exit(of: run, exit) ?? exit) }
        if let process = directory.process {
            guard process.boot == bootID else { return .exited(lost(.machineRestarted, "the machine was restarted")) }
            let isSupervised = ProcessTable.isAlive(process.supervisor, process.supervisorStart)
            if let ending = directory.ending {
                // Without its supervisor nobody waits for the rest of its tree: it is ended before anything follows.
                return isSupervised && directory.exit == nil ? .ending(ending) : .exited(directory.exit ?? ending)
            }
            if isSupervised || ProcessTable.isAlive(process.pid, process.start) {
                if let sandbox, !sandbox.isUp(run) { return .starting }
                let started = sandbox == nil ? nil : directory.started
                return .running(
                    pid: process.pid, startedAtMs: process.atMs,
                    facts: InstanceFacts(image: started?.image, address: started?.address),
                    isFrozen: Cgroups.isFrozen(process.cgroups))
            }
            // It may have ended between the two looks.
            if directory.exit != nil { return look(run) }
            return .exited(lost(.unknown, "its supervisor was gone when it ended"))
        }
        switch directory.claim {
        case nil: return nil
        case .daemon, .runtime: return .absent
        case .supervisor(let pid, let start, let boot):
            guard boot == bootID else { return .exited(lost(.machineRestarted, "the machine was restarted")) }
            if ProcessTable.isAlive(pid, start) { return .starting }
            // The same again: it may have got further between the looks. Without a supervisor a held child never runs.
            if directory.exit != nil || directory.process != nil { return look(run) }
            return .exited(lost(.startError, "the supervisor ended before the start"))
        }
    }

    private func usage(_ run: RunID) -> RunUsage? {
        guard let process = directory(run).process, process.boot == bootID else { return nil }
        let members = process.cgroups.lazy.compactMap { Files.text("\($0)/cgroup.procs", limit: 1 << 20) }.first
        let pids =
            members?.split(separator: "\n").compactMap { Int32($0) }
            ?? [process.pid] + ProcessTable.descendants(of: process.pid)
        return ProcessTable.usage(of: pids)
    }

    private func lost(_ reason: Exit.Reason, _ message: String) -> Exit {
        Exit(reason: reason, message: message, atMs: agentos_wall_ms())
    }

    func tell(_ run: RunID) {
        guard let instance = look(run) else { return }
        watch(run, instance)
        report(.observed(driver: configuration.name, [run: instance], complete: false))
    }

    private func observeAll() {
        if !isSwept { sandbox?.sweep(events) }
        isSwept = true
        var seen: [RunID: Instance] = [:]
        for name in Files.names(in: configuration.runs) {
            guard let run = RunID(name), let instance = look(run) else { continue }
            watch(run, instance)
            seen[run] = instance
        }
        report(.observed(driver: configuration.name, seen, complete: true))
    }

    /// Makes sure that the end of a run wakes us.
    private func watch(_ run: RunID, _ instance: Instance) {
        switch instance {
        case .exited, .absent: return unwatch(run)
        case .starting:
            if let sandbox, directory(run).process != nil {
                sandbox.awaitStart(run, events) { [unowned self] in tell($0) }
            }
            if case .supervisor(let pid, let start, _) = directory(run).claim { watchSupervisor(run, pid, start) }
        case .running, .ending:
            guard let process = directory(run).process else { return }
            watchSupervisor(run, process.supervisor, process.supervisorStart)
            watchAgent(run, process.pid, process.start)
        }
        // All of it ended between the look and the watch: nothing would wake us.
        if watches[run].map({ $0.agent < 0 && $0.supervisor < 0 }) ?? true {
            events.after(ms: 10) { [unowned self] in tell(run) }
        }
    }

    private func watchSupervisor(_ run: RunID, _ pid: Int32, _ start: UInt64) {
        guard watches[run]?.supervisor ?? -1 < 0 else { return }
        let fd = open(pid, start)
        guard fd >= 0 else { return }
        watches[run, default: Watch()].supervisor = fd
        events.watch(fd) { [unowned self] _ in
            events.unwatch(fd)
            close(fd)
            watches[run]?.supervisor = -1
            tell(run)
        }
    }

    private func watchAgent(_ run: RunID, _ pid: Int32, _ start: UInt64) {
        guard watches[run]?.agent ?? -1 < 0 else { return }
        let fd = open(pid, start)
        guard fd >= 0 else { return }
        watches[run, default: Watch()].agent = fd
        events.watch(fd) { [unowned self] _ in
            events.unwatch(fd)
            close(fd)
            watches[run]?.agent = -1
            // Its supervisor writes how it ended now; only one that is stopped or gone does not.
            let delay: Int64 = watches[run]?.supervisor ?? -1 >= 0 ? 5 : 0
            events.after(ms: delay) { [unowned self] in checkEnd(run, after: delay) }
        }
    }

    private func checkEnd(_ run: RunID, after delay: Int64) {
        let directory = directory(run)
        guard directory.exit == nil, directory.ending == nil, let process = directory.process else { return tell(run) }
        if ProcessTable.isAlive(process.supervisor, process.supervisorStart) {
            if ProcessTable.isStopped(process.supervisor) { endHard(run, process) }
            let next = min(1000, 4 * delay)
            events.after(ms: next) { [unowned self] in checkEnd(run, after: next) }
        } else {
            tell(run)
        }
    }

    /// A pidfd of exactly the recorded process, or -1.
    func open(_ pid: Int32, _ start: UInt64) -> Int32 {
        guard pid > 0 else { return -1 }
        let fd = agentos_pidfd_open(pid)
        if fd >= 0, agentos_process_start(pid, nil, nil) != start {
            close(fd)
            return -1
        }
        return fd
    }

    private func unwatch(_ run: RunID) {
        guard let watch = watches.removeValue(forKey: run) else { return }
        for fd in [watch.agent, watch.supervisor] where fd >= 0 {
            events.unwatch(fd)
            close(fd)
        }
    }

    // MARK: Starting

    private func start(_ run: Run, _ context: StartContext, _ done: @escaping @Sendable (OperationResult) -> Void) {
        if look(run.id) != nil {
            tell(run.id)
            return done(.done)
        }
        if let sandbox { return prepare(run, context, sandbox, done) }
        do throws(Files.Failure) {
            let directory = directory(run.id)
            try Files.makeDirectory(directory.path)
            let home = try makeHome(run, context)
            let groups = try cgroups.make(run.id, run.spec.resources)
            let specification = try specification(run, context, home: home, cgroups: groups)
            if let readable = specification.readable {
                try directory.write(confinement: (readable, specification.writable))
            }
            let report = try Supervisor(path: configuration.supervisor).start(
                [run.id.text], in: directory.path, specification)
            awaitReport(run.id, report, done)
        } catch {
            done(.failed(error.words))
        }
    }

    private func makeHome(_ run: Run, _ context: StartContext) throws(Files.Failure) -> String {
        let parent = "\(configuration.homes)/\(run.id.uid.hex)"
        let home = "\(parent)/\(run.id.ordinal)"
        if Files.exists(home) { return home }
        try Files.makeDirectory(parent, mode: 0o711)
        try Files.makeDirectory(home, mode: 0o700)
        if user == 0, let owner = run.spec.runAsUser ?? context.ownUser {
            guard chown(home, owner, run.spec.runAsGroup ?? owner) == 0 else {
                throw Files.Failure(code: errno, what: "chown \(home)")
            }
        }
        return home
    }

    private func specification(
        _ run: Run, _ context: StartContext, home: String, cgroups: [String]
    ) throws(Files.Failure) -> Supervisor.Specification {
        var environment = context.environment
        let names = Set(environment.map(\.name))
        if !names.contains("PATH") {
            environment.append(("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"))
        }
        if !names.contains("HOME") { environment.append(("HOME", home)) }
        var specification = Supervisor.Specification(
            boot: bootID, directory: run.spec.workingDir ?? home, arguments: context.arguments,
            environment: environment.map { "\($0.name)=\($0.value)" })
        specification.store = configuration.storeID
        specification.user = user == 0 ? run.spec.runAsUser ?? context.ownUser : nil
        specification.group = user == 0 ? run.spec.runAsGroup : nil
        // A limit that was asked for holds; the daemon's own is a beginning, which programs may raise.
        specification.openFiles = run.spec.resources.limitOpenFiles ?? configuration.openFiles
        specification.openFilesMost = run.spec.resources.limitOpenFiles
        specification.systemCalls = try configuration.systemCalls.digits
        specification.readable = run.spec.filesystem?.read
        specification.writable = (run.spec.filesystem?.write ?? []) + [home]
        specification.logBytes = Limits.logBytesMax
        specification.logFiles = Limits.logFilesMax
        specification.stopSignal = run.spec.stopSignal
        specification.graceMs = run.spec.gracePeriodMs
        specification.cgroups = cgroups
        return specification
    }

    func awaitReport(_ run: RunID, _ fd: Int32, _ done: @escaping @Sendable (OperationResult) -> Void) {
        events.watch(fd) { [unowned self] _ in
            events.unwatch(fd)
            close(fd)
            // Whatever the line says, the run directory says it too, and stays.
            tell(run)
            done(look(run) == nil ? .failed("the supervisor ended without a claim") : .done)
        }
    }

    // MARK: Ending

    private func signal(_ run: RunID, _ number: Int32) {
        guard let process = directory(run).process, process.boot == bootID else { return }
        let fd = open(process.pid, process.start)
        guard fd >= 0 else { return }
        _ = agentos_pidfd_signal(fd, number)
        _ = agentos_pidfd_signal(fd, SIGCONT)  // a stopped process takes its signal only then
        close(fd)
    }

    private func endTree(_ run: RunID) {
        // What has ended has no processes: those that its record names may be somebody else's by now.
        guard directory(run).exit == nil else { return }
        guard let process = directory(run).process, process.boot == bootID else {
            if case .supervisor(let pid, let start, bootID) = directory(run).claim { send(SIGKILL, pid, start) }
            return
        }
        process.cgroups.forEach(Cgroups.end)
        send(SIGKILL, process.pid, process.start)
        // It ends all of the tree at once, which is its own.
        send(SIGTERM, process.supervisor, process.supervisorStart)
        if ProcessTable.isStopped(process.supervisor)
            || !ProcessTable.isAlive(process.supervisor, process.supervisorStart)
        {
            endHard(run, process)
        }
    }

    /// Without the supervisor's help: its descendants, what carries the run's name, and the supervisor itself.
    private func endHard(_ run: RunID, _ process: RunDirectory.Process) {
        process.cgroups.forEach(Cgroups.end)
        send(SIGKILL, process.pid, process.start)
        if ProcessTable.isAlive(process.supervisor, process.supervisorStart) {
            for pid in ProcessTable.descendants(of: process.supervisor) { kill(pid, SIGKILL) }
            send(SIGKILL, process.supervisor, process.supervisorStart)
        }
        for pid in ProcessTable.carrying("AGENTOS_RUN=\(run.text)") { kill(pid, SIGKILL) }
    }

    private func send(_ number: Int32, _ pid: Int32, _ start: UInt64) {
        let fd = open(pid, start)
        guard fd >= 0 else { return }
        _ = agentos_pidfd_signal(fd, number)
        close(fd)
    }

    private func remove(_ run: RunID, _ done: @escaping @Sendable (OperationResult) -> Void) {
        unwatch(run)
        let directory = directory(run)
        if directory.exit == nil, let process = directory.process, process.boot == bootID {
            // Nobody wrote how it ended, so nobody ended its tree.
            endHard(run, process)
        }
        let groups = Set((directory.process?.cgroups ?? []) + cgroups.places(of: run)).sorted()
        guard Cgroups.remove(groups) else { return done(.failed("a cgroup still has processes")) }
        let old = RunID(uid: run.uid, ordinal: run.ordinal, attempt: run.attempt - Limits.finishedRunsPerReplica)
        if old.attempt > 0 { Files.removeTree(self.directory(old).path) }
        guard let sandbox else { return done(.done) }
        sandbox.remove(run)
        sandbox.containers.network.detach(run, events) { done($0.map { .failed($0.message) } ?? .done) }
    }

    private func forget(_ uid: UID) {
        for name in Files.names(in: configuration.runs) where name.hasPrefix(uid.hex) {
            guard let run = RunID(name) else { continue }
            unwatch(run)
            if let sandbox {
                sandbox.remove(run)
                sandbox.containers.network.detach(run, events) { _ in }  // the sweep at the next start finds it
            }
            Files.removeTree(directory(run).path)
        }
        Files.removeTree("\(configuration.homes)/\(uid.hex)")
    }
}
