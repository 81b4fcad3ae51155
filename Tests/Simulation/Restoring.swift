import Planner
import Reconciler

/// The events that the sink holds durably, in the order of their delivery.
struct DeliveredEvents {
    private(set) var events: [EventRecord] = []
    private var positions: [UID: [Int64: Int64]] = [:]
    private var lasts: [UID: Int64] = [:]

    /// The last sequence of an object that was delivered; 0: none was.
    func last(of uid: UID) -> Int64 { lasts[uid] ?? 0 }

    func holds(_ uid: UID, _ sequence: Int64) -> Bool { positions[uid]?[sequence] != nil }

    /// Takes an event, perhaps once more; returns what is wrong about that.
    mutating func take(_ event: EventRecord) -> String? {
        let last = last(of: event.uid)
        if event.sequence > last + 1 { return "event \(event.sequence) of \(event.uid.hex) came after \(last)" }
        events.append(event)
        lasts[event.uid] = max(last, event.sequence)
        guard let known = positions[event.uid, default: [:]].updateValue(event.position, forKey: event.sequence),
            known != event.position
        else { return nil }
        return "event \(event.sequence) of \(event.uid.hex) is of position \(known) and of \(event.position)"
    }
}

/// A backup that waits to take the place of the store.
struct WaitingRestore {
    let backup: SimulatedStore
    /// False: of the store that is replaced, only the journal and the numbers of its last commit are left.
    let isReadable: Bool
}

extension SimulatedStore {
    /// What a backup becomes that takes the place of this store, as `Restore` and `Continuity` say.
    func replaced(by restore: WaitingRestore, _ journal: DeliveredEvents) -> SimulatedStore {
        var next = restore.backup
        next.isRestored = true
        let firstPending = next.outbox.values.filter { !$0.isDone }.map(\.event.position).min()
        let told = journal.events.filter { $0.position > firstPending.map { $0 - 1 } ?? next.position }
        next.position = max(next.position, position, told.map(\.position).max() ?? 0)
        next.resourceVersion = max(next.resourceVersion, resourceVersion + 1)
        if restore.isReadable { carry(into: &next, restore.backup) }
        for event in told {
            next.settle(event.uid, upTo: event.sequence)
            if next.lastSequence[event.uid] == nil { next.published[event.uid] = event.sequence }
            next.lastSequence[event.uid] = max(next.lastSequence[event.uid] ?? 0, event.sequence)
        }
        next.settleLedgers()
        // What was ever committed on this machine may live there.
        next.committedAttempts.merge(committedAttempts, uniquingKeysWith: max)
        if restore.isReadable { next.usedAttempts.merge(usedAttempts, uniquingKeysWith: max) }
        return next
    }

    private func carry(into next: inout SimulatedStore, _ backup: SimulatedStore) {
        for (uid, ordinals) in next.replicas {
            for ordinal in ordinals.keys {
                let last = replicas[uid]?[ordinal]?.attempt ?? 0
                next.replicas[uid]?[ordinal]?.attempt = max(ordinals[ordinal]?.attempt ?? 0, last)
            }
        }
        for (uid, ordinals) in replicas where next.objects[uid] != nil {
            for (ordinal, known) in ordinals where known.attempt > 0 && next.replicas[uid]?[ordinal] == nil {
                var replica = Replica(ordinal: ordinal)
                replica.attempt = known.attempt
                replica.phase = .stopped(.scaledDown)
                next.replicas[uid, default: [:]][ordinal] = replica
            }
        }
        for (uid, sequence) in published { next.settle(uid, upTo: sequence) }
        for (position, row) in outbox where !row.isDone {
            if row.event.sequence > backup.lastSequence[row.event.uid] ?? 0 {
                next.outbox[position] = Row(event: row.event)
            }
        }
        for (uid, last) in lastSequence {
            if next.lastSequence[uid] == nil { next.published[uid] = published[uid] }
            next.lastSequence[uid] = max(next.lastSequence[uid] ?? 0, last)
        }
        // What named sinks have taken, they have taken.
        next.sinks.merge(sinks) { _, known in known }
    }

    private mutating func settle(_ uid: UID, upTo sequence: Int64) {
        for (position, row) in outbox where row.event.uid == uid && row.event.sequence <= sequence && !row.isDone {
            outbox[position]?.state = .published
            outbox[position]?.retryAt = nil
        }
    }

    /// A ledger waits for the first event that the outbox has yet to deliver, and for none that it does not hold.
    private mutating func settleLedgers() {
        let pending = Dictionary(grouping: outbox.values.filter { !$0.isDone }, by: \.event.uid)
        for (uid, last) in lastSequence where pending[uid] != nil || published[uid] ?? 0 < last {
            published[uid] = pending[uid]?.map(\.event.sequence).min().map { $0 - 1 } ?? last
        }
    }
}

extension Life {
    mutating func takeBackup() {
        guard shadow.map({ $0.restoring != nil }) ?? true else { return }
        backup = store
        if let problem = shadow?.restoring?.backup() { fail("the real store: \(problem)") }
    }

    /// An operator puts the backup beside the store and tells the daemon, or finds it ended. Not at once again: what was
    /// started under a store that is gone has come by then.
    mutating func restoreBackup() {
        guard let backup, lastRestore.map({ $0.boot != now.boot || now.bootMs - $0.bootMs > 60_000 }) ?? true
        else { return }
        waitingRestore = WaitingRestore(backup: backup, isReadable: random.chance(70))
        if random.chance(70) { report(.stop) } else { crash(.beforeStep) }
    }

    /// As each start of the daemon does first.
    mutating func takeOver() {
        guard let restore = waitingRestore else { return }
        waitingRestore = nil
        result.restores += 1
        lastRestore = now
        settleOutside()
        store = mutant == .restoreForgets ? restore.backup : store.replaced(by: restore, delivered)
        if let problem = shadow?.restoring?.takeOver(delivered.events, restore.isReadable) {
            fail("the real store: \(problem)")
        }
        for name in sinks.keys {
            // Where its cursor begins to read now, it begins.
            guard let cursor = store.sinks[name] else {
                forgetSink(name)
                continue
            }
            let start = sinks[name]?.start ?? cursor.offset
            sinks[name]?.start = min(start, cursor.offset)
        }
        noteLost(store.sinks.values)
        strangers.formUnion(machine.living.filter { !store.isCurrent($0) })
    }

    /// What the daemon before had handed over: the sink is done with it or never gets it; and its starts have ended.
    private mutating func settleOutside() {
        let left = actions
        actions = []
        for item in left {
            switch item.action {
            case .deliver(let events): if random.chance(50) { deliver(events, -1) }
            case .feed(let request): feed(request, -1)
            case .lateStart(let run, let driver): machine.start(run, by: driver, nowMs: now.wallMs, &random)
            case .observe: break
            case .operation(let operation):
                if case .start(let run) = operation.verb {
                    machine.start(run.id, by: operation.driver, nowMs: now.wallMs, &random)
                } else {
                    perform(operation)
                }
            case .input, .commit, .report: actions.append(item)
            }
        }
    }
}
