import Manifests
import Values

/// How runs end: by themselves, because they are asked to, because a probe says so.
extension Planner {
    mutating func ended(_ index: Int, _ run: Run, _ exit: Exit, wasSeen: Bool) {
        let run = ending(run)
        plan.replicas[index].lastExit = exit
        if exit.succeeded, run.spec.restartPolicy != .always {
            return move(index, .completed, .completed(run, removed: false), reason: .ended(exit.reason), exit: exit)
        }
        let isLost = exit.reason == .machineRestarted || exit.reason == .unknown
        move(index, isLost ? .lost : .failed, .failed(run, removed: false), reason: .ended(exit.reason), exit: exit)
        if !wasSeen, exit.reason == .startError || exit.reason == .startTimeout {
            tell(.compensated, plan.replicas[index].ordinal, run, reason: .ended(exit.reason))
        }
    }

    mutating func stopIfAsked(_ index: Int, _ run: Run, _ desire: Desire) -> Bool {
        guard case .stop(let reason) = desire else { return false }
        let killAt = stopDeadline(run, reason)
        move(index, .stopping, .stopping(run, reason, killAt: killAt), reason: .asked(reason))
        return true
    }

    /// True while the startup probe has not succeeded, and when the run is ended because a probe failed for good:
    /// it ends like one that is stopped, and another follows.
    mutating func holdsBack(_ index: Int, _ run: Run) -> Bool {
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
        move(index, .stopping, .stopping(run, .unhealthy, killAt: killAt), reason: .asked(.unhealthy))
        return true
    }

    /// True while an instance is frozen, or on its way there or back.
    mutating func staysFrozen(_ index: Int, _ run: Run, _ isFrozen: Bool, _ desire: Desire) -> Bool {
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

    func stopDeadline(_ run: Run, _ reason: StopReason) -> Deadline {
        let grace = reason == .deleted ? snapshot.deleteGraceMs ?? run.spec.gracePeriodMs : run.spec.gracePeriodMs
        return Deadline(now, afterMs: grace)
    }

    mutating func remove(
        _ index: Int, _ run: Run, reason: Transition.Reason? = nil, then next: () -> Phase
    ) {
        if case .done(.remove, _) = snapshot.operations[run.id] {
            if let reason {
                move(index, .stopped, next(), reason: reason, run: run)
            } else {
                plan.replicas[index].phase = next()
            }
        } else {
            operate(run, .remove)
        }
    }
}
