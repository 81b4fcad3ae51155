import Manifests
public import Planner
public import Values

/// What the publisher of events asks of the engine.
extension Engine {
    /// Events wait and the sink may be tried: the caller fetches a batch and hands it to the sink.
    public func wantsPublishing(_ now: Moment) -> Bool { state.backlog > 0 && delivery.mayTry(now) }

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

    /// The offset from which on the journal is still needed by a consumer or a sink; nil: nobody needs anything.
    public var leastWantedOffset: Int64? {
        let sinks = delivery.rules.compactMap { state.sinks[$0.name]?.leastOffset }
        return ([state.leastAcknowledgedOffset] + sinks).compactMap(\.self).min()
    }

    // MARK: Named sinks

    public var sinkRules: [SinkRule] { delivery.rules }
    public func sinkFacts(_ name: String) -> SinkFacts { delivery.sinks[name] ?? SinkFacts() }

    /// How a named sink is, in one word.
    public enum SinkState: String, Sendable, CaseIterable {
        /// It has all that the journal has for it.
        case upToDate = "UpToDate"
        case delivering = "Delivering"
        /// Its last call failed; it is tried again.
        case retrying = "Retrying"
        /// Some objects wait for events that it has not taken.
        case parked = "Parked"
        /// So many objects wait that nothing new is tried.
        case blocked = "Blocked"
        /// It wants nothing more.
        case switchedOff = "SwitchedOff"
        /// The configuration does not name it.
        case notConfigured = "NotConfigured"
    }

    public func sinkState(_ name: String) -> SinkState {
        guard delivery.rule(name) != nil else { return .notConfigured }
        guard let cursor = state.sinks[name] else { return .delivering }
        if cursor.gone != nil { return .switchedOff }
        if sinkFacts(name).problem != nil { return .retrying }
        if cursor.isFull { return .blocked }
        if !cursor.parked.isEmpty { return .parked }
        return cursor.offset < state.journalEnd ? .delivering : .upToDate
    }

    /// All events that the start of a run waits for are delivered, to all whom it waits for.
    public func isDelivered(_ run: Run) -> Bool {
        guard let gate = run.gate, let ledger = state.ledgers[run.id.uid], ledger.publishedSequence >= gate else {
            return false
        }
        let offset = facts[run.id].gateOffset ?? state.journalEnd
        return delivery.rules.allSatisfy { rule in
            !rule.isRequired || state.sinks[rule.name]?.hasTaken(run.id.uid, before: offset) == true
        }
    }

    /// How far a named sink is behind: in events after its cursor, those that it does not want included, and in the age of
    /// the oldest that it has not taken, dead letters included.
    public func sinkLag(_ name: String, nowMs: Int64) -> (events: Int64, ms: Int64) {
        guard let cursor = state.sinks[name] else { return (0, 0) }
        let isBehind = cursor.offset < state.journalEnd
        let oldest = [isBehind ? sinkFacts(name).oldestMs : nil, cursor.parked.values.map(\.atMs).min()]
            .compactMap(\.self).min()
        return (isBehind ? max(1, state.position - cursor.position) : 0, oldest.map { max(0, nowMs - $0) } ?? 0)
    }

    /// What is to be handed to named sinks now, but to those that are busy.
    public func sinkRequests(_ now: Moment, besides busy: (String) -> Bool) -> [SinkRequest] {
        delivery.rules.compactMap { rule in
            busy(rule.name) ? nil : request(rule, now)
        }
    }

    private func request(_ rule: SinkRule, _ now: Moment) -> SinkRequest? {
        guard let cursor = state.sinks[rule.name], cursor.gone == nil else { return nil }
        let facts = sinkFacts(rule.name)
        guard facts.mayTry(now) else { return nil }
        let hasNews = cursor.offset < state.journalEnd && !cursor.isFull
        let due = facts.mayTryParked(now) ? cursor.parked.filter { $0.value.isDue(now) } : [:]
        // In turn, so that neither waits for the end of the other.
        if !due.isEmpty, !(hasNews && facts.wasParked) {
            let places = due.mapValues { SinkRequest.Place(offset: $0.offset, sequence: $0.sequence) }
            let from = places.values.map(\.offset).min() ?? cursor.offset
            return SinkRequest(
                sink: rule.name, filter: rule.filter, from: from, part: .parked(places, until: cursor.offset))
        }
        guard hasNews else { return nil }
        return SinkRequest(
            sink: rule.name, filter: rule.filter, from: cursor.offset, part: .news(without: Set(cursor.parked.keys)))
    }

    /// Boot time at which something is to be handed to a sink again, but to those that are busy.
    public func nextSinkBootMs(besides busy: (String) -> Bool) -> Int64? {
        delivery.rules.compactMap { rule -> Int64? in
            guard !busy(rule.name), let cursor = state.sinks[rule.name], cursor.gone == nil else { return nil }
            let facts = sinkFacts(rule.name)
            let retryAt = facts.retryAt?.bootMs
            let news = cursor.offset < state.journalEnd && !cursor.isFull ? retryAt : nil
            let parked = cursor.parked.values.compactMap(\.dueBootMs).min().map {
                max($0, retryAt ?? 0, facts.parkedRetryAt?.bootMs ?? 0)
            }
            return [news, parked].compactMap(\.self).min()
        }.min()
    }
}

extension EngineState {
    var leastAcknowledgedOffset: Int64? { consumers.values.filter { !$0.isExpired }.map(\.journalOffset).min() }
}
