import Loop
import Manifests
import Planner
public import Reconciler
import Values

/// A known-bad variant of the engine's surroundings, which the checks must catch.
public enum Mutant: String, Sendable, CaseIterable {
    case actBeforeCommit, noInFlightGuard, randomIDs, outboxLostInCrash, noClaim, tornReadIsWhole
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
    /// Orderly ends of the daemon.
    public var stops = 0
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

/// Another store beside the simulated one, so that the two cannot drift apart.
public struct Shadow {
    var commit: (ChangeSet) -> String?
    /// What differs from the given state, if anything.
    var compare: (EngineState) -> String?

    public init(commit: @escaping (ChangeSet) -> String?, compare: @escaping (EngineState) -> String?) {
        self.commit = commit
        self.compare = compare
    }
}

struct Life {
    enum Action {
        case operation(Operation)
        case lateStart(RunID)
        case input(Input)
        case deliver([EventRecord])
        case commit(ChangeSet)
        case report(Conductor.Report)
    }

    let mutant: Mutant?
    var shadow: Shadow?
    var random: SeededRandom
    var result = SimulationResult()
    var now = Moment(wallMs: 1_800_000_000_000, boot: 1, bootMs: 1000)
    var store = SimulatedStore()
    var machine = SimulatedMachine()
    var directory = SimulatedDirectory()
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
    var sinkIsDown = false
    var isCalm = false
    var nextRequest = 0
    /// What the sink holds durably.
    var delivered: [UID: Int64] = [:]
    let team = ObjectKey(.namespace, namespace: "", name: "team")
    let configMap = ObjectKey(.configMap, namespace: "default", name: "common")
    let agents =
        (0..<10).map { ObjectKey(.agent, namespace: "default", name: "agent-\($0)") }
        + (10..<13).map { ObjectKey(.agent, namespace: "team", name: "agent-\($0)") }
    let settings = EngineSettings(allocatableCpuMilli: 4000, allocatableMemoryBytes: 1 << 33, startsInFlight: 4)

    init(seed: UInt64, mutant: Mutant?) {
        self.mutant = mutant
        random = SeededRandom(seed: seed)
        machine.ignoresClaims = mutant == .noClaim
        conductor = Conductor(engine: Engine(state: EngineState(), settings: settings))
    }

    mutating func live() {
        applyDefaultNamespace()
        applyNamespace()
        applyConfigMap()
        for agent in agents { applyAgent(agent) }
        applySource()
        observe()
        for index in 0..<220 where result.violation == nil {
            chaos(index)
            turn()
        }
        calm()
    }

    // MARK: The world

    private mutating func chaos(_ index: Int) {
        advance(Int64(random.below(900)))
        switch random.below(28) {
        case 0...3: applyAgent(agents[random.below(agents.count)])
        case 4:
            request(
                .delete(
                    agents[random.below(agents.count)], graceMs: random.chance(50) ? Int64(random.below(3)) * 1000 : nil
                ))
        case 5: observe()
        case 6: sinkIsDown.toggle()
        case 7: now.wallMs += Int64(random.below(7_200_000)) - 3_600_000
        case 8:
            let living = machine.living
            if !living.isEmpty {
                let run = living[random.below(living.count)]
                machine.end(run, Exit(signal: 11, reason: random.chance(20) ? .oomKilled : .error, atMs: now.wallMs))
                hint(run)
            }
        case 9 where index % 3 == 0: reboot()
        case 10: if random.chance(50) { applyConfigMap() } else { request(.delete(configMap, graceMs: nil)) }
        case 16: if random.chance(20) { report(.stop) }
        case 12...14:
            let living = machine.living
            if !living.isEmpty { probe(living[random.below(living.count)]) }
        case 15:
            let problem = random.chance(50) ? "cannot connect" : nil
            pending.append(.driverState(driver: "process", problem: problem))
        case 22: directory.change(&random)
        case 23...24: readDirectory()
        case 25:
            // Somebody changes by hand what the directory declares, or deletes it.
            let name = SimulatedDirectory.names[random.below(6)]
            if random.chance(60) {
                applyAgent(SimulatedDirectory.key(name))
            } else {
                request(.delete(SimulatedDirectory.key(name), graceMs: nil))
            }
        case 26: if random.chance(15) { request(.delete(directory.source, graceMs: nil)) } else { applySource() }
        case 11: if random.chance(70) { applyNamespace() } else { request(.delete(team, graceMs: nil)) }
        default: break
        }
        // Every life has its crashes, at any boundary.
        if index % 40 == 39 { crash(CrashBoundary.allCases[random.below(2) * 4]) }
    }

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
        guard let instance = machine.seen[run] else { return }
        let times = isCalm ? 1 : random.below(10) == 0 ? 0 : random.below(10) == 0 ? 2 : 1
        for _ in 0..<times {
            later(.input(.observed(driver: "process", [run: instance], complete: false)), within: 300)
        }
    }

