import Manifests
import Planner
import Values

/// Agents: replicas that should keep running.
struct AgentController: KindController {
    var traits: KindTraits {
        KindTraits(
            state: .replicas,
            ownStatus: [
                "observedGeneration", "phase", "revision", "replicas", "readyReplicas", "updatedReplicas", "restarts",
                "conditions", "runs", "consistency",
            ])
    }

    /// Takes the new spec of an agent, with the fields whose change restarts its replicas.
    func accept(_ candidate: inout Candidate, in work: Work) throws(Refusal) {
        let node = candidate.object.content["spec"] ?? .emptyMap
        let effective = EffectiveSpec(node)
        let refusals = work.settings.refusals(effective.spec)
        if !refusals.isEmpty { throw .invalid(candidate.key, refusals) }
        try checkCycle(candidate.key, effective.spec, work.draft)
        let progressBy = Deadline(work.now, afterMs: effective.spec.progressDeadlineMs)
        if var agent = candidate.object.agent {
            guard let live = candidate.live?.content, let old = live["spec"] else { return }
            candidate.restarts = AgentSpec.restartRelevantChanges(from: old, to: node, drivers: work.settings.drivers)
            if Self.asksForRestart(candidate.object.content, live) {
                candidate.restarts.append("metadata.annotations[\(AgentSpec.restartAnnotation)]")
            }
            guard candidate.isSpecChanged || !candidate.restarts.isEmpty else { return }
            agent.effective = effective
            if !candidate.restarts.isEmpty { agent.revision += 1 }
            agent.progressBy = progressBy
            candidate.object.agent = agent
        } else {
            candidate.object.agent = AgentState(effective: effective, progressBy: progressBy)
        }
        try work.checkMachineUser(candidate)
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
        var path: [String] = [key.name]
        var done: Set<String> = []
        func visit(_ names: [String]) -> Bool {
            for name in names {
                if name == key.name {
                    path.append(name)
                    return true
                }
                guard done.insert(name).inserted else { continue }
                let target = draft[ObjectKey(.agent, namespace: key.namespace, name: name)]
                path.append(name)
                if visit(target?.agent?.effective.spec.dependsOn.map(\.name) ?? []) { return true }
                path.removeLast()
            }
            return false
        }
        guard visit(spec.dependsOn.map(\.name)) else { return }
        let message = "the dependencies form a cycle: \(path.joined(separator: " -> "))"
        throw .invalid(key, [Refusal.Cause(message: message, field: "spec.dependsOn")])
    }
}
