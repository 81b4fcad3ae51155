public import Manifests
public import Planner
import Values

/// Objectives: what the daemon has measured of itself is compared with what is promised.
struct ObjectiveController: KindController {
    static let traits = KindTraits(
        state: .objective,
        ownStatus: [
            "observedGeneration", "phase", "attained", "budgetRemaining", "goodEvents", "badEvents", "latency",
            "burnRates", "trend", "lastReadTime", "conditions",
        ])

    func accept(_ candidate: inout Candidate, in work: Work) throws(Refusal) {
        if candidate.object.objective == nil { candidate.object.objective = ObjectiveState() }
    }

    func declared(_ object: StoredObject, in work: inout Work) { work.queue.mark(object.key) }

    func plan(_ object: StoredObject, in work: inout Work) {
        if object.objective != nil, object.deletion == nil { work.planObjective(object) }
    }
}

extension Work {
    /// Looks at an Objective. What it says is written when it says something else, its numbers once a minute at most.
    mutating func planObjective(_ object: StoredObject) {
        let key = object.key
        guard var state = object.objective else { return }
        objectives.looked(key)
        let spec = ObjectiveSpec(object.content["spec"] ?? .emptyMap)
        let old = state
        state.reading = base.measurements.reading(spec, now)
        state.observedGeneration = object.generation
        state.conditions = old.conditions.updated(
            ObjectiveState.conditions(state.reading, spec), generation: object.generation, now)
        let isNews = state.reading.phase != old.reading.phase || state.said != old.said
        let writableMs = objectives.writableBootMs(key)
        if isNews || (state != old && writableMs <= now.bootMs) {
            state.readAtMs = now.wallMs
            var changed = object
            changed.objective = state
            draft.put(changed, .status(Event.objective(spec, from: old.reading.phase, to: state.reading)))
            objectives.wrote(key, now)
        }
        // While there is something in the window, it changes by sliding alone.
        if state.reading.trend.contains(where: { $0 != nil }) {
            wakeObjective(key, atBootMs: max(now.bootMs.addingSaturated(Limits.objectiveWrittenMs), writableMs))
        }
    }

    private mutating func wakeObjective(_ key: ObjectKey, atBootMs: Int64) {
        if objectives.note(key, dueBootMs: atBootMs) { queue.wake(key, atMs: atBootMs) }
    }

    // MARK: Measuring

    /// Looks soon at the Objectives that ask for what this step has measured.
    mutating func wakeObjectives() {
        for key in base.objectives.sorted() {
            guard let object = draft[key], object.deletion == nil else { continue }
            let spec = ObjectiveSpec(object.content["spec"] ?? .emptyMap)
            guard draft.overlay.measured[spec.indicator.measured] != nil else { continue }
            wakeObjective(key, atBootMs: now.bootMs.addingSaturated(Limits.objectiveReadMs))
        }
    }

    /// Writes what was measured before: with other changes from time to time, alone when there are none for longer.
    mutating func writeMeasurements() {
        guard let ageMs = base.measurements.unwrittenMs(now) else { return }
        let afterMs = draft.changes.isEmpty ? Limits.measurementsAloneMs : Limits.measurementsWithOthersMs
        if ageMs >= afterMs { draft.writeMeasurements() }
    }

    mutating func measureStarts(_ old: [Replica], _ new: [Replica]) {
        let after = Dictionary(new.map { ($0.ordinal, $0) }, uniquingKeysWith: { first, _ in first })
        for replica in old {
            guard let counts = after[replica.ordinal].flatMap({ Counts.start(from: replica, to: $0, now) }) else {
                continue
            }
            draft.measure(.starts, counts)
        }
    }

    /// An event was taken by the journal or by a named sink, so long after its commit.
    mutating func measureDelivery(position: Int64, atMs: Int64) {
        var counts = Counts(good: 1)
        if position > delivery.unknownUpTo { counts.latencies.add(ms: now.wallMs.subtractingSaturated(atMs)) }
        draft.measure(.deliveries, counts)
    }
}

extension ObjectiveState {
    /// What the conditions say, but for numbers.
    fileprivate var said: [String] {
        ["\(observedGeneration)"]
            + conditions.map { "\($0.condition.kind) \($0.condition.status) \($0.condition.reason)" }
    }
}

extension Event {
    /// What is told when an Objective stands otherwise.
    static func objective(
        _ spec: ObjectiveSpec, from old: ObjectivePhase, to reading: ObjectiveReading
    ) -> [Event] {
        if old == reading.phase { return [] }
        let report = ObjectiveReport(spec: spec, reading: reading)
        switch reading.phase {
        case .spent: return [.objectiveSpent(report)]
        case .burning: return [.objectiveBurning(report)]
        case .met, .noData: return old == .spent || old == .burning ? [.objectiveRecovered(report)] : []
        }
    }

    /// How an Objective stands, as events tell it.
    public struct ObjectiveReport: Sendable, Equatable {
        public var spec: ObjectiveSpec
        public var reading: ObjectiveReading
    }
}
