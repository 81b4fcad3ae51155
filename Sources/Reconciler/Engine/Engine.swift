import Manifests
import Planner
public import Values

/// The one owner of all control state.
///
/// `step` takes inputs and yields a change set; the caller commits it and then says `committed` or `failed`.
/// Guarantee: nothing of a step can be seen before `committed`. Assumes: one step at a time.
public struct Engine: Sendable {
    public private(set) var state: EngineState
    public let settings: EngineSettings

    // Facts of this moment; not stored, observed again after a restart.
    var instances: [RunID: Instance] = [:]
    var operations: [RunID: OperationState] = [:]
    var probes: [RunID: ProbeState] = [:]
    /// What Sources declare, as it was read last.
    var snapshots: [UID: SourceSnapshot] = [:]
    /// Sources whose objects have to be compared with what is declared.
    var unsynced: Set<UID> = []
    /// Sources that may delete all that they no longer declare, once; and who asked for it.
    var forced: [UID: String] = [:]
    /// The version at which the declared content of an object was last written.
    var contentVersions: [UID: Int64] = [:]
    /// Objects that were found to be as declared: with what digest, at what version.
    var verified: [UID: Verified] = [:]
    var lastOperation = 0
    var observedDrivers: Set<String> = []
    public private(set) var driverProblems: [String: String] = [:]
    var dirty: Set<ObjectKey> = []
    var timers = TimerHeap()
    var waitingForSlot: Set<ObjectKey> = []
    var waitingForCapacity: Set<ObjectKey> = []
    var waitingForInput: Set<ObjectKey> = []
    /// Publishing stopped until then because the sink was unreachable.
    var sinkRetryAt: Deadline?
    var sinkFailures = 0
    public private(set) var sinkProblem: String?
    /// The boot that all deadlines in `state` speak of.
    var anchoredBoot: UInt64?
    var orphans: [RunID: String] = [:]
    /// Attempts that exist on the machine and are newer than what is committed, as after a restored backup.
    var ahead: Set<RunID> = []

    public init(state: EngineState, settings: EngineSettings) {
        self.state = state
        self.settings = settings
        self.state.rebuildIndexes()
        dirty = Set(
            state.objects.values.filter { $0.key.kind == .agent || $0.key.kind == .source || $0.deletion != nil }.map(
                \.key))
    }

    /// Nothing is left to do before new inputs or `nextWakeMs`.
    public var isIdle: Bool { dirty.isEmpty }

    /// Boot time at which something is due.
    public mutating func nextWakeBootMs() -> Int64? {
        let sink = sinkRetryAt.map(\.bootMs)
        guard let timer = timers.next() else { return sink }
        return min(timer, sink ?? timer)
    }

    // MARK: Step

    public mutating func step(_ inputs: [Input], _ now: Moment) -> Step {
        if anchoredBoot != now.boot {
            anchoredBoot = now.boot
            state.anchor(now)
        }
        var step = Step()
        step.inputs = inputs
        step.draft = Draft(over: state)
        if let retry = sinkRetryAt, retry.isDue(now) { sinkRetryAt = nil }
        for key in timers.due(now.bootMs) { dirty.insert(key) }
        for input in inputs { take(input, &step, now) }
        planAll(&step, now)
        // The step that accepts a spec also plans it: the answer shows what follows.
        for (index, key) in step.rendered {
            guard case .applied(_, let result, let restarts) = step.answers[index].answer,
                let object = object(key, step)
            else { continue }
            step.answers[index].answer = .applied(render(object, step), result, restarts: restarts)
        }
        step.changes.resourceVersion = step.draft.resourceVersion
        step.changes.position = step.draft.position
        return step
    }

