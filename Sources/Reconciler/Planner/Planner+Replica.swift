import Manifests
import Values

/// One replica: its phase, what is observed of its run, and what is desired, to the next phase.
extension Planner {
    mutating func step(_ index: Int, _ desire: Desire, startsBlocked: Bool) {
        noteChildOOMKills(index)
        tellWhatLives(index)
        let replica = plan.replicas[index]
        switch replica.phase {
        case .created:
            if case .stop(let reason) = desire {
                return move(index, .stopped, .stopped(reason), reason: .asked(reason))
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
                return move(index, .stopped, .stopped(reason), reason: .asked(reason))
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

    mutating func stepStarting(_ index: Int, _ run: Run, seen: Bool, _ desire: Desire) {
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
            run.facts.childOOMKills = 0
            if let probe = run.spec.startupProbe { run.startupBy = Deadline(now, afterMs: probe.patienceMs) }
            let told = plan.transitions.count + (run.isUntold ? 0 : 1)
            run.gate = snapshot.lastSequence + Int64(told)
            move(index, .started, .starting(run, seen: true), reason: .instanceSeen)
        case .running(_, _, _, let isFrozen):
            if stopIfAsked(index, run, desire) || staysFrozen(index, run, isFrozen, desire) || holdsBack(index, run) {
                return
            }
            guard run.spec.readinessProbe == nil || snapshot.probes[run.id]?.isReady == true else { return }
            if isGateOpen(run) {
                var run = run
                run.readyAt = now
                move(index, .ready, .ready(run), reason: .started)
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
                if !snapshot.hasStray { operate(run, .start(run)) }
                wake(run.startBy)
            }
        }
    }

    mutating func stepReady(_ index: Int, _ run: Run, _ desire: Desire) {
        switch snapshot.instances[run.id] {
        case .exited(let exit), .ending(let exit): ended(index, run, exit, wasSeen: true)
        case .absent:
            ended(index, run, Exit(reason: .unknown, message: "the instance vanished", atMs: now.wallMs), wasSeen: true)
        case .running(_, _, _, let isFrozen) where desire == .freeze || isFrozen:
            var run = run
            run.isFrozen = true
            move(index, .unready, .starting(run, seen: true), reason: .frozen)
        case .running, .starting:
            if stopIfAsked(index, run, desire) || holdsBack(index, run) { return }
            guard run.spec.readinessProbe != nil, snapshot.probes[run.id]?.isReady == false else { return }
            move(index, .unready, .starting(run, seen: true), reason: .unready)
        case nil:
            guard snapshot.isObserved, !stopIfAsked(index, run, desire) else { return }
            operate(run, .giveUp)
        }
    }

    mutating func stepFailed(_ index: Int, _ run: Run, removed: Bool, _ desire: Desire, blocked: Bool) {
        guard removed else {
            return hasTree(run, desire) ? () : remove(index, run) { .failed(run, removed: true) }
        }
        let exit = plan.replicas[index].lastExit ?? Exit(reason: .unknown, atMs: now.wallMs)
        if case .stop(let reason) = desire, reason != .replaced {
            return move(index, .stopped, .stopped(reason), reason: .asked(reason))
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
        backOff(index, run, delayMs: max(backoffDelayMs(run, step: step), pauseMs(run, step: step)))
    }

    /// What is missing from the least time between two attempts of a replica that fails again and again.
    private func pauseMs(_ run: Run, step: Int) -> Int64 {
        if step == 0 { return 0 }
        let pause = Int64(Limits.attemptPauseMs)
        return max(0, pause - max(0, now.wallMs - run.createdAtMs))
    }

    mutating func backOff(_ index: Int, _ run: Run, delayMs: Int64) {
        let until = Deadline(now, afterMs: delayMs)
        let reason: Transition.Reason = plan.replicas[index].isInCrashLoop ? .crashLoopBackOff : .backOff
        move(
            index, .backingOff, .backingOff(until: until, revision: run.revision), reason: reason, retryInMs: delayMs,
            failures: plan.replicas[index].backoffStep)
    }

    mutating func stepStopping(
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
            move(index, .failed, .failed(ending(run), removed: false), reason: .ended(exit.reason), exit: exit)
        case .absent where reason == .unhealthy:
            move(index, .failed, .failed(ending(run), removed: false), reason: .asked(reason))
        case .exited, .absent:
            if case .exited(let exit) = snapshot.instances[run.id] { plan.replicas[index].lastExit = exit }
            remove(index, run, reason: .asked(reason)) { .stopped(reason) }
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
            // What was removed is seen no more.
            if case .done(.remove, _)? = snapshot.operations[run.id], reason != .unhealthy {
                remove(index, run, reason: .asked(reason)) { .stopped(reason) }
            } else if snapshot.isObserved {
                operate(run, .giveUp)
            }
        }
    }

    /// True while something of an ended run's tree may be left, which has its grace period: nothing is removed under it.
    ///
    /// Only an observed end proves that nothing is left: a report that comes late may still speak of a running instance,
    /// and a daemon that has just started knows of none.
    private mutating func hasTree(_ run: Run, _ desire: Desire) -> Bool {
        switch snapshot.instances[run.id] {
        case .exited, .absent: return false
        case nil: return !snapshot.isObserved
        case .ending, .running, .starting:
            if desire == .stop(.deleted), snapshot.deleteGraceMs == 0 { operate(run, .kill) }
            return true
        }
    }

    func isShorter(_ killAt: Deadline) -> Bool {
        guard let grace = snapshot.deleteGraceMs else { return false }
        return grace < killAt.lengthMs && grace < killAt.remainingMs(now)
    }

    func nearer(_ a: Deadline, _ b: Deadline) -> Deadline {
        b.remainingMs(now) < a.remainingMs(now) ? b : a
    }
}
