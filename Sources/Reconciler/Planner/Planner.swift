import Manifests
public import Values

/// The pure decision: what is desired, recorded and observed, and `now`, to what should happen.
///
/// Guarantee: the same arguments give the same plan; a plan whose effects are all visible is followed by an empty one.
public func plan(_ snapshot: Snapshot, _ now: Moment) -> Plan {
    var planner = Planner(snapshot, now)
    planner.run()
    return planner.plan
}

struct Planner {
    enum Desire: Equatable {
        case run
        case stop(StopReason)
        /// Neither start nor stop: dependents go first.
        case hold
        /// Keeps its memory and gets no time.
        case freeze
    }

    let snapshot: Snapshot
    let now: Moment
    var plan: Plan
    var slots: Int
    var freeCpuMilli: Int64
    var freeMemoryBytes: Int64

    init(_ snapshot: Snapshot, _ now: Moment) {
        self.snapshot = snapshot
        self.now = now
        plan = Plan(replicas: snapshot.replicas)
        slots = snapshot.startSlots
        freeCpuMilli = snapshot.freeCpuMilli
        freeMemoryBytes = snapshot.freeMemoryBytes
    }

    mutating func run() {
        if !snapshot.isDeleting {
            let known = Set(plan.replicas.map(\.ordinal))
            for ordinal in 0..<snapshot.spec.replicas where !known.contains(ordinal) {
                plan.replicas.append(Replica(ordinal: ordinal))
            }
            plan.replicas.sort { $0.ordinal < $1.ordinal }
        }
        // What one replica does can free another, so all are looked at until they rest; the bound is against our own bugs.
        for _ in 0..<16 {
            let before = plan.replicas
            plan.waiting = snapshot.spec.problem.map(Waiting.invalid)
            let replaced = replacements()
            let startsBlocked =
                snapshot.spec.strategy == .recreate && before.contains { isOutdated($0) && $0.phase.isLive }
            for index in plan.replicas.indices {
                step(index, desire(index, replaced: replaced), startsBlocked: startsBlocked)
            }
            if plan.replicas == before { return }
        }
        plan.wakeInMs = 0
    }

    // MARK: Desire

    private func desire(_ index: Int, replaced: Set<Int>) -> Desire {
        let ordinal = plan.replicas[index].ordinal
        if snapshot.isDeleting { return snapshot.hasStoppingDependents ? .hold : .stop(.deleted) }
        if snapshot.spec.suspend {
            if snapshot.spec.freezes, ordinal < snapshot.spec.replicas, plan.replicas[index].phase.isUp {
                return .freeze
            }
            return snapshot.hasStoppingDependents ? .hold : .stop(.suspended)
        }
        if ordinal >= snapshot.spec.replicas { return .stop(.scaledDown) }
        return replaced.contains(ordinal) ? .stop(.replaced) : .run
    }

    private func isOutdated(_ replica: Replica) -> Bool {
        guard let run = replica.phase.run, replica.phase.isLive, replica.ordinal < snapshot.spec.replicas else {
            return false
        }
        return run.revision < snapshot.revision
    }

    /// The outdated ordinals that may stop now. Those that are not Ready go first and are not counted.
    private func replacements() -> Set<Int> {
        guard !snapshot.isDeleting, !snapshot.spec.suspend else { return [] }
        let outdated = plan.replicas.filter(isOutdated)
        if snapshot.spec.strategy == .recreate { return Set(outdated.map(\.ordinal)) }
        var result: Set<Int> = []
        var ready = 0
        for replica in plan.replicas where replica.ordinal < snapshot.spec.replicas {
            if case .ready = replica.phase { ready += 1 }
        }
        var unavailable = snapshot.spec.replicas - ready
        for replica in outdated.reversed() {
            if case .ready = replica.phase {
                guard unavailable < snapshot.spec.maxUnavailable else { continue }
                unavailable += 1
            }
            result.insert(replica.ordinal)
        }
        return result
    }

    // MARK: One replica