    private mutating func take(_ input: Input, _ step: inout Step, _ now: Moment) {
        switch input {
        case .request(let request):
            let answer = handle(request, &step, now)
            if case .apply(let apply) = request.verb, !apply.dryRun { step.rendered[step.answers.count] = apply.key }
            step.answers.append((request.id, answer))
        case .observed(let driver, let seen, let complete):
            observe(driver, seen, complete: complete)
        case .finished(let operation, let result):
            let run = operation.run
            // A double, or late: what it did is observed.
            guard operations[run] == .inFlight(number: operation.number) else { return }
            let again = Deadline(now, afterMs: 2000)
            switch result {
            case .done: operations[run] = .done(operation.name, again: again)
            case .failed(let message): operations[run] = .failed(operation.name, message: message, again: again)
            }
            if !isCurrent(run) { operations[run] = nil }
            markDirty(run)
        case .probed(let run, let state):
            guard isCurrent(run), probes[run] != state else { return }
            probes[run] = state
            markDirty(run)
        case .driverState(let driver, let problem):
            guard driverProblems[driver] != problem else { return }
            driverProblems[driver] = problem
            for object in state.objects.values where uses(driver, object.agent) { dirty.insert(object.key) }
        case .delivered(let verdicts):
            sinkFailures = 0
            sinkProblem = nil
            for verdict in verdicts { deliver(verdict, &step, now) }
        case .sinkUnavailable(let why):
            sinkFailures += 1
            sinkProblem = why
            let delay = min(Int64(Limits.publishBackoffMsMax), Int64(100) << Int64(min(sinkFailures, 12)))
            sinkRetryAt = Deadline(now, afterMs: delay)
        case .homesRemoved(let uid):
            step.changes.tombstonesCleared.append(uid)
        case .sourceRead(let uid, let snapshot, let refresh):
            guard let key = state.keysByUID[uid] else { return }
            snapshots[uid] = snapshot
            unsynced.insert(uid)
            if let refresh, refresh.force { forced[uid] = refresh.actor }
            dirty.insert(key)
        case .retained(let offset): expireConsumers(before: offset, &step, now)
        }
    }

    private func uses(_ driver: String, _ agent: AgentState?) -> Bool {
        guard let agent else { return false }
        return agent.effective.spec.driver == driver
            || agent.replicas.contains { $0.phase.run?.spec.driver == driver }
    }

    private mutating func observe(_ driver: String, _ seen: [RunID: Instance], complete: Bool) {
        if complete {
            observedDrivers.insert(driver)
            for object in state.objects.values where object.agent != nil {
                for replica in object.agent?.replicas ?? [] {
                    guard let run = replica.phase.run, run.spec.driver == driver, seen[run.id] == nil,
                        instances[run.id] != nil
                    else { continue }
                    instances[run.id] = nil
                    dirty.insert(object.key)
                }
                dirty.insert(object.key)
            }
        }
        for (run, instance) in seen {
            if isCurrent(run) {
                if instances[run] != instance {
                    instances[run] = instance
                    markDirty(run)
                }
            } else {
                noteStray(run, instance, driver)
            }
        }
    }

    private func isCurrent(_ run: RunID) -> Bool {
        guard let key = state.keysByUID[run.uid] else { return false }
        return state.objects[key]?.agent?.replicas.contains { $0.phase.run?.id == run } == true
    }

    /// An instance of this store without a committed intent: it is ended, and its attempt is never used again.
    private mutating func noteStray(_ run: RunID, _ instance: Instance, _ driver: String) {
        switch instance {
        case .running, .starting, .ending: orphans[run] = driver
        case .exited, .absent: orphans[run] = nil
        }
        guard let key = state.keysByUID[run.uid],
            let replica = state.objects[key]?.agent?.replicas.first(where: { $0.ordinal == run.ordinal })
        else { return }
        if replica.attempt < run.attempt { ahead.insert(run) }
    }

    mutating func markDirty(_ run: RunID) {
        if let key = state.keysByUID[run.uid] { dirty.insert(key) }
    }

    // MARK: Outcome of the commit

