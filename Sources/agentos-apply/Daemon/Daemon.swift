import API
import CLinux
import Drivers
import Glibc
import HTTP
import Loop
import Machine
import Manifests
import Messaging
import Planner
import Reconciler
import Storage
import Synchronization
import Values

/// The daemon: one per state directory, from its start to its exit code.
final class Daemon {
    private let settings: Settings
    private let paths: Paths
    private let log: Log
    private let events = EventLoop()
    private let parts: Assembly
    private let listeners: Listeners?
    private let exporter: OTLPExporter
    private var tokens: TokenFile?
    private lazy var tokenWork = SideWork(name: "tokens", events: events)
    private let manager: ServiceManager
    /// Of a service manager; nil: the daemon opens its socket itself.
    private let passed: PassedSocket?
    private let reader: SettingsReader
    private var life = Lifecycle()

    private var loop: Loop { parts.loop }
    /// Free memory that each thread's heap keeps for what comes next.
    private static let heapKeptBytes: Int32 = 2 << 20

    /// Runs until it is told to stop; agents run on.
    static func run(
        _ settings: Settings, _ reader: SettingsReader, _ paths: Paths, replaces: Bool
    ) throws -> ExitCode {
        agentos_ignore_sigpipe()
        // Its memory holds Secrets.
        _ = agentos_not_dumpable()
        agentos_ignore_children()
        // Before there is a second thread: each of them would have to hold these signals back.
        let signals = agentos_signalfd_daemon()
        umask(0o077)
        // Each commit would give its pages back to the kernel and fault them in again.
        agentos_keep_free_memory(Self.heapKeptBytes)
        let openFiles = OpenFiles.raise()
        let passed = try PassedSocket.find(Paths.environment, pid: getpid())
        if let passed, passed.path != paths.socket {
            throw CommandProblem(
                .usage,
                "the service manager listens on \(passed.path), and clients look for the daemon at \(paths.socket): "
                    + "let ListenStream= of the socket unit and the setting socket name the same")
        }
        if let problem = settings.problem { throw CommandProblem(.usage, problem) }
        if let problem = HTTPServer.absence { throw CommandProblem(.failure, problem) }
        let supervisor = try Assembly.supervisorPath()
        let isManaged = Paths.environment("NOTIFY_SOCKET") != nil
        let taken =
            replaces
            ? try Replacement.take(paths, isPassed: passed != nil, isManaged: isManaged) { () throws(CommandProblem) in
                try check(settings, paths, supervisor: supervisor)
            } : nil
        let directory = try StateDirectory(paths, lock: taken?.lock, isManaged: isManaged)
        let daemon = try Daemon(settings, reader, paths, passed, openFiles: openFiles)
        let code = try daemon.serve(on: taken, stopping: signals)
        _ = consume directory  // held until here
        return code
    }

    private init(
        _ settings: Settings, _ reader: SettingsReader, _ paths: Paths, _ passed: PassedSocket?, openFiles: Int64
    ) throws {
        self.settings = settings
        self.reader = reader
        self.paths = paths
        self.passed = passed
        let log = Log(settings)
        self.log = log
        manager = ServiceManager(events, log, environment: Paths.environment)
        exporter = OTLPExporter(version: programVersion) { [log = log.about(.traces)] words in
            log.error("traces are not delivered", [("problem", words)])
        }
        let parts = try Assembly(settings, paths, log, events: events, openFiles: openFiles)
        self.parts = parts
        listeners = try Listeners(settings, paths, log)
        tokens = try settings.tokenFile.map { path in
            TokenFile(try TokenFile.Reading(path), path, log) { parts.server.staticTokens = $0 }
        }
    }

    /// Reads what others have made for this daemon, as it will when no other serves any more.
    private static func check(_ settings: Settings, _ paths: Paths, supervisor: String) throws(CommandProblem) {
        if let path = settings.tokenFile { _ = try TokenFile.Reading(path) }
        try Listeners.check(settings, paths)
        do throws(StoreFailure) {
            _ = try SecretKeySource.ring(settings, paths, supervisor: supervisor).read()
        } catch { throw CommandProblem(.storeFailure, error.words) }
    }

