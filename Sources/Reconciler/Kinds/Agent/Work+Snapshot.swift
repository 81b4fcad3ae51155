import Manifests
import Planner
import Values

extension Work {
    /// Everything that the decision about one agent depends on.
    func snapshot(_ object: StoredObject, _ agent: AgentState) -> Snapshot {
        var snapshot = Snapshot(
            uid: object.uid, effective: agent.effective, revision: agent.revision, replicas: agent.replicas)
        let spec = agent.effective.spec
        snapshot.isDeleting = object.deletion != nil
        snapshot.finalizers = object.finalizers
        snapshot.deleteGraceMs = object.deletion?.graceMs
        if spec.paused {
            snapshot.heldBack = AgentSpec.restartRelevantChanges(
                from: agent.effective.node, to: object.content["spec"] ?? .emptyMap, drivers: settings.drivers)
        }
        let ledger = draft.ledger(object.uid)
        snapshot.lastSequence = ledger.lastSequence
        snapshot.publishedSequence = ledger.publishedSequence
        observe(&snapshot, agent)
        snapshot.dependencies = spec.dependsOn.map { dependency(object.key.namespace, $0) }
        if snapshot.isDeleting || spec.suspend {
            snapshot.hasStoppingDependents = draft.dependents(of: object.key).contains { key in
                guard let dependent = draft[key], let agent = dependent.agent else { return false }
                // What is frozen lives on: nobody waits for its end.
                let stops = agent.effective.spec.suspend && !agent.effective.spec.freezes
                return (dependent.deletion != nil || stops) && agent.summary.hasLive
            }
        }
        for input in spec.inputs {
            let found = draft[ObjectKey(input.kind, namespace: object.key.namespace, name: input.name)]
            snapshot.inputVersions[input.place] = found?.resourceVersion ?? 0
            if snapshot.missingInput == nil { snapshot.missingInput = input.missing(in: found) }
        }
        snapshot.startSlots = settings.startsInFlight - draft.usage.starting
        snapshot.freeCpuMilli = settings.allocatableCpuMilli - draft.usage.cpuMilli
        snapshot.freeMemoryBytes = settings.allocatableMemoryBytes - draft.usage.memoryBytes
        return snapshot
    }

    /// What is known of the drivers and of the runs.
    private func observe(_ snapshot: inout Snapshot, _ agent: AgentState) {
        let driver = agent.effective.spec.driver
        snapshot.isObserved = facts.observedDrivers.contains(driver)
        // What a backup knows nothing of may be with any driver.
        if base.isRestored { snapshot.unobserved = facts.unobserved(of: settings.observers) }
        if !snapshot.unobserved.isEmpty { snapshot.isObserved = false }
        snapshot.hasStray = facts.hasStray(of: snapshot.uid)
        snapshot.driverProblem = facts.driverProblems[driver]
        for replica in agent.replicas {
            guard let run = replica.phase.run else { continue }
            if replica.phase.isLive, let problem = facts.driverProblems[run.spec.driver] {
                snapshot.driverProblem = problem
            }
            if !facts.observedDrivers.contains(run.spec.driver) { snapshot.isObserved = false }
            let known = facts[run.id]
            snapshot.instances[run.id] = known.instance
            snapshot.probes[run.id] = known.probe
            snapshot.operations[run.id] = asked[run.id].map { .inFlight(number: $0) } ?? known.operation
        }
    }

    private func dependency(_ namespace: String, _ dependency: AgentSpec.Dependency) -> Snapshot.Dependency {
        let target = draft[ObjectKey(.agent, namespace: namespace, name: dependency.name)]
        let summary = target?.agent?.summary
        let met =
            switch dependency.condition {
            case .ready: summary?.isReady
            case .started: summary?.isStarted
            case .completed: summary?.isCompleted
            }
        return Snapshot.Dependency(
            name: dependency.name, condition: dependency.condition, met: met ?? false, found: target != nil,
            hasFailed: summary?.condition(.progressing)?.reason == .failed)
    }
}

extension AgentSpec.Input {
    /// What stands in the way of a start: the object, or its key; nil when nothing does.
    fileprivate func missing(in object: StoredObject?) -> AgentSpec.Input? {
        if isOptional { return nil }
        guard let object else { return AgentSpec.Input(kind: kind, name: name, key: nil, isOptional: false) }
        if let key, object.content["data"]?[key] == nil { return self }
        return nil
    }
}
