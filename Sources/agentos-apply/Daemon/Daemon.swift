import API
import CLinux
import Drivers
import GitOps
import Glibc
import Loop
import Machine
import Manifests
import Messaging
import Planner
import Reconciler
import Storage
import Values

/// The daemon: wiring of store, journal, drivers, engine and API; one per state directory.
final class Daemon {
    private let paths: Paths
    private let log: Log
    private let events = EventLoop()
    private let loop: Loop
    private let server: Server
    private let drivers: [any Driver]
    private let sources: SourceOptions
    private var exitCode = ExitCode.success
    private var restarts = false

    /// Runs until it is told to stop; agents run on.
    static func run(_ settings: Settings, _ paths: Paths) throws -> ExitCode {
        let log = Log(isJSON: settings.logFormat == "json")
        let runtimes = ContainerRuntimes(settings, state: paths.state, isRoot: getuid() == 0)
        let sources = SourceOptions(settings)
        agentos_ignore_sigpipe()
        agentos_ignore_children()
        // Before there is a second thread: each of them would have to hold these signals back.
        let signals = agentos_signalfd_stop()
        umask(0o077)
        let openFiles = raiseOpenFiles()
        try prepareDirectories(paths)
        let lock = try takeLock(paths)
        defer { close(lock) }
        let daemon = try Daemon(paths, runtimes, sources, log, openFiles: openFiles)
        return try daemon.serve(stopping: signals)
    }

