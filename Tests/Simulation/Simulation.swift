import Loop
import Manifests
import Planner
import Reconciler
import Values

/// A known-bad variant of the engine's surroundings, which the checks must catch.
public enum Mutant: String, Sendable, CaseIterable {
    case actBeforeCommit, noInFlightGuard, randomIDs, outboxLostInCrash, noClaim, tornReadIsWhole, sinkForgets,
        restoreForgets
}

/// Places at which the daemon can die.
public enum CrashBoundary: String, Sendable, CaseIterable {
    case beforeStep, afterStep, afterCommit, afterEffects, duringEffects
}

/// What a seed found and what it covered.
public struct SimulationResult: Sendable {
    public var violation: String?
    public var transitions: Set<String> = []
    public var crashes: [CrashBoundary: Int] = [:]
    public var steps = 0
    public var freezes = 0
    public var prunes = 0
    /// Writes about attempts of crash loops that no event speaks of.
    public var untold = 0
    /// Events that named sinks were given, and objects that were parked for one.
    public var fed = 0
    public var parked = 0
    /// Orderly ends of the daemon.
    public var stops = 0
    /// Backups that took the place of the store.
    public var restores = 0
    /// A hash over all that was committed: equal for equal lives.
    public var fingerprint: UInt64 = 0xcbf2_9ce4_8422_2325
}

/// One seeded life of the real engine and planner in a hostile world: first chaos, then calm.
///
/// Safety is checked at every step, convergence after the calm. The same seed gives the same life.
///
/// - Parameter shadow: a real store that is given the same commits and compared at each restart.
public func simulate(seed: UInt64, mutant: Mutant? = nil, shadow: Shadow? = nil) -> SimulationResult {
    var life = Life(seed: seed, mutant: mutant)
    life.shadow = shadow
    life.live()
    return life.result
}

struct Life {
    enum Action {
        case operation(Operation)
        case lateStart(RunID, driver: String)
        /// A driver looks, later than another.
        case observe(driver: String)
        case input(Input)
        case deliver([EventRecord])
        case feed(SinkRequest)
        case commit(ChangeSet)
        case report(Conductor.Report)
    }

    let mutant: Mutant?
    var shadow: Shadow?
    var random: SeededRandom
    var faults: Faults
    var result = SimulationResult()
    var now = Moment(wallMs: 1_800_000_000_000, boot: 1, bootMs: 1000)
    var store = SimulatedStore()
    var machine = SimulatedMachine()
    var directories = [SimulatedDirectory("fleet"), SimulatedDirectory("reserve")]
    var conductor: Conductor
    var engine: Engine { conductor.engine }
    var pending: [Input] = []
    /// What happens outside the engine, in order of time.
    var actions: [(at: Int64, order: Int, life: Int, action: Action)] = []
    var order = 0
    var daemonLife = 0
    var inFlight: Set<RunID> = []
    /// The store does one thing after the other: when it has done what it was asked for last.
    var storeAt: Int64 = 0
    var journalIsDown = false
    let journal = SimulatedJournal()
    /// Before this offset, the journal has dropped what somebody may have wanted.
    var lostBefore: Int64 = 0
    var sinks = Life.sinks()
    /// Runs that have been Ready, and those whose first time nobody has looked at yet.
    var wereReady: Set<RunID> = []
    var readyAnew: Set<RunID> = []
    var isCalm = false
    var nextRequest = 0
    /// What the journal holds durably.
    var delivered = DeliveredEvents()
    /// What an operator has copied of the store, and what waits to take its place.
    var backup: SimulatedStore?
    var waitingRestore: WaitingRestore?
    var lastRestore: Moment?
    /// What lived when a backup was restored that knows nothing of it.
    var strangers: Set<RunID> = []
    let team = ObjectKey(.namespace, namespace: "", name: "team")
    let owner = ObjectKey(.namespace, namespace: "", name: "owner")
    let configMap = ObjectKey(.configMap, namespace: "default", name: "common")
    let agents =
        (0..<10).map { ObjectKey(.agent, namespace: "default", name: "agent-\($0)") }
        + (10..<13).map { ObjectKey(.agent, namespace: "team", name: "agent-\($0)") }
    let settings = EngineSettings(
        allocatableCpuMilli: 4000, allocatableMemoryBytes: 1 << 33, startsInFlight: 4, drivers: .simulatedPair,
        observers: ["process", "sandbox"])

    init(seed: UInt64, mutant: Mutant?) {
        self.mutant = mutant
        random = SeededRandom(seed: seed)
        faults = Faults(&random)
        machine.ignoresClaims = mutant == .noClaim
        // A claim matters where a start comes late.
        if mutant == .noClaim { faults.lateStart = max(40, faults.lateStart) }
        conductor = Conductor(engine: Engine(state: EngineState(), settings: settings))
        conductor = Conductor(engine: startedEngine())
    }

