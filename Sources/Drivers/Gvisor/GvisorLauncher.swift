import CLinux
import Glibc
import Machine
import Manifests
import Planner
import Reconciler
import Values

/// Agents in sandboxes without containerd: what the supervisor runs is `runsc run`, whose exit is the agent's.
///
/// Bundle and state of a sandbox hold its environment, secrets included: they lie in memory, `<state>/memory`.
final class GvisorLauncher: Launcher {
    private enum Start {
        /// Its program does not run yet; what to call when it may.
        case starting((RunID) -> Void)
        /// What has come up once is up until it ends.
        case up
    }

    private let configuration: GvisorDriver.Configuration
    private let containers: ContainerSettings
    private let images: UnpackedImages
    private let events: EventLoop
    private let work: SideWork
    private let bootID = ProcessTable.bootID
    private var starts: [RunID: Start] = [:]
    private var inotify: Inotify?
    private var runs: String { configuration.runs }
    private var states: String { bundles.states }
    private var bundles: SandboxBundles { SandboxBundles(containers: containers, runs: runs, bootID: bootID) }

    init(_ configuration: GvisorDriver.Configuration, _ events: EventLoop) {
        self.configuration = configuration
        self.events = events
        containers = configuration.containers
        images = UnpackedImages(directory: "\(configuration.state)/images")
        work = SideWork(name: "sandbox-files", events: events)
    }

    // MARK: Starting

    /// Image, network and bundle, which take their time.
    func prepare(_ run: Run, _ context: StartContext, done: @escaping (Result<Launch, LaunchProblem>) -> Void) {
        let files = bundles
        func go(_ root: UnpackedImages.Root, _ address: String?) {
            work.run { () -> Result<Void, LaunchProblem> in
                do throws(LaunchProblem) { return .success(try files.write(run, context, root, address)) } catch {
                    return .failure(error)
                }
            } then: { [unowned self] made in
                done(
                    made.map { _ in
                        Launch { [self] cgroups in supervised(launching(run), cgroups: cgroups, of: run.id) }
                    })
            }
        }
        let resolved = work.expect { [unowned self] (root: Result<UnpackedImages.Root, ImageProblem>) in
            switch root {
            case .failure(let problem): done(.failure(.refused(problem.reason, problem.message)))
            case .success(let root) where run.spec.network == .bridge:
                // The directory says that the network is somebody's.
                do throws(Files.Failure) { try Files.makeDirectory("\(runs)/\(run.id.text)") } catch {
                    return done(.failure(.retry(error.words)))
                }
                containers.network.attach(run.id, events) { result in
                    switch result {
                    case .success(let address): go(root, address)
                    case .failure(let problem): done(.failure(.refused(.startError, problem.message)))
                    }
                }
            case .success(let root): go(root, nil)
            }
        }
        images.resolve(archive: run.spec.imageArchive ?? "", done: resolved)
    }

    /// The sandbox's own processes count, too.
    func resources(of run: Run) -> AgentSpec.Resources {
        var resources = run.spec.resources
        resources.limitPids = resources.limitPids.map { OCISpec.pids($0, headroom: configuration.pidsHeadroom) }
        return resources
    }

    func facts(of run: RunDirectory) -> InstanceFacts {
        let started = run.started
        return InstanceFacts(image: started?.image, address: started?.address)
    }

    private func memory(_ run: RunID) -> String { bundles.memory(run) }

    /// The words before runsc's own verb.
    private func runsc(_ run: RunID, _ network: AgentSpec.Network? = nil, log: String) -> [String] {
        [
            configuration.programs.path(network), "--root", states, "--log", log, "--log-format", "json", "--overlay2",
            "root:dir=\(runs)/\(run.text)", "--ignore-cgroups",
        ]
    }

    private static let environment = ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"]

    private func launching(_ run: Run) -> [String] {
        runsc(run.id, run.spec.network, log: "\(runs)/\(run.id.text)/runtime-log") + [
            "run", "--bundle", bundles.path(run.id), run.id.text,
        ]
    }

    private func supervised(_ words: [String], cgroups: [String], of run: RunID) -> Supervisor.Specification {
        supervised(words, cgroups: cgroups, mark: "AGENTOS_RUN=\(run.text)")
    }

    private func supervised(
        _ words: [String], cgroups: [String], mark: String
    ) -> Supervisor.Specification {
        var specification = Supervisor.Specification(
            boot: bootID, directory: "/", arguments: words, environment: Self.environment + [mark])
        specification.store = configuration.storeID
        specification.logBytes = Limits.logBytesMax
        specification.logFiles = Limits.logFilesMax
        specification.cgroups = cgroups
        return specification
    }

