import Manifests
public import Planner
public import Reconciler
import Synchronization
public import Values

/// A store that keeps exactly what was committed, in the same parts as the database.
struct SimulatedStore {
    struct Row {
        var event: EventRecord
        var state = OutboxState.outboxWritten
        var attempts = 0
        var error: String?
        var retryAt: Deadline?

        var isDone: Bool {
            switch state {
            case .published, .acknowledged, .skipped: true
            case .outboxWritten, .retrying, .deadLettered: false
            }
        }

        /// What delivery of the event's object is stuck at, if it is at this one.
        var stuck: Ledger.Stuck? {
            let never = Deadline(boot: 0, bootMs: 0, wallMs: 0, lengthMs: 0)
            return state == .retrying || state == .deadLettered
                ? Ledger.Stuck(
                    position: event.position, attempts: attempts, isDeadLetter: state == .deadLettered,
                    retryAt: retryAt ?? never)
                : nil
        }
    }

    private(set) var objects: [UID: StoredObject] = [:]
    var replicas: [UID: [Int: Replica]] = [:]
    /// Newest first.
    private(set) var revisions: [UID: [Revision]] = [:]
    var outbox: [Int64: Row] = [:]
    var lastSequence: [UID: Int64] = [:]
    var published: [UID: Int64] = [:]
    private var consumers: [String: Consumer] = [:]
    var sinks: [String: SinkCursor] = [:]
    private var answers: [KeptAnswer.ID: KeptAnswer] = [:]
    private var tombstones: Set<UID> = []
    var resourceVersion: Int64 = 0
    var position: Int64 = 0
    var isRestored = false
    private(set) var auditedPositions: Set<Int64> = []
    /// Highest attempt ever committed, also of removed objects.
    var committedAttempts: [RunKey: Int] = [:]
    /// The same, as far as it is known after a store that could not be read was replaced.
    var usedAttempts: [RunKey: Int] = [:]

    struct RunKey: Hashable {
        var uid: UID
        var ordinal: Int
    }

    mutating func remove(_ position: Int64) { outbox[position] = nil }

    /// The run is the one that its replica has now.
    func isCurrent(_ run: RunID) -> Bool { replicas[run.uid]?[run.ordinal]?.phase.run?.id == run }

    mutating func commit(_ changes: ChangeSet) throws(StoreFailure) {
        var next = self
        try next.take(changes)
        self = next
    }

    private mutating func take(_ changes: ChangeSet) throws(StoreFailure) {
        for removed in changes.removed {
            objects[removed.uid] = nil
            replicas[removed.uid] = nil
            revisions[removed.uid] = nil
            // Nobody knows any more: nothing of it lives, and a backup may bring it back.
            usedAttempts = usedAttempts.filter { $0.key.uid != removed.uid }
        }
        for write in changes.objects {
            if write.statusOnly, var old = objects[write.object.uid] {
                old.resourceVersion = write.object.resourceVersion
                old.agent?.observedGeneration = write.object.agent?.observedGeneration ?? 0
                old.source = write.object.source
                if let agent = write.object.agent {
                    old.agent?.summary = agent.summary
                    old.agent?.progressBy = agent.progressBy
                }
                objects[write.object.uid] = old
            } else {
                // The database keeps texts: what cannot be read again is as good as lost.
                guard JSONReader.read(JSONWriter.text(write.object.content)) == write.object.content else {
                    throw .fatal("\(write.object.key) cannot be read again")
                }
                objects[write.object.uid] = write.object
            }
        }
        for write in changes.replicas {
            replicas[write.uid, default: [:]][write.replica.ordinal] = write.replica
            let key = RunKey(uid: write.uid, ordinal: write.replica.ordinal)
            committedAttempts[key] = max(committedAttempts[key] ?? 0, write.replica.attempt)
            usedAttempts[key] = max(usedAttempts[key] ?? 0, write.replica.attempt)
        }
        for revision in changes.revisions {
            guard objects[revision.uid] != nil else { throw .fatal("a revision of no object") }
            keep(revision)
        }
        for event in changes.events {
            guard outbox.updateValue(Row(event: event), forKey: event.position) == nil else {
                throw .fatal("the position \(event.position) is taken")
            }
            lastSequence[event.uid] = event.sequence
        }
        for record in changes.audit { if let position = record.position { auditedPositions.insert(position) } }
        for write in changes.deliveries { apply(write) }
        for write in changes.consumers {
            switch write {
            case .upsert(let consumer): consumers[consumer.name] = consumer
            case .removed(let name): consumers[name] = nil
            }
        }
        for write in changes.sinks { try apply(write) }
        for answer in changes.answers {
            if let old = answers.updateValue(answer, forKey: answer.id), answer.atMs - old.atMs < Limits.keptAnswerMs {
                throw .fatal("the key \(answer.key) is taken")
            }
        }
        tombstones.formUnion(changes.tombstones)
        tombstones.subtract(changes.tombstonesCleared)
        if changes.endsRestore { isRestored = false }
        resourceVersion = changes.resourceVersion
        position = changes.position
    }

