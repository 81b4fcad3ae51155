import Manifests
import Planner
import Testing
import Values

private let start: Int64 = 1_800_000_000_000
private let minute: Int64 = 60_000
private let hour: Int64 = 3_600_000

extension ObjectiveSpec {
    /// As a manifest says it.
    init(_ indicator: Indicator, _ target: Double, threshold: String? = nil, window: String = "24h", minimum: Int = 1) {
        self.init(
            .map([
                ("indicator", .text(indicator.rawValue)), ("target", Node(.double(target))),
                ("threshold", threshold.map(Node.text)), ("window", .text(window)),
                ("minimumEvents", .number(minimum)),
            ]))
    }
}

@Suite struct ReadingTests {
    /// 100 events a minute for a week, of which so many are bad in the minutes that are so old.
    private func window(bad: Range<Int64>, _ count: Int) -> SlidingWindow {
        var window = SlidingWindow()
        for age in (0..<Int64(169 * 60)).reversed() {
            let bad = bad.contains(age) ? count : 0
            window.add(Counts(good: 100 - bad, bad: bad), atMs: start - age * minute)
        }
        _ = window.settle(atMs: start)
        return window
    }

    @Test(
        arguments: [
            (0..<65, 15, .burning, "1 h and 5 min: 15 times what the budget of 1 % allows"),
            (0..<360, 7, .burning, "6 h and 30 min: 7 times"),
            (5..<360, 8, .burning, "it is over for 5 min, and the last 30 still say so"),
            (31..<360, 8, .met, "it is over for 31 min"), (0..<1440, 4, .burning, "24 h and 2 h: 4 times"),
            (0..<4300, 2, .burning, "72 h and 6 h: twice"),
            (0..<6, 100, .met, "some minutes are much, and little of an hour"),
            (700..<760, 20, .met, "it was long ago, and there is budget left"),
            (4000..<4120, 100, .spent, "it was long ago, and took all"), (0..<0, 0, .met, "nothing goes wrong"),
        ] as [(Range<Int64>, Int, ObjectivePhase, String)])
    func aBudgetBurnsWhenBothWindowsOfARuleSaySo(ages: Range<Int64>, bad: Int, phase: ObjectivePhase, why: String) {
        let spec = ObjectiveSpec(.requestSuccess, 99, window: "168h")
        let reading = ObjectiveReading(spec, window(bad: ages, bad), atMs: start)
        let burns = reading.burns.map { "\($0.long)/\($0.short) of \($0.limit)" }
        #expect(reading.phase == phase, "\(why): \(reading.bad) of \(reading.total), \(burns)")
    }

    @Test(arguments: [
        (99.0, 1000, 10, 0, ObjectivePhase.met), (99.0, 1000, 11, -10_000, .spent), (99.0, 1000, 5, 50_000, .met),
        (99.0, 1000, 0, 100_000, .met), (99.5, 200, 1, 0, .met), (99.5, 199, 1, -503, .spent),
        (99.999, 100_000, 1, 0, .met), (99.0, 1, 1, -9_900_000, .spent), (50.0, 2, 1, 0, .met),
    ])
    func theBudgetIsTheShareThatMayGoWrong(
        target: Double, total: Int, bad: Int, budget: Int, phase: ObjectivePhase
    ) {
        let spec = ObjectiveSpec(.deliverySuccess, target)
        var window = SlidingWindow()
        // Half a day ago, so that nothing burns.
        window.add(Counts(good: total - bad, bad: bad), atMs: start - 12 * hour)
        let reading = ObjectiveReading(spec, window, atMs: start)
        #expect(reading.budget(spec) == budget)
        #expect(reading.phase == phase)
    }

    @Test func withFewerEventsThanTheMinimumNothingIsSaid() {
        var window = SlidingWindow()
        window.add(Counts(good: 0, bad: 9), atMs: start)
        let spec = ObjectiveSpec(.startSuccess, 99, minimum: 10)
        #expect(ObjectiveReading(spec, window, atMs: start).phase == .noData)
        window.add(Counts(good: 1), atMs: start)
        #expect(ObjectiveReading(spec, window, atMs: start).phase == .spent)
        #expect(ObjectiveReading(spec, SlidingWindow(), atMs: start).attained == nil)
    }

    @Test func aLatencyIsGoodWithinItsThreshold() {
        var window = SlidingWindow()
        var latencies = LatencyHistogram()
        latencies.add(ms: 5000, count: 95)
        latencies.add(ms: 5001, count: 5)
        window.add(Counts(good: 100, bad: 50, latencies: latencies), atMs: start - 12 * hour)
        let spec = ObjectiveSpec(.startLatency, 95, threshold: "5s")
        let reading = ObjectiveReading(spec, window, atMs: start)
        #expect((reading.good, reading.bad) == (95, 5))
        #expect(reading.latencyMs == 5000)
        #expect(reading.phase == .met)
        let strict = ObjectiveReading(ObjectiveSpec(.startLatency, 96, threshold: "5s"), window, atMs: start)
        #expect(strict.latencyMs == 5100)
        #expect(strict.phase == .spent)
    }

    @Test(arguments: [("1h", [1]), ("6h", [1]), ("24h", [1, 6]), ("72h", [1, 6, 24]), ("168h", [1, 6, 24, 72])])
    func theRulesAreThoseOfWindowsThatAreShorter(window: String, hours: [Int64]) {
        let rules = BurnRule.rules(ObjectiveSpec(.startSuccess, 99, window: window))
        #expect(rules.map { $0.longMs / hour } == hours)
    }
}