    /// What a run's probes find; late, perhaps about a run that has ended since.
    private mutating func probe(_ run: RunID) {
        let failure = random.chance(15) ? "the liveness probe failed" : nil
        let state = ProbeState(hasStarted: random.chance(80), isReady: random.chance(60), failure: failure)
        later(.input(.probed(run, state)), within: 3000)
    }

    mutating func observe() { pending.append(.observed(driver: "process", machine.seen, complete: true)) }

    private mutating func reboot() {
        machine.reboot(nowMs: now.wallMs)
        actions = []
        now.boot += 1
        now.bootMs = 500
        now.wallMs += 30_000
        restart()
    }

    mutating func perform(_ action: Action, _ life: Int) {
        switch action {
        case .lateStart(let run):
            machine.start(run, nowMs: now.wallMs, &random)
            hint(run)
        case .operation(let operation):
            perform(operation)
            guard life == daemonLife else { return }
            inFlight.remove(operation.run)
            let isDone = isCalm || !random.chance(6)
            let report = Input.finished(operation, isDone ? .done : .failed("it did not work"))
            pending.append(report)
            if !isCalm, random.chance(5) { later(.input(report), within: 3000) }
        case .input(let input):
            if life == daemonLife { pending.append(input) }
        case .deliver(let events):
            deliver(events, life)
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
            if !isCalm, random.chance(12) {
                later(.lateStart(operation.run), within: 60_000)
            } else {
                machine.start(operation.run, nowMs: now.wallMs, &random)
            }
        case .signal: machine.signal(operation.run, nowMs: now.wallMs)
        case .kill: machine.kill(operation.run, nowMs: now.wallMs)
        case .freeze:
            result.freezes += 1
            machine.freeze(operation.run, true)
        case .thaw: machine.freeze(operation.run, false)
        case .giveUp: machine.giveUp(operation.run)
        case .remove: break
        }
        hint(operation.run)
    }

    mutating func deliver(_ events: [EventRecord], _ life: Int) {
        if sinkIsDown {
            if life == daemonLife { report(.delivered(.failure(SinkFailure(message: "down")))) }
            return
        }
        var verdicts: [DeliveryVerdict] = []
        var refused: Set<UID> = []
        for event in events {
            if refused.contains(event.uid) { continue }
            if !isCalm, random.chance(2) {
                refused.insert(event.uid)
                verdicts.append(
                    DeliveryVerdict(position: event.position, uid: event.uid, sequence: event.sequence, refusal: "no"))
                continue
            }
            let last = delivered[event.uid] ?? 0
            if event.sequence > last + 1 {
                fail("event \(event.sequence) of \(event.uid.hex) was delivered after \(last)")
            }
            delivered[event.uid] = max(last, event.sequence)
            verdicts.append(DeliveryVerdict(position: event.position, uid: event.uid, sequence: event.sequence))
        }
        if life == daemonLife { report(.delivered(.success(verdicts))) }
    }

    // MARK: Requests

    mutating func request(_ verb: Request.Verb) {
        nextRequest += 1
        pending.append(.request(Request(id: nextRequest, principal: Principal(user: "test", via: .socket), verb: verb)))
    }

