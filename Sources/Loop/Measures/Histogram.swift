import CLinux

/// How many durations fell into which ranges, as Prometheus counts them, each range with an example.
public struct Histogram: Sendable {
    /// The upper ends of ranges, in nanoseconds.
    public struct Bounds: Sendable {
        public let ns: [Int64]
        /// As Prometheus is told them.
        public let seconds: [Double]

        init(_ seconds: [Double]) {
            self.seconds = seconds
            ns = seconds.map { Int64($0 * 1e9) }
        }

        /// For what takes no longer than a write to a disk.
        public static let short = Bounds([
            0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10,
        ])
        /// For what waits for a program or for another machine.
        public static let long = Bounds([
            0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300,
        ])
    }

    /// One duration of a range, and the trace that it was part of.
    public struct Exemplar: Sendable {
        public let trace: String
        public let seconds: Double
        public let atMs: Int64
        fileprivate let atNs: Int64
    }

    public let bounds: Bounds
    /// Of each range, and of what is beyond the last one.
    public private(set) var counts: [UInt64]
    public private(set) var sumNs: Int64 = 0
    public private(set) var exemplars: [Exemplar?]

    /// An example is kept for as long before another takes its place: looking for one costs more than counting.
    private static let exemplarNs: Int64 = 1_000_000_000

    public init(_ bounds: Bounds) {
        self.bounds = bounds
        counts = Array(repeating: 0, count: bounds.ns.count + 1)
        exemplars = Array(repeating: nil, count: bounds.ns.count + 1)
    }

    public var count: UInt64 { counts.reduce(0, &+) }
    public var sumSeconds: Double { Double(sumNs) / 1e9 }

    /// Counts one duration, in nanoseconds; what is below zero counts as zero.
    ///
    /// - Parameter trace: is asked now and then for the trace that it was part of.
    public mutating func observe(_ ns: Int64, trace: () -> String? = { nil }) {
        let ns = max(0, ns)
        let place = bounds.ns.firstIndex { ns <= $0 } ?? bounds.ns.count
        counts[place] &+= 1
        sumNs = sumNs.addingReportingOverflow(ns).overflow ? .max : sumNs + ns
        let now = agentos_monotonic_ns()
        if let last = exemplars[place], now - last.atNs < Self.exemplarNs { return }
        guard let trace = trace() else { return }
        exemplars[place] = Exemplar(trace: trace, seconds: Double(ns) / 1e9, atMs: agentos_wall_ms(), atNs: now)
    }

    /// Takes over what another with the same bounds has counted.
    public mutating func add(_ other: Histogram) {
        precondition(other.bounds.ns == bounds.ns, "histograms of other ranges cannot be added")
        for (place, count) in other.counts.enumerated() { counts[place] &+= count }
        sumNs = sumNs.addingReportingOverflow(other.sumNs).overflow ? .max : sumNs + other.sumNs
        for (place, exemplar) in other.exemplars.enumerated() {
            guard let exemplar else { continue }
            if let own = exemplars[place], own.atNs >= exemplar.atNs { continue }
            exemplars[place] = exemplar
        }
    }
}
