import Manifests
public import Planner
public import Values

extension Engine {
    /// Events wait and the sink may be tried: the caller fetches a batch and hands it to the sink.
    public func wantsPublishing(_ now: Moment) -> Bool {
        state.backlog > 0 && (sinkRetryAt?.isDue(now) ?? true)
    }

    /// Objects whose delivery must not be tried now: dead letters park all that follows of their object.
    public func parkedObjects(_ now: Moment) -> [UID] {
        state.stuck.filter { uid in
            guard let stuck = state.ledgers[uid]?.stuck else { return false }
            return stuck.isDeadLetter || !stuck.retryAt.isDue(now)
        }.sorted()
    }

    /// Boot time at which a refused event is to be tried again.
    public var nextRetryBootMs: Int64? {
        state.stuck.compactMap { uid in
            state.ledgers[uid]?.stuck.flatMap { $0.isDeadLetter ? nil : $0.retryAt.bootMs }
        }.min()
    }

    mutating func deliver(_ verdict: DeliveryVerdict, _ step: inout Step, _ now: Moment) {
        var ledger = ledger(verdict.uid, step)
        guard verdict.sequence == ledger.publishedSequence + 1 else { return }  // a double, or behind a refusal
        if let refusal = verdict.refusal {
            let attempts = (ledger.stuck?.attempts ?? 0) + 1
            let dead = attempts >= Limits.publishAttemptsMax
            let delay = min(Int64(Limits.publishBackoffMsMax), Int64(100) << Int64(attempts))
            let retryAt = Deadline(now, afterMs: delay)
            ledger.stuck = Ledger.Stuck(
                position: verdict.position, attempts: attempts, isDeadLetter: dead, retryAt: retryAt)
            step.changes.deliveries.append(
                dead
                    ? .deadLettered(position: verdict.position, attempts: attempts, message: refusal)
                    : .retrying(position: verdict.position, attempts: attempts, at: retryAt, message: refusal))
        } else {
            ledger.stuck = nil
            ledger.publishedSequence = verdict.sequence
            if leastAcknowledgedOffset != nil {
                ledger.awaitAcknowledgement(position: verdict.position, sequence: verdict.sequence)
            }
            step.draft.backlog -= 1
            step.changes.deliveries.append(.published(position: verdict.position, atMs: now.wallMs))
            if let key = state.keysByUID[verdict.uid], waitsForGate(key) { dirty.insert(key) }
        }
        step.draft.ledgers[verdict.uid] = ledger
    }

    private func waitsForGate(_ key: ObjectKey) -> Bool {
        state.objects[key]?.agent?.replicas.contains {
            if case .starting(_, seen: true) = $0.phase { true } else { false }
        } ?? false
    }

    mutating func resolveDeadLetter(
        _ position: Int64, skip: Bool, _ actor: String, _ step: inout Step, _ now: Moment
    ) throws(Failure) -> Answer {
        guard let uid = state.stuck.first(where: { self.ledger($0, step).stuck?.position == position }) else {
            throw Failure(
                code: 404, reason: "NotFound",
                message: "no stuck event at position \(position); see 'agentos-apply outbox list'")
        }
        var ledger = ledger(uid, step)
        ledger.stuck = nil
        if skip {
            ledger.publishedSequence += 1
            step.draft.backlog -= 1
        }
        step.draft.ledgers[uid] = ledger
        step.changes.deliveries.append(skip ? .skipped(position: position) : .replayed(position: position))
        let key = state.keysByUID[uid] ?? ObjectKey(.agent, namespace: "", name: "")
        step.changes.audit.append(
            AuditRecord(
                atMs: now.wallMs, actor: actor, verb: skip ? "outbox-skip" : "outbox-replay", key: key, uid: uid,
                source: "",
                detail: "position \(position)", position: nil))
        dirty.insert(key)
        return .done
    }

    // MARK: Consumers

    private func consumer(_ name: String, _ step: Step) -> Consumer? {
        if let drafted = step.draft.consumers[name] { return drafted }
        return state.consumers[name]
    }

    mutating func acknowledge(
        _ name: String, _ position: Int64, _ offset: Int64, _ step: inout Step
    ) throws(Failure) -> Answer {
        var consumer = consumer(name, step) ?? Consumer(name: name, position: 0, journalOffset: 0)
        if state.consumers[name] == nil, state.consumers.count >= Limits.consumersMax {
            throw Failure(code: 403, reason: "Forbidden", message: "more than \(Limits.consumersMax) consumers")
        }
        guard offset >= consumer.journalOffset else { return .done }
        consumer.isExpired = false
        consumer.position = max(consumer.position, position)
        consumer.journalOffset = offset
        step.draft.consumers[name] = .some(consumer)
        step.changes.consumers.append(.upsert(consumer))
        let all = state.consumers.values.filter { $0.name != name && !$0.isExpired } + [consumer]
        guard let least = all.map(\.position).min(), least > 0 else { return .done }
        step.changes.deliveries.append(.acknowledged(upTo: least))
        for (uid, committed) in state.ledgers where !committed.unacknowledged.isEmpty {
            var ledger = ledger(uid, step)
            ledger.acknowledge(upTo: least)
            step.draft.ledgers[uid] = ledger
        }
        return .done
    }

    /// The offset from which on some consumer has not acknowledged; nil when none is registered.
    public var leastAcknowledgedOffset: Int64? {
        state.consumers.values.filter { !$0.isExpired }.map(\.journalOffset).min()
    }

    /// What a consumer had not acknowledged is gone: it is told so, and holds nothing up any more.
    mutating func expireConsumers(before offset: Int64, _ step: inout Step, _ now: Moment) {
        let home = ObjectKey(.namespace, namespace: "", name: "default")
        guard let object = object(home, step) else { return }
        for name in state.consumers.keys.sorted() {
            guard var consumer = consumer(name, step), consumer.journalOffset < offset, !consumer.isExpired else {
                continue
            }
            consumer.isExpired = true
            step.draft.consumers[consumer.name] = .some(consumer)
            step.changes.consumers.append(.upsert(consumer))
            tell(
                "consumer.expired", object, actor: "system:retention", verb: "expire", detail: consumer.name,
                data: [("consumer", .text(consumer.name)), ("position", .number(consumer.position))], &step, now)
        }
    }

    mutating func removeConsumer(_ name: String, _ step: inout Step) throws(Failure) -> Answer {
        guard state.consumers[name] != nil else {
            throw Failure(code: 404, reason: "NotFound", message: "consumer \"\(name)\" not found")
        }
        step.draft.consumers[name] = .some(nil)
        step.changes.consumers.append(.removed(name))
        return .done
    }
}
