import Manifests
import Planner
import Values

/// What one step writes, over the committed state; nobody else sees it before the commit.
///
/// Guarantee: a change of what people declare, a transition, the beginning and the end of an object cannot be written
/// without the event and the audit entry that tell of it.
struct Draft: Sendable {
    /// Why an object is written.
    enum Part: Sendable {
        /// What people declare has changed: who changed it, and the place of the manifest.
        case declared(Event, by: Principal, from: String = "")
        /// What only the audit speaks of: what controllers keep in the status, who owns a field.
        case noted(String, by: Principal, from: String = "")
        /// What nobody speaks of: where the object is declared, a grace period that became shorter.
        case untold
        /// What the reconciler has found, with what is told of it.
        case status([Event] = [], by: Principal = .reconciler, replicas: [ChangeSet.ReplicaWrite] = [])
    }

    let base: EngineState
    let settings: EngineSettings
    let now: Moment
    /// The trace of the request that is carried out.
    var trace: String?
    private(set) var overlay: Overlay
    private(set) var changes = ChangeSet()
    private(set) var watch: [WatchEvent] = []
    /// Where an object stands in `changes` and in `watch`: it is there once, however often it is written.
    private var writes: [UID: Int] = [:]
    private var watched: [UID: Int] = [:]
    /// Where answers stand in `changes`, and how many each principal has there.
    private var answers: [KeptAnswer.ID: Int] = [:]
    private var answerShares: [String: Int] = [:]
    /// Objects that this step has ended: what it wrote of them before is not written.
    private var ended: Set<UID> = []

    init(over base: EngineState, _ settings: EngineSettings, _ now: Moment) {
        self.base = base
        self.settings = settings
        self.now = now
        overlay = Overlay(over: base, now)
    }

    // MARK: Reading

    subscript(key: ObjectKey) -> StoredObject? {
        if let drafted = overlay.objects[key] { return drafted }
        return base.objects[key]
    }

    /// Whether this step has written the object.
    func holds(_ key: ObjectKey) -> Bool { overlay.objects[key] != nil }

    func ledger(_ uid: UID) -> Ledger { overlay.ledgers[uid] ?? base.ledgers[uid] ?? Ledger() }

    func consumer(_ name: String) -> Consumer? {
        if let drafted = overlay.consumers[name] { return drafted }
        return base.consumers[name]
    }

    func sink(_ name: String) -> SinkCursor? {
        if let drafted = overlay.sinks[name] { return drafted }
        return base.sinks[name]
    }

    /// The offset after all that the journal holds, and the position of the last event.
    var journalEnd: Int64 { overlay.journalEnd }
    var position: Int64 { overlay.position }

    func keptAnswer(_ id: KeptAnswer.ID) -> KeptAnswer? {
        answers[id].map { changes.answers[$0] } ?? base.keptAnswers[id]
    }

    /// How long a principal waits until another answer of his can be kept; nil: there is room.
    func keptAnswersFullForMs(_ principal: String) -> Int64? {
        base.keptAnswers.fullForMs(
            principal, now.wallMs, beside: (changes.answers.count, answerShares[principal] ?? 0))
    }

    var usage: Usage { overlay.usage }

    func dependents(of key: ObjectKey) -> Set<ObjectKey> {
        (base.dependents[key] ?? []).union(overlay.dependents[key] ?? [])
    }

    /// All objects that name a Source, in the order of their keys.
    func inventory(of source: UID) -> [StoredObject] {
        let drafted = overlay.objects.values.compactMap { $0 }.filter { $0.origin?.source == source }.map(\.key)
        return (base.origins[source] ?? []).union(drafted).sorted().compactMap { key in
            self[key].flatMap { $0.origin?.source == source ? $0 : nil }
        }
    }

    /// All objects that name an owner, in the order of their keys.
    func dependents(ownedBy owner: UID) -> [StoredObject] {
        (base.owned[owner] ?? []).union(overlay.owned[owner] ?? []).sorted().compactMap { key in
            self[key].flatMap { object in object.owners.contains { $0.uid == owner } ? object : nil }
        }
    }

    func hasContents(_ namespace: String) -> Bool {
        overlay.objects.contains { $0.key.namespace == namespace && $0.value != nil }
            || base.objects.keys.contains { $0.namespace == namespace && self[$0] != nil }
    }

    /// All objects of a namespace, in the order of their keys.
    func contents(of namespace: String) -> [StoredObject] {
        let keys = base.objects.keys.filter { $0.namespace == namespace }
        return Set(keys).union(overlay.objects.keys.filter { $0.namespace == namespace }).sorted().compactMap {
            self[$0]
        }
    }

    // MARK: Objects