    mutating func live() {
        configureSinks()
        applyDefaultNamespace()
        applyNamespace()
        applyConfigMap()
        for agent in agents { applyAgent(agent) }
        for directory in directories { applySource(directory) }
        observe()
        for index in 0..<220 where result.violation == nil {
            chaos(index)
            turn()
        }
        calm()
    }

    // MARK: The world

    mutating func advance(_ ms: Int64) {
        now.bootMs += ms
        now.wallMs += ms
        for run in machine.advance(nowMs: now.wallMs, &random) { hint(run) }
        while let index = actions.indices.filter({ actions[$0].at <= now.bootMs }).min(by: {
            (actions[$0].at, actions[$0].order) < (actions[$1].at, actions[$1].order)
        }) {
            let (_, _, life, action) = actions.remove(at: index)
            perform(action, life)
            checkMachine()
        }
    }

    mutating func later(_ action: Action, within ms: Int) {
        order += 1
        actions.append((now.bootMs + Int64(random.below(ms)), order, daemonLife, action))
    }

    /// A wake-up about a run; some are lost, some come twice.
    mutating func hint(_ run: RunID) {
        guard let entry = machine.runs[run], let instance = entry.instance else { return }
        let times = isCalm ? 1 : random.below(10) == 0 ? 0 : random.below(10) == 0 ? 2 : 1
        for _ in 0..<times {
            later(.input(.observed(driver: entry.driver, [run: instance], complete: false)), within: 300)
        }
    }

    mutating func observe() {
        observe("process")
        if isCalm { observe("sandbox") } else { later(.observe(driver: "sandbox"), within: 5000) }
    }

    mutating func observe(_ driver: String) {
        pending.append(.observed(driver: driver, machine.seen(by: driver), complete: true))
    }

    mutating func perform(_ action: Action, _ life: Int) {
        switch action {
        case .lateStart(let run, let driver):
            machine.start(run, by: driver, nowMs: now.wallMs, &random)
            hint(run)
        case .observe(let driver):
            if life == daemonLife { observe(driver) }
        case .operation(let operation):
            perform(operation)
            guard life == daemonLife else { return }
            inFlight.remove(operation.run)
            let isDone = !happens(\.operationFails)
            let report = Input.finished(operation, isDone ? .done : .failed("it did not work"))
            pending.append(report)
            if happens(\.reportsTwice) { later(.input(report), within: 3000) }
        case .input(let input):
            if life == daemonLife { pending.append(input) }
        case .deliver(let events):
            deliver(events, life)
        case .feed(let request): feed(request, life)
        case .commit(let changes):
            if life == daemonLife { commit(changes) }
        case .report(let report):
            if life == daemonLife { self.report(report) }
        }
    }

    mutating func perform(_ operation: Operation) {
        switch operation.verb {
        case .start(let run):
            if run.spec.restartPolicy != .always, run.spec.command.contains("finish") {
                machine.finishing.insert(run.id)
            }
            // A supervisor may come late: after the answer, after a crash, after the run was given up.
            if machine.late.contains(run.id) { break }
            if happens(\.lateStart) {
                machine.late.insert(run.id)
                later(.lateStart(run.id, driver: operation.driver), within: 60_000)
            } else {
                machine.start(run.id, by: operation.driver, nowMs: now.wallMs, &random)
            }
        case .signal: machine.signal(operation.run, nowMs: now.wallMs)
        case .kill: machine.kill(operation.run, nowMs: now.wallMs)
        case .freeze:
            result.freezes += 1
            machine.freeze(operation.run, true)
        case .thaw: machine.freeze(operation.run, false)
        case .giveUp: machine.giveUp(operation.run, by: operation.driver)
        case .remove: break
        }
        hint(operation.run)
    }

    mutating func deliver(_ events: [EventRecord], _ life: Int) {
        if journalIsDown {
            if life == daemonLife { report(.delivered(.failure(.lost("down")))) }
            return
        }
        var verdicts: [DeliveryVerdict] = []
        var refused: Set<UID> = []
        for event in events {
            if refused.contains(event.uid) { continue }
            if happens(\.journalRefuses) {
                refused.insert(event.uid)
                verdicts.append(DeliveryVerdict(event, .postponed("no")))
                continue
            }
            if let problem = delivered.take(event) { fail("delivery: \(problem)") }
            journal.append(event)
            verdicts.append(DeliveryVerdict(event))
        }
        if life == daemonLife { report(.delivered(.success(verdicts), end: journal.end)) }
    }
}
