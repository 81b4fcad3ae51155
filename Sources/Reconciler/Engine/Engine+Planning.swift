public import Manifests
import Planner
import Values

extension Engine {
    /// Plans every dirty key and what that makes dirty, first those that should start first.
    mutating func planAll(_ step: inout Step, _ now: Moment) {
        endOrphans(&step)
        var rounds: [ObjectKey: Int] = [:]
        var work = ordered(dirty, step)
        dirty = []
        while !work.isEmpty {
            for key in work {
                rounds[key, default: 0] += 1
                if rounds[key, default: 0] > 4 {
                    dirty.insert(key)  // another step looks at it again
                } else if key.kind == .agent {
                    planAgent(key, &step, now)
                } else if key.kind == .source, object(key, step)?.deletion == nil {
                    planSource(key, &step, now)
                } else {
                    finishDeletion(key, &step, now)
                }
            }
            var next = dirty.filter { rounds[$0, default: 0] <= 4 }
            dirty.subtract(next)
            next.formUnion(freed(step))
            work = ordered(next, step)
        }
    }

    private func ordered(_ keys: Set<ObjectKey>, _ step: Step) -> [ObjectKey] {
        func rank(_ key: ObjectKey) -> (Int, Int64, ObjectKey) {
            let object = object(key, step)
            return (-(object?.agent?.effective.spec.priority ?? 0), object?.createdAtMs ?? 0, key)
        }
        return keys.map(rank).sorted { $0 < $1 }.map(\.2)
    }

    /// Agents that waited for a start slot or for room and may have it now.
    private mutating func freed(_ step: Step) -> [ObjectKey] {
        var result: [ObjectKey] = []
        let free = settings.startsInFlight - step.draft.usage.starting
        if free > 0, !waitingForSlot.isEmpty {
            let next = ordered(waitingForSlot, step).prefix(free)
            waitingForSlot.subtract(next)
            result += next
        }
        let old = state.usage
        if !waitingForCapacity.isEmpty,
            step.draft.usage.cpuMilli < old.cpuMilli || step.draft.usage.memoryBytes < old.memoryBytes
        {
            result += waitingForCapacity
            waitingForCapacity = []
        }
        return result
    }

    private mutating func endOrphans(_ step: inout Step) {
        for (run, driver) in orphans.sorted(by: { $0.key < $1.key }) {
            if case .inFlight = operations[run] { continue }
            ask(Operation(run: run, driver: driver, verb: .kill), &step)
        }
        for run in ahead.sorted() {
            guard let key = state.keysByUID[run.uid], let object = object(key, step), var agent = object.agent,
                let index = agent.replicas.firstIndex(where: { $0.ordinal == run.ordinal }),
                agent.replicas[index].attempt < run.attempt
            else { continue }
            var changed = object
            agent.replicas[index].attempt = run.attempt
            changed.agent = agent
            step.changes.replicas.append(ChangeSet.ReplicaWrite(uid: object.uid, replica: agent.replicas[index]))
            write(changed, statusOnly: true, &step)
        }
        ahead = []
    }

    // MARK: One agent

