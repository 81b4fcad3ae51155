import CLinux
import Glibc
import Machine
import Manifests
import Planner
import Reconciler
import Values

/// gVisor on a machine without containerd, as the daemon sets it up.
public struct SandboxSettings: Sendable {
    public var programs: RunscPrograms
    /// Directories of the machine that manifests may name.
    public var hostPaths: [String]
    public var network: BridgeNetwork
    /// Threads of gVisor itself that count against an agent's limit of processes.
    public var pidsHeadroom: Int64

    public init(programs: RunscPrograms, hostPaths: [String], network: BridgeNetwork, pidsHeadroom: Int64) {
        self.programs = programs
        self.hostPaths = hostPaths
        self.network = network
        self.pidsHeadroom = pidsHeadroom
    }
}

/// Agents in sandboxes without containerd: what the supervisor runs is `runsc run`, whose exit is the agent's.
///
/// Bundle and state of a sandbox hold its environment, secrets included: they lie in memory, `<state>/memory`.
final class Sandbox {
    /// What has to be there before a sandbox can start.
    struct Prepared: Sendable {
        var root: UnpackedImages.Root
        var address: String?
    }

    let settings: SandboxSettings
    let containers: ContainerSettings
    let images: UnpackedImages
    private let runs: String
    private let store: String
    /// Runs whose program does not run yet, and those whose does.
    private var starting: Set<RunID> = []
    private var up: Set<RunID> = []
    private var inotify: Int32 = -1
    private var states: String { "\(containers.volumes.memory)/runsc" }

    init(_ settings: SandboxSettings, state: String, runs: String, store: String, openFiles: Int64) {
        self.settings = settings
        self.store = store
        self.runs = runs
        containers = ContainerSettings(
            volumes: Volumes(state: state, runs: runs, hostPaths: settings.hostPaths), network: settings.network,
            openFiles: openFiles, pidsHeadroom: settings.pidsHeadroom)
        images = UnpackedImages(directory: "\(state)/images")
    }

    private func memory(_ run: RunID) -> String { "\(containers.volumes.memory)/\(run.text)" }

    /// The words before runsc's own verb.
    private func runsc(_ run: RunID, _ network: AgentSpec.Network? = nil, log: String) -> [String] {
        [
            settings.programs.path(network), "--root", states, "--log", log, "--log-format", "json", "--overlay2",
            "root:dir=\(runs)/\(run.text)", "--ignore-cgroups",
        ]
    }

    private static let environment = ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"]

    /// Writes the bundle; what the supervisor then runs.
    func specification(
        _ run: Run, _ context: StartContext, _ prepared: Prepared, boot: String, cgroups: [String]
    ) throws(Volumes.Problem) -> Supervisor.Specification {
        let bundle = "\(memory(run.id))/bundle"
        _ = try containers.volumes.makeMemory()
        do throws(Files.Failure) {
            for path in [states, memory(run.id), bundle] { try Files.makeDirectory(path, mode: 0o711) }
        } catch { throw Volumes.Problem(message: error.words) }
        var container = try containers.specification(of: run, context, prepared.root.image, cgroupsPath: nil)
        container.root = prepared.root.path
        do throws(Files.Failure) {
            try Files.replace("\(bundle)/config.json", JSONWriter.bytes(container.node))
            try Files.replace("\(runs)/\(run.id.text)/root", Array(prepared.root.path.utf8))
        } catch { throw Volumes.Problem(message: error.words) }
        return supervised(
            runsc(run.id, run.spec.network, log: "\(runs)/\(run.id.text)/runtime-log") + [
                "run", "--bundle", bundle, run.id.text,
            ], boot: boot, cgroups: cgroups,
            mark: "AGENTOS_RUN=\(run.id.text)")
    }

    private func supervised(
        _ words: [String], boot: String, cgroups: [String], mark: String
    ) -> Supervisor.Specification {
        var specification = Supervisor.Specification(
            boot: boot, directory: "/", arguments: words, environment: Self.environment + [mark])
        specification.store = store
        specification.logBytes = Limits.logBytesMax
        specification.logFiles = Limits.logFilesMax
        specification.cgroups = cgroups
        return specification
    }

    /// The agent's program runs: runsc says so in its state. What has come up once is up until it ends.
    func isUp(_ run: RunID) -> Bool {
        if up.contains(run) { return true }
        let text = Files.text("\(states)/\(run.text)_sandbox:\(run.text).state", limit: 4 << 20) ?? ""
        guard ["running", "paused"].contains(where: { text.contains("\"status\":\"\($0)\"") }) else { return false }
        starting.remove(run)
        up.insert(run)
        return true
    }

    /// Calls `changed` when a run that does not run yet may have come up.
    func awaitStart(_ run: RunID, _ events: EventLoop, changed: @escaping (RunID) -> Void) {
        guard starting.insert(run).inserted else { return }
        if inotify < 0 {
            inotify = agentos_inotify()
            guard inotify >= 0 else { return }
            events.watch(inotify) { [unowned self] _ in
                var buffer = [UInt8](repeating: 0, count: 16_384)
                while read(inotify, &buffer, buffer.count) > 0 {}
                for run in starting.sorted() { changed(run) }
            }
        }
        _ = agentos_inotify_add(inotify, states)
        // It may have come up before the watch.
        events.after(ms: 0) { [unowned self] in if starting.contains(run) { changed(run) } }
    }

