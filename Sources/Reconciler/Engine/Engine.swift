import Manifests
import Planner
public import Values

/// The one owner of all control state.
///
/// `step` takes inputs and yields a change set; the caller commits it and then says `committed` or `failed`.
/// Guarantee: nothing of a step can be seen before `committed`. Assumes: one step at a time.
public struct Engine: Sendable {
    public private(set) var state: EngineState
    public let settings: EngineSettings
    var facts = Facts()
    var queue: WorkQueue
    var sources = SourceFacts()
    var delivery = DeliveryFacts()
    var objectives = ObjectiveFacts()
    /// The boot that all deadlines in `state` speak of.
    private var anchoredBoot: UInt64?

    public init(state: EngineState, settings: EngineSettings) {
        self.state = state
        self.settings = settings
        self.state.rebuildIndexes()
        // No start passes a sink by that is only told of later.
        delivery.use(settings.sinks)
        if let users = settings.users {
            let given = state.objects.values.compactMap { $0.agent?.ownUser }.filter(users.contains)
            self.state.nextUser = given.max().map(\.next) ?? users.lowerBound
        }
        queue = WorkQueue(
            Set(
                state.objects.values.filter {
                    $0.agent != nil || $0.source != nil || $0.objective != nil || $0.deletion != nil
                        || !$0.owners.isEmpty
                }.map(\.key)))
    }

    /// Nothing is left to do before new inputs or `nextWakeBootMs`.
    public var isIdle: Bool { queue.isEmpty }

    /// Boot time at which something is due.
    public mutating func nextWakeBootMs() -> Int64? {
        let writtenMs = state.measurements.writeDueBootMs(afterMs: Limits.measurementsAloneMs)
        return [queue.nextDueMs(), delivery.retryAt?.bootMs, writtenMs].compactMap(\.self).min()
    }

    // MARK: Step

    /// Decides what follows from the inputs and from everything that is due.
    public mutating func step(_ inputs: [Input], _ now: Moment) -> Step {
        if anchoredBoot != now.boot {
            anchoredBoot = now.boot
            state.anchor(now)
        }
        state.keptAnswers.expire(now.wallMs)
        var work = Work(Draft(over: state, settings, now))
        work.swapMemory(with: &self)
        defer { work.swapMemory(with: &self) }
        return work.run(inputs)
    }

    /// What a step with these inputs would lead to; nothing comes of it.
    public func rehearse(_ inputs: [Input], _ now: Moment) -> Step {
        var copy = self
        return copy.step(inputs, now)
    }

    // MARK: Outcome of the commit

    /// The change set is durable: the readable state takes it. The step's effects may be performed now.
    public mutating func committed(_ step: Step) {
        state.take(step)
        for write in step.changes.objects where !write.statusOnly { sources.noteWritten(write.object) }
        sources.noteSynced(step.taken)
        for operation in step.operations { facts.begun(operation) }
        facts.forgetAhead { !state.isBehind($0) }
        for key in step.overlay.objects.keys {
            if let object = state.objects[key], let agent = object.agent { facts.keep(agent, of: object.uid) }
        }
        for removed in step.changes.removed {
            facts.forget(removed.uid)
            delivery.gated[removed.key] = nil
            objectives.forget(removed.key)
            sources.forget(removed.uid)
        }
    }

    /// The change set was not stored: it is dropped, and all that the step had taken up is looked at again.
    ///
    /// - Returns: inputs to hand in again, later; the step's requests are to be answered with `Refusal.unavailable`.
    public mutating func failed(_ step: Step) -> [Input] {
        queue.giveBack(step.taken)
        sources.giveBack(step.taken)
        return step.inputs.filter { if case .request = $0 { false } else { true } }
    }
}