    func snapshot(_ object: StoredObject, _ agent: AgentState, _ step: Step) -> Snapshot {
        var snapshot = Snapshot(
            uid: object.uid, effective: agent.effective, revision: agent.revision, replicas: agent.replicas)
        let spec = agent.effective.spec
        snapshot.isDeleting = object.deletion != nil
        snapshot.finalizers = object.finalizers
        snapshot.deleteGraceMs = object.deletion?.graceMs
        let ledger = ledger(object.uid, step)
        snapshot.lastSequence = ledger.lastSequence
        snapshot.publishedSequence = ledger.publishedSequence
        snapshot.isObserved = observedDrivers.contains(spec.driver)
        snapshot.driverProblem = driverProblems[spec.driver]
        for replica in agent.replicas {
            guard let run = replica.phase.run else { continue }
            if replica.phase.isLive, let problem = driverProblems[run.spec.driver] { snapshot.driverProblem = problem }
            if !observedDrivers.contains(run.spec.driver) { snapshot.isObserved = false }
            snapshot.instances[run.id] = instances[run.id]
            snapshot.probes[run.id] = probes[run.id]
            snapshot.operations[run.id] = step.asked[run.id].map { .inFlight(number: $0) } ?? operations[run.id]
        }
        snapshot.dependencies = spec.dependsOn.map { dependency in
            let target = self.object(ObjectKey(.agent, namespace: object.key.namespace, name: dependency.name), step)
            let summary = target?.agent?.summary
            let met =
                switch dependency.condition {
                case .ready: summary?.isReady
                case .started: summary?.isStarted
                case .completed: summary?.isCompleted
                }
            return Snapshot.Dependency(
                name: dependency.name, condition: dependency.condition, met: met ?? false, found: target != nil)
        }
        if snapshot.isDeleting || spec.suspend {
            snapshot.hasStoppingDependents = dependents(of: object.key, step).contains { key in
                guard let dependent = self.object(key, step), let agent = dependent.agent else { return false }
                return (dependent.deletion != nil || agent.effective.spec.suspend) && agent.summary.hasLive
            }
        }
        snapshot.missingInput = missingInput(spec, object.key.namespace, step)
        snapshot.startSlots = settings.startsInFlight - step.draft.usage.starting
        snapshot.freeCpuMilli = settings.allocatableCpuMilli - step.draft.usage.cpuMilli
        snapshot.freeMemoryBytes = settings.allocatableMemoryBytes - step.draft.usage.memoryBytes
        return snapshot
    }

    private mutating func planAgent(_ key: ObjectKey, _ step: inout Step, _ now: Moment) {
        guard var object = object(key, step), var agent = object.agent else { return }
        let snapshot = snapshot(object, agent, step)
        var plan = plan(snapshot, now)
        fillInputs(&plan, object.key.namespace, step)

        let progressDue = agent.progressBy.isDue(now)
        let summary = Summary(snapshot, plan, progressDue: progressDue)
        let old = agent
        agent.summary = agent.summary.updated(summary, generation: object.generation, now)
        agent.observedGeneration = object.generation
        agent.replicas = plan.replicas
        if old.summary.isReady, !summary.isReady {
            agent.progressBy = Deadline(now, afterMs: agent.effective.spec.progressDeadlineMs)
        }
        object.agent = agent

        for transition in plan.transitions {
            tell(
                transition.name.eventType, object, actor: "system:reconciler", verb: transition.name.rawValue,
                detail: transition.reason, run: transition.run, data: data(transition), &step, now)
        }
        let before = Dictionary(old.replicas.map { ($0.ordinal, $0) }, uniquingKeysWith: { first, _ in first })
        for replica in plan.replicas where before[replica.ordinal] != replica {
            let run = replica.phase.run ?? before[replica.ordinal]?.phase.run
            step.changes.replicas.append(ChangeSet.ReplicaWrite(uid: object.uid, replica: replica, run: run))
        }
        for operation in plan.operations { ask(operation, &step) }
        if agent != old { write(object, statusOnly: true, &step) }

        noteWaiting(key, plan)
        var wakeInMs = plan.wakeInMs
        if !summary.isReady, !progressDue, !snapshot.isDeleting {
            let left = agent.progressBy.remainingMs(now)
            wakeInMs = min(wakeInMs ?? left, left)
        }
        timers.set(key, at: wakeInMs.map { now.bootMs + max(1, $0) })
        if old.summary.isReady != summary.isReady || old.summary.isStarted != summary.isStarted
            || old.summary.isCompleted != summary.isCompleted || old.summary.hasLive != summary.hasLive
        {
            markNeighbours(object, step)
        }
        if let source = object.origin?.source, old.summary != agent.summary { markSource(source) }
        finishDeletion(key, &step, now)
    }

    mutating func markSource(_ uid: UID) {
        if let key = state.keysByUID[uid] { dirty.insert(key) }
    }

    mutating func markNeighbours(_ object: StoredObject, _ step: Step) {
        dirty.formUnion(dependents(of: object.key, step))
        for target in object.dependencies where self.object(target, step) != nil { dirty.insert(target) }
    }

    private mutating func noteWaiting(_ key: ObjectKey, _ plan: Plan) {
        waitingForSlot.remove(key)
        waitingForCapacity.remove(key)
        waitingForInput.remove(key)
        switch plan.waiting {
        case .slot: waitingForSlot.insert(key)
        case .capacity: waitingForCapacity.insert(key)
        case .input: waitingForInput.insert(key)
        case .dependency, .observation, .driver, .invalid, nil: break
        }
    }

