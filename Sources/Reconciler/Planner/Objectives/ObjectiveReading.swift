public import Manifests
import Values

/// What has been measured, by what it tells.
public enum Measured: String, Sendable, CaseIterable {
    case starts, requests, deliveries
}

extension ObjectiveSpec.Indicator {
    public var measured: Measured {
        switch self {
        case .startSuccess, .startLatency: .starts
        case .requestSuccess: .requests
        case .deliverySuccess, .acknowledgementLatency: .deliveries
        }
    }
}

/// Where an Objective stands.
public enum ObjectivePhase: String, Sendable, CaseIterable {
    /// Less was measured than it takes to say something.
    case noData = "NoData"
    case met = "Met"
    /// There is budget left, and it is used up too fast.
    case burning = "Burning"
    /// More went wrong in the window than may.
    case spent = "Spent"
}

/// How an Objective stands at one moment: a function of its spec and of what was counted.
public struct ObjectiveReading: Sendable, Equatable {
    public var phase = ObjectivePhase.noData
    public var good = 0
    public var bad = 0
    /// Of a latency: what the promised share took at most, rounded up to two digits; nil: nothing was measured.
    public var latencyMs: Int64?
    public var burns: [Burn] = []
    /// The share that was good in each part of the window, the oldest first, in thousandths of a percent; nil: nothing was
    /// measured then.
    public var trend: [Int?] = []

    /// Parts of the window in `trend`.
    public static let parts = 24

    public init() {}

    public init(_ spec: ObjectiveSpec, _ window: SlidingWindow, atMs: Int64) {
        let counts = window.counts(windowMs: spec.windowMs, atMs: atMs)
        let split = Split(counts, spec)
        (good, bad) = (split.good, split.bad)
        if spec.indicator.isLatency {
            latencyMs = counts.latencies.quantileMs(Double(spec.target) / Double(ObjectiveSpec.whole))
        }
        func rate(_ windowMs: Int64) -> Int {
            Split(window.counts(windowMs: windowMs, atMs: atMs), spec).burnRate(spec)
        }
        burns = BurnRule.rules(spec).map { rule in
            Burn(
                longMs: rule.longMs, shortMs: rule.shortMs, limit: rule.rate, long: rate(rule.longMs),
                short: rate(rule.shortMs))
        }
        trend = window.parts(Self.parts, windowMs: spec.windowMs, atMs: atMs).map { Split($0, spec).attained }
        phase = phase(spec)
    }

    private func phase(_ spec: ObjectiveSpec) -> ObjectivePhase {
        if total < spec.minimumEvents { return .noData }
        if Split(good: good, bad: bad).isSpent(spec) { return .spent }
        return burns.contains(where: \.isBurning) ? .burning : .met
    }

    public var total: Int { good.addingSaturated(bad) }

    /// The share that was good, in thousandths of a percent, rounded down; nil: nothing was measured.
    public var attained: Int? { Split(good: good, bad: bad).attained }

    /// What is left of the budget, in thousandths of a percent of it; less than nothing when more went wrong than may.
    /// All of it while nothing was measured.
    public func budget(_ spec: ObjectiveSpec) -> Int { Split(good: good, bad: bad).budget(spec) }
}

/// Good and bad events.
private struct Split {
    var good: Int
    var bad: Int

    init(good: Int, bad: Int) {
        self.good = good
        self.bad = bad
    }

    init(_ counts: Counts, _ spec: ObjectiveSpec) {
        if spec.indicator.isLatency {
            good = counts.latencies.count(withinMs: spec.thresholdMs)
            bad = counts.latencies.count.subtractingSaturated(good)
        } else {
            (good, bad) = (counts.good, counts.bad)
        }
    }

    private var total: Double { Double(good) + Double(bad) }

    var attained: Int? {
        guard total > 0 else { return nil }
        return thousandths(Double(good) / total * Double(ObjectiveSpec.whole))
    }

    /// How many times more goes wrong than may.
    private func use(_ spec: ObjectiveSpec) -> Double {
        guard total > 0 else { return 0 }
        return Double(bad) * Double(ObjectiveSpec.whole) / (total * Double(ObjectiveSpec.whole - spec.target))
    }

    func isSpent(_ spec: ObjectiveSpec) -> Bool {
        Double(bad) * Double(ObjectiveSpec.whole) > total * Double(ObjectiveSpec.whole - spec.target)
    }

    func budget(_ spec: ObjectiveSpec) -> Int {
        thousandths((1 - use(spec)) * Double(ObjectiveSpec.whole))
    }

    func burnRate(_ spec: ObjectiveSpec) -> Int { thousandths(use(spec) * 1000) }

    /// Rounded down, but for what the representation of fractions loses.
    private func thousandths(_ number: Double) -> Int {
        Int(WholeNumber.nearest((number + 1e-6).rounded(.down), in: -1_000_000_000_000...1_000_000_000_000))
    }
}