    /// The change set is durable: the readable state takes it. The step's effects may be performed now.
    public mutating func committed(_ step: Step) {
        for (key, object) in step.draft.objects {
            if let old = state.objects[key] {
                state.link(old, adding: false)
                // Removed and made again in one step: what is still said of the old one is not about the new one.
                state.keysByUID[old.uid] = nil
            }
            if let object {
                state.objects[key] = object
                state.keysByUID[object.uid] = key
                state.link(object, adding: true)
            } else {
                state.objects[key] = nil
            }
        }
        for (uid, ledger) in step.draft.ledgers {
            let isGone = state.keysByUID[uid] == nil && ledger.publishedSequence == ledger.lastSequence
            state.ledgers[uid] = isGone ? nil : ledger
            if ledger.stuck != nil { state.stuck.insert(uid) } else { state.stuck.remove(uid) }
        }
        for (name, consumer) in step.draft.consumers { state.consumers[name] = consumer }
        state.tombstones.formUnion(step.changes.tombstones)
        state.tombstones.subtract(step.changes.tombstonesCleared)
        state.resourceVersion = step.draft.resourceVersion
        state.position = step.draft.position
        state.backlog = step.draft.backlog
        state.usage = step.draft.usage
        state.nextUser = step.draft.nextUser
        for write in step.changes.objects where !write.statusOnly {
            contentVersions[write.object.uid] = write.object.resourceVersion
        }
        for uid in step.synced { forced[uid] = nil }
        for operation in step.operations {
            operations[operation.run] = .inFlight(number: operation.number)
            orphans[operation.run] = nil
        }
        for (key, _) in step.draft.objects { forgetOldFacts(key) }
        for removed in step.changes.removed { forgetFacts(of: removed.uid) }
    }

    /// The change set was not stored: it is dropped, its keys and facts are looked at again.
    ///
    /// - Returns: inputs to hand in again, later; the step's requests are to be answered with `Failure.unavailable`.
    public mutating func failed(_ step: Step) -> [Input] {
        for (key, _) in step.draft.objects { dirty.insert(key) }
        for operation in step.operations { markDirty(operation.run) }
        unsynced.formUnion(step.synced)
        for uid in step.synced { if let key = state.keysByUID[uid] { dirty.insert(key) } }
        verified = [:]
        return step.inputs.filter { if case .request = $0 { false } else { true } }
    }

    private mutating func forgetOldFacts(_ key: ObjectKey) {
        guard let agent = state.objects[key]?.agent else { return }
        let current = Set(agent.replicas.compactMap { $0.phase.run?.id })
        for replica in agent.replicas {
            guard let uid = state.objects[key]?.uid, replica.attempt > 0 else { continue }
            for attempt in max(1, replica.attempt - 1)...replica.attempt {
                let run = RunID(uid: uid, ordinal: replica.ordinal, attempt: attempt)
                if !current.contains(run) {
                    instances[run] = nil
                    operations[run] = nil
                    probes[run] = nil
                }
            }
        }
    }

    private mutating func forgetFacts(of uid: UID) {
        snapshots[uid] = nil
        unsynced.remove(uid)
        forced[uid] = nil
        contentVersions[uid] = nil
        verified[uid] = nil
        for run in instances.keys where run.uid == uid { instances[run] = nil }
        for run in operations.keys where run.uid == uid { operations[run] = nil }
        for run in probes.keys where run.uid == uid { probes[run] = nil }
    }

    // MARK: The draft

    /// Hands an operation out, once per run and step.
    mutating func ask(_ operation: Operation, _ step: inout Step) {
        lastOperation += 1
        var operation = operation
        operation.number = lastOperation
        step.asked[operation.run] = lastOperation
        step.operations.append(operation)
    }

    func object(_ key: ObjectKey, _ step: Step) -> StoredObject? {
        if let drafted = step.draft.objects[key] { return drafted }
        return state.objects[key]
    }

    func dependents(of key: ObjectKey, _ step: Step) -> Set<ObjectKey> {
        (state.dependents[key] ?? []).union(step.draft.dependents[key] ?? [])
    }

    func ledger(_ uid: UID, _ step: Step) -> Ledger { step.draft.ledgers[uid] ?? state.ledgers[uid] ?? Ledger() }