    private mutating func keep(_ revision: Revision) {
        var kept = revisions[revision.uid] ?? []
        if let index = kept.firstIndex(where: { $0.number == revision.number }) {
            kept[index].cause = revision.cause
        } else {
            kept.removeAll { $0.template == revision.template }
            kept.insert(revision, at: 0)
        }
        revisions[revision.uid] = Array(kept.prefix(Limits.revisionsMax))
    }

    private mutating func apply(_ write: DeliveryWrite) {
        func set(_ position: Int64, _ state: OutboxState, attempts: Int? = nil, at: Deadline? = nil, error: String?) {
            outbox[position]?.state = state
            outbox[position]?.retryAt = at
            if let attempts { outbox[position]?.attempts = attempts }
            if let error { outbox[position]?.error = error }
        }
        switch write {
        case .published(let position, _), .skipped(let position):
            guard let row = outbox[position] else { return }
            var isSkipped = false
            if case .skipped = write { isSkipped = true }
            set(position, isSkipped ? .skipped : .published, error: nil)
            published[row.event.uid] = row.event.sequence
        case .retrying(let position, let attempts, let at, let message):
            set(position, .retrying, attempts: attempts, at: at, error: message)
        case .deadLettered(let position, let attempts, let message):
            set(position, .deadLettered, attempts: attempts, error: message)
        case .replayed(let position):
            set(position, .outboxWritten, attempts: 0, error: nil)
            outbox[position]?.error = nil
        case .acknowledged(let last):
            for position in outbox.keys where position <= last && outbox[position]?.state == .published {
                outbox[position]?.state = .acknowledged
            }
        }
    }

    private mutating func apply(_ write: SinkWrite) throws(StoreFailure) {
        switch write {
        case .cursor(var cursor):
            cursor.parked = sinks[cursor.name]?.parked ?? [:]
            sinks[cursor.name] = cursor
        case .parked(let sink, let uid, let object):
            guard sinks[sink] != nil else { throw .fatal("something is parked for \(sink), which is not there") }
            sinks[sink]?.parked[uid] = object
        case .released(let sink, let uid): sinks[sink]?.parked[uid] = nil
        case .removed(let name): sinks[name] = nil
        }
    }

    func load() -> EngineState {
        var state = EngineState()
        for var object in objects.values {
            object.agent?.replicas = (replicas[object.uid] ?? [:]).values.sorted { $0.ordinal < $1.ordinal }
            if let node = effectiveNode(object), node != object.agent?.effective.node {
                object.agent?.effective = EffectiveSpec(node)
            }
            state.objects[object.key] = object
        }
        for (uid, last) in lastSequence where objects[uid] != nil || published[uid] ?? 0 < last {
            var ledger = Ledger()
            ledger.lastSequence = last
            ledger.publishedSequence = published[uid] ?? 0
            state.ledgers[uid] = ledger
        }
        let rows = outbox.values.sorted { $0.event.position < $1.event.position }
        let isAwaited = consumers.values.contains { !$0.isExpired }
        for row in rows where row.state == .published && isAwaited {
            state.ledgers[row.event.uid]?.awaitAcknowledgement(
                position: row.event.position, sequence: row.event.sequence)
        }
        for row in rows { if let stuck = row.stuck { state.ledgers[row.event.uid]?.stuck = stuck } }
        state.consumers = consumers
        state.sinks = sinks
        for answer in answers.values { state.keptAnswers.keep(answer) }
        state.tombstones = tombstones
        state.isRestored = isRestored
        state.resourceVersion = resourceVersion
        state.position = position
        state.backlog = outbox.values.count { !$0.isDone }
        return state
    }

