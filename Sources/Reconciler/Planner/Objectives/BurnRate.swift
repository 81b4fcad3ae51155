public import Manifests
import Values

/// A rule of multi-window, multi-burn-rate alerting: the budget burns when it is used up so many times faster than it lasts
/// over a long window, and still is over a short one (Google, The Site Reliability Workbook, chapter 5).
public struct BurnRule: Sendable, Equatable {
    public let longMs: Int64
    public let shortMs: Int64
    /// In thousandths: 1000 uses the budget up in exactly the Objective's window.
    public let rate: Int

    /// The workbook's table, the fastest first.
    public static let table = [
        BurnRule(longMs: hour, shortMs: hour / 12, rate: 14_400),
        BurnRule(longMs: 6 * hour, shortMs: hour / 2, rate: 6000),
        BurnRule(longMs: 24 * hour, shortMs: 2 * hour, rate: 3000),
        BurnRule(longMs: 72 * hour, shortMs: 6 * hour, rate: 1000),
    ]
    private static let hour = ObjectiveSpec.hourMs

    /// Those whose long window is shorter than the Objective's, or the fastest where none is: what is seen over a longer time
    /// is the Objective itself.
    public static func rules(_ spec: ObjectiveSpec) -> ArraySlice<BurnRule> {
        let shorter = table.prefix { $0.longMs < spec.windowMs }
        return shorter.isEmpty ? table.prefix(1) : shorter
    }
}

/// How fast a budget is used up, over the two windows of a rule.
public struct Burn: Sendable, Equatable {
    public var longMs: Int64
    public var shortMs: Int64
    /// From which on it burns; in thousandths, as the next two.
    public var limit: Int
    public var long: Int
    public var short: Int

    public init(longMs: Int64, shortMs: Int64, limit: Int, long: Int, short: Int) {
        self.longMs = longMs
        self.shortMs = shortMs
        self.limit = limit
        self.long = long
        self.short = short
    }

    public var isBurning: Bool { long >= limit && short >= limit }
}
