import Manifests
public import Planner
import Values

/// The part of an Objective's object that the reconciler writes: how it stood when it was looked at last.
public struct ObjectiveState: Sendable, Equatable {
    public var observedGeneration: Int64 = 0
    public var reading = ObjectiveReading()
    /// When that was; 0: never.
    public var readAtMs: Int64 = 0
    public var conditions: [StatusSummary.TimedCondition] = []

    public init() {}

    /// What a reading means, in conditions.
    static func conditions(_ reading: ObjectiveReading, _ spec: ObjectiveSpec) -> [Condition] {
        let percent = ObjectiveSpec.percent
        let stand =
            reading.attained.map {
                "\(percent($0)) in \(ObjectiveSpec.time(spec.windowMs)), \(percent(spec.target)) is promised; "
                    + "\(percent(reading.budget(spec))) of the budget is left"
            } ?? "nothing was measured in \(ObjectiveSpec.time(spec.windowMs))"
        let met: Condition
        switch reading.phase {
        case .noData:
            let few = "\(reading.total) of \(spec.minimumEvents) events that it takes to say something"
            met = Condition(kind: .met, status: true, reason: .tooFewEvents, message: few)
        case .met, .burning: met = Condition(kind: .met, status: true, reason: .budgetLeft, message: stand)
        case .spent: met = Condition(kind: .met, status: false, reason: .budgetSpent, message: stand)
        }
        let fastest = reading.burns.first(where: \.isBurning)
        let burning = Condition(
            kind: .burning, status: fastest != nil && reading.phase != .noData,
            reason: fastest == nil ? .burnRateLow : .burnRateHigh,
            message: fastest.map(\.words) ?? "it lasts for the window at least")
        return [met, burning]
    }
}

extension Burn {
    /// How fast, and seen over which times.
    var words: String {
        func times(_ rate: Int) -> String { "\(rate / 1000).\(rate % 1000 / 100)" }
        return "the budget is used \(times(long)) times as fast as it lasts over \(ObjectiveSpec.time(longMs)), and "
            + "\(times(short)) times over \(ObjectiveSpec.time(shortMs)); from \(times(limit)) on it burns"
    }
}

/// What is known of looking at Objectives: when each is looked at next, and when its numbers were written last.
struct ObjectiveFacts: Sendable {
    private var dueBootMs: [ObjectKey: Int64] = [:]
    private var writtenBootMs: [ObjectKey: Int64] = [:]

    /// - Returns: whether that is sooner than it was to be looked at.
    mutating func note(_ key: ObjectKey, dueBootMs due: Int64) -> Bool {
        if let known = dueBootMs[key], known <= due { return false }
        dueBootMs[key] = due
        return true
    }

    mutating func looked(_ key: ObjectKey) { dueBootMs[key] = nil }
    mutating func wrote(_ key: ObjectKey, _ now: Moment) { writtenBootMs[key] = now.bootMs }

    /// From when on its numbers may be written again.
    func writableBootMs(_ key: ObjectKey) -> Int64 {
        writtenBootMs[key].map { $0.addingSaturated(Limits.objectiveWrittenMs) } ?? 0
    }

    mutating func forget(_ key: ObjectKey) {
        dueBootMs[key] = nil
        writtenBootMs[key] = nil
    }
}