    /// Writes an object, with a new resourceVersion.
    mutating func put(_ object: StoredObject, _ part: Part) {
        switch part {
        case .declared(let event, let principal, let place):
            tell(event, of: object, by: principal, from: place)
            if let revision = object.revision(since: self[object.key], by: principal.user, now) {
                changes.revisions.append(revision)
            }
            write(object, statusOnly: false)
        case .noted(let verb, let principal, let place):
            audit(verb, object.key, object.uid, by: principal, from: place, detail: "")
            write(object, statusOnly: false)
        case .untold: write(object, statusOnly: false)
        case .status(let events, let principal, let replicas):
            for event in events { record(event, of: object, by: principal) }
            changes.replicas += replicas
            write(object, statusOnly: true)
        }
    }

    /// Ends an object; it is told as its last event.
    mutating func remove(_ object: StoredObject) {
        tell(.deleted, of: object, by: .reconciler)
        overlay.resourceVersion += 1
        overlay.usage.subtract(Usage(self[object.key]?.agent))
        overlay.objects[object.key] = .some(nil)
        ended.insert(object.uid)
        changes.removed.append((object.key, object.uid))
        if base.objects[object.key]?.uid == object.uid {
            var last = object
            last.resourceVersion = overlay.resourceVersion
            watch.append(WatchEvent(change: .deleted, resourceVersion: last.resourceVersion, object: last))
        }
        if object.agent != nil { changes.tombstones.append(object.uid) }
    }

    /// Tells of a change of what is declared. Of what is written again and again nothing is told: the requests are in the
    /// log of requests.
    private mutating func tell(
        _ event: Event, of object: StoredObject, by principal: Principal, from place: String = ""
    ) {
        if !object.key.kind.traits.isFleeting { record(event, of: object, by: principal, from: place) }
    }

    /// Tells something about an object that does not change it.
    mutating func record(_ event: Event, of object: StoredObject, by principal: Principal, from place: String = "") {
        var ledger = ledger(object.uid)
        ledger.lastSequence += 1
        overlay.ledgers[object.uid] = ledger
        overlay.position += 1
        overlay.backlog += 1
        changes.events.append(
            EventRecord(
                position: overlay.position, uid: object.uid, sequence: ledger.lastSequence,
                type: event.type(of: object.key.kind).text, namespace: object.key.namespace, atMs: now.wallMs,
                payload: event.payload(
                    object, sequence: ledger.lastSequence, position: overlay.position,
                    trace: trace ?? object.agent?.trace, now)))
        changes.audit.append(
            AuditRecord(
                atMs: now.wallMs, principal: principal, verb: event.auditVerb, key: object.key, uid: object.uid,
                source: place, detail: traced(event.auditDetail), position: overlay.position))
    }

    /// A command that changes no object, for the audit alone.
    mutating func audit(
        _ verb: String, _ key: ObjectKey?, _ uid: UID?, by principal: Principal, from place: String = "", detail: String
    ) {
        changes.audit.append(
            AuditRecord(
                atMs: now.wallMs, principal: principal, verb: verb, key: key, uid: uid, source: place,
                detail: traced(detail),
                position: nil))
    }

    /// What an audit entry tells, with the trace that it is part of.
    private func traced(_ detail: String) -> String {
        guard let trace else { return detail }
        return detail.isEmpty ? "trace \(trace)" : "\(detail); trace \(trace)"
    }

    private mutating func write(_ object: StoredObject, statusOnly: Bool) {
        var object = object
        let old = self[object.key]
        overlay.resourceVersion += 1
        object.resourceVersion = overlay.resourceVersion
        overlay.usage.subtract(Usage(old?.agent))
        overlay.usage.add(Usage(object.agent))
        overlay.objects[object.key] = .some(object)
        for owner in object.owners {
            if let uid = owner.uid { overlay.owned[uid, default: []].insert(object.key) }
        }
        for target in object.dependencies { overlay.dependents[target, default: []].insert(object.key) }
        if let index = writes[object.uid] {
            changes.objects[index].object = object
            if !statusOnly { changes.objects[index].statusOnly = false }
        } else {
            writes[object.uid] = changes.objects.count
            changes.objects.append(ChangeSet.ObjectWrite(object: object, statusOnly: statusOnly))
        }
        // One step is one change: watchers see what it led to.
        if let index = watched[object.uid] {
            watch[index].object = object
            watch[index].resourceVersion = object.resourceVersion
        } else {
            watched[object.uid] = watch.count
            let change: WatchEvent.Change = base.objects[object.key]?.uid == object.uid ? .modified : .added
            watch.append(WatchEvent(change: change, resourceVersion: object.resourceVersion, object: object))
        }
    }