    private func serve(on taken: Replacement?, stopping signals: Int32) throws -> ExitCode {
        connect()
        let reloading = connectReloading()
        let listener = try taken?.listener ?? passed?.descriptor() ?? agentos_listen_unix(paths.socket)
        guard listener >= 0 else {
            throw CommandProblem(.failure, "cannot listen on \(paths.socket): \(String(cString: strerror(errno)))")
        }
        loop.start()
        ensureDefaultNamespace()
        ensureRoles()
        ensureObjectives()
        ensureWatches()
        finishRotation()
        guard parts.server.start(listenFD: listener) else {
            throw CommandProblem(.failure, "the HTTP server cannot be started")
        }
        listeners?.start(parts.server, events)
        parts.requests.start(settings, events)
        parts.consumers.use(settings)
        tokens?.watch(events, tokenWork)
        events.watch(signals) { [unowned self] _ in
            switch agentos_read_signal(signals) {
            case SIGHUP: reloading.run()
            case SIGTERM: take(.signal("SIGTERM"))
            case SIGINT: take(.signal("SIGINT"))
            default: break
            }
        }
        let socket = inode(of: paths.socket)
        take(.serves)
        taken?.end()
        manager.serves(paths.socket)
        manager.startWatchdog()
        watchState(inode(of: "\(paths.state)/lock"))
        log.info("daemon serves", [("socket", paths.socket), ("state", paths.state), ("pid", String(getpid()))])
        events.run()
        exporter.finish(ms: 2000)
        listeners?.close()
        parts.requests.join()
        parts.server.stop()
        // Who takes this daemon's place listens there by now.
        if passed == nil, inode(of: paths.socket) == socket { unlink(paths.socket) }
        if loop.engine.state.objects.values.allSatisfy({ $0.agent?.summary.hasLive != true }) {
            for driver in parts.drivers { driver.removeEmptyParents() }
        }
        let code = life.startsAgain ? executeAgain() : life.exitCode
        log.info("daemon ended; agents run on", [("code", String(code.rawValue))])
        return code
    }

    private func connect() {
        loop.log = log.port
        useTraces(settings)
        parts.server.spanCounts = { [exporter] in (exporter.counts.sent, exporter.counts.dropped) }
        loop.onFatal = { [unowned self] why in
            log.about(.store).error("the store cannot be used; agents run on", [("error", why)])
            take(.storeFailed)
        }
        let database = "\(paths.state)/store/restore.db"
        let keyring = parts.keyring
        let current = Mutex(parts.secretKeys.current)
        parts.server.onRotate = { () throws(StoreFailure) in
            let keys = try keyring.renew(after: current.withLock { $0 })
            current.withLock { $0 = keys.current }
            return keys
        }
        parts.server.onRestore = { [unowned self] in
            if let problem = Storage.Restore.problem(with: database, keyring) { return problem }
            // The answer goes out first.
            events.after(ms: 100) { [unowned self] in take(.restore) }
            return nil
        }
    }

    private func useTraces(_ settings: Settings) {
        exporter.use(settings.traces)
        loop.spans = settings.traces == nil ? nil : exporter.port
    }

    private func connectReloading() -> Reloading {
        let reloading = Reloading(reader, settings, serves: paths.socket, log, events, manager) { [listeners] in
            let listening = listeners?.preparing()
            return { (next: Settings) throws(CommandProblem) in
                var prepared = Reloading.Prepared()
                if let listening { prepared.listening = try listening(next) }
                if let path = next.tokenFile { prepared.tokens = try TokenFile.Reading(path) }
                return prepared
            }
        } use: { [unowned self] in
            use($0, $1)
        }
        parts.server.onReload = { reloading.run($0) }
        return reloading
    }