    private mutating func step(_ index: Int, _ desire: Desire, startsBlocked: Bool) {
        let replica = plan.replicas[index]
        switch replica.phase {
        case .created:
            if case .stop(let reason) = desire {
                return move(index, .stopped, .stopped(reason), reason: reason.rawValue)
            }
            if desire == .run { admit(index, blocked: startsBlocked) }
        case .scheduled:
            start(index)
        case .starting(let run, let seen):
            stepStarting(index, run, seen: seen, desire)
        case .ready(let run):
            stepReady(index, run, desire)
        case .failed(let run, let removed):
            stepFailed(index, run, removed: removed, desire, blocked: startsBlocked)
        case .backingOff(let until, let revision):
            if case .stop(let reason) = desire {
                return move(index, .stopped, .stopped(reason), reason: reason.rawValue)
            }
            guard desire == .run else { return }
            if revision < snapshot.revision {
                plan.replicas[index].backoffStep = 0
                admit(index, blocked: startsBlocked)
            } else if until.isDue(now) {
                admit(index, blocked: startsBlocked)
            } else {
                wake(until)
            }
        case .stopping(let run, let reason, let killAt):
            stepStopping(index, run, reason, killAt, desire)
        case .stopped(let reason):
            if desire == .run {
                admit(index, blocked: startsBlocked)
            } else if case .stop(let wanted) = desire, wanted != reason, wanted != .replaced {
                plan.replicas[index].phase = .stopped(wanted)
            }
        case .completed(let run, let removed):
            guard removed else {
                return hasTree(run, desire) ? () : remove(index, run) { .completed(run, removed: true) }
            }
            if desire == .run, run.revision < snapshot.revision { admit(index, blocked: startsBlocked) }
        }
    }

    private mutating func stepStarting(_ index: Int, _ run: Run, seen: Bool, _ desire: Desire) {
        switch snapshot.instances[run.id] {
        case .exited(let exit), .ending(let exit):
            return ended(index, run, exit, wasSeen: seen)
        case .absent:
            let exit = Exit(reason: .startTimeout, message: "the start was given up", atMs: now.wallMs)
            return ended(index, run, exit, wasSeen: seen)
        case .running(let pid, let startedAtMs, let facts, _) where !seen:
            var run = run
            run.pid = pid
            run.startedAtMs = startedAtMs
            run.facts = facts
            if let probe = run.spec.startupProbe { run.startupBy = Deadline(now, afterMs: probe.patienceMs) }
            run.gate = snapshot.lastSequence + Int64(plan.transitions.count) + 1
            move(index, .started, .starting(run, seen: true), reason: "InstanceSeen")
        case .running(_, _, _, let isFrozen):
            if stopIfAsked(index, run, desire) || staysFrozen(index, run, isFrozen, desire) || holdsBack(index, run) {
                return
            }
            guard run.spec.readinessProbe == nil || snapshot.probes[run.id]?.isReady == true else { return }
            if isGateOpen(run) {
                var run = run
                run.readyAt = now
                move(index, .ready, .ready(run), reason: "Started")
            }
        case .starting:
            if stopIfAsked(index, run, desire) { return }
            if run.startBy.isDue(now) { operate(run, .kill) } else { wake(run.startBy) }
        case nil:
            if stopIfAsked(index, run, desire) { return }
            guard snapshot.isObserved else { return }
            if seen || run.startBy.isDue(now) {
                operate(run, .giveUp)
            } else {
                operate(run, .start(run))
                wake(run.startBy)
            }
        }
    }

    private mutating func stepReady(_ index: Int, _ run: Run, _ desire: Desire) {
        switch snapshot.instances[run.id] {
        case .exited(let exit), .ending(let exit): ended(index, run, exit, wasSeen: true)
        case .absent:
            ended(index, run, Exit(reason: .unknown, message: "the instance vanished", atMs: now.wallMs), wasSeen: true)
        case .running(_, _, _, let isFrozen) where desire == .freeze || isFrozen:
            var run = run
            run.isFrozen = true
            move(index, .unready, .starting(run, seen: true), reason: "Frozen")
        case .running, .starting:
            if stopIfAsked(index, run, desire) || holdsBack(index, run) { return }
            guard run.spec.readinessProbe != nil, snapshot.probes[run.id]?.isReady == false else { return }
            move(index, .unready, .starting(run, seen: true), reason: "Unready")
        case nil:
            guard snapshot.isObserved, !stopIfAsked(index, run, desire) else { return }
            operate(run, .giveUp)
        }
    }

