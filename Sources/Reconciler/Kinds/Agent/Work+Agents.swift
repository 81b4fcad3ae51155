import Manifests
import Planner
import Values

extension Work {
    mutating func planAgent(_ key: ObjectKey) {
        guard var object = draft[key], var agent = object.agent else { return }
        var snapshot = snapshot(object, agent)
        snapshot.sinkWaits = sinkWaits(object, agent)
        let plan = Planner.plan(snapshot, now)
        let old = agent
        var progressDue = agent.progressBy.isDue(now)
        var summary = Summary(snapshot, plan, progressDue: progressDue)
        if old.summary.isReady, !summary.isReady {
            // The time begins now: what is said is not about the time before.
            agent.progressBy = Deadline(now, afterMs: agent.effective.spec.progressDeadlineMs)
            progressDue = false
            summary = Summary(snapshot, plan, progressDue: progressDue)
        }
        agent.summary = agent.summary.updated(summary, generation: object.generation, now)
        agent.observedGeneration = object.generation
        agent.replicas = plan.replicas
        measureStarts(old.replicas, plan.replicas)
        object.agent = agent
        for operation in plan.operations { ask(operation) }
        if agent != old || !plan.transitions.isEmpty {
            let events = plan.transitions.map { Event.run($0) }
            draft.put(object, .status(events, replicas: replicaWrites(object.uid, old.replicas, plan.replicas)))
        }
        queue.wait(key, for: plan.waiting?.need)
        waits[key] = plan.waiting
        queue.wake(key, atMs: wake(agent, snapshot, plan, summary, progressDue: progressDue))
        if old.summary.isReady != summary.isReady || old.summary.isStarted != summary.isStarted
            || old.summary.isCompleted != summary.isCompleted || old.summary.hasLive != summary.hasLive
            || old.summary.condition(.progressing)?.reason != agent.summary.condition(.progressing)?.reason
        {
            markNeighbours(object)
        }
        if let source = object.origin?.source, old.summary != agent.summary { markSource(source) }
    }

    /// An attempt that exists on the machine is never used again, also of an ordinal that no record speaks of yet.
    mutating func skip(to run: RunID) {
        guard let key = base.keysByUID[run.uid], var object = draft[key], var agent = object.agent else { return }
        if !agent.replicas.contains(where: { $0.ordinal == run.ordinal }) {
            var replica = Replica(ordinal: run.ordinal)
            replica.phase = .stopped(.scaledDown)
            agent.replicas.append(replica)
            agent.replicas.sort { $0.ordinal < $1.ordinal }
        }
        guard let index = agent.replicas.firstIndex(where: { $0.ordinal == run.ordinal }),
            agent.replicas[index].attempt < run.attempt
        else { return }
        agent.replicas[index].attempt = run.attempt
        object.agent = agent
        draft.put(
            object, .status(replicas: [ChangeSet.ReplicaWrite(uid: object.uid, replica: agent.replicas[index])]))
    }

    private func replicaWrites(_ uid: UID, _ old: [Replica], _ new: [Replica]) -> [ChangeSet.ReplicaWrite] {
        let before = Dictionary(old.map { ($0.ordinal, $0) }, uniquingKeysWith: { first, _ in first })
        return new.filter { before[$0.ordinal] != $0 }.map { replica in
            let run = replica.phase.run ?? before[replica.ordinal]?.phase.run
            return ChangeSet.ReplicaWrite(uid: uid, replica: replica, run: run)
        }
    }

    /// Boot time at which the agent is to be looked at again.
    private func wake(
        _ agent: AgentState, _ snapshot: Snapshot, _ plan: Plan, _ summary: Summary, progressDue: Bool
    ) -> Int64? {
        var wakeInMs = plan.wakeInMs
        if !summary.isReady, !progressDue, !snapshot.isDeleting {
            let left = agent.progressBy.remainingMs(now)
            wakeInMs = min(wakeInMs ?? left, left)
        }
        return wakeInMs.map { now.bootMs + max(1, $0) }
    }

    mutating func markNeighbours(_ object: StoredObject) {
        queue.mark(draft.dependents(of: object.key))
        for target in object.dependencies where draft[target] != nil { queue.mark(target) }
    }
}

extension Waiting {
    /// What the queue has to watch for; the rest arrives as an input of its own.
    fileprivate var need: WorkQueue.Need? {
        switch self {
        case .slot: .slot
        case .cpu, .memory: .room
        case .input: .input
        case .dependency, .observation, .restored, .stray, .driver, .earlierRevision, .invalid: nil
        }
    }
}
