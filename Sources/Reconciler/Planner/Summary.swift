import Manifests
import Values

/// What the states of the replicas say about the agent as a whole; pure.
public struct Summary: Sendable, Equatable {
    public var phase: AgentPhase
    public var replicas: Int
    public var readyReplicas: Int
    public var updatedReplicas: Int
    public var isStarted: Bool
    public var isReady: Bool
    public var isCompleted: Bool
    public var hasLive: Bool
    public var conditions: [Condition]

    public init(_ snapshot: Snapshot, _ plan: Plan, progressDue: Bool) {
        let spec = snapshot.spec
        let counted = plan.replicas.filter { $0.ordinal < spec.replicas || $0.phase.isLive }
        let desired = plan.replicas.filter { $0.ordinal < spec.replicas }
        hasLive = plan.replicas.contains { $0.phase.isLive }
        replicas = spec.replicas
        readyReplicas = desired.count { if case .ready = $0.phase { true } else { false } }
        updatedReplicas = desired.count { ($0.phase.run?.revision ?? 0) == snapshot.revision }
        isStarted = desired.contains {
            switch $0.phase {
            case .starting(_, let seen): seen
            case .ready, .completed: true
            case .created, .scheduled, .failed, .backingOff, .stopping, .stopped: false
            }
        }
        isReady =
            readyReplicas == spec.replicas && spec.replicas > 0 && !snapshot.isDeleting
            && updatedReplicas == spec.replicas
        isCompleted =
            !desired.isEmpty
            && desired.allSatisfy {
                if case .completed(let run, _) = $0.phase { run.revision == snapshot.revision } else { false }
            }
        let isAtRest = plan.replicas.allSatisfy { replica in
            guard replica.phase.isLive else { return true }
            guard let run = replica.phase.run, case .running(_, _, _, isFrozen: true) = snapshot.instances[run.id]
            else {
                return false
            }
            return run.isFrozen
        }
        if spec.suspend, isAtRest, !snapshot.isDeleting {
            phase = .suspended
        } else {
            phase = counted.map(\.phase.name).min() ?? .stopped
        }
        conditions = []
        conditions = [
            scheduled(plan), published(snapshot, plan), ready(snapshot, plan),
            progressing(snapshot, plan, progressDue: progressDue),
        ]
    }

    private func scheduled(_ plan: Plan) -> Condition {
        if let waiting = plan.waiting {
            return Condition(kind: .scheduled, status: false, reason: waiting.reason, message: waiting.message)
        }
        return Condition(
            kind: .scheduled, status: true, reason: .scheduled, message: "all replicas that should run were admitted")
    }

    private func published(_ snapshot: Snapshot, _ plan: Plan) -> Condition {
        let gated = plan.replicas.compactMap { replica -> Run? in
            guard case .starting(let run, seen: true) = replica.phase, run.spec.gate == .published, run.readyAt == nil
            else { return nil }
            return run
        }
        if let gate = gated.compactMap(\.gate).max(), snapshot.publishedSequence < gate {
            return Condition(
                kind: .published, status: false, reason: .waitingForDelivery,
                message: "a start waits until its events are delivered")
        }
        if let wait = gated.compactMap({ snapshot.sinkWaits[$0.id] }).first {
            return Condition(kind: .published, status: false, reason: wait.reason, message: wait.message)
        }
        return Condition(
            kind: .published, status: true, reason: .published, message: "no start waits for its events")
    }