    private mutating func stepFailed(_ index: Int, _ run: Run, removed: Bool, _ desire: Desire, blocked: Bool) {
        guard removed else {
            return hasTree(run, desire) ? () : remove(index, run) { .failed(run, removed: true) }
        }
        let exit = plan.replicas[index].lastExit ?? Exit(reason: .unknown, atMs: now.wallMs)
        if case .stop(let reason) = desire, reason != .replaced {
            return move(index, .stopped, .stopped(reason), reason: reason.rawValue)
        }
        if run.spec.restartPolicy == .never, exit.reason != .machineRestarted {
            if desire == .run, run.revision < snapshot.revision { admit(index, blocked: blocked) }
            return
        }
        if exit.reason == .machineRestarted {
            return backOff(index, run, delayMs: 0)
        }
        var step = plan.replicas[index].backoffStep
        if let readyAt = run.readyAt, readyAt.boot == now.boot,
            now.bootMs - readyAt.bootMs >= run.spec.backoff.resetAfterMs
        {
            step = 0
        }
        plan.replicas[index].backoffStep = step + 1
        backOff(index, run, delayMs: backoffDelayMs(run, step: step))
    }

    private mutating func backOff(_ index: Int, _ run: Run, delayMs: Int64) {
        let until = Deadline(now, afterMs: delayMs)
        let reason = plan.replicas[index].backoffStep > 2 ? "CrashLoopBackOff" : "BackOff"
        move(
            index, .backingOff, .backingOff(until: until, revision: run.revision), reason: reason, retryInMs: delayMs)
    }

    private mutating func stepStopping(
        _ index: Int, _ run: Run, _ reason: StopReason, _ killAt: Deadline, _ desire: Desire
    ) {
        // A deletion may shorten the grace period of a stop that is already under way.
        if case .stop(let wanted) = desire, wanted == .deleted, reason != .deleted || isShorter(killAt) {
            plan.replicas[index].phase = .stopping(run, .deleted, killAt: nearer(killAt, stopDeadline(run, .deleted)))
            return
        }
        if case .stop(let wanted) = desire, reason == .unhealthy {
            plan.replicas[index].phase = .stopping(run, wanted, killAt: killAt)
            return
        }
        switch snapshot.instances[run.id] {
        case .exited(var exit) where reason == .unhealthy:
            exit.reason = .unhealthy
            exit.message = plan.replicas[index].lastExit?.message ?? exit.message
            plan.replicas[index].lastExit = exit
            move(index, .failed, .failed(run, removed: false), reason: exit.reason.rawValue, exit: exit)
        case .absent where reason == .unhealthy:
            move(index, .failed, .failed(run, removed: false), reason: reason.rawValue)
        case .exited, .absent:
            if case .exited(let exit) = snapshot.instances[run.id] { plan.replicas[index].lastExit = exit }
            remove(index, run, name: .stopped, reason: reason.rawValue) { .stopped(reason) }
        case .running:
            if killAt.isDue(now) {
                operate(run, .kill)
            } else if case .running(_, _, _, isFrozen: true) = snapshot.instances[run.id] {
                // Frozen it would not hear its signal.
                operate(run, .thaw)
                wake(killAt)
            } else {
                operate(run, .signal(run.spec.stopSignal))
                wake(killAt)
            }
        case .ending(let exit):
            // The rest of its tree was asked by its driver.
            if reason != .unhealthy { plan.replicas[index].lastExit = exit }
            if killAt.isDue(now) { operate(run, .kill) } else { wake(killAt) }
        case .starting:
            if killAt.isDue(now) { operate(run, .kill) } else { wake(killAt) }
        case nil:
            if snapshot.isObserved { operate(run, .giveUp) }
        }
    }

    /// True while something of an ended run's tree is left, which has its grace period: nothing is removed under it.
    private mutating func hasTree(_ run: Run, _ desire: Desire) -> Bool {
        guard case .ending = snapshot.instances[run.id] else { return false }
        if desire == .stop(.deleted), snapshot.deleteGraceMs == 0 { operate(run, .kill) }
        return true
    }

    private func isShorter(_ killAt: Deadline) -> Bool {
        guard let grace = snapshot.deleteGraceMs else { return false }
        return grace < killAt.lengthMs && grace < killAt.remainingMs(now)
    }

