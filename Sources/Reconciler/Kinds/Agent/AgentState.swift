import Manifests
public import Planner
public import Values

/// The part of an agent's object that the reconciler writes.
public struct AgentState: Sendable, Equatable {
    /// What runs are started with: the declared spec; while that is paused, with the template of the current revision.
    public var effective: EffectiveSpec
    public var revision: Int = 1
    public var observedGeneration: Int64 = 0
    public var replicas: [Replica] = []
    public var summary: StatusSummary = StatusSummary()
    public var progressBy: Deadline
    /// The user id that a root daemon gave to this agent.
    public var ownUser: UInt32?
    /// Of the request that has changed the spec last: what follows from it is part of it. Nil: nobody has asked.
    public var trace: String?

    public init(effective: EffectiveSpec, progressBy: Deadline) {
        self.effective = effective
        self.progressBy = progressBy
    }
}

/// What is kept of a summary, with the times at which conditions flipped.
public struct StatusSummary: Sendable, Equatable {
    public var phase = AgentPhase.created
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

    /// The condition of a kind, once it was decided.
    public func condition(_ kind: Condition.Kind) -> Condition? {
        conditions.first { $0.condition.kind == kind }?.condition
    }

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
        result.conditions = conditions.updated(new.conditions, generation: generation, now)
        return result
    }
}

extension [StatusSummary.TimedCondition] {
    /// The new conditions; one keeps its time unless its status flipped.
    func updated(_ new: [Condition], generation: Int64, _ now: Moment) -> Self {
        new.map { condition in
            let old = first { $0.condition.kind == condition.kind }
            let flipped = old?.condition.status != condition.status
            return StatusSummary.TimedCondition(
                condition: condition, observedGeneration: generation,
                lastTransitionMs: flipped ? now.wallMs : old?.lastTransitionMs ?? now.wallMs)
        }
    }
}

extension [Replica] {
    /// Lets runs with an equal spec point to the agent's own copy.
    public mutating func shareSpec(_ effective: EffectiveSpec) {
        for index in indices {
            guard var run = self[index].phase.run, run.effective == effective else { continue }
            run.effective = effective
            self[index].phase = self[index].phase.replacing(run)
        }
    }
}
