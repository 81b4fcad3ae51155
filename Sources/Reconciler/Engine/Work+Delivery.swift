import Manifests
import Planner
import Values

/// What becomes of events after their commit: verdicts of the sink, dead letters, consumers.
extension Work {
    mutating func deliver(_ verdict: DeliveryVerdict) {
        var ledger = draft.ledger(verdict.uid)
        guard verdict.sequence == ledger.publishedSequence + 1 else { return }  // a double, or behind a refusal
        switch verdict.outcome {
        case .postponed(let reason): hold(verdict, &ledger, reason, forGood: false)
        case .refused(let reason): hold(verdict, &ledger, reason, forGood: true)
        case .confirmed:
            ledger.stuck = nil
            ledger.publishedSequence = verdict.sequence
            measureDelivery(position: verdict.position, atMs: verdict.atMs)
            if base.leastAcknowledgedOffset != nil {
                ledger.awaitAcknowledgement(position: verdict.position, sequence: verdict.sequence)
            }
            draft.put(ledger, of: verdict.uid, .published(position: verdict.position, atMs: now.wallMs))
            if let key = base.keysByUID[verdict.uid], waitsForGate(key) { queue.mark(key) }
        }
    }

    private mutating func hold(
        _ verdict: DeliveryVerdict, _ ledger: inout Ledger, _ reason: String, forGood: Bool
    ) {
        let attempts = (ledger.stuck?.attempts ?? 0) + 1
        let dead = forGood || attempts >= Limits.publishAttemptsMax
        let retryAt = Deadline(now, afterMs: DeliveryFacts.backoffMs(attempts))
        if dead { draft.measure(.deliveries, Counts(bad: 1)) }
        ledger.stuck = Ledger.Stuck(
            position: verdict.position, attempts: attempts, isDeadLetter: dead, retryAt: retryAt)
        draft.put(
            ledger, of: verdict.uid,
            dead
                ? .deadLettered(position: verdict.position, attempts: attempts, message: reason)
                : .retrying(position: verdict.position, attempts: attempts, at: retryAt, message: reason))
    }

    private func waitsForGate(_ key: ObjectKey) -> Bool {
        base.objects[key]?.agent?.replicas.contains {
            if case .starting(_, seen: true) = $0.phase { true } else { false }
        } ?? false
    }

    mutating func resolveDeadLetter(
        _ position: Int64, skip: Bool, by principal: Principal
    ) throws(Refusal) -> Answer {
        guard let uid = base.stuck.first(where: { draft.ledger($0).stuck?.position == position }) else {
            throw .notStuck(position: position)
        }
        var ledger = draft.ledger(uid)
        ledger.stuck = nil
        if skip { ledger.publishedSequence += 1 }
        draft.put(ledger, of: uid, skip ? .skipped(position: position) : .replayed(position: position))
        // The events of an object outlive it.
        let key = base.keysByUID[uid]
        draft.audit(
            skip ? "outbox-skip" : "outbox-replay", key, uid, by: principal, detail: "position \(position)")
        if let key { queue.mark(key) }
        return .done
    }

    // MARK: Consumers

    mutating func acknowledge(_ name: String, _ position: Int64, _ offset: Int64) throws(Refusal) -> Answer {
        var consumer = draft.consumer(name) ?? Consumer(name: name, position: 0, journalOffset: 0)
        if base.consumers[name] == nil, base.consumers.count >= Limits.consumersMax {
            throw .forbidden(nil, .tooManyConsumers)
        }
        guard offset >= consumer.journalOffset else { return .done }
        consumer.isExpired = false
        consumer.position = max(consumer.position, position)
        consumer.journalOffset = offset
        draft.put(consumer)
        let all = base.consumers.values.filter { $0.name != name && !$0.isExpired } + [consumer]
        if let least = all.map(\.position).min(), least > 0 { draft.acknowledge(upTo: least) }
        return .done
    }

    /// The sink has dropped events that some consumers had not acknowledged: each of them is told, and holds nothing up
    /// any more.
    mutating func expireConsumers(before offset: Int64) {
        guard let home = draft[ObjectKey(.namespace, namespace: "", name: "default")] else { return }
        for name in base.consumers.keys.sorted() {
            guard var consumer = draft.consumer(name), consumer.journalOffset < offset, !consumer.isExpired else {
                continue
            }
            consumer.isExpired = true
            draft.put(consumer)
            draft.record(.consumerExpired(consumer), of: home, by: .retention)
        }
    }

    mutating func removeConsumer(_ name: String) throws(Refusal) -> Answer {
        guard base.consumers[name] != nil else { throw .noConsumer(name) }
        draft.removeConsumer(name)
        return .done
    }
}
