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
    private var asked: Set<RunID> = []
    /// Ordinals whose attempt begins untold.
    var untold: Set<Int> = []

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

    func desire(_ index: Int, replaced: Set<Int>) -> Desire {
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

    func isOutdated(_ replica: Replica) -> Bool {
        guard let run = replica.phase.run, replica.phase.isLive, replica.ordinal < snapshot.spec.replicas else {
            return false
        }
        return run.revision < snapshot.revision
    }

    /// The outdated ordinals that may stop now. Those that are not Ready go first and are not counted.
    func replacements() -> Set<Int> {
        guard !snapshot.isDeleting, !snapshot.spec.suspend, !snapshot.spec.paused else { return [] }
        let outdated = plan.replicas.filter(isOutdated)
        if snapshot.spec.strategy == .recreate { return Set(outdated.map(\.ordinal)) }
        var result: Set<Int> = []
        let available = plan.replicas.count { $0.ordinal < snapshot.spec.replicas && isAvailable($0) }
        var unavailable = snapshot.spec.replicas - available
        for replica in outdated.reversed() {
            if case .ready = replica.phase {
                guard unavailable < snapshot.spec.maxUnavailable else { continue }
                unavailable += 1
            }
            result.insert(replica.ordinal)
        }
        return result
    }

    /// It does its work, or it has done what the current revision asks for.
    private func isAvailable(_ replica: Replica) -> Bool {
        switch replica.phase {
        case .ready: true
        case .completed(let run, _): run.revision == snapshot.revision
        case .created, .scheduled, .starting, .failed, .backingOff, .stopping, .stopped: false
        }
    }

    // MARK: Output

    mutating func move(
        _ index: Int, _ name: TransitionName, _ phase: Phase, reason: Transition.Reason, exit: Exit? = nil,
        retryInMs: Int64? = nil, failures: Int? = nil,
        run: Run? = nil
    ) {
        let run = run ?? phase.run ?? plan.replicas[index].phase.run
        plan.replicas[index].phase = phase
        tell(
            name, plan.replicas[index].ordinal, run, reason: reason, exit: exit, retryInMs: retryInMs,
            failures: failures)
    }

    mutating func tell(
        _ name: TransitionName, _ ordinal: Int, _ run: Run?, reason: Transition.Reason, exit: Exit? = nil,
        retryInMs: Int64? = nil, failures: Int? = nil, childOOMKills: Int? = nil
    ) {
        if name.isOfAttempt(reason), run?.isUntold ?? untold.contains(ordinal) { return }
        plan.transitions.append(
            Transition(
                name: name, ordinal: ordinal, run: run?.id, revision: run?.revision ?? snapshot.revision,
                reason: reason,
                exit: exit, retryInMs: retryInMs, failures: failures, childOOMKills: childOOMKills))
    }

    /// Asks for an operation unless one is asked for, is under way, or the same was tried a moment ago.
    mutating func operate(_ run: Run, _ verb: Operation.Verb) {
        let operation = Operation(run: run.id, driver: run.spec.driver, verb: verb)
        // A replica is looked at until it rests: the second look must not ask again.
        if asked.contains(run.id) { return }
        switch snapshot.operations[run.id] {
        case .inFlight: return
        case .done(operation.kind, let again):
            // A stop signal is sent once; what follows is the kill.
            if case .signal = verb { return }
            if !again.isDue(now) { return wake(again) }
        case .failed(operation.kind, _, let again):
            if !again.isDue(now) { return wake(again) }
        case .done, .failed, nil: break
        }
        asked.insert(run.id)
        plan.operations.append(operation)
    }

    mutating func wake(_ deadline: Deadline) {
        let remaining = deadline.remainingMs(now)
        plan.wakeInMs = min(plan.wakeInMs ?? remaining, remaining)
    }
}