    /// Puts an object into the draft, with a new resourceVersion.
    func write(_ object: StoredObject, statusOnly: Bool, _ step: inout Step) {
        var object = object
        let old = self.object(object.key, step)
        step.draft.resourceVersion += 1
        object.resourceVersion = step.draft.resourceVersion
        step.draft.usage.subtract(Usage(old?.agent))
        step.draft.usage.add(Usage(object.agent))
        step.draft.objects[object.key] = .some(object)
        for target in object.dependencies { step.draft.dependents[target, default: []].insert(object.key) }
        if let index = step.changes.objects.firstIndex(where: { $0.object.uid == object.uid }) {
            step.changes.objects[index].object = object
            if !statusOnly { step.changes.objects[index].statusOnly = false }
        } else {
            step.changes.objects.append(ChangeSet.ObjectWrite(object: object, statusOnly: statusOnly))
        }
        // One step is one change: watchers see what it led to.
        if let index = step.watch.lastIndex(where: { $0.object.uid == object.uid }) {
            step.watch[index].object = object
            step.watch[index].resourceVersion = object.resourceVersion
        } else {
            let change: WatchEvent.Change = state.objects[object.key]?.uid == object.uid ? .modified : .added
            step.watch.append(WatchEvent(change: change, resourceVersion: object.resourceVersion, object: object))
        }
    }

    func remove(_ object: StoredObject, _ step: inout Step) {
        step.draft.resourceVersion += 1
        step.draft.usage.subtract(Usage(self.object(object.key, step)?.agent))
        step.draft.objects[object.key] = .some(nil)
        step.changes.objects.removeAll { $0.object.uid == object.uid }
        step.changes.replicas.removeAll { $0.uid == object.uid }
        step.changes.removed.append((object.key, object.uid))
        step.watch.removeAll { $0.object.uid == object.uid }
        if state.objects[object.key]?.uid == object.uid {
            var last = object
            last.resourceVersion = step.draft.resourceVersion
            step.watch.append(WatchEvent(change: .deleted, resourceVersion: last.resourceVersion, object: last))
        }
        if object.agent != nil { step.changes.tombstones.append(object.uid) }
    }

    /// Writes one event and its audit entry; returns the event's sequence.
    @discardableResult
    func tell(
        _ type: String, _ object: StoredObject, actor: String, verb: String, source: String = "", detail: String,
        run: RunID? = nil, data: [(String, Node?)], _ step: inout Step, _ now: Moment
    ) -> Int64 {
        var ledger = ledger(object.uid, step)
        ledger.lastSequence += 1
        step.draft.ledgers[object.uid] = ledger
        step.draft.position += 1
        step.draft.backlog += 1
        let event = EventRecord(
            position: step.draft.position, uid: object.uid, sequence: ledger.lastSequence, type: type,
            namespace: object.key.namespace, atMs: now.wallMs,
            payload: envelope(
                type, object, sequence: ledger.lastSequence, position: step.draft.position, run: run, data: data, now))
        step.changes.events.append(event)
        step.changes.audit.append(
            AuditRecord(
                atMs: now.wallMs, actor: actor, verb: verb, key: object.key, uid: object.uid, source: source,
                detail: detail, position: event.position))
        return ledger.lastSequence
    }
}

/// Keys by the boot time at which they are due; a key has one time.
struct TimerHeap: Sendable {
    private var heap: [(at: Int64, key: ObjectKey)] = []
    private var times: [ObjectKey: Int64] = [:]

    mutating func set(_ key: ObjectKey, at: Int64?) {
        guard times[key] != at else { return }
        times[key] = at
        guard let at else { return }
        heap.append((at, key))
        var child = heap.count - 1
        while child > 0, heap[(child - 1) / 2].at > heap[child].at {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    /// The earliest time; entries that were superseded are dropped on the way.
    mutating func next() -> Int64? {
        while let first = heap.first {
            if times[first.key] == first.at { return first.at }
            pop()
        }
        return nil
    }

    mutating func due(_ now: Int64) -> [ObjectKey] {
        var result: [ObjectKey] = []
        while let at = next(), at <= now, let key = heap.first?.key {
            pop()
            times[key] = nil
            result.append(key)
        }
        return result
    }

    private mutating func pop() {
        guard let last = heap.popLast(), !heap.isEmpty else { return }
        heap[0] = last
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count && heap[child].at < heap[least].at {
                least = child
            }
            if least == parent { return }
            heap.swapAt(parent, least)
            parent = least
        }
    }
}
