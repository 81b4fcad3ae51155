import Planner
import Testing

@Suite struct HistogramTests {
    @Test(
        arguments: [
            (-5, 0), (0, 0), (1, 1), (99, 99), (100, 100), (101, 110), (110, 110), (111, 120), (990, 990), (991, 1000),
            (1000, 1000), (1001, 1100), (2000, 2000), (4999, 5000), (5000, 5000), (5001, 5100),
            (86_400_000, 87_000_000),
            (990_000_000, 990_000_000), (Int64.max, 990_000_000),
        ] as [(Int64, Int64)])
    func aLatencyIsInTheBucketWhoseBoundFollows(ms: Int64, bound: Int64) {
        #expect(LatencyHistogram.boundMs(of: LatencyHistogram.bucket(ms: ms)) == bound)
    }

    @Test func everyBoundIsInItsOwnBucketAndTheNextMillisecondIsNot() {
        var last: Int64 = -1
        for bucket in 0..<LatencyHistogram.bucketsMax {
            let bound = LatencyHistogram.boundMs(of: bucket)
            #expect(bound > last)
            #expect(LatencyHistogram.bucket(ms: bound) == bucket)
            #expect(LatencyHistogram.bucket(ms: last + 1) == bucket)
            last = bound
        }
    }

    @Test func whatWasWithinAThresholdOfTwoDigitsIsKnownExactly() {
        var random = Random(7)
        let latencies = (0..<5000).map { _ in Int64(exp10(Double(random.next(7000)) / 1000)) }
        var histogram = LatencyHistogram()
        for ms in latencies { histogram.add(ms: ms) }
        for threshold in [100, 250, 990, 1000, 1500, 2000, 5000, 60_000, 3_600_000] as [Int64] {
            #expect(histogram.count(withinMs: threshold) == latencies.count { $0 <= threshold })
        }
        let sorted = latencies.sorted()
        for share in [0.0, 0.5, 0.9, 0.95, 0.999, 1.0] {
            let exact = sorted[max(0, Int((Double(sorted.count) * share).rounded(.up)) - 1)]
            let told = histogram.quantileMs(share) ?? -1
            #expect(told >= exact && Double(told) <= Double(exact) * 1.1, "\(share): \(told) for \(exact)")
        }
    }

    @Test func mergingIsTheSameInAnyOrderAndWithinBounds() {
        var random = Random(9)
        var parts = (0..<20).map { _ in LatencyHistogram() }
        var whole = LatencyHistogram()
        for _ in 0..<4000 {
            let ms = Int64(random.next(1 << 40))
            parts[random.next(20)].add(ms: ms)
            whole.add(ms: ms)
        }
        var (forward, backward) = (LatencyHistogram(), LatencyHistogram())
        for part in parts { forward.merge(part) }
        for part in parts.reversed() { backward.merge(part) }
        #expect(forward == whole)
        #expect(backward == whole)
        #expect(whole.entries.count <= LatencyHistogram.bucketsMax)
        #expect(whole.count == 4000)
    }

    @Test func whatIsNoHistogramIsRefused() {
        typealias Entry = LatencyHistogram.Entry
        #expect(LatencyHistogram([Entry(bucket: 3, count: 1), Entry(bucket: 4, count: 2)])?.count == 3)
        #expect(LatencyHistogram([Entry(bucket: 4, count: 1), Entry(bucket: 4, count: 2)]) == nil)
        #expect(LatencyHistogram([Entry(bucket: 4, count: 0)]) == nil)
        #expect(LatencyHistogram([Entry(bucket: LatencyHistogram.bucketsMax, count: 1)]) == nil)
        #expect(LatencyHistogram([Entry(bucket: -1, count: 1)]) == nil)
    }

    @Test func countsSaturate() {
        var histogram = LatencyHistogram()
        histogram.add(ms: 1, count: .max)
        histogram.add(ms: 1, count: 5)
        histogram.add(ms: 2, count: 5)
        #expect(histogram.count == .max)
        #expect(histogram.quantileMs(0.5) == 1)
    }
}

/// Numbers that follow from a seed alone.
struct Random {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed }

    /// 0..<bound.
    mutating func next(_ bound: Int) -> Int {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Int((state >> 11) % UInt64(bound))
    }
}

private func exp10(_ power: Double) -> Double {
    var result = 1.0
    for _ in 0..<Int(power) { result *= 10 }
    // Linear within a power of ten: only that all sizes occur matters.
    return result * (1 + 9 * (power - power.rounded(.down)))
}
