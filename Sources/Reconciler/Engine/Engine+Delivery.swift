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

    /// The offset from which on some consumer has not acknowledged; nil when none is registered.
    public var leastAcknowledgedOffset: Int64? { state.leastAcknowledgedOffset }
}

extension EngineState {
    var leastAcknowledgedOffset: Int64? { consumers.values.filter { !$0.isExpired }.map(\.journalOffset).min() }
}