    private func ready(_ snapshot: Snapshot, _ plan: Plan) -> Condition {
        let of = "\(readyReplicas) of \(replicas) replicas are ready"
        func not(_ reason: Condition.Reason, _ message: String) -> Condition {
            Condition(kind: .ready, status: false, reason: reason, message: message)
        }
        if snapshot.isDeleting { return not(deletion(snapshot, plan).reason, deletion(snapshot, plan).message) }
        if snapshot.spec.suspend {
            return not(
                .suspended, hasLive && phase == .suspended ? "suspend is set; memory is kept" : "suspend is set")
        }
        if isReady { return Condition(kind: .ready, status: true, reason: .allReplicasReady, message: of) }
        if isCompleted { return not(.completed, "all replicas have completed") }
        if replicas == 0 { return not(.noReplicas, "replicas is 0") }
        for replica in plan.replicas where replica.phase.isDown && replica.lastExit?.reason == .imageNotFound {
            return not(.imageNotFound, "\(of); replica \(replica.ordinal): \(replica.lastExit?.message ?? "")")
        }
        for replica in plan.replicas {
            if case .backingOff = replica.phase, replica.isInCrashLoop {
                return not(
                    .crashLoopBackOff,
                    "\(of); replica \(replica.ordinal) \(Self.words(replica.lastExit)), attempt \(replica.attempt)")
            }
        }
        for replica in plan.replicas where replica.phase.isDown {
            return not(.replicaFailed, "\(of); replica \(replica.ordinal) \(Self.words(replica.lastExit))")
        }
        for replica in plan.replicas {
            guard case .starting(let run, seen: true) = replica.phase, let probe = snapshot.probes[run.id],
                !probe.message.isEmpty
            else { continue }
            return not(.unready, "\(of); replica \(replica.ordinal): \(probe.message)")
        }
        if let waiting = plan.waiting { return not(waiting.reason, "\(of); \(waiting.message)") }
        if let problem = snapshot.driverProblem { return not(.driverUnavailable, "\(of); \(problem)") }
        return not(.replicasNotReady, of)
    }

    /// What holds a deletion up.
    private func deletion(_ snapshot: Snapshot, _ plan: Plan) -> (reason: Condition.Reason, message: String) {
        let live = plan.replicas.filter(\.phase.isLive).map { String($0.ordinal) }
        if hasLive, snapshot.hasStoppingDependents {
            return (.waitingForDependents, "agents that depend on this one stop first")
        }
        if hasLive, let problem = snapshot.driverProblem { return (.driverUnavailable, problem) }
        if hasLive { return (.deleting, "waiting for the end of replica \(live.joined(separator: ", "))") }
        return snapshot.finalizers.isEmpty
            ? (.deleting, "the agent is being deleted")
            : (.waitingForFinalizers, "waiting for finalizers: \(snapshot.finalizers.joined(separator: ", "))")
    }

    private func progressing(_ snapshot: Snapshot, _ plan: Plan, progressDue: Bool) -> Condition {
        let isComplete = isReady || isCompleted || snapshot.spec.suspend || replicas == 0 || snapshot.isDeleting
        let failedForGood = plan.replicas.contains { replica in
            guard case .failed(let run, _) = replica.phase else { return false }
            return run.spec.restartPolicy == .never && run.revision == snapshot.revision
        }
        if failedForGood, !isComplete {
            return Condition(
                kind: .progressing, status: false, reason: .failed,
                message: "a replica failed and restartPolicy is Never")
        }
        if snapshot.spec.paused, !snapshot.isDeleting {
            let held = snapshot.heldBack
            return Condition(
                kind: .progressing, status: true, reason: held.isEmpty ? .paused : .pausedWithChanges,
                message: held.isEmpty
                    ? "paused is set; no change waits" : "paused is set; waiting: \(held.joined(separator: ", "))")
        }
        if isComplete {
            return Condition(kind: .progressing, status: true, reason: .complete, message: "nothing is left to do")
        }
        if progressDue {
            return Condition(
                kind: .progressing, status: false, reason: .progressDeadlineExceeded,
                message: "not ready within \(snapshot.spec.progressDeadlineMs / 1000) s")
        }
        return Condition(
            kind: .progressing, status: true, reason: .working,
            message: "\(readyReplicas) of \(replicas) replicas are ready")
    }

    /// How a run ended, in words.
    public static func words(_ exit: Exit?) -> String {
        guard let exit else { return "ended" }
        let detail = exit.message.isEmpty ? "" : ": \(exit.message)"
        if exit.reason == .oomKilled { return "ran out of memory (OOMKilled)" }
        if let code = exit.code { return "exited with code \(code)\(detail)" }
        if let signal = exit.signal { return "was ended by \(Signals.name(of: Int32(signal)))\(detail)" }
        return "ended (\(exit.reason.rawValue))\(detail)"
    }
}
