import Manifests
public import Planner
public import Values

/// One declared resource with its control state, as committed.
public struct StoredObject: Sendable, Equatable {
    public var key: ObjectKey
    public var uid: UID
    public var generation: Int64 = 1
    public var resourceVersion: Int64 = 0
    public var createdAtMs: Int64
    /// What people declare: `metadata` (labels, annotations, finalizers) and the rest of the kind's own fields,
    /// with defaults. For a Secret, `data` is here in memory and in the table `secrets` on disk.
    public var content: Node
    public var managers: [FieldManager] = []
    public var deletion: Deletion?
    /// Set for agents only.
    public var agent: AgentState?
    /// Set for Sources only.
    public var source: SourceState?
    /// The Source that declares it; nil: applied by others.
    public var origin: Origin?

    public struct Deletion: Sendable, Equatable {
        public var atMs: Int64
        public var graceMs: Int64?

        public init(atMs: Int64, graceMs: Int64?) {
            self.atMs = atMs
            self.graceMs = graceMs
        }
    }

    public init(key: ObjectKey, uid: UID, createdAtMs: Int64, content: Node) {
        self.key = key
        self.uid = uid
        self.createdAtMs = createdAtMs
        self.content = content
    }

    public var labels: [String: String] { content[path: "metadata", "labels"]?.stringMap ?? [:] }
    /// The agents that this one depends on.
    var dependencies: [ObjectKey] {
        agent?.effective.spec.dependsOn.map { ObjectKey(.agent, namespace: key.namespace, name: $0.name) } ?? []
    }
    public var finalizers: [String] { content[path: "metadata", "finalizers"]?.list?.compactMap(\.string) ?? [] }
}

/// The part of an agent's object that the reconciler writes.
public struct AgentState: Sendable, Equatable {
    public var effective: EffectiveSpec
    public var revision: Int = 1
    public var observedGeneration: Int64 = 0
    public var replicas: [Replica] = []
    public var summary: StatusSummary = StatusSummary()
    public var progressBy: Deadline
    /// The user id that a root daemon gave to this agent.
    public var ownUser: UInt32?

    public init(effective: EffectiveSpec, progressBy: Deadline) {
        self.effective = effective
        self.progressBy = progressBy
    }
}

/// What is kept of a summary, with the times at which conditions flipped.
public struct StatusSummary: Sendable, Equatable {
    public var phase = "Created"
    public var readyReplicas = 0
    public var updatedReplicas = 0
    public var isStarted = false
    public var isReady = false
    public var isCompleted = false
    public var hasLive = false
    public var conditions: [TimedCondition] = []

    public struct TimedCondition: Sendable, Equatable {
        public var condition: Condition
        public var observedGeneration: Int64
        public var lastTransitionMs: Int64

        public init(condition: Condition, observedGeneration: Int64, lastTransitionMs: Int64) {
            self.condition = condition
            self.observedGeneration = observedGeneration
            self.lastTransitionMs = lastTransitionMs
        }
    }

    public init() {}

    /// The new summary; a condition keeps its time unless its status flipped.
    func updated(_ new: Summary, generation: Int64, _ now: Moment) -> StatusSummary {
        var result = StatusSummary()
        result.phase = new.phase
        result.readyReplicas = new.readyReplicas
        result.updatedReplicas = new.updatedReplicas
        result.isStarted = new.isStarted
        result.isReady = new.isReady
        result.isCompleted = new.isCompleted
        result.hasLive = new.hasLive
        result.conditions = new.conditions.map { condition in
            let old = conditions.first { $0.condition.kind == condition.kind }
            let flipped = old?.condition.status != condition.status
            return TimedCondition(
                condition: condition, observedGeneration: generation,
                lastTransitionMs: flipped ? now.wallMs : old?.lastTransitionMs ?? now.wallMs)
        }
        return result
    }
}

/// Event numbers of one object.
public struct Ledger: Sendable, Equatable {
    /// The last sequence that was given out; gapless from 1.
    public var lastSequence: Int64 = 0
    /// All events up to here are published or skipped.
    public var publishedSequence: Int64 = 0
    /// Published events that a registered consumer has not acknowledged, oldest first.
    public private(set) var unacknowledged: [Waiting] = []
    /// The record that delivery of this object is stuck at.
    public var stuck: Stuck?

    public struct Stuck: Sendable, Equatable {
        public var position: Int64
        public var attempts: Int
        public var isDeadLetter: Bool
        public var retryAt: Deadline

        public init(position: Int64, attempts: Int, isDeadLetter: Bool, retryAt: Deadline) {
            self.position = position
            self.attempts = attempts
            self.isDeadLetter = isDeadLetter
            self.retryAt = retryAt
        }
    }

    /// An event and the position whose acknowledgement covers it.
    public struct Waiting: Sendable, Equatable {
        public var position: Int64
        public var sequence: Int64
    }

    public init() {}

    /// All events up to here were acknowledged by every registered consumer; without one, published is enough.
    public var acknowledgedSequence: Int64 { unacknowledged.first.map { $0.sequence - 1 } ?? publishedSequence }

    /// Remembers an event for the registered consumers.
    public mutating func awaitAcknowledgement(position: Int64, sequence: Int64) {
        unacknowledged.append(Waiting(position: position, sequence: sequence))
        if unacknowledged.count > Limits.unacknowledgedMax {
            // The two oldest become one that waits for the later of them.
            unacknowledged[1].sequence = unacknowledged.removeFirst().sequence
        }
    }

    mutating func acknowledge(upTo position: Int64) { unacknowledged.removeAll { $0.position <= position } }
}

extension [Replica] {
    /// Lets runs with an equal spec point to the agent's own copy.
    public mutating func shareSpec(_ effective: EffectiveSpec) {
        for index in indices {
            guard var run = self[index].phase.run, run.effective == effective else { continue }
            run.effective = effective
            switch self[index].phase {
            case .starting(_, let seen): self[index].phase = .starting(run, seen: seen)
            case .ready: self[index].phase = .ready(run)
            case .failed(_, let removed): self[index].phase = .failed(run, removed: removed)
            case .stopping(_, let reason, let killAt): self[index].phase = .stopping(run, reason, killAt: killAt)
            case .completed(_, let removed): self[index].phase = .completed(run, removed: removed)
            case .created, .scheduled, .backingOff, .stopped: break
            }
        }
    }
}