    /// A user id that no agent has had; when all of the range were given once, one that no agent has.
    mutating func takeUser(of users: ClosedRange<UInt32>) -> UInt32? {
        let next = max(overlay.nextUser, users.lowerBound)
        if next <= users.upperBound, next < .max {
            overlay.nextUser = next.next
            return next
        }
        let objects = Array(base.objects.values) + changes.objects.map(\.object)
        let taken = Set(objects.compactMap { $0.agent?.ownUser })
        return users.first { !taken.contains($0) }
    }

    // MARK: Delivery

    /// What became of the delivery of one event, and where that leaves its object.
    mutating func put(_ ledger: Ledger, of uid: UID, _ delivery: DeliveryWrite) {
        overlay.ledgers[uid] = ledger
        changes.deliveries.append(delivery)
        switch delivery {
        case .published, .skipped: overlay.backlog -= 1
        case .retrying, .deadLettered, .replayed, .acknowledged: break
        }
    }

    /// All consumers have acknowledged the events up to a position.
    mutating func acknowledge(upTo position: Int64) {
        changes.deliveries.append(.acknowledged(upTo: position))
        for (uid, committed) in base.ledgers where !committed.unacknowledged.isEmpty {
            var ledger = ledger(uid)
            ledger.acknowledge(upTo: position)
            overlay.ledgers[uid] = ledger
        }
    }

    mutating func put(_ consumer: Consumer) {
        overlay.consumers[consumer.name] = .some(consumer)
        changes.consumers.append(.upsert(consumer))
    }

    mutating func removeConsumer(_ name: String) {
        overlay.consumers[name] = .some(nil)
        changes.consumers.append(.removed(name))
    }

    mutating func noteJournal(end: Int64) { overlay.journalEnd = max(overlay.journalEnd, end) }

    /// - Parameter old: what was known of its parked objects; nil: those are as they were.
    mutating func put(_ cursor: SinkCursor, since old: SinkCursor? = nil) {
        overlay.sinks[cursor.name] = .some(cursor)
        changes.sinks.append(.cursor(cursor))
        guard let old else { return }
        for uid in Set(old.parked.keys).union(cursor.parked.keys).sorted() where old.parked[uid] != cursor.parked[uid] {
            changes.sinks.append(
                cursor.parked[uid].map { .parked(sink: cursor.name, uid, $0) } ?? .released(sink: cursor.name, uid))
        }
    }

    mutating func removeSink(_ name: String) {
        overlay.sinks[name] = .some(nil)
        changes.sinks.append(.removed(name))
    }

    mutating func keep(_ answer: KeptAnswer) {
        answers[answer.id] = changes.answers.count
        answerShares[answer.principal, default: 0] += 1
        changes.answers.append(answer)
    }

    // MARK: Measuring

    /// Counts what this step has seen; it is read from the next step on.
    mutating func measure(_ measured: Measured, _ counts: Counts) {
        if !counts.isEmpty { overlay.measured[measured, default: Counts()].add(counts) }
    }

    /// Writes all that was measured before this step.
    mutating func writeMeasurements() {
        changes.measurements = base.measurements.writes(now)
        overlay.writesMeasurements = true
    }

    mutating func homesRemoved(of uid: UID) { changes.tombstonesCleared.append(uid) }

    mutating func endRestore() { changes.endsRestore = true }

    /// The change set, with the numbers that the step has reached.
    mutating func close() {
        changes.resourceVersion = overlay.resourceVersion
        changes.position = overlay.position
        if ended.isEmpty { return }
        changes.objects.removeAll { ended.contains($0.object.uid) }
        changes.replicas.removeAll { ended.contains($0.uid) }
        changes.revisions.removeAll { ended.contains($0.uid) }
        watch.removeAll { $0.change != .deleted && ended.contains($0.object.uid) }
    }
}

/// What the readable state takes over when a draft is committed.
struct Overlay: Sendable {
    /// Nil: removed.
    var objects: [ObjectKey: StoredObject?] = [:]
    var ledgers: [UID: Ledger] = [:]
    var consumers: [String: Consumer?] = [:]
    var sinks: [String: SinkCursor?] = [:]
    var journalEnd: Int64
    /// Agents that this step wrote, by the agent they depend on.
    var dependents: [ObjectKey: Set<ObjectKey>] = [:]
    /// Objects that this step wrote, by their owners.
    var owned: [UID: Set<ObjectKey>] = [:]
    var resourceVersion: Int64
    var position: Int64
    var backlog: Int
    var usage: Usage
    var nextUser: UInt32
    /// What this step has measured.
    var measured: [Measured: Counts] = [:]
    /// What was measured before it is in its change set.
    var writesMeasurements = false
    let now: Moment

    init(over state: EngineState, _ now: Moment) {
        self.now = now
        resourceVersion = state.resourceVersion
        position = state.position
        journalEnd = state.journalEnd
        backlog = state.backlog
        usage = state.usage
        nextUser = state.nextUser
    }
}
