import Manifests
public import Planner
public import Values

/// What replicas use of the machine, as `kubectl top pod` reads it.
public enum PodMetrics {
    /// One replica: what it has used over a window, and what it holds at its end.
    public struct Usage: Sendable {
        public var agent: ObjectKey
        public var ordinal: Int
        /// Of the agent; the Pods carry them too.
        public var labels: Node?
        public var cpuNsPerSecond: Int64
        public var memoryBytes: Int64

        public init(agent: ObjectKey, ordinal: Int, labels: Node?, cpuNsPerSecond: Int64, memoryBytes: Int64) {
            self.agent = agent
            self.ordinal = ordinal
            self.labels = labels
            self.cpuNsPerSecond = cpuNsPerSecond
            self.memoryBytes = memoryBytes
        }
    }

    /// What is shown of one replica.
    public static func document(_ usage: Usage, nowMs: Int64, windowMs: Int64) -> Node {
        let time = Node.text(Timestamp.seconds(nowMs))
        var labels = usage.labels ?? .emptyMap
        labels[PodView.label] = .text(usage.agent.name)
        let used = Node.map([
            ("cpu", .text("\(usage.cpuNsPerSecond)n")), ("memory", .text("\(usage.memoryBytes / 1024)Ki")),
        ])
        return .map([
            ("kind", "PodMetrics"), ("apiVersion", "metrics.k8s.io/v1beta1"),
            (
                "metadata",
                .map([
                    ("name", .text("\(usage.agent.name)-\(usage.ordinal)")),
                    ("namespace", .text(usage.agent.namespace)), ("creationTimestamp", time), ("labels", labels),
                ])
            ), ("timestamp", time), ("window", .text("\(max(1, windowMs / 1000))s")),
            ("containers", [.map([("name", .text(PodView.container)), ("usage", used)])]),
        ])
    }
}