    /// The agent's program runs: runsc says so in its state.
    func isUp(_ run: RunID) -> Bool {
        if case .up = starts[run] { return true }
        let text = Files.text("\(states)/\(run.text)_sandbox:\(run.text).state", limit: 4 << 20) ?? ""
        guard ["running", "paused"].contains(where: { text.contains("\"status\":\"\($0)\"") }) else { return false }
        starts[run] = .up
        return true
    }

    func awaitUp(_ run: RunID, changed: @escaping (RunID) -> Void) {
        guard starts[run] == nil else { return }
        starts[run] = .starting(changed)
        inotify =
            inotify
            ?? Inotify(events) { [unowned self] _ in
                for run in starts.keys.sorted() { look(at: run) }
            }
        _ = inotify?.add(states)
        // It may have come up before the watch.
        events.after(ms: 0) { [unowned self] in look(at: run) }
    }

    private func look(at run: RunID) {
        if case .starting(let changed) = starts[run] { changed(run) }
    }

    // MARK: Ends

    /// Sends a signal to the agent; what `runsc run` gets is not passed on.
    func signal(_ run: RunID, _ process: RunDirectory.Process, _ number: Int32, done: @escaping () -> Void) {
        ChildProgram.run(
            [configuration.programs.path(nil), "--root", states, "kill", run.text, String(number)],
            environment: Self.environment, timeoutMs: 10_000, supervisor: configuration.supervisor, events: events
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

    func remove(_ run: RunID, done: @escaping (String?) -> Void) {
        starts[run] = nil
        removeFiles(run)
        containers.network.detach(run, events) { done($0?.message) }
    }

    private func removeFiles(_ run: RunID) {
        let (states, runs, volumes) = (states, runs, containers.volumes)
        work.run {
            for name in Files.names(in: states) where name.contains(run.text) { Files.removeTree("\(states)/\(name)") }
            rmdir(states)  // when it was the last
            for name in Files.names(in: "\(runs)/\(run.text)") where name.hasPrefix(".gvisor") {
                unlink("\(runs)/\(run.text)/\(name)")
            }
            volumes.remove(run)
        } then: { _ in
        }
    }

    /// What crashes left, and root file systems that nobody uses.
    func sweep() {
        let isThere = { [runs] (run: RunID) in Files.exists("\(runs)/\(run.text)") }
        containers.network.sweep(events, isThere: isThere)
        for run in Files.names(in: containers.volumes.memory).compactMap(RunID.init) where !isThere(run) {
            remove(run) { _ in }
        }
        let used = Files.names(in: runs).filter { !Files.exists("\(runs)/\($0)/exit") }
            .compactMap { Files.text("\(runs)/\($0)/root") }
        images.sweep(inUse: Set(used))
    }

    // MARK: Commands

    func command(
        _ execution: Execution, id: String, _ process: RunDirectory.Process, _ directory: RunDirectory
    ) throws(Files.Failure) -> Supervisor.Specification {
        let config = Files.text("\(bundles.path(execution.run))/config.json", limit: 4 << 20) ?? ""
        guard var bundle = JSONReader.read(config)?["process"] else {
            throw Files.Failure(code: ENOENT, what: "the bundle of the agent")
        }
        bundle["args"] = .list(execution.command.map { .text($0) })
        if execution.isTerminal { bundle["terminal"] = true }
        let file = "\(memory(execution.run))/\(id).json"
        try Files.replace(file, JSONWriter.bytes(bundle))
        let words =
            runsc(execution.run, log: "\(memory(execution.run))/\(id).log") + [
                "exec", "--process", file, "--pid-file", "\(memory(execution.run))/\(id).pid", execution.run.text,
            ]
        return supervised(words, cgroups: process.cgroups, mark: "AGENTOS_EXEC=\(id)")
    }

    /// What became of a command, from the end of `runsc exec`; a command inside the sandbox does not end with that.
    func finish(
        _ execution: Execution, id: String, _ result: ExecutionResult, done: @escaping (ExecutionResult) -> Void
    ) {
        let run = execution.run
        if case .exited = result { return done(end(of: execution, id: id, result)) }
        ChildProgram.run(
            [configuration.programs.path(nil), "end", states, run.text, "\(runs)/\(run.text)/\(id).pid"],
            environment: Self.environment, timeoutMs: 10_000, supervisor: configuration.supervisor, events: events
        ) { [unowned self] _ in done(end(of: execution, id: id, result)) }
    }

    /// The result in the words of runsc's log; the files of the command go.
    private func end(of execution: Execution, id: String, _ result: ExecutionResult) -> ExecutionResult {
        let run = execution.run
        defer {
            for name in ["pid", "json", "log"] { unlink("\(memory(run))/\(id).\(name)") }
            unlink("\(runs)/\(run.text)/\(id).pid")
        }
        guard result == .exited(128), let why = Self.complaint(in: "\(memory(run))/\(id).log") else { return result }
        return ContainerProgram.end(.failed(why), of: execution.command.first ?? "")
    }
}