    private mutating func apply(_ key: ObjectKey, _ node: Node) -> Request.Apply {
        Request.Apply(
            key: key, node: node, manager: "test", force: true, dryRun: false, source: "simulation:1",
            freshUID: UID(high: random.next(), low: random.next()))
    }

    private mutating func applySource() {
        let spec = Node.map([
            ("path", "/fleet"), ("pruneLimitPercent", 100), ("timeoutSeconds", .number(random.below(100) + 1)),
        ])
        request(.apply(apply(directory.source, .map([("spec", spec)]))))
    }

    /// As the daemon does at each start: a crash may have lost the first.
    mutating func applyDefaultNamespace() {
        request(.apply(apply(ObjectKey(.namespace, namespace: "", name: "default"), .emptyMap)))
    }

    private mutating func applyNamespace() { request(.apply(apply(team, .emptyMap))) }

    private mutating func applyConfigMap() {
        request(.apply(apply(configMap, .map([("data", .map([("KEY", .text("value-\(random.below(100))"))]))]))))
    }

    private mutating func applyAgent(_ key: ObjectKey) {
        let index = agents.firstIndex(of: key) ?? 0
        var spec = Node.map([
            (
                "command",
                .list([random.chance(10) ? "finish" : "run", .text(random.chance(30) ? "v\(random.below(3))" : "v0")])
            ),
            ("replicas", .number([1, 1, 1, 2, 3, 0][random.below(6)])),
            ("suspend", Node(.bool(random.chance(12)))),
            ("suspendMode", random.chance(50) ? "Freeze" : "Stop"),
            ("restartPolicy", .text(["Always", "Always", "OnFailure", "Never"][random.below(4)])),
            ("backoff", .map([("initialSeconds", .number(random.below(3))), ("maxSeconds", 10)])),
            ("terminationGracePeriodSeconds", .number(random.below(5))),
            ("priority", .number(random.below(3))),
            ("consistency", .map([("readyRequires", random.chance(70) ? "Published" : "OutboxWritten")])),
            ("updateStrategy", .map([("type", random.chance(70) ? "RollingUpdate" : "Recreate")])),
            ("resources", .map([("requests", .map([("cpu", .text("\(random.below(4) * 100)m"))]))])),
        ])
        if index > 0, random.chance(25) {
            spec["dependsOn"] = [
                .map([
                    ("name", .text(agents[random.below(index)].name)),
                    ("condition", random.chance(50) ? "Started" : "Ready"),
                ])
            ]
        }
        if random.chance(30) {
            for name in ["startupProbe", "readinessProbe", "livenessProbe"] where random.chance(60) {
                spec[name] = .map([
                    ("tcpSocket", .map([("port", 80)])), ("periodSeconds", 1), ("failureThreshold", 30),
                ])
            }
        }
        if random.chance(15) { spec["envFrom"] = [.map([("configMapRef", .map([("name", .text(configMap.name))]))])] }
        var node = Node.map([("spec", spec)])
        if random.chance(10) { node["metadata"] = .map([("finalizers", ["example.com/hold"])]) }
        request(.apply(apply(key, node)))
    }

    // MARK: Calm

