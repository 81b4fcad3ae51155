public import Values

/// The decoded `spec` of an Objective; what it does not say has its default already.
public struct ObjectiveSpec: Sendable, Equatable {
    /// What is measured. All of it is measured always, whether an Objective asks for it or not.
    public enum Indicator: String, Sendable, CaseIterable {
        /// The share of starts of replicas that came to Ready, or did their work to its end.
        case startSuccess = "StartSuccess"
        /// The time from the decision to start a replica to its first Ready.
        case startLatency = "StartLatency"
        /// The share of requests to the API that were not answered with an error of the daemon (5xx).
        case requestSuccess = "RequestSuccess"
        /// The share of events that a sink has taken, of those that it has taken or has not taken for good.
        case deliverySuccess = "DeliverySuccess"
        /// The time from the commit of an event to its confirmation by a sink.
        case acknowledgementLatency = "AcknowledgementLatency"

        /// How long something took is measured, and an event is good within `threshold`.
        public var isLatency: Bool {
            switch self {
            case .startLatency, .acknowledgementLatency: true
            case .startSuccess, .requestSuccess, .deliverySuccess: false
            }
        }
    }

    public static let windowMsMax: Int64 = 744 * hourMs
    public static let hourMs: Int64 = 3_600_000
    /// What a target is a number of: thousandths of a percent.
    public static let whole = 100_000

    public var indicator: Indicator
    /// The share of events that are to be good, in thousandths of a percent: 1...`whole` - 1.
    public var target: Int
    /// Of a latency: what takes at most so long is good.
    public var thresholdMs: Int64
    public var windowMs: Int64
    /// With fewer events in the window nothing is said.
    public var minimumEvents: Int
    /// Changes of specs are refused while the budget is spent.
    public var freeze: Bool

    /// Reads a stored spec. Guarantee: ends for every node, with values in their ranges.
    public init(_ node: Node) {
        let spec = FieldReader(node, ObjectiveKind.spec, path: "spec")
        indicator = spec.wordIfSet("indicator") ?? .startSuccess
        target = min(max(Int(Self.thousandths(spec.number("target"))), 1), Self.whole - 1)
        thresholdMs = spec.duration("threshold")
        windowMs = min(max(spec.duration("window"), 1), Self.windowMsMax)
        minimumEvents = spec.count("minimumEvents")
        freeze = spec.flag("freeze")
    }

    static func thousandths(_ percent: Double) -> Int64 {
        WholeNumber.nearest((percent * 1000).rounded(), in: 0...Int64(whole))
    }

    /// `99.5%`, of thousandths of a percent.
    public static func percent(_ thousandths: Int) -> String {
        let (sign, number) = (thousandths < 0 ? "-" : "", thousandths.magnitude)
        var digits = String(number % 1000 + 1000).dropFirst()
        while digits.last == "0" { digits.removeLast() }
        return "\(sign)\(number / 1000)\(digits.isEmpty ? "" : ".\(digits)")%"
    }

    /// `7d`, `24h`, `5s`.
    public static func time(_ ms: Int64) -> String {
        for (unit, name) in [(86_400_000 as Int64, "d"), (hourMs, "h"), (60_000, "m"), (1000, "s")]
        where ms >= unit * (name == "d" ? 2 : 1) && ms % unit == 0 {
            return "\(ms / unit)\(name)"
        }
        guard ms >= 1000 else { return "\(ms)ms" }
        var digits = String(ms % 1000 + 1000).dropFirst()
        while digits.last == "0" { digits.removeLast() }
        return "\(ms / 1000).\(digits)s"
    }

    /// What is promised, in words.
    public var words: String {
        let share = "\(Self.percent(target)) of "
        let within = "within \(Self.time(thresholdMs))"
        return switch indicator {
        case .startSuccess: share + "starts succeed"
        case .startLatency: share + "starts are Ready \(within)"
        case .requestSuccess: share + "requests have no error of the daemon"
        case .deliverySuccess: share + "events are delivered"
        case .acknowledgementLatency: share + "events are acknowledged \(within)"
        }
    }
}
