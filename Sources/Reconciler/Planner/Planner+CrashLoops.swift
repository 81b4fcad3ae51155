import Manifests
import Values

/// What is told of a replica that fails again and again: one attempt a minute, or its end, and every attempt that lives on.
/// A state is never told wrongly, only later; `Documentation/decisions/010`.
extension Planner {
    /// Decides whether the attempt that begins now is told: not when the one before it ended in the same minute.
    mutating func noteAttempt(_ index: Int) {
        let replica = plan.replicas[index]
        guard replica.isInCrashLoop, let exit = replica.lastExit else { return }
        if isThisMinute(exit.atMs) { untold.insert(replica.ordinal) }
    }

    /// A run that ends now: what began in another minute is told from here on.
    func ending(_ run: Run) -> Run {
        var run = run
        if !isThisMinute(run.createdAtMs) { run.isUntold = false }
        return run
    }

    private func isThisMinute(_ wallMs: Int64) -> Bool {
        now.wallMs / Limits.crashLoopToldMs == wallMs / Limits.crashLoopToldMs
    }

    /// Tells what an untold attempt has become when it does not end at once.
    mutating func tellWhatLives(_ index: Int) {
        let replica = plan.replicas[index]
        guard var run = replica.phase.run, run.isUntold, replica.phase.isUp,
            case .running = snapshot.instances[run.id]
        else { return }
        // Its start deadline was set when the attempt began.
        let leftMs = run.startBy.remainingMs(now) - Int64(Limits.startDeadlineMs - Limits.attemptUntoldMs)
        guard leftMs <= 0 else { return wake(Deadline(now, afterMs: leftMs)) }
        run.isUntold = false
        plan.replicas[index].phase = replica.phase.replacing(run)
        tell(.started, replica.ordinal, run, reason: .instanceSeen)
        if case .ready = replica.phase { tell(.ready, replica.ordinal, run, reason: .started) }
    }

    /// Counts children that the kernel has killed; told when their number doubles, so that many cost few events.
    mutating func noteChildOOMKills(_ index: Int) {
        let replica = plan.replicas[index]
        guard var run = replica.phase.run, replica.phase.isSeen,
            let kills = snapshot.instances[run.id]?.childOOMKills, kills > run.facts.childOOMKills
        else { return }
        let before = run.facts.childOOMKills
        run.facts.childOOMKills = kills
        plan.replicas[index].phase = replica.phase.replacing(run)
        guard kills.leadingZeroBitCount < before.leadingZeroBitCount else { return }
        tell(.childOOMKilled, replica.ordinal, run, reason: .outOfMemory, childOOMKills: kills)
    }
}

extension Phase {
    /// Its run has an instance, which may be ending.
    fileprivate var isSeen: Bool {
        switch self {
        case .starting(_, let seen): seen
        case .ready, .stopping: true
        case .created, .scheduled, .failed, .backingOff, .stopped, .completed: false
        }
    }
}

extension TransitionName {
    /// Only a crash loop makes many of them: what people ask for and what ends for good is always told.
    func isOfAttempt(_ reason: Transition.Reason) -> Bool {
        switch self {
        case .scheduled, .starting, .started, .ready, .unready, .failed, .compensated, .backingOff, .childOOMKilled:
            true
        case .stopping: reason == .asked(.unhealthy)
        case .completed, .lost, .stopped: false
        }
    }
}