    private mutating func calm() {
        guard result.violation == nil else { return }
        isCalm = true
        sinkIsDown = false
        machine.becomeCalm(nowMs: now.wallMs)
        for index in 0..<1500 where result.violation == nil {
            if index % 10 == 0 {
                for run in machine.living { pending.append(.probed(run, ProbeState(hasStarted: true, isReady: true))) }
            }
            if index % 100 == 0 {
                if engine.state.objects[directory.source] == nil { applySource() }
                readDirectory()
                pending.append(.driverState(driver: "process", problem: nil))
                observe()
                // An operator replays what was given up.
                let stuck = engine.state.ledgers.values.compactMap(\.stuck).filter(\.isDeadLetter).map(\.position)
                for position in stuck.sorted() { request(.replay(position: position)) }
                // Controllers let go of what is deleted.
                for object in engine.state.objects.values.sorted(by: { $0.key < $1.key })
                where object.deletion != nil && !object.finalizers.isEmpty {
                    request(
                        .apply(
                            apply(
                                object.key,
                                .map(
                                    object.content.map?.entries.filter { $0.key != "metadata" }.map {
                                        ($0.key, $0.value)
                                    } ?? []))))
                }
            }
            turn()
            let wake = conductor.wakeAtBootMs(now).map { $0 - now.bootMs } ?? 100
            let isIdle = pending.isEmpty && engine.isIdle && conductor.committing == nil
            advance(isIdle ? min(max(wake, 1), 5000) : 10)
            if index % 50 == 49, isConverged { break }
        }
        guard result.violation == nil else { return }
        if let why = unconverged ?? unsynced { return fail("not converged: \(why)") }
        checkLedgers()
        // Far from every deadline, a reconcile of everything writes nothing.
        observe()
        readDirectory()
        var once = engine
        let step = once.step(pending, now)
        if !step.changes.isEmpty || !step.operations.isEmpty {
            let before = engine.state.objects.values.filter { object in
                step.changes.objects.contains { $0.object.uid == object.uid }
            }
            fail(
                "a reconcile of a converged world is not empty: \(step.changes.events.map(\.type)); before: \(before.map { "\($0.key.name) \($0.agent?.summary.conditions.map(\.condition.reason) ?? [])" })"
            )
        }
    }

    /// A replica that nothing keeps at an old revision. One that failed for good, or that waits, may hold a roll up.
    private func outdated(_ agent: AgentState) -> Int? {
        let spec = agent.effective.spec
        guard !spec.suspend, agent.summary.condition(.scheduled)?.status == true,
            agent.replicas.allSatisfy({ [.ready, .completed].contains($0.phase.name) })
        else { return nil }
        return agent.replicas.first { replica in
            replica.ordinal < spec.replicas && replica.phase.run.map { $0.revision < agent.revision } ?? false
        }?.ordinal
    }

    private var isConverged: Bool { unconverged == nil && unsynced == nil }

    private var unconverged: String? {
        if !pending.isEmpty || !actions.isEmpty { return "work is under way" }
        var timers = engine
        if let wake = timers.nextWakeBootMs(), wake <= now.bootMs { return "a timer is due" }
        if engine.state.backlog != 0 { return "\(engine.state.backlog) events are not delivered" }
        var expected = 0
        for object in engine.state.objects.values.sorted(by: { $0.key < $1.key }) {
            if object.deletion != nil {
                return
                    "\(object.key.name) is still being deleted (\(object.agent?.summary.conditions.map(\.condition.message) ?? []))"
            }
            guard let agent = object.agent else { continue }
            for replica in agent.replicas {
                switch replica.phase {
                case .starting(let run, seen: true) where run.isFrozen && agent.effective.spec.suspend:
                    if agent.summary.phase != .suspended { return "\(object.key.name) is \(agent.summary.phase)" }
                    expected += 1
                case .ready, .completed(_, removed: true), .stopped: break
                case .created
                where !agent.summary.conditions.isEmpty && agent.summary.conditions[0].condition.status == false: break
                case .backingOff where agent.summary.conditions.first?.condition.status == false: break
                case .failed(let run, removed: true) where run.spec.restartPolicy == .never: break
                default: return "\(object.key.name) replica \(replica.ordinal) is \(replica.phase), \(now)"
                }
                if case .ready = replica.phase { expected += 1 }
            }
            if let ordinal = outdated(agent) { return "\(object.key.name) replica \(ordinal) is at an old revision" }
        }
        return machine.living.count == expected ? nil : "\(machine.living.count) instances live, \(expected) should"
    }
}

extension SimulatedStore {
    /// The damage of a store that does not write the outbox in the transaction.
    mutating func loseLastEvent() {
        guard let last = outbox.keys.max() else { return }
        remove(last)
    }
}
