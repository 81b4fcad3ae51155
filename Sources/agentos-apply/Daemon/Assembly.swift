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

/// The parts of a daemon, made and connected; nothing runs yet.
struct Assembly {
    let loop: Loop
    let server: Server
    let drivers: [any Driver]
    let keyring: any SecretKeyring
    let secretKeys: SecretKeys
    let sourceRules: SourceRules
    let sinks: ConfiguredSinks
    let requests: ConfiguredRequests
    let consumers: ConfiguredConsumers

    init(_ settings: Settings, _ paths: Paths, _ log: Log, events: EventLoop, openFiles: Int64) throws {
        let problems = EventSchemas.problems
        if !problems.isEmpty {
            throw CommandProblem(
                .failure, "this program breaks the schemas of events: \(problems.joined(separator: "; "))")
        }
        let runtimes = ContainerRuntimes(settings, state: paths.state, isRoot: getuid() == 0)
        let sources = SourceOptions(settings)
        let rules = SourceRules(settings)
        sourceRules = rules
        let clock = SystemClock()
        let nowMs = clock.now().wallMs
        let supervisor = try Self.supervisorPath()
        keyring = SecretKeySource.ring(settings, paths, supervisor: supervisor)
        let opened = try OpenedStore(paths, log, nowMs: nowMs, keyring: keyring)
        let (journal, store, state) = (opened.journal, opened.store, opened.state)

        let inbox = Inbox()
        let user = getuid()
        let filter = SystemCallFilter.ofThisMachine()
        if case .missing = filter {
            log.error("system calls cannot be filtered on this machine: agents of the driver process do not start", [])
        }
        let configuration = ProcessDriver.Configuration(
            runs: "\(paths.state)/runs", homes: "\(paths.state)/homes", supervisor: supervisor,
            storeID: store.storeID, systemCalls: filter, openFiles: openFiles,
            agentsCgroup: settings.agentsCgroup)
        var drivers: [any Driver] = [ProcessDriver(configuration, user: user) { inbox.send($0) }]
        drivers += try runtimes.drivers(
            supervisor: configuration.supervisor, storeID: store.storeID, openFiles: openFiles
        ) { inbox.send($0) }
        self.drivers = drivers
        for (directory, count) in ForeignRuns.find(in: paths.state, besides: store.storeID) {
            log.info(
                "runs of another store are left alone: end their processes, then remove their directories",
                [("directory", directory), ("count", String(count))])
        }
        let byName = Dictionary(drivers.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        let machine = Machine()
        let engineSettings = EngineSettings(
            allocatableCpuMilli: machine.cpuMilli, allocatableMemoryBytes: machine.memoryBytes,
            users: user == 0 ? try Self.claimUsers(paths, store.storeID, state, log) : nil,
            drivers: .all, observers: Set(drivers.map(\.name)), sinks: settings.sinks.map(\.rule),
            maySourceWrite: { rules.mayWrite($0, $1) },
            refusals: { spec in
                if let driver = byName[spec.driver] { return driver.refusals(spec) }
                let message = runtimes.absence(of: spec.driver)
                return [Refusal.Cause(reason: .notSupported, message: message, field: "spec.driver")]
            })
        let watcher = SourceWatcher(
            sources.settings(state: paths.state, supervisor: configuration.supervisor)
        ) { inbox.send($0) }
        secretKeys = store.keys
        sinks = ConfiguredSinks(log)
        let isNew = state.objects.isEmpty
        let engine = Engine(state: state, settings: engineSettings)
        loop = Loop(
            engine: engine, store: store, journal: journal, inbox: inbox, drivers: drivers,
            prober: ProbeWatcher(drivers: drivers) { inbox.send($0) }, sources: watcher,
            sinks: sinks.sinks(of: settings), checksEvents: settings.eventChecks, clock: clock, events: events)
        server = Server(
            loop: loop, eventLog: journal, accountTokens: try TokenKey.tokens(paths),
            settings: Server.Settings(
                version: programVersion, stateDirectory: paths.state, ownUID: user, startedAtMs: nowMs))
        consumers = ConfiguredConsumers(loop, journal, log)
        requests = ConfiguredRequests(server, storeID: store.storeID, log)
        try LocalFile.makePath("\(paths.state)/audit")
        server.logRequests(to: RotatingLog("\(paths.state)/audit/requests.jsonl"))
        log.about(.store).info(
            "store opened",
            [("objects", String(state.objects.count)), ("events", String(state.position)), ("new", String(isNew))])
    }

    /// A range of user ids that no other daemon of this machine gives out.
    private static func claimUsers(
        _ paths: Paths, _ storeID: String, _ state: EngineState, _ log: Log
    ) throws -> ClosedRange<UInt32> {
        do throws(UserRange.Problem) {
            let used = state.objects.values.compactMap { $0.agent?.ownUser }.min()
            let range = try UserRange.claim(store: storeID, state: paths.state, used: used)
            if range.isShared {
                log.error(
                    "another daemon has the user ids of older agents; new agents get others, apply the old ones anew",
                    [("users", "\(range.users.lowerBound)")])
            }
            return range.users
        } catch {
            switch error {
            case .unusable(let failure): throw CommandProblem(.failure, "no user ids for agents: \(failure.words)")
            case .noneLeft: throw CommandProblem(.failure, "no user ids for agents are left on this machine")
            }
        }
    }

    /// The supervisor lies beside this program.
    static func supervisorPath() throws -> String {
        let program = Paths.program
        let directory = program.lastIndex(of: "/").map { String(program[..<$0]) } ?? "."
        for path in ["\(directory)/agentos-supervise", "\(directory)/../libexec/agentos-supervise"]
        where access(path, X_OK) == 0 { return path }
        throw CommandProblem(.failure, "agentos-supervise is not beside \(program); build or install it there")
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