    private func data(_ transition: Transition) -> [(String, Node?)] {
        [
            ("ordinal", .number(transition.ordinal)), ("revision", .number(transition.revision)),
            ("reason", .text(transition.reason)), ("exitCode", transition.exit?.code.map { .number($0) }),
            ("signal", transition.exit?.signal.map { .text(Signals.name(of: Int32($0))) }),
            ("message", (transition.exit?.message).flatMap { $0.isEmpty ? nil : .text($0) }),
            ("retryInMs", transition.retryInMs.map { .number($0) }),
        ]
    }

    // MARK: Secrets and ConfigMaps

    private func content(_ kind: Kind, _ namespace: String, _ name: String, _ step: Step) -> Node? {
        object(ObjectKey(kind, namespace: namespace, name: name), step)?.content["data"]
            ?? (object(ObjectKey(kind, namespace: namespace, name: name), step) == nil ? nil : .emptyMap)
    }

    private func missingInput(_ spec: AgentSpec, _ namespace: String, _ step: Step) -> String? {
        for variable in spec.environment {
            let (kind, name, key, optional): (Kind, String, String, Bool)
            switch variable.source {
            case .secretKey(let n, let k, let o): (kind, name, key, optional) = (.secret, n, k, o)
            case .configMapKey(let n, let k, let o): (kind, name, key, optional) = (.configMap, n, k, o)
            case .value, .field: continue
            }
            if optional { continue }
            guard let data = content(kind, namespace, name, step) else {
                return "\(kind.rawValue) \"\(name)\" does not exist"
            }
            if data[key] == nil { return "\(kind.rawValue) \"\(name)\" has no key \"\(key)\"" }
        }
        for from in spec.environmentFrom where !from.optional {
            let kind: Kind = from.isSecret ? .secret : .configMap
            if content(kind, namespace, from.name, step) == nil {
                return "\(kind.rawValue) \"\(from.name)\" does not exist"
            }
        }
        for volume in spec.volumes {
            let (kind, name): (Kind, String)
            switch volume.source {
            case .secret(let n, _, optional: false): (kind, name) = (.secret, n)
            case .configMap(let n, _, optional: false): (kind, name) = (.configMap, n)
            case .secret, .configMap, .persistent, .emptyDir, .hostPath: continue
            }
            if content(kind, namespace, name, step) == nil { return "\(kind.rawValue) \"\(name)\" does not exist" }
        }
        return nil
    }

    /// Records which versions of its inputs a new run starts with.
    private func fillInputs(_ plan: inout Plan, _ namespace: String, _ step: Step) {
        for index in plan.replicas.indices {
            guard case .starting(var run, seen: false) = plan.replicas[index].phase, run.inputs.isEmpty else {
                continue
            }
            for (kind, name) in run.spec.inputNames {
                let input = object(ObjectKey(kind, namespace: namespace, name: name), step)
                run.inputs["\(kind.rawValue)/\(name)"] = input?.resourceVersion ?? 0
            }
            if run.inputs.isEmpty { continue }
            plan.replicas[index].phase = .starting(run, seen: false)
            for place in plan.operations.indices where plan.operations[place].run == run.id {
                if case .start = plan.operations[place].verb { plan.operations[place].verb = .start(run) }
            }
        }
    }
}

extension AgentSpec {
    /// The Secrets and ConfigMaps that the environment and the volumes are made from.
    public var inputNames: [(Kind, String)] {
        var result: [(Kind, String)] = environmentFrom.map { ($0.isSecret ? .secret : .configMap, $0.name) }
        for variable in environment {
            switch variable.source {
            case .secretKey(let name, _, _): result.append((.secret, name))
            case .configMapKey(let name, _, _): result.append((.configMap, name))
            case .value, .field: break
            }
        }
        for volume in volumes {
            switch volume.source {
            case .secret(let name, _, _): result.append((.secret, name))
            case .configMap(let name, _, _): result.append((.configMap, name))
            case .persistent, .emptyDir, .hostPath: break
            }
        }
        return result
    }
}
