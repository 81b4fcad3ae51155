import Manifests
import Planner
import Values

/// What is known of the journal and of the named sinks.
struct DeliveryFacts: Sendable {
    /// The configured sinks, in the order of their names.
    private(set) var rules: [SinkRule] = []
    private(set) var sinks: [String: SinkFacts] = [:]
    /// Agents with starts that wait for sinks, and the least offset of the journal that one of them waits for.
    var gated: [ObjectKey: Int64] = [:]
    /// Publishing stopped until then because the journal was unreachable.
    private(set) var retryAt: Deadline?
    private(set) var problem: String?
    private var failures = 0
    /// By how much the clock of the wall is ahead of the machine's own.
    private var wallAheadMs: Int64?
    /// How long the delivery of events takes is not known up to this position: they were made before the clock was set.
    private(set) var unknownUpTo: Int64 = 0

    mutating func noteClock(_ now: Moment, lastPosition: Int64) {
        let aheadMs = now.wallMs.subtractingSaturated(now.bootMs)
        let known = wallAheadMs ?? aheadMs
        if aheadMs.subtractingSaturated(known).magnitude > 1000 { unknownUpTo = lastPosition }
        wallAheadMs = aheadMs
    }

    mutating func noteReachable() {
        failures = 0
        problem = nil
    }

    mutating func noteUnreachable(_ why: String, _ now: Moment) {
        failures += 1
        problem = why
        retryAt = Deadline(now, afterMs: Self.backoffMs(failures))
    }

    mutating func forgetRetry(_ now: Moment) {
        if let retryAt, retryAt.isDue(now) { self.retryAt = nil }
    }

    func mayTry(_ now: Moment) -> Bool { retryAt?.isDue(now) ?? true }

    // MARK: Named sinks

    mutating func use(_ rules: [SinkRule]) {
        self.rules = rules.sorted { $0.name < $1.name }
        sinks = Dictionary(
            rules.map { ($0.name, sinks[$0.name] ?? SinkFacts()) }, uniquingKeysWith: { first, _ in first })
    }

    func rule(_ name: String) -> SinkRule? { rules.first { $0.name == name } }

    var hasRequired: Bool { rules.contains(where: \.isRequired) }

    mutating func note(_ report: SinkReport, _ now: Moment) { sinks[report.request.sink]?.note(report, now) }

    mutating func forgetPause(of sink: String) { sinks[sink]?.forgetPause() }

    /// The pause after so many failures in a row.
    static func backoffMs(_ failures: Int) -> Int64 {
        min(Int64(Limits.publishBackoffMsMax), Int64(100) << Int64(min(failures, 12)))
    }
}