    private func nearer(_ a: Deadline, _ b: Deadline) -> Deadline {
        b.remainingMs(now) < a.remainingMs(now) ? b : a
    }

    // MARK: Ends and stops

    private mutating func ended(_ index: Int, _ run: Run, _ exit: Exit, wasSeen: Bool) {
        plan.replicas[index].lastExit = exit
        if exit.succeeded, run.spec.restartPolicy != .always {
            return move(index, .completed, .completed(run, removed: false), reason: exit.reason.rawValue, exit: exit)
        }
        let isLost = exit.reason == .machineRestarted || exit.reason == .unknown
        move(index, isLost ? .lost : .failed, .failed(run, removed: false), reason: exit.reason.rawValue, exit: exit)
        if !wasSeen, exit.reason == .startError || exit.reason == .startTimeout {
            tell(.compensated, plan.replicas[index].ordinal, run, reason: exit.reason.rawValue)
        }
    }

    private mutating func stopIfAsked(_ index: Int, _ run: Run, _ desire: Desire) -> Bool {
        guard case .stop(let reason) = desire else { return false }
        let killAt = stopDeadline(run, reason)
        move(index, .stopping, .stopping(run, reason, killAt: killAt), reason: reason.rawValue)
        return true
    }

    /// True while the startup probe has not succeeded, and when the run is ended because a probe failed for good:
    /// it ends like one that is stopped, and another follows.
    private mutating func holdsBack(_ index: Int, _ run: Run) -> Bool {
        let probe = snapshot.probes[run.id]
        var failure = probe?.failure
        if run.spec.startupProbe != nil, run.readyAt == nil, probe?.hasStarted != true {
            if let by = run.startupBy, !by.isDue(now) {
                wake(by)
            } else {
                failure = failure ?? "the startup probe has not succeeded in time"
            }
            if failure == nil { return true }
        }
        guard let failure else { return false }
        plan.replicas[index].lastExit = Exit(reason: .unhealthy, message: failure, atMs: now.wallMs)
        let killAt = stopDeadline(run, .unhealthy)
        move(index, .stopping, .stopping(run, .unhealthy, killAt: killAt), reason: StopReason.unhealthy.rawValue)
        return true
    }

    /// True while an instance is frozen, or on its way there or back.
    private mutating func staysFrozen(_ index: Int, _ run: Run, _ isFrozen: Bool, _ desire: Desire) -> Bool {
        guard desire == .freeze || run.isFrozen || isFrozen else { return false }
        var changed = run
        if desire == .freeze {
            changed.isFrozen = true
            if !isFrozen { operate(run, .freeze) }
        } else if isFrozen {
            operate(run, .thaw)
        } else {
            changed.isFrozen = false
            // The time in which it stood still does not count.
            if let probe = run.spec.startupProbe, run.readyAt == nil {
                changed.startupBy = Deadline(now, afterMs: probe.patienceMs)
            }
        }
        plan.replicas[index].phase = .starting(changed, seen: true)
        return true
    }

    private func stopDeadline(_ run: Run, _ reason: StopReason) -> Deadline {
        let grace = reason == .deleted ? snapshot.deleteGraceMs ?? run.spec.gracePeriodMs : run.spec.gracePeriodMs
        return Deadline(now, afterMs: grace)
    }

    private mutating func remove(
        _ index: Int, _ run: Run, name: TransitionName? = nil, reason: String = "", then next: () -> Phase
    ) {
        if case .done("remove", _) = snapshot.operations[run.id] {
            if let name {
                move(index, name, next(), reason: reason, run: run)
            } else {
                plan.replicas[index].phase = next()
            }
        } else {
            operate(run, .remove)
        }
    }

    // MARK: Starts

