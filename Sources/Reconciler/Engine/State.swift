public import Manifests
public import Planner
public import Values

/// What is committed: the readable state.
public struct EngineState: Sendable {
    public var objects: [ObjectKey: StoredObject] = [:]
    public var ledgers: [UID: Ledger] = [:]
    public var consumers: [String: Consumer] = [:]
    /// Deleted objects whose homes still wait for removal.
    public var tombstones: Set<UID> = []
    public var resourceVersion: Int64 = 0
    /// Position of the last event.
    public var position: Int64 = 0
    /// Events that are not published yet.
    public var backlog = 0
    public internal(set) var usage = Usage()
    public internal(set) var keysByUID: [UID: ObjectKey] = [:]
    /// Agents by the agent they depend on.
    public internal(set) var dependents: [ObjectKey: Set<ObjectKey>] = [:]
    /// What each Source owns.
    public internal(set) var origins: [UID: Set<ObjectKey>] = [:]
    /// Objects whose delivery is stuck at a record.
    var stuck: Set<UID> = []
    var nextUser: UInt32 = 0

    public init() {}

    /// Deadlines that were stored in another boot count from now on what was left of them.
    mutating func anchor(_ now: Moment) {
        for (key, object) in objects {
            if let source = object.source { objects[key]?.source?.readyBy = source.readyBy.anchored(now) }
            guard var agent = object.agent else { continue }
            agent.progressBy = agent.progressBy.anchored(now)
            for index in agent.replicas.indices {
                agent.replicas[index].phase = agent.replicas[index].phase.anchored(now)
            }
            objects[key]?.agent = agent
        }
        for uid in stuck {
            if let retryAt = ledgers[uid]?.stuck?.retryAt { ledgers[uid]?.stuck?.retryAt = retryAt.anchored(now) }
        }
    }

    /// Objects of a kind, in the order of their names.
    public func list(_ kind: Kind, namespace: String?) -> [StoredObject] {
        objects.values.filter { $0.key.kind == kind && (namespace == nil || $0.key.namespace == namespace) }
            .sorted { $0.key < $1.key }
    }

    mutating func rebuildIndexes() {
        keysByUID = [:]
        dependents = [:]
        origins = [:]
        usage = Usage()
        for object in objects.values {
            keysByUID[object.uid] = object.key
            link(object, adding: true)
            usage.add(Usage(object.agent))
            nextUser = max(nextUser, (object.agent?.ownUser).map { $0 + 1 } ?? 0)
        }
        stuck = Set(ledgers.filter { $0.value.stuck != nil }.keys)
    }

    mutating func link(_ object: StoredObject, adding: Bool) {
        if let source = object.origin?.source {
            if adding {
                origins[source, default: []].insert(object.key)
            } else {
                origins[source]?.remove(object.key)
            }
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

/// What live runs take of the machine.
public struct Usage: Sendable, Equatable {
    public var starting = 0
    public var cpuMilli: Int64 = 0
    public var memoryBytes: Int64 = 0

    init() {}

    init(_ agent: AgentState?) {
        for replica in agent?.replicas ?? [] where replica.phase.isLive {
            guard let run = replica.phase.run else { continue }
            if case .starting(_, seen: false) = replica.phase { starting += 1 }
            cpuMilli += run.spec.resources.requestCpuMilli
            memoryBytes += run.spec.resources.requestMemoryBytes
        }
    }

    mutating func add(_ other: Usage) {
        starting += other.starting
        cpuMilli += other.cpuMilli
        memoryBytes += other.memoryBytes
    }

    mutating func subtract(_ other: Usage) {
        starting -= other.starting
        cpuMilli -= other.cpuMilli
        memoryBytes -= other.memoryBytes
    }
}

/// What one step changes, over the committed state; nobody else sees it before the commit.
struct Draft: Sendable {
    /// Nil: removed.
    var objects: [ObjectKey: StoredObject?] = [:]
    var ledgers: [UID: Ledger] = [:]
    var consumers: [String: Consumer?] = [:]
    /// Agents that this step wrote, by the agent they depend on.
    var dependents: [ObjectKey: Set<ObjectKey>] = [:]
    var resourceVersion: Int64 = 0
    var position: Int64 = 0
    var backlog = 0
    var usage = Usage()
    var nextUser: UInt32 = 0

    init() {}

    init(over state: EngineState) {
        resourceVersion = state.resourceVersion
        position = state.position
        backlog = state.backlog
        usage = state.usage
        nextUser = state.nextUser
    }
}

/// The machine's and the operator's settings that decisions depend on.
public struct EngineSettings: Sendable {
    public var allocatableCpuMilli: Int64
    public var allocatableMemoryBytes: Int64
    /// The first of the user ids that agents without `runAsUser` get; nil when the daemon is not root.
    public var firstUser: UInt32?
    public var startsInFlight: Int
    /// Whether a Source may write to a namespace.
    public var maySourceWrite: @Sendable (_ source: ObjectKey, _ namespace: String) -> Bool
    /// Reasons why a driver of this machine cannot honour a spec; empty when it can.
    public var refusals: @Sendable (AgentSpec) -> [Failure.Cause]

    public init(
        allocatableCpuMilli: Int64 = .max, allocatableMemoryBytes: Int64 = .max, firstUser: UInt32? = nil,
        startsInFlight: Int = Limits.startsInFlight,
        maySourceWrite: @escaping @Sendable (_ source: ObjectKey, _ namespace: String) -> Bool = { $0.namespace == $1 },
        refusals: @escaping @Sendable (AgentSpec) -> [Failure.Cause] = { _ in [] }
    ) {
        self.allocatableCpuMilli = allocatableCpuMilli
        self.allocatableMemoryBytes = allocatableMemoryBytes
        self.firstUser = firstUser
        self.startsInFlight = startsInFlight
        self.maySourceWrite = maySourceWrite
        self.refusals = refusals
    }
}