    /// What is declared; while that is paused, with the template of the current revision.
    private func effectiveNode(_ object: StoredObject) -> Node? {
        guard let agent = object.agent, let spec = object.content["spec"] else { return nil }
        guard spec["paused"]?.bool == true,
            let held = revisions[object.uid]?.first(where: { $0.number == agent.revision })
        else { return spec }
        return AgentSpec.spec(spec, with: held.template)
    }

    func unpublished(limit: Int, excluding: Set<UID>) -> [EventRecord] {
        outbox.values.filter { !$0.isDone && !excluding.contains($0.event.uid) }.map(\.event).sorted {
            $0.position < $1.position
        }.prefix(limit).map(\.self)
    }

    /// As `Limits` say of the time; the number of rows is of no concern here.
    mutating func trim(nowMs: Int64) {
        let wanted = consumers.values.filter { !$0.isExpired }.map(\.position).min() ?? .max
        outbox = outbox.filter { position, row in
            let isWanted = row.state == .published && position > wanted
            return !row.isDone || isWanted || row.event.atMs >= nowMs - Limits.retentionMs
        }
        answers = answers.filter { $0.value.atMs >= nowMs - Limits.keptAnswerMs }
        for (uid, last) in lastSequence where objects[uid] == nil && published[uid] == last {
            if !outbox.values.contains(where: { $0.event.uid == uid }) { lastSequence[uid] = nil }
        }
    }
}

extension SimulatedStore {
    /// The damage of a store that does not write the outbox in the transaction.
    mutating func loseLastEvent() {
        guard let last = outbox.keys.max() else { return }
        remove(last)
    }
}

/// The simulated store behind the port of stores, shared by all who hold it.
public final class SharedSimulatedStore: Store {
    private let kept = Mutex(SimulatedStore())

    public init() {}

    public func load() throws(StoreFailure) -> EngineState { kept.withLock { $0.load() } }

    public func commit(_ changes: ChangeSet) throws(StoreFailure) {
        let failure: StoreFailure? = kept.withLock { store in
            do throws(StoreFailure) {
                try store.commit(changes)
                return nil
            } catch { return error }
        }
        if let failure { throw failure }
    }

    public func unpublished(limit: Int, excluding: [UID]) throws(StoreFailure) -> [EventRecord] {
        kept.withLock { $0.unpublished(limit: limit, excluding: Set(excluding)) }
    }

    public func trim(nowMs: Int64) throws(StoreFailure) { kept.withLock { $0.trim(nowMs: nowMs) } }

    public func events(of uid: UID, limit: Int) throws(StoreFailure) -> [EventRecord] {
        records { $0.event.uid == uid }.prefix(limit).map(\.event)
    }

    public func event(of uid: UID, sequence: Int64) throws(StoreFailure) -> EventRecord? {
        records { $0.event.uid == uid && $0.event.sequence == sequence }.first?.event
    }

    public func outbox(position: Int64?, stuckOnly: Bool, limit: Int) throws(StoreFailure) -> [OutboxRecord] {
        let found = records { row in
            position.map { row.event.position == $0 } ?? (!stuckOnly || row.stuck != nil)
        }
        return found.prefix(limit).map {
            OutboxRecord(event: $0.event, state: $0.state, attempts: $0.attempts, error: $0.error)
        }
    }

    public func revisions(of uids: [UID]) throws(StoreFailure) -> [Revision] {
        kept.withLock { store in uids.flatMap { store.revisions[$0] ?? [] } }
    }

    /// Without a name in its rows, it tells of no object.
    public func history(of key: ObjectKey, untilMs: Int64, limit: Int) throws(StoreFailure) -> [HistoryEntry] { [] }

    /// Newest first.
    private func records(_ isWanted: (SimulatedStore.Row) -> Bool) -> [SimulatedStore.Row] {
        kept.withLock { store in
            store.outbox.values.filter(isWanted).sorted { $0.event.position > $1.event.position }
        }
    }

    public func scrub() throws(StoreFailure) {}
    public func reseal(with keys: SecretKeys, limit: Int) throws(StoreFailure) -> Int { 0 }
    public func finish() {}

    public func backup(to path: String) throws(StoreFailure) { throw .retry("there is no file to copy") }
}
