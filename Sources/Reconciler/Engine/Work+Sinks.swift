import Manifests
import Planner
import Values

/// Named sinks: what becomes of their cursors, of the objects that are parked, and of the starts that wait.
extension Work {
    /// The configuration of sinks as it is from now on. A sink that is new begins with what comes; one that was there before
    /// goes on where it was.
    mutating func use(_ rules: [SinkRule]) {
        delivery.use(rules)
        for rule in delivery.rules where draft.sink(rule.name) == nil {
            draft.put(SinkCursor(name: rule.name, offset: draft.journalEnd, position: draft.position))
        }
        let strange = base.sinks.values.filter { delivery.rule($0.name) == nil }.sorted {
            ($0.offset, $0.name) > ($1.offset, $1.name)
        }
        for cursor in strange.dropFirst(Limits.sinksKeptMax) { draft.removeSink(cursor.name) }
        for key in delivery.gated.keys.sorted() { queue.mark(key) }
    }

    mutating func take(_ report: SinkReport) {
        guard var cursor = draft.sink(report.request.sink) else { return }
        delivery.note(report, now)
        let before = cursor
        if let failure = report.failure {
            guard case .gone(let reason) = failure, cursor.gone == nil else { return }
            cursor.gone = reason.isEmpty ? "it has not said why" : String(reason.prefix(Limits.sinkReasonMax))
            draft.put(cursor)
            tell(.sinkGone(sink: cursor.name, reason: cursor.gone ?? ""), by: .reconciler)
            return markGated(by: cursor, all: true)
        }
        switch report.request.part {
        case .news:
            guard cursor.offset == report.request.from, report.next >= cursor.offset else { return }
            cursor.offset = report.next
            cursor.position = max(cursor.position, report.position)
            for (uid, held) in report.held where cursor.parked[uid] == nil {
                cursor.parked[uid] = parked(held, attempts: 1, cursor.name)
            }
        case .parked(let places, _):
            for (uid, place) in places { advance(&cursor, uid, place, report) }
        }
        for event in report.taken { measureDelivery(position: event.position, atMs: event.atMs) }
        if cursor == before { return }
        draft.put(cursor, since: before)
        markGated(by: cursor, all: cursor.parked != before.parked)
    }

    /// What has come of the events of one object that was parked.
    private mutating func advance(
        _ cursor: inout SinkCursor, _ uid: UID, _ place: SinkRequest.Place, _ report: SinkReport
    ) {
        // Somebody may have resolved it meanwhile.
        guard let old = cursor.parked[uid], old.offset == place.offset, old.sequence == place.sequence else { return }
        if let held = report.held[uid] {
            let attempts = held.sequence == old.sequence ? old.attempts + 1 : 1
            cursor.parked[uid] = parked(held, attempts: attempts, cursor.name)
        } else if report.next >= cursor.offset {
            cursor.parked[uid] = nil
        } else if report.next > old.offset {
            cursor.parked[uid]?.offset = report.next
            cursor.parked[uid]?.phase = .following
        }
    }

    private mutating func parked(_ held: SinkReport.Held, attempts: Int, _ sink: String) -> ParkedObject {
        let isDead = held.forGood || attempts >= Limits.publishAttemptsMax
        if isDead { draft.measure(.deliveries, Counts(bad: 1)) }
        let pause = SinkFacts.pauseMs(attempts, sink, UInt64(clamping: held.position))
        return ParkedObject(
            offset: held.offset, position: held.position, sequence: held.sequence, type: held.type, atMs: held.atMs,
            attempts: attempts, reason: held.reason,
            phase: isDead ? .deadLettered : .retrying(at: Deadline(now, afterMs: pause)))
    }

    // MARK: Commands

    /// - Parameter position: of one event; nil: of all that the sink has not taken, and a sink that is switched off is
    ///   switched on.
    mutating func resolve(
        _ resolution: ParkedResolution, _ position: Int64?, in sink: String, by principal: Principal
    ) throws(Refusal) -> Answer {
        guard var cursor = draft.sink(sink) else { throw .noSink(sink) }
        let before = cursor
        for (uid, parked) in before.parked
        where (position == nil || parked.position == position) && parked.phase != .following {
            switch resolution {
            case .replay:
                cursor.parked[uid]?.attempts = 0
                cursor.parked[uid]?.phase = .following
            case .skip:
                cursor.parked[uid]?.sequence += 1
                cursor.parked[uid]?.phase = .following
            case .drop:
                // What comes behind the cursor is not lost, also when it is being read at this moment.
                cursor.parked[uid]?.offset = cursor.offset
                cursor.parked[uid]?.phase = .following
            }
        }
        if let position, cursor == before { throw .notStuck(position: position) }
        if position == nil, resolution == .replay {
            cursor.gone = nil
            delivery.forgetPause(of: sink)
        }
        if cursor != before { draft.put(cursor, since: before) }
        let what = position.map { "position \($0)" } ?? "all"
        draft.audit("outbox-\(resolution.rawValue)", nil, nil, by: principal, detail: "sink \(sink): \(what)")
        markGated(by: cursor, all: true)
        return .done
    }