    // MARK: Ends

    /// Sends a signal to the agent; what `runsc run` gets is not passed on.
    func signal(
        _ run: RunID, _ number: Int32, supervisor: String, _ events: EventLoop, done: @escaping () -> Void
    ) {
        ChildProgram.run(
            [settings.programs.path(nil), "--root", states, "kill", run.text, String(number)],
            environment: Self.environment, timeoutMs: 10_000, supervisor: supervisor, events: events
        ) { _ in done() }  // it may have ended; what is true is observed
    }

    /// The agent's own exit, from that of `runsc run`.
    func exit(of run: RunID, _ exit: Exit) -> Exit {
        guard exit.reason == .error, let code = exit.code else { return exit }
        var result = exit
        if code == 128, let why = Self.complaint(in: "\(runs)/\(run.text)/runtime-log") {
            let neverRan = ["creating container: ", "starting container: "].contains(where: why.contains)
            result.reason = neverRan ? .startError : .error
            result.code = neverRan ? nil : code
            result.message = why
        } else if (129...192).contains(code) {
            (result.code, result.signal) = (nil, code - 128)
        }
        return result
    }

    /// The last error that runsc has logged.
    private static func complaint(in log: String) -> String? {
        let text = Files.text(log, limit: 1 << 20) ?? ""
        // One record after the other, with or without line ends.
        for start in text.ranges(of: "{\"msg\":").reversed() {
            let record = text[start.lowerBound...].prefix { !$0.isNewline }
            guard let end = record.lastIndex(of: "}"), let node = JSONReader.read(String(record[...end])) else {
                continue
            }
            if let level = node["level"]?.string, ["error", "fatal"].contains(level) { return node["msg"]?.string }
        }
        return nil
    }

    /// Removes what an ended run has left, but for its address.
    func remove(_ run: RunID) {
        starting.remove(run)
        up.remove(run)
        for name in Files.names(in: states) where name.contains(run.text) { Files.removeTree("\(states)/\(name)") }
        rmdir(states)  // when it was the last
        for name in Files.names(in: "\(runs)/\(run.text)") where name.hasPrefix(".gvisor") {
            unlink("\(runs)/\(run.text)/\(name)")
        }
        containers.volumes.remove(run)
    }

    /// What crashes left, and root file systems that nobody uses.
    func sweep(_ events: EventLoop) {
        let isThere = { [runs] (run: RunID) in Files.exists("\(runs)/\(run.text)") }
        containers.network.sweep(events, isThere: isThere)
        for run in Files.names(in: containers.volumes.memory).compactMap(RunID.init) where !isThere(run) { remove(run) }
        let used = Files.names(in: runs).filter { !Files.exists("\(runs)/\($0)/exit") }
            .compactMap { Files.text("\(runs)/\($0)/root") }
        images.sweep(inUse: Set(used))
    }

    // MARK: Commands

    /// What the supervisor runs for a command beside an agent; `finish` is to follow its end.
    func specification(
        _ execution: Execution, id: String, boot: String, cgroups: [String]
    ) throws(Files.Failure) -> Supervisor.Specification {
        let config = Files.text("\(memory(execution.run))/bundle/config.json", limit: 4 << 20) ?? ""
        guard var process = JSONReader.read(config)?["process"] else {
            throw Files.Failure(code: ENOENT, what: "the bundle of the agent")
        }
        process["args"] = .list(execution.command.map { .text($0) })
        if execution.isTerminal { process["terminal"] = true }
        let file = "\(memory(execution.run))/\(id).json"
        try Files.replace(file, JSONWriter.bytes(process))
        let words =
            runsc(execution.run, log: "\(memory(execution.run))/\(id).log") + [
                "exec", "--process", file, "--pid-file", "\(memory(execution.run))/\(id).pid", execution.run.text,
            ]
        return supervised(words, boot: boot, cgroups: cgroups, mark: "AGENTOS_EXEC=\(id)")
    }

    /// Ends a command inside the sandbox: it does not end with the `runsc exec` that began it.
    func end(_ run: RunID, id: String, supervisor: String, _ events: EventLoop, done: @escaping () -> Void) {
        let file = "\(runs)/\(run.text)/\(id).pid"
        ChildProgram.run(
            [settings.programs.path(nil), "end", states, run.text, file],
            environment: Self.environment, timeoutMs: 10_000, supervisor: supervisor, events: events
        ) { _ in done() }
    }

    /// What became of a command, from the end of `runsc exec`; its files go.
    func finish(_ run: RunID, id: String, _ result: ExecutionResult) -> ExecutionResult {
        defer {
            for name in ["pid", "json", "log"] { unlink("\(memory(run))/\(id).\(name)") }
            unlink("\(runs)/\(run.text)/\(id).pid")
        }
        guard result == .exited(128), let why = Self.complaint(in: "\(memory(run))/\(id).log") else { return result }
        return .failed(why)
    }
}
