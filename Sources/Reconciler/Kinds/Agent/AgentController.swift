import Manifests
import Planner
import Values

/// Agents: replicas that should keep running.
struct AgentController: KindController {
    static let traits = KindTraits(
        state: .replicas,
        ownStatus: [
            "observedGeneration", "phase", "revision", "replicas", "readyReplicas", "updatedReplicas", "restarts",
            "conditions", "runs", "consistency",
        ], isFrozenWhenSpent: true)

    func accept(_ candidate: inout Candidate, in work: Work) throws(Refusal) {
        if candidate.isSpecChanged || candidate.object.agent == nil { try takeSpec(of: &candidate, in: work) }
        try work.checkMachineUser(candidate)
        try takeRestart(of: &candidate, in: work)
    }

    /// Takes the new spec of an agent, with the fields whose change restarts its replicas. While it is paused, those stay
    /// as they are in its current revision.
    private func takeSpec(of candidate: inout Candidate, in work: Work) throws(Refusal) {
        let node = candidate.object.content["spec"] ?? .emptyMap
        let declared = EffectiveSpec(node)
        var effective = declared
        if declared.spec.paused, let current = candidate.object.agent?.effective.node {
            effective = EffectiveSpec(AgentSpec.spec(node, with: AgentSpec.template(of: current)))
        }
        for spec in effective == declared ? [declared] : [declared, effective] {
            let refusals = work.settings.refusals(spec.spec)
            if !refusals.isEmpty { throw .invalid(candidate.key, refusals) }
        }
        try checkCycle(candidate.key, effective.spec, work.draft)
        let progressBy = Deadline(work.now, afterMs: effective.spec.progressDeadlineMs)
        if var agent = candidate.object.agent {
            candidate.restarts = AgentSpec.restartRelevantChanges(
                from: agent.effective.node, to: effective.node, drivers: work.settings.drivers)
            agent.effective = effective
            if !candidate.restarts.isEmpty { agent.revision += 1 }
            agent.progressBy = progressBy
            candidate.object.agent = agent
        } else {
            candidate.object.agent = AgentState(effective: effective, progressBy: progressBy)
        }
        candidate.object.agent?.trace = work.draft.trace
    }

    /// The same spec again, in new runs.
    private func takeRestart(of candidate: inout Candidate, in work: Work) throws(Refusal) {
        guard let live = candidate.live, var agent = candidate.object.agent,
            Self.asksForRestart(candidate.object.content, live.content)
        else { return }
        let field = "metadata.annotations[\(AgentSpec.restartAnnotation)]"
        if agent.effective.spec.paused {
            let message = "spec.paused is set, so that nothing is started anew: set it to false first"
            throw .invalid(candidate.key, [Refusal.Cause(message: message, field: field)])
        }
        if candidate.restarts.isEmpty { agent.revision += 1 }
        candidate.restarts.append(field)
        agent.progressBy = Deadline(work.now, afterMs: agent.effective.spec.progressDeadlineMs)
        agent.trace = work.draft.trace
        candidate.object.agent = agent
    }

    /// Somebody has written a new time into the annotation; one that is taken away asks for nothing.
    private static func asksForRestart(_ new: Node, _ old: Node) -> Bool {
        func time(_ content: Node) -> String? {
            content[path: "metadata", "annotations", AgentSpec.restartAnnotation]?.string
        }
        return time(new) != nil && time(new) != time(old)
    }

    func declared(_ object: StoredObject, in work: inout Work) {
        work.queue.mark(object.key)
        work.queue.mark(work.draft.dependents(of: object.key))
    }

    func plan(_ object: StoredObject, in work: inout Work) { work.planAgent(object.key) }

    func mayGo(_ object: StoredObject, in work: Work) -> Bool {
        object.agent?.replicas.contains { $0.phase.isLive } != true
    }

    private func checkCycle(_ key: ObjectKey, _ spec: AgentSpec, _ draft: Draft) throws(Refusal) {
        var done: Set<String> = []
        // A list and no recursion: chains may be as long as there are agents.
        var path: [(name: String, next: ArraySlice<String>)] = [(key.name, spec.dependsOn.map(\.name)[...])]
        while let last = path.indices.last {
            guard let name = path[last].next.popFirst() else {
                path.removeLast()
                continue
            }
            if name == key.name {
                let names = path.map(\.name) + [name]
                let message = "the dependencies form a cycle: \(names.joined(separator: " -> "))"
                throw .invalid(key, [Refusal.Cause(message: message, field: "spec.dependsOn")])
            }
            guard done.insert(name).inserted else { continue }
            let target = draft[ObjectKey(.agent, namespace: key.namespace, name: name)]
            path.append((name, (target?.agent?.effective.spec.dependsOn ?? []).map(\.name)[...]))
        }
    }
}
