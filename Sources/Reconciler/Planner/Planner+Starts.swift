import Manifests
import Values

/// What a start needs, and what it makes.
extension Planner {
    mutating func admit(_ index: Int, blocked: Bool) {
        if snapshot.spec.problem != nil { return }
        if blocked {
            // Otherwise what blocks it is about to end.
            if snapshot.spec.paused { wait(.earlierRevision) }
            return
        }
        if let problem = snapshot.driverProblem { return wait(.driver(problem)) }
        guard snapshot.isObserved else {
            return wait(snapshot.unobserved.isEmpty ? .observation : .restored(snapshot.unobserved))
        }
        if snapshot.hasStray { return wait(.stray) }
        if let missing = snapshot.dependencies.first(where: { !$0.met }) {
            return wait(.dependency(missing))
        }
        if let missing = snapshot.missingInput { return wait(.input(missing)) }
        let need = snapshot.spec.resources
        if need.requestCpuMilli > freeCpuMilli {
            return wait(.cpu(requestedMilli: need.requestCpuMilli, freeMilli: freeCpuMilli))
        }
        if need.requestMemoryBytes > freeMemoryBytes {
            return wait(.memory(requestedBytes: need.requestMemoryBytes, freeBytes: freeMemoryBytes))
        }
        if slots <= 0 { return wait(.slot) }
        slots -= 1
        freeCpuMilli -= need.requestCpuMilli
        freeMemoryBytes -= need.requestMemoryBytes
        if case .backingOff = plan.replicas[index].phase {
            plan.replicas[index].restarts += 1
            noteAttempt(index)
        }
        move(index, .scheduled, .scheduled, reason: .admitted)
    }

    mutating func start(_ index: Int) {
        plan.replicas[index].attempt += 1
        let replica = plan.replicas[index]
        var run = Run(
            id: RunID(uid: snapshot.uid, ordinal: replica.ordinal, attempt: replica.attempt),
            revision: snapshot.revision,
            effective: snapshot.effective, createdAtMs: now.wallMs,
            startBy: Deadline(now, afterMs: Int64(Limits.startDeadlineMs)))
        run.inputs = snapshot.inputVersions
        run.isUntold = untold.contains(replica.ordinal)
        move(index, .starting, .starting(run, seen: false), reason: replica.restarts > 0 ? .restart : .start)
    }

    func isGateOpen(_ run: Run) -> Bool {
        // Regaining readiness is not gated again.
        guard run.spec.gate == .published, run.readyAt == nil, let gate = run.gate else { return true }
        return snapshot.publishedSequence >= gate && snapshot.sinkWaits[run.id] == nil
    }

    mutating func wait(_ waiting: Waiting) {
        if plan.waiting == nil { plan.waiting = waiting }
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
