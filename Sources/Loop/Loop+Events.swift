import Manifests
import Planner
import Reconciler
import Values

extension Loop {
    /// Shows the daemon's own events as objects, beginning with the latest that the outbox has.
    public func showEvents(in words: EventWords) {
        published.words = words
        read { store throws(StoreFailure) in
            try store.outbox(position: nil, stuckOnly: false, limit: Limits.toldEventsMax)
        } _: { [unowned self] result in
            guard case .success(let records) = result else { return }
            let changes = published.tell(records.reversed().map(\.event))
            if !changes.isEmpty { onCommit(changes) }
        }
    }

    /// Events that are not as their schemas say are delivered all the same.
    func noteViolations(_ problems: [String]) {
        counters.schemaViolations += problems.count
        log.write(
            LogLine(
                .events, .error, "events are not as their schemas say",
                [("problems", problems.prefix(10).joined(separator: "; "))]))
    }

    /// Drops events that are too old or too many: own ones are shown no longer, those of clients are deleted.
    func expireEvents() {
        let now = clock.now().wallMs
        let changes = published.expireEvents(nowMs: now)
        if !changes.isEmpty { onCommit(changes) }
        var byNamespace: [String: [StoredObject]] = [:]
        for object in published[.event].objects(namespace: nil, after: nil) {
            if let stored = engine.state.objects[object.key] {
                byNamespace[object.key.namespace, default: []].append(stored)
            }
        }
        for (_, events) in byNamespace.sorted(by: { $0.key < $1.key }) {
            let newest = events.sorted { ($0.createdAtMs, $0.key) > ($1.createdAtMs, $1.key) }
            for (place, event) in newest.enumerated()
            where place >= Limits.storedEventsMax || event.createdAtMs < now - Int64(Limits.eventAgeMs) {
                submit(actor: .retention, .delete(Request.Deletion(key: event.key))) { _ in }
            }
        }
    }
}
