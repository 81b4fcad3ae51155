import Manifests
import Planner
import Testing
import Values

private let minute: Int64 = 60_000
private let hour: Int64 = 3_600_000

@Suite struct WindowTests {
    @Test(arguments: [
        (hour / 12, minute), (hour, minute), (2 * hour, minute), (3 * hour, 10 * minute), (24 * hour, 10 * minute),
        (48 * hour, 10 * minute), (49 * hour, hour), (744 * hour, hour),
    ])
    func aLongerWindowHasLongerSteps(windowMs: Int64, stepMs: Int64) {
        #expect(SlidingWindow.stepMs(ofWindowMs: windowMs) == stepMs)
    }

    @Test(arguments: [(hour / 12, minute), (hour, minute), (24 * hour, 10 * minute), (168 * hour, hour)])
    func anEventLeavesAWindowWithinOneStep(windowMs: Int64, stepMs: Int64) {
        let at = 1_800_000_000_000 + 1234 as Int64
        var window = SlidingWindow()
        window.add(Counts(good: 1), atMs: at)
        func isSeen(after ms: Int64) -> Bool {
            var later = window
            _ = later.settle(atMs: at + ms)
            return later.counts(windowMs: windowMs, atMs: at + ms).good == 1
        }
        #expect(isSeen(after: 0))
        #expect(isSeen(after: windowMs - 1))
        #expect(!isSeen(after: windowMs + stepMs))
    }

    @Test func eventsOfMonthsTakeABoundedNumberOfBuckets() {
        var window = SlidingWindow()
        var most = 0
        for step in 0..<Int64(90 * 24 * 6) {
            let at = 1_800_000_000_000 + step * 10 * minute
            window.add(Counts(good: 1), atMs: at)
            _ = window.settle(atMs: at)
            most = max(most, window.buckets.count)
        }
        #expect(most <= SlidingWindow.bucketsMax)
        #expect(window.counts(windowMs: 744 * hour, atMs: window.buckets.last?.startMs ?? 0).good >= 744 * 6)
    }

    @Test func partsAreTheWindowInTheirOrder() {
        var window = SlidingWindow()
        let begin = 1_800_000_000_000 as Int64
        for index in 0..<Int64(24) { window.add(Counts(good: Int(index) + 1), atMs: begin + index * hour + minute) }
        let parts = window.parts(24, windowMs: 24 * hour, atMs: begin + 24 * hour)
        #expect(parts.map(\.good) == Array(1...24))
    }

    // MARK: Time

    @Test func aClockThatIsSetMovesNoWindow() {
        let start = Moment(wallMs: 1_800_000_000_000, boot: 1, bootMs: 5000)
        let clock = WindowClock(start)
        for jump in [-365 * 24 * hour, 10 * 365 * 24 * hour] {
            let later = Moment(wallMs: start.wallMs + jump + minute, boot: 1, bootMs: 5000 + minute)
            #expect(clock.advanced(later).ms == clock.ms + minute)
        }
    }

    @Test func whatPassedOverABootIsWhatTheWallSaysAndNeverNegative() {
        let clock = WindowClock(Moment(wallMs: 1_800_000_000_000, boot: 1, bootMs: 900_000))
        func after(_ ms: Int64) -> Int64 {
            clock.advanced(Moment(wallMs: 1_800_000_000_000 + ms, boot: 2, bootMs: 10)).ms - clock.ms
        }
        #expect(after(3 * hour) == 3 * hour)
        #expect(after(-3 * hour) == 0)
        #expect(after(20_000 * hour) == ObjectiveSpec.windowMsMax)
    }

    // MARK: What is written

    @Test func whatWasWrittenIsReadAgainAsItWas() {
        var (random, now) = (Random(3), Moment(wallMs: 1_800_000_000_000, boot: 1, bootMs: 0))
        var (measurements, copy) = (Measurements(), WrittenCopy())
        for step in 0..<3000 {
            now.bootMs += Int64(random.next(20 * 60_000))
            now.wallMs = 1_800_000_000_000 + now.bootMs
            let measured = Measured.allCases[random.next(3)]
            measurements.add([measured: Counts(good: random.next(3), bad: random.next(2))], now)
            guard step % 7 == 0 else { continue }
            copy.take(measurements.writes(now))
            measurements.wrote(now)
            #expect(measurements.unwrittenMs(now) == nil)
            #expect(copy.measurements.windows.mapValues(\.buckets) == measurements.windows.mapValues(\.buckets))
            #expect(copy.measurements.clock == measurements.clock)
        }
    }
}

/// What a store has of measurements.
struct WrittenCopy {
    private var clock: WindowClock?
    private var buckets: [Measured: [Int64: SlidingWindow.Bucket]] = [:]

    mutating func take(_ writes: [Measurements.Write]) {
        for write in writes {
            switch write {
            case .clock(let clock): self.clock = clock
            case .bucket(let measured, let bucket):
                for start in Array((buckets[measured] ?? [:]).keys)
                where start >= bucket.startMs && start < bucket.endMs {
                    buckets[measured]?[start] = nil
                }
                buckets[measured, default: [:]][bucket.startMs] = bucket
            case .dropped(let measured, let before):
                buckets[measured] = buckets[measured]?.filter { $0.key >= before }
            }
        }
    }

    var measurements: Measurements { Measurements(clock, buckets.mapValues { Array($0.values) }) }
}
