public import Values

/// What the daemon promises of itself. Each is made at a start when it is not there, and never changed: one that somebody
/// has changed stays as it is.
public enum BuiltInObjectives {
    public static let all: [(name: String, spec: Node)] = [
        ("agent-start-success", spec(.startSuccess, 99, window: "168h")),
        ("agent-start-p95", spec(.startLatency, 95, threshold: "5s")),
        ("api-errors", spec(.requestSuccess, 99)),
        ("outbox-delivery", spec(.deliverySuccess, Node(.double(99.5)))),
        ("acknowledgement-p95", spec(.acknowledgementLatency, 95, threshold: "2s")),
    ]

    private static func spec(
        _ indicator: ObjectiveSpec.Indicator, _ target: Node, threshold: String? = nil, window: String = "24h"
    ) -> Node {
        .map([
            ("indicator", .text(indicator.rawValue)), ("target", target), ("threshold", threshold.map(Node.text)),
            ("window", .text(window)),
        ])
    }
}
