import Manifests
import Planner
import Reconciler
import Values

/// The calm after the chaos: faults stop, and everything must come to rest.
extension Life {
    mutating func calm() {
        guard result.violation == nil else { return }
        isCalm = true
        journalIsDown = false
        for (name, sink) in sinks {
            if !sink.isConfigured { sinks[name]?.configuredAt = now }
            sinks[name]?.isDown = false
            sinks[name]?.isGone = false
            sinks[name]?.isConfigured = true
        }
        configureSinks()
        machine.becomeCalm(nowMs: now.wallMs)
        for index in 0..<1500 where result.violation == nil {
            if index % 10 == 0 {
                for run in machine.living { pending.append(.probed(run, ProbeState(hasStarted: true, isReady: true))) }
            }
            if index % 100 == 0 {
                for directory in directories {
                    if engine.state.objects[directory.source] == nil { applySource(directory) }
                    read(directory)
                }
                for driver in ["process", "sandbox"] { pending.append(.driverState(driver: driver, problem: nil)) }
                observe()
                // An operator replays what was given up.
                let stuck = engine.state.ledgers.values.compactMap(\.stuck).filter(\.isDeadLetter).map(\.position)
                for position in stuck.sorted() { request(.replay(position: position)) }
                for name in sinks.keys.sorted() { mend(name) }
                // Controllers let go of what is deleted.
                for object in engine.state.objects.values.sorted(by: { $0.key < $1.key })
                where object.deletion != nil && !object.finalizers.isEmpty {
                    request(
                        .write(
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
        if let why = unconverged ?? unfed ?? unsynced { return fail("not converged: \(why)") }
        checkLedgers()
        checkState()
        checkSinks()
        checkTold()
        // Far from every deadline, a reconcile of everything writes nothing.
        observe()
        for directory in directories { read(directory) }
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

    /// A replica that nothing keeps at an old revision. One that failed for good, or that waits, may hold a roll up; so may
    /// a pause.
    private func outdated(_ agent: AgentState) -> Int? {
        let spec = agent.effective.spec
        guard !spec.suspend, !spec.paused, agent.summary.condition(.scheduled)?.status == true,
            agent.replicas.allSatisfy({ [.ready, .completed].contains($0.phase.name) })
        else { return nil }
        return agent.replicas.first { replica in
            replica.ordinal < spec.replicas && replica.phase.run.map { $0.revision < agent.revision } ?? false
        }?.ordinal
    }

    private var isConverged: Bool { unconverged == nil && unfed == nil && unsynced == nil }

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
                if replica.phase.run?.isUntold == true, case .ready = replica.phase {
                    return "\(object.key.name) replica \(replica.ordinal) is Ready and not told"
                }
                if case .ready = replica.phase { expected += 1 }
            }
            if let ordinal = outdated(agent) { return "\(object.key.name) replica \(ordinal) is at an old revision" }
        }
        return machine.living.count == expected ? nil : "\(machine.living.count) instances live, \(expected) should"
    }
}