    private mutating func admit(_ index: Int, blocked: Bool) {
        if blocked || snapshot.spec.problem != nil { return }
        if let problem = snapshot.driverProblem { return wait(.driver(problem)) }
        guard snapshot.isObserved else { return wait(.observation) }
        if let missing = snapshot.dependencies.first(where: { !$0.met }) {
            return wait(.dependency(missing.name, found: missing.found, missing.condition))
        }
        if let missing = snapshot.missingInput { return wait(.input(missing)) }
        let need = snapshot.spec.resources
        if need.requestCpuMilli > freeCpuMilli {
            return wait(.capacity("cpu: \(need.requestCpuMilli)m requested, \(max(0, freeCpuMilli))m free"))
        }
        if need.requestMemoryBytes > freeMemoryBytes {
            return wait(
                .capacity(
                    "memory: \(need.requestMemoryBytes >> 20)Mi requested, \(max(0, freeMemoryBytes) >> 20)Mi free"))
        }
        if slots <= 0 { return wait(.slot) }
        slots -= 1
        freeCpuMilli -= need.requestCpuMilli
        freeMemoryBytes -= need.requestMemoryBytes
        if case .backingOff = plan.replicas[index].phase { plan.replicas[index].restarts += 1 }
        move(index, .scheduled, .scheduled, reason: "Admitted")
    }

    private mutating func start(_ index: Int) {
        plan.replicas[index].attempt += 1
        let replica = plan.replicas[index]
        let run = Run(
            id: RunID(uid: snapshot.uid, ordinal: replica.ordinal, attempt: replica.attempt),
            revision: snapshot.revision,
            effective: snapshot.effective, createdAtMs: now.wallMs,
            startBy: Deadline(now, afterMs: Int64(Limits.startDeadlineMs)))
        move(index, .starting, .starting(run, seen: false), reason: replica.restarts > 0 ? "Restart" : "Start")
    }

    private func isGateOpen(_ run: Run) -> Bool {
        // Regaining readiness is not gated again.
        guard run.spec.gate == .published, run.readyAt == nil, let gate = run.gate else { return true }
        return snapshot.publishedSequence >= gate
    }

    private mutating func wait(_ waiting: Waiting) {
        if plan.waiting == nil { plan.waiting = waiting }
    }

    // MARK: Output

    private mutating func move(
        _ index: Int, _ name: TransitionName, _ phase: Phase, reason: String, exit: Exit? = nil,
        retryInMs: Int64? = nil,
        run: Run? = nil
    ) {
        let run = run ?? phase.run ?? plan.replicas[index].phase.run
        plan.replicas[index].phase = phase
        tell(name, plan.replicas[index].ordinal, run, reason: reason, exit: exit, retryInMs: retryInMs)
    }

    private mutating func tell(
        _ name: TransitionName, _ ordinal: Int, _ run: Run?, reason: String, exit: Exit? = nil, retryInMs: Int64? = nil
    ) {
        plan.transitions.append(
            Transition(
                name: name, ordinal: ordinal, run: run?.id, revision: run?.revision ?? snapshot.revision,
                reason: reason,
                exit: exit, retryInMs: retryInMs))
    }

    /// Asks for an operation unless one is asked for, is under way, or the same was tried a moment ago.
    private mutating func operate(_ run: Run, _ verb: Operation.Verb) {
        let operation = Operation(run: run.id, driver: run.spec.driver, verb: verb)
        // A replica is looked at until it rests: the second look must not ask again.
        if plan.operations.contains(where: { $0.run == run.id }) { return }
        switch snapshot.operations[run.id] {
        case .inFlight: return
        case .done(operation.name, let again):
            // A stop signal is sent once; what follows is the kill.
            if case .signal = verb { return }
            if !again.isDue(now) { return wake(again) }
        case .failed(operation.name, _, let again):
            if !again.isDue(now) { return wake(again) }
        case .done, .failed, nil: break
        }
        plan.operations.append(operation)
    }

    private mutating func wake(_ deadline: Deadline) {
        let remaining = deadline.remainingMs(now)
        plan.wakeInMs = min(plan.wakeInMs ?? remaining, remaining)
    }
}

/// The delay before the next attempt: growing, capped, with a jitter of a tenth that depends on the run alone.
func backoffDelayMs(_ run: Run, step: Int) -> Int64 {
    let backoff = run.spec.backoff
    var delay = Double(backoff.initialMs)
    for _ in 0..<min(step, 64) {
        delay *= backoff.factor
        if delay >= Double(backoff.maxMs) { break }
    }
    delay = min(delay, Double(backoff.maxMs))
    return Int64(delay * (0.9 + 0.2 * run.id.jitter))
}