    /// What nobody is configured for any more is forgotten.
    mutating func forgetSink(_ name: String, by principal: Principal) throws(Refusal) -> Answer {
        guard draft.sink(name) != nil else { throw .noSink(name) }
        if delivery.rule(name) != nil { throw .forbidden(nil, .sinkInUse(name)) }
        draft.removeSink(name)
        draft.audit("outbox-forget", nil, nil, by: principal, detail: "sink \(name)")
        return .done
    }

    // MARK: Retention

    /// The journal has dropped events that some sinks had not taken: each of them goes on behind the gap, and is told.
    mutating func expireSinks(before offset: Int64) {
        for name in base.sinks.keys.sorted() {
            guard var cursor = draft.sink(name), cursor.leastOffset < offset else { continue }
            guard delivery.rule(name) != nil else {
                if cursor.offset < offset { draft.removeSink(name) }
                continue
            }
            let before = cursor
            cursor.offset = max(cursor.offset, offset)
            for (uid, parked) in before.parked where parked.offset < offset {
                cursor.parked[uid]?.offset = offset
                cursor.parked[uid]?.phase = .following
            }
            draft.put(cursor, since: before)
            tell(.sinkExpired(sink: name, position: before.position), by: .retention)
            markGated(by: cursor, all: true)
        }
    }

    private mutating func tell(_ event: Event, by principal: Principal) {
        guard let home = draft[ObjectKey(.namespace, namespace: "", name: "default")] else { return }
        draft.record(event, of: home, by: principal)
    }

    // MARK: Gates

    /// Before it, the journal holds all events that a start waits for; nil: it waits for none, or not all are there.
    private func gateOffset(_ replica: Replica, _ ledger: Ledger) -> Int64? {
        guard case .starting(let run, _) = replica.phase, run.spec.gate == .published, run.readyAt == nil else {
            return nil
        }
        if let offset = facts[run.id].gateOffset { return offset }
        // What is seen in this very step, and not told, waits for all that was told before.
        return ledger.publishedSequence >= run.gate ?? ledger.lastSequence ? draft.journalEnd : nil
    }

    /// Which runs wait for which sink. Remembers the offsets that they wait for, and who waits: only those are looked at
    /// again.
    mutating func sinkWaits(_ object: StoredObject, _ agent: AgentState) -> [RunID: SinkWait] {
        guard delivery.hasRequired else { return [:] }
        let ledger = draft.ledger(object.uid)
        var waits: [RunID: SinkWait] = [:]
        var least: Int64?
        for replica in agent.replicas {
            guard let run = replica.phase.run, let offset = gateOffset(replica, ledger) else { continue }
            // Only for a gate that is committed: a commit that fails may be followed by another gate.
            if run.gate != nil, base.isCurrent(run.id, gate: run.gate) { facts[run.id].gateOffset = offset }
            guard let wait = wait(object.uid, offset) else { continue }
            waits[run.id] = wait
            least = min(least ?? offset, offset)
        }
        delivery.gated[object.key] = least
        return waits
    }

    /// The first sink that has not all events of an object before an offset.
    private func wait(_ uid: UID, _ offset: Int64) -> SinkWait? {
        for rule in delivery.rules { if let wait = wait(for: rule, uid, offset) { return wait } }
        return nil
    }

    private func wait(for rule: SinkRule, _ uid: UID, _ offset: Int64) -> SinkWait? {
        guard rule.isRequired else { return nil }
        guard let cursor = draft.sink(rule.name) else { return .behind(sink: rule.name) }
        if cursor.hasTaken(uid, before: offset) { return nil }
        if cursor.gone != nil { return .gone(sink: rule.name) }
        if let parked = cursor.parked[uid], parked.phase == .deadLettered, parked.offset < offset {
            return .deadLettered(sink: rule.name, position: parked.position)
        }
        return .behind(sink: rule.name)
    }

    private mutating func markGated(by cursor: SinkCursor, all: Bool) {
        guard delivery.rule(cursor.name)?.isRequired == true else { return }
        for (key, offset) in delivery.gated where all || offset <= cursor.offset { queue.mark(key) }
    }

    // MARK: Admission

    /// Delivery is so far behind that new changes wait: what is to be delivered must not fill the disk, and a sink that is
    /// required must not lose events.
    func checkDelivery() throws(Refusal) {
        if base.backlog >= Limits.outboxPendingMax {
            throw .deliveryBehind(sink: nil, retryAfterMs: Limits.deliveryBehindMs)
        }
        for rule in delivery.rules where rule.isRequired {
            guard let cursor = base.sinks[rule.name] else { continue }
            if base.journalEnd - cursor.leastOffset >= Limits.sinkBehindBytesMax {
                throw .deliveryBehind(sink: rule.name, retryAfterMs: Limits.deliveryBehindMs)
            }
        }
    }
}

extension EngineState {
    /// The run is the one that its replica has now, with this gate.
    fileprivate func isCurrent(_ run: RunID, gate: Int64?) -> Bool {
        guard let key = keysByUID[run.uid] else { return false }
        return objects[key]?.agent?.replicas.contains { $0.phase.run?.id == run && $0.phase.run?.gate == gate } == true
    }
}
