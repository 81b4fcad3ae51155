import Loop
import Manifests
import Planner
import Reconciler

/// The daemon of a life: the conductor that ships, with a store that is slow, full or broken, and with crashes in between.
extension Life {
    mutating func turn() {
        if pending.isEmpty, engine.isIdle { advance(1) }
        if happens(\.crash) { return crash(.beforeStep) }
        if let at = conductor.wakeAtBootMs(now), at <= now.bootMs { report(.woken) }
        let inputs = pending
        pending = []
        result.steps += 1
        report(.inputs(inputs))
    }

    /// Tells the conductor what has happened and does what it asks for, as the loop does.
    mutating func report(_ report: Conductor.Report) {
        let life = daemonLife
        for action in conductor.take(report, now) {
            guard life == daemonLife else { return }  // it has crashed meanwhile
            perform(action)
        }
    }

    private mutating func perform(_ action: Conductor.Action) {
        switch action {
        case .commit(let changes):
            if mutant == .actBeforeCommit { release(conductor.committing?.operations ?? []) }
            askStore(.commit(changes))
        case .release(let step): release(step)
        case .refuse: break
        case .fetch(let parked):
            let batch = store.unpublished(limit: 64, excluding: Set(parked))
            askStore(.report(.fetched(.success(batch))))
        case .deliver(let batch): later(.deliver(batch), within: isCalm ? 20 : 400)
        case .feed(let request):
            // Now and then so long that others are far ahead.
            later(.feed(request), within: isCalm ? 20 : random.chance(10) ? 20_000 : 400)
        case .close: askStore(.report(.closed))
        case .exit(let ending):
            if ending == .stopped { result.stops += 1 }
            restart()
        }
    }

    /// The store answers later, in the order in which it was asked; inputs gather meanwhile.
    private mutating func askStore(_ action: Action) {
        order += 1
        storeAt = max(storeAt, now.bootMs + Int64(random.below(isCalm ? 2 : 60)))
        actions.append((storeAt, order, daemonLife, action))
    }

    mutating func commit(_ changes: ChangeSet) {
        if happens(\.crash) { return crash(.afterStep) }
        if happens(\.commitFails) {
            let isFatal = random.chance(5)
            return report(.committed(isFatal ? .fatal("input/output error") : .retry("the disk is full")))
        }
        keep(changes)
        if happens(\.crashAfterCommit) { return crash(.afterCommit) }
        report(.committed(nil))
    }

    private mutating func keep(_ changes: ChangeSet) {
        result.untold += changes.replicas.count { $0.run?.isUntold == true }
        checkCommit(changes)
        noteSinks(changes)
        result.parked += changes.sinks.count { if case .parked = $0 { true } else { false } }
        checkPruned(changes)
        do throws(StoreFailure) { try store.commit(changes) } catch { fail("the store: \(error.words)") }
        if let problem = shadow?.commit(changes) { fail("the real store: \(problem)") }
        for event in changes.events {
            result.transitions.insert(event.type)
            for byte in event.payload.utf8 {
                result.fingerprint = (result.fingerprint ^ UInt64(byte)) &* 0x0000_0100_0000_01b3
            }
        }
    }

    private mutating func release(_ step: Step) {
        var operations = mutant == .actBeforeCommit ? [] : step.operations
        if mutant == .randomIDs {
            for index in operations.indices { operations[index].run.attempt += random.below(2) * 7 }
        }
        release(operations)
        for uid in step.changes.tombstones { later(.input(.homesRemoved(uid)), within: 500) }
        checkState(Set(step.changes.objects.map(\.object.uid)))
        checkSinkGates(step)
        if happens(\.crash) { crash(.afterEffects) }
    }

    private mutating func release(_ operations: [Operation]) {
        for operation in operations {
            if !inFlight.insert(operation.run).inserted {
                fail(
                    "two operations on \(operation.run.text) at the same time: \(operation.kind), step \(result.steps)")
            }
            later(.operation(operation), within: isCalm ? 50 : 2500)
            if mutant == .noInFlightGuard { pending.append(.finished(operation, .failed("forgotten"))) }
        }
    }

    mutating func crash(_ boundary: CrashBoundary) {
        result.crashes[boundary, default: 0] += 1
        // A commit that was under way is durable, or it is not.
        for (_, _, life, action) in actions {
            if life == daemonLife, case .commit(let changes) = action, random.chance(50) { keep(changes) }
        }
        // What was handed to the kernel happens all the same; the rest is lost.
        actions.removeAll { action in
            if case .operation = action.action { return random.chance(50) }
            return false
        }
        if mutant == .outboxLostInCrash { store.loseLastEvent() }
        restart()
    }

    mutating func restart() {
        takeOver()
        daemonLife += 1
        pending = []
        inFlight = []
        storeAt = 0
        // Whoever loses Ready and regains it later has not become Ready then.
        readyAnew = []
        // Operations of the life before are no longer ours to guard; what they do is seen.
        conductor = Conductor(engine: startedEngine())
        configureSinks()
        checkLedgers()
        checkState()
        if let difference = shadow?.compare(store.load()) { fail("the real store differs: \(difference)") }
        applyDefaultNamespace()
        observe()
        // In chaos it may never come to it.
        if isCalm { for directory in directories { read(directory) } }
    }
}
