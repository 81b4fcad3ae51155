import Manifests
import Planner
import Reconciler
import Values

/// Random numbers from a seed (SplitMix64): the same on every machine.
public struct SeededRandom: RandomNumberGenerator {
    private var state: UInt64

    public init(seed: UInt64) {
        state = 0
        var mixer = seed &* 0xd134_2543_de82_ef95 &+ 0x2545_f491_4f6c_dd1d
        mixer ^= mixer >> 29
        state = mixer &* 0xbf58_476d_1ce4_e5b9 ^ (mixer >> 32)
    }

    public mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }

    mutating func chance(_ percent: Int) -> Bool { Int(next() % 100) < percent }
    mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(max(1, bound))) }
}

/// A store that keeps exactly what was committed, in the same parts as the database.
struct SimulatedStore {
    struct Row {
        var event: EventRecord
        var isDone = false
        var stuck: Ledger.Stuck?
    }

    private var objects: [UID: StoredObject] = [:]
    private var replicas: [UID: [Int: Replica]] = [:]
    private(set) var outbox: [Int64: Row] = [:]
    private(set) var lastSequence: [UID: Int64] = [:]
    private var published: [UID: Int64] = [:]
    private var tombstones: Set<UID> = []
    private var resourceVersion: Int64 = 0
    private var position: Int64 = 0
    private(set) var auditedPositions: Set<Int64> = []
    /// Highest attempt ever committed, also of removed objects.
    private(set) var committedAttempts: [RunKey: Int] = [:]

    struct RunKey: Hashable {
        var uid: UID
        var ordinal: Int
    }

    mutating func remove(_ position: Int64) { outbox[position] = nil }

    mutating func commit(_ changes: ChangeSet) {
        for removed in changes.removed {
            objects[removed.uid] = nil
            replicas[removed.uid] = nil
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
                objects[write.object.uid] = write.object
            }
        }
        for write in changes.replicas {
            replicas[write.uid, default: [:]][write.replica.ordinal] = write.replica
            let key = RunKey(uid: write.uid, ordinal: write.replica.ordinal)
            committedAttempts[key] = max(committedAttempts[key] ?? 0, write.replica.attempt)
        }
        for event in changes.events {
            outbox[event.position] = Row(event: event)
            lastSequence[event.uid] = event.sequence
        }
        for record in changes.audit { if let position = record.position { auditedPositions.insert(position) } }
        for write in changes.deliveries { apply(write) }
        tombstones.formUnion(changes.tombstones)
        tombstones.subtract(changes.tombstonesCleared)
        resourceVersion = changes.resourceVersion
        position = changes.position
    }

    private mutating func apply(_ write: DeliveryWrite) {
        switch write {
        case .published(let position, _), .skipped(let position):
            guard let row = outbox[position] else { return }
            outbox[position]?.isDone = true
            outbox[position]?.stuck = nil
            published[row.event.uid] = row.event.sequence
        case .retrying(let position, let attempts, let at, _):
            outbox[position]?.stuck = Ledger.Stuck(
                position: position, attempts: attempts, isDeadLetter: false, retryAt: at)
        case .deadLettered(let position, let attempts, _):
            let never = Deadline(boot: 0, bootMs: 0, wallMs: 0, lengthMs: 0)
            outbox[position]?.stuck = Ledger.Stuck(
                position: position, attempts: attempts, isDeadLetter: true, retryAt: never)
        case .replayed(let position): outbox[position]?.stuck = nil
        case .acknowledged: break
        }
    }

    func load() -> EngineState {
        var state = EngineState()
        for var object in objects.values {
            object.agent?.replicas = (replicas[object.uid] ?? [:]).values.sorted { $0.ordinal < $1.ordinal }
            state.objects[object.key] = object
        }
        for (uid, last) in lastSequence {
            var ledger = Ledger()
            ledger.lastSequence = last
            ledger.publishedSequence = published[uid] ?? 0
            state.ledgers[uid] = ledger
        }
        for row in outbox.values { if let stuck = row.stuck { state.ledgers[row.event.uid]?.stuck = stuck } }
        state.tombstones = tombstones
        state.resourceVersion = resourceVersion
        state.position = position
        state.backlog = outbox.values.count { !$0.isDone }
        return state
    }

    func unpublished(limit: Int, excluding: Set<UID>) -> [EventRecord] {
        outbox.values.filter { !$0.isDone && !excluding.contains($0.event.uid) }.map(\.event).sorted {
            $0.position < $1.position
        }.prefix(limit).map(\.self)
    }
}
