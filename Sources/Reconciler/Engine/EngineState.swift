public import Manifests
public import Planner
import Values

/// What is committed: the readable state.
public struct EngineState: Sendable {
    public var objects: [ObjectKey: StoredObject] = [:]
    public var ledgers: [UID: Ledger] = [:]
    public var consumers: [String: Consumer] = [:]
    /// How far named sinks have got, also those that are configured no more.
    public var sinks: [String: SinkCursor] = [:]
    /// The offset after all that the journal holds; it is the journal's own, and not stored with the rest.
    public var journalEnd: Int64 = 0
    /// To requests with an `Idempotency-Key`, as they were given.
    public var keptAnswers = KeptAnswers()
    /// Deleted objects whose homes still wait for removal.
    public var tombstones: Set<UID> = []
    /// A backup has taken the place of the store, and something may live that no run of it explains.
    public var isRestored = false
    public var resourceVersion: Int64 = 0
    /// Position of the last event.
    public var position: Int64 = 0
    /// Events that are not published yet.
    public var backlog = 0
    /// What was measured, for Objectives.
    public var measurements = Measurements()
    public internal(set) var usage = Usage()
    public internal(set) var keysByUID: [UID: ObjectKey] = [:]
    /// Agents by the agent they depend on.
    public internal(set) var dependents: [ObjectKey: Set<ObjectKey>] = [:]
    /// What each Source owns.
    public internal(set) var origins: [UID: Set<ObjectKey>] = [:]
    /// All roles and bindings.
    public internal(set) var access = AccessIndex()
    /// All Objectives.
    public internal(set) var objectives: Set<ObjectKey> = []
    /// Objects by their owners.
    var owned: [UID: Set<ObjectKey>] = [:]
    /// Objects whose delivery is stuck at a record.
    var stuck: Set<UID> = []
    var nextUser: UInt32 = 0

    public init() {}

    /// Deadlines that were stored in another boot count from now on what was left of them.
    mutating func anchor(_ now: Moment) {
        for (key, object) in objects {
            if let source = object.source { objects[key]?.source?.readyBy = source.readyBy.anchored(now) }
            guard var agent = object.agent else { continue }
            let progressBy = agent.progressBy.anchored(now)
            let phases = agent.replicas.map { $0.phase.anchored(now) }
            // What stays as it was stays shared with those who read it.
            guard progressBy != agent.progressBy || phases != agent.replicas.map(\.phase) else { continue }
            agent.progressBy = progressBy
            for index in agent.replicas.indices { agent.replicas[index].phase = phases[index] }
            objects[key]?.agent = agent
        }
        for uid in stuck {
            if let retryAt = ledgers[uid]?.stuck?.retryAt { ledgers[uid]?.stuck?.retryAt = retryAt.anchored(now) }
        }
        for name in sinks.keys { sinks[name]?.anchor(now) }
    }

    /// Objects of a kind, in the order of their names.
    public func list(_ kind: Kind, namespace: String?) -> [StoredObject] {
        objects.values.filter { $0.key.kind == kind && (namespace == nil || $0.key.namespace == namespace) }
            .sorted { $0.key < $1.key }
    }

    /// All objects of a namespace, in the order of their keys.
    public func contents(of namespace: String) -> [StoredObject] {
        objects.values.filter { $0.key.namespace == namespace }.sorted { $0.key < $1.key }
    }

    /// Takes over what a step has written. Guarantee: readers see all of it or, before, nothing.
    mutating func take(_ step: Step) {
        let overlay = step.overlay
        for (key, object) in overlay.objects {
            if let old = objects[key] {
                link(old, adding: false)
                // Removed and made again in one step: what is still said of the old one is not about the new one.
                keysByUID[old.uid] = nil
            }
            if let object {
                objects[key] = object
                keysByUID[object.uid] = key
                link(object, adding: true)
            } else {
                objects[key] = nil
            }
        }
        for (uid, ledger) in overlay.ledgers {
            let isGone = keysByUID[uid] == nil && ledger.publishedSequence == ledger.lastSequence
            ledgers[uid] = isGone ? nil : ledger
            if ledger.stuck != nil { stuck.insert(uid) } else { stuck.remove(uid) }
        }
        for (name, consumer) in overlay.consumers { consumers[name] = consumer }
        for (name, cursor) in overlay.sinks { sinks[name] = cursor }
        journalEnd = overlay.journalEnd
        for answer in step.changes.answers { keptAnswers.keep(answer) }
        tombstones.formUnion(step.changes.tombstones)
        tombstones.subtract(step.changes.tombstonesCleared)
        if step.changes.endsRestore { isRestored = false }
        resourceVersion = overlay.resourceVersion
        position = overlay.position
        backlog = overlay.backlog
        usage = overlay.usage
        nextUser = overlay.nextUser
        if overlay.writesMeasurements { measurements.wrote(overlay.now) }
        if !overlay.measured.isEmpty { measurements.add(overlay.measured, overlay.now) }
    }

    mutating func rebuildIndexes() {
        keysByUID = [:]
        dependents = [:]
        origins = [:]
        access = AccessIndex()
        owned = [:]
        objectives = []
        usage = Usage()
        keptAnswers.settle()
        for object in objects.values {
            keysByUID[object.uid] = object.key
            link(object, adding: true)
            usage.add(Usage(object.agent))
            nextUser = max(nextUser, (object.agent?.ownUser).map(\.next) ?? 0)
        }
        stuck = Set(ledgers.filter { $0.value.stuck != nil }.keys)
    }

    mutating func link(_ object: StoredObject, adding: Bool) {
        if object.objective != nil {
            if adding { objectives.insert(object.key) } else { objectives.remove(object.key) }
        }
        if AccessIndex.kinds.contains(object.key.kind) {
            if adding { access.put(object.key, object.content) } else { access.remove(object.key) }
        }
        if let source = object.origin?.source {
            if adding {
                origins[source, default: []].insert(object.key)
            } else {
                origins[source]?.remove(object.key)
            }
        }
        for case let owner? in object.owners.map(\.uid) {
            if adding { owned[owner, default: []].insert(object.key) } else { owned[owner]?.remove(object.key) }
            if owned[owner]?.isEmpty == true { owned[owner] = nil }
        }
        for target in object.dependencies {
            if adding {
                dependents[target, default: []].insert(object.key)
            } else {
                dependents[target]?.remove(object.key)
            }
        }
    }
}

extension UInt32 {
    /// The next user id; the last one has none after it.
    package var next: UInt32 { self == .max ? self : self + 1 }
}
