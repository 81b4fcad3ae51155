import CLinux
public import Planner
import Reconciler

/// How long things have taken since the start of the daemon.
public struct Measures: Sendable {
    /// What operations are told apart by.
    public struct OperationKind: Hashable, Sendable {
        public let driver: String
        public let kind: Operation.Kind
        public let failed: Bool
    }

    /// From a step to its durable transaction.
    public internal(set) var commits = Histogram(.short)
    public internal(set) var operations: [OperationKind: Histogram] = [:]
    /// From the writing of an event to its confirmation, by sink.
    public internal(set) var deliveries: [String: Histogram] = [:]
    /// Calls of sinks, whatever came of them.
    public internal(set) var sinkCalls: [String: Histogram] = [:]
    public internal(set) var starts = StartStages()

    mutating func note(_ operation: Operation, _ result: OperationResult, _ beganNs: Int64) {
        let kind = OperationKind(driver: operation.driver, kind: operation.kind, failed: result != .done)
        operations[kind, default: Histogram(.long)].observe(agentos_monotonic_ns() - beganNs)
        if operation.kind == .start, result == .done { starts.created(operation.run) }
    }

    mutating func take(_ call: SinkCall) {
        sinkCalls[call.sink, default: Histogram(.long)].observe(call.ns) { call.trace }
        deliveries[call.sink, default: Histogram(.long)].add(call.ages)
    }
}

/// One call of a sink: how long it took, and how old the events were that it has confirmed.
struct SinkCall: Sendable {
    let sink: String
    private(set) var ages = Histogram(.long)
    private(set) var trace: String?
    private var endedNs: Int64?
    private let beganNs = agentos_monotonic_ns()

    init(_ sink: String) { self.sink = sink }

    /// Until it has ended it is as long as it is now.
    var ns: Int64 { (endedNs ?? agentos_monotonic_ns()) - beganNs }

    var line: LogLine {
        LogLine(
            .sinks, .debug, "sink was called",
            [("sink", sink), ("confirmed", String(ages.count)), ("us", String(ns / 1000))], trace: trace)
    }

    mutating func end(_ events: [EventRecord], _ verdicts: [DeliveryVerdict], _ spans: SpanPort?) {
        endedNs = agentos_monotonic_ns()
        let now = agentos_wall_ms()
        trace = events.last?.traceID
        let confirmed = Set(verdicts.filter { $0.outcome == .confirmed }.map(\.position))
        for event in events where confirmed.contains(event.position) {
            // A clock that was set back makes no event come from the future.
            ages.observe(min(max(0, now - event.atMs), Self.ageMsMax) * 1_000_000) { event.traceID }
            spans?.tellDelivery(event, to: sink)
        }
    }

    /// A year: what is older is counted as that old.
    private static let ageMsMax: Int64 = 366 * 86_400_000
}