    /// What can fail was prepared: all is taken.
    private func use(_ next: Settings, _ prepared: Reloading.Prepared) {
        tokens?.stop()
        tokens = nil
        if let path = next.tokenFile, let reading = prepared.tokens {
            tokens = TokenFile(reading, path, log) { [parts] in parts.server.staticTokens = $0 }
        }
        if let tokens { tokens.watch(events, tokenWork) } else { parts.server.staticTokens = StaticTokens() }
        if let listeners, let made = prepared.listening { listeners.use(made, parts.server) }
        parts.sourceRules.use(next)
        loop.use(parts.sinks.sinks(of: next))
        parts.requests.use(next)
        parts.consumers.use(next)
        log.use(next)
        useTraces(next)
    }

    /// A new key was taken and the daemon died before all Secrets were sealed with it.
    private func finishRotation() {
        loop.reseal { [keys = parts.secretKeys] () throws(StoreFailure) in
            keys
        } _: { [log] result in
            if case .failure(let failure) = result {
                log.about(.store).error("not all Secrets are sealed with the newest key", [("error", failure.words)])
            }
        }
    }

    /// Ends when the state directory or its lock is taken away: what this daemon writes would be nobody's, and another
    /// may start there.
    private func watchState(_ lock: UInt64?) {
        events.after(ms: 1000) { [unowned self] in
            if inode(of: "\(paths.state)/lock") == lock { return watchState(lock) }
            log.error("the state directory is gone; agents run on", [("state", paths.state)])
            take(.storeFailed)
        }
    }

    private func inode(of path: String) -> UInt64? {
        var status = stat()
        return stat(path, &status) == 0 ? UInt64(status.st_ino) : nil
    }

    private func take(_ event: Lifecycle.Event) {
        switch life.take(event) {
        case .stopLoop(let why):
            log.info("daemon stops", [("reason", why)])
            // A manager that is told of the end waits for it, and ends the program that starts again.
            if life.startsAgain { manager.startsAgain() } else { manager.stops(why) }
            // The restored database does not know of what is started now.
            parts.requests.end()
            loop.stop(afterOperations: life.startsAgain) { [unowned self] in take(.loopStopped) }
        case .leave: parts.server.drain { [unowned self] in events.stop() }
        case nil: break
        }
    }

    /// The same program again, with the same arguments, on the restored database.
    private func executeAgain() -> ExitCode {
        passed?.keepOverExec()
        var words = CommandLine.arguments.map { strdup($0) } + [nil]
        execv(Paths.program, &words)
        log.error("cannot start again after the restore", [("error", String(cString: strerror(errno)))])
        return .failure
    }

    private func ensureDefaultNamespace() {
        let key = ObjectKey(.namespace, namespace: "", name: "default")
        if loop.engine.state.objects[key] == nil { apply(key, [("metadata", .map([("name", "default")]))]) }
    }

    /// Kubernetes' own roles are kept as this program knows them, unless somebody has taken one over.
    private func ensureRoles() {
        for (key, content) in BuiltInRoles.all where BuiltInRoles.isOurs(loop.engine.state.objects[key]) {
            apply(key, content.map?.entries.map { ($0.key, $0.value) } ?? [])
        }
    }

    /// One that somebody has changed stays as it is.
    private func ensureObjectives() {
        for (name, spec) in BuiltInObjectives.all {
            let key = ObjectKey(.objective, namespace: "", name: name)
            if loop.engine.state.objects[key] == nil { apply(key, [("spec", spec)]) }
        }
    }

    /// Each directory of `--watch` is a Source, which stays when the option goes.
    private func ensureWatches() {
        for (name, path) in SourceOptions(settings).sources {
            let spec = Node.map([("path", .text(path))])
            apply(ObjectKey(.source, namespace: "default", name: name), [("spec", spec)])
        }
    }

    private func apply(_ key: ObjectKey, _ entries: [(String, Node?)]) {
        var random = SystemRandomNumberGenerator()
        let apply = Request.Write.apply(
            key: key, node: .map(entries), manager: "agentos-daemon", force: true, dryRun: false, source: "",
            freshUID: UID(high: random.next(), low: random.next()))
        loop.submit(actor: .daemon, .write(apply)) { [log] answer in
            if case .failure(let refusal) = answer {
                log.error("the daemon's own object cannot be applied", [("error", refusal.words)])
            }
        }
    }
}