    private static func raiseOpenFiles() -> Int64 {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(7), &limit)  // RLIMIT_NOFILE
        let before = limit.rlim_cur
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(7), &limit)
        return Int64(clamping: min(before, 1 << 20))
    }

    private static func prepareDirectories(_ paths: Paths) throws {
        let isRoot = getuid() == 0
        // As root, agents have users of their own and must pass through to their homes; nothing else can be read there.
        let open: mode_t = isRoot ? 0o711 : 0o700
        try LocalFile.makePath(paths.state)
        chmod(paths.state, open)
        for (name, mode) in [
            ("store", 0o700), ("journal", 0o700), ("runs", 0o700), ("containers", 0o700), ("sandboxes", 0o700),
            ("homes", open),
        ] as [(String, mode_t)] {
            let path = "\(paths.state)/\(name)"
            guard mkdir(path, mode) == 0 || errno == EEXIST else { throw cannot("make", path) }
            chmod(path, mode)
        }
        if let slash = paths.socket.lastIndex(of: "/"), slash != paths.socket.startIndex {
            try LocalFile.makePath(String(paths.socket[..<slash]))
        }
    }

    private static func cannot(_ verb: String, _ path: String) -> CommandProblem {
        CommandProblem(.failure, "cannot \(verb) \(path): \(String(cString: strerror(errno)))")
    }

    private static func takeLock(_ paths: Paths) throws -> Int32 {
        let path = "\(paths.state)/lock"
        let fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard fd >= 0 else { throw cannot("open", path) }
        guard agentos_flock_exclusive(fd) == 0 else {
            close(fd)
            throw CommandProblem(.alreadyRunning, "another daemon serves \(paths.state) already")
        }
        ftruncate(fd, 0)
        let text = Array("\(getpid())\n".utf8)
        _ = write(fd, text, text.count)
        return fd
    }

    private init(
        _ paths: Paths, _ runtimes: ContainerRuntimes, _ sources: SourceOptions, _ log: Log, openFiles: Int64
    ) throws {
        self.paths = paths
        self.sources = sources
        self.log = log
        let clock = SystemClock()
        let nowMs = clock.now().wallMs
        let (journal, store, opened) = try Self.openStore(paths, log, nowMs: nowMs)
        var state = opened

        let inbox = Mailbox<Input>()
        let user = getuid()
        let filter = SystemCallFilter.ofThisMachine()
        if case .missing = filter {
            log.error("system calls cannot be filtered on this machine: agents of the driver process do not start", [])
        }
        let configuration = ProcessDriver.Configuration(
            runs: "\(paths.state)/runs", homes: "\(paths.state)/homes", supervisor: try Self.supervisorPath(),
            storeID: store.storeID, systemCalls: filter, openFiles: openFiles)
        var drivers: [any Driver] = [ProcessDriver(configuration, user: user) { inbox.send($0) }]
        drivers += try runtimes.drivers(
            supervisor: configuration.supervisor, storeID: store.storeID, openFiles: openFiles
        ) { inbox.send($0) }
        self.drivers = drivers
        let byName = Dictionary(drivers.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        let machine = Machine()
        let settings = EngineSettings(
            allocatableCpuMilli: machine.cpuMilli, allocatableMemoryBytes: machine.memoryBytes,
            firstUser: user == 0 ? 200_000 : nil, maySourceWrite: { sources.mayWrite($0, $1) },
            refusals: { spec in
                if let driver = byName[spec.driver] { return driver.refusals(spec) }
                let message = runtimes.absence(of: spec.driver)
                return [Failure.Cause(reason: "FieldValueNotSupported", message: message, field: "spec.driver")]
            })
        let watcher = SourceWatcher(
            sources.settings(state: paths.state, supervisor: configuration.supervisor)
        ) { inbox.send($0) }
        let isNew = state.objects.isEmpty
        let engine = Engine(state: state, settings: settings)
        loop = Loop(
            engine: engine, store: store, sink: journal, inbox: inbox, drivers: drivers,
            prober: ProbeWatcher(drivers: drivers) { inbox.send($0) }, sources: watcher, clock: clock, events: events)
        server = Server(
            loop: loop, eventLog: journal,
            settings: Server.Settings(
                version: programVersion, stateDirectory: paths.state, ownUID: user, startedAtMs: nowMs,
                logFiles: { driver, run in byName[driver]?.logFiles(run) ?? [] }))
        log.info(
            "store opened",
            [("objects", String(state.objects.count)), ("events", String(state.position)), ("new", String(isNew))])
        state = EngineState()
    }

    /// Opens the journal and the store, after a restore where one waits, and compares them.
    private static func openStore(_ paths: Paths, _ log: Log, nowMs: Int64) throws -> (
        Journal, SQLiteStore, EngineState
    ) {
        let journal: Journal
        do throws(SinkFailure) {
            journal = try Journal.open("\(paths.state)/journal") { problem in
                log.error("the event journal is damaged", [("problem", problem)])
            }
        } catch {
            throw CommandProblem(.storeFailure, error.message)
        }
        let (store, state) = try openStore(paths, log, journal, nowMs: nowMs)
        // A reader is never told of other events at an offset that it has passed.
        let passed = state.consumers.values.filter { !$0.isExpired }.map(\.journalOffset).max() ?? 0
        do throws(SinkFailure) { try journal.goOn(at: passed) } catch {
            throw CommandProblem(.storeFailure, error.message)
        }
        return (journal, store, state)
    }

    private static func openStore(
        _ paths: Paths, _ log: Log, _ journal: Journal, nowMs: Int64
    ) throws -> (SQLiteStore, EngineState) {
        let path = "\(paths.state)/store/agentos.db"
        do throws(StoreFailure) {
            if let kept = try Storage.Restore.takeOver(
                waiting: "\(paths.state)/store/restore.db", database: path, nowMs: nowMs, journal: journal)
            {
                log.info("database restored", [("replaced", kept)])
            }
            var random = SystemRandomNumberGenerator()
            let freshID = UID(high: random.next(), low: random.next()).hex
            let store = try SQLiteStore.open(path, freshID: freshID, nowMs: nowMs, journal: journal)
            let published = try store.publishedPosition()
            if published > journal.lastPosition {
                log.error(
                    "events that were delivered are missing in the journal",
                    [("after", String(journal.lastPosition)), ("up to", String(published))])
            }
            return (store, try store.load())
        } catch {
            throw CommandProblem(.storeFailure, error.words)
        }
    }

    /// The supervisor lies beside this program.
    private static func supervisorPath() throws -> String {
        let program = Paths.program
        let directory = program.lastIndex(of: "/").map { String(program[..<$0]) } ?? "."
        for path in ["\(directory)/agentos-supervise", "\(directory)/../libexec/agentos-supervise"]
        where access(path, X_OK) == 0 { return path }
        throw CommandProblem(.failure, "agentos-supervise is not beside \(program); build or install it there")
    }

    private func serve(stopping signals: Int32) throws -> ExitCode {
        loop.log = { [log] message, fields in log.info(message, fields) }
        loop.onFatal = { [unowned self] why in
            log.error("the store cannot be used; agents run on", [("error", why)])
            exitCode = .storeFailure
            events.stop()
        }
        let database = "\(paths.state)/store/restore.db"
        server.onRestore = { [unowned self] in
            if let problem = Storage.Restore.problem(with: database) { return problem }
            restarts = true
            events.after(ms: 100) { [unowned self] in stop("restore") }
            return nil
        }
        let listener = agentos_listen_unix(paths.socket)
        guard listener >= 0 else {
            throw CommandProblem(.failure, "cannot listen on \(paths.socket): \(String(cString: strerror(errno)))")
        }
        loop.start()
        ensureDefaultNamespace()
        ensureWatches()
        guard server.start(listenFD: listener) else {
            throw CommandProblem(.failure, "the HTTP server cannot be started")
        }
        events.watch(signals) { [unowned self] _ in stop(agentos_read_signal(signals) == SIGTERM ? "SIGTERM" : "SIGINT")
        }
        log.info("daemon serves", [("socket", paths.socket), ("state", paths.state), ("pid", String(getpid()))])
        events.run()
        server.stop()
        unlink(paths.socket)
        if loop.engine.state.objects.values.allSatisfy({ $0.agent?.summary.hasLive != true }) {
            for driver in drivers { driver.removeEmptyParents() }
        }
        if restarts { executeAgain() }
        log.info("daemon ended; agents run on", [("code", String(exitCode.rawValue))])
        return exitCode
    }

    private func stop(_ why: String) {
        log.info("daemon stops", [("reason", why)])
        loop.stop { [unowned self] in events.stop() }
    }

    /// The same program again, with the same arguments, on the restored database.
    private func executeAgain() {
        var words = CommandLine.arguments.map { strdup($0) } + [nil]
        execv(Paths.program, &words)
        log.error("cannot start again after the restore", [("error", String(cString: strerror(errno)))])
        exitCode = .failure
    }

    private func ensureDefaultNamespace() {
        let key = ObjectKey(.namespace, namespace: "", name: "default")
        if loop.engine.state.objects[key] == nil { apply(key, [("metadata", .map([("name", "default")]))]) }
    }

    /// Each directory of `--watch` is a Source, which stays when the option goes.
    private func ensureWatches() {
        for (name, path) in sources.sources {
            let spec = Node.map([("path", .text(path))])
            apply(ObjectKey(.source, namespace: "default", name: name), [("spec", spec)])
        }
    }

    private func apply(_ key: ObjectKey, _ entries: [(String, Node?)]) {
        var random = SystemRandomNumberGenerator()
        let apply = Request.Apply(
            key: key, node: .map(entries), manager: "agentos-daemon", force: true, dryRun: false, source: "",
            freshUID: UID(high: random.next(), low: random.next()))
        loop.submit(actor: "system:daemon", .apply(apply)) { [log] answer in
            if case .failure(let failure) = answer {
                log.error("the daemon's own object cannot be applied", [("error", failure.message)])
            }
        }
    }
}

/// What the machine has to give to agents.
struct Machine {
    var cpuMilli: Int64
    var memoryBytes: Int64

    init() {
        cpuMilli = Int64(sysconf(Int32(_SC_NPROCESSORS_ONLN))) * 1000
        memoryBytes = Int64(sysconf(Int32(_SC_PHYS_PAGES))) * Int64(sysconf(Int32(_SC_PAGESIZE)))
    }
}
