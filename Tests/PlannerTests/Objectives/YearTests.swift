import Manifests
import Planner
import Testing
import Values

private let minute: Int64 = 60_000
private let hour: Int64 = 3_600_000
private let day: Int64 = 24 * hour

/// A year of a daemon that is killed, of a machine that restarts, and of a clock that is set: what Objectives say is
/// compared with what follows from the single events.
@Suite struct YearTests {
    private struct Raw {
        var ms: Int64
        var measured: Measured
        var isGood: Bool
        var latencyMs: Int64?
    }

    private struct World {
        var random: Random
        /// The time that has passed in truth; what was measured is known by it.
        var trueMs: Int64 = 1_800_000_000_000
        var boot: UInt64 = 1
        var bootedMs: Int64 = 1_800_000_000_000
        /// How far the clock of the wall is off.
        var skewMs: Int64 = 0
        var measurements = Measurements()
        var copy = WrittenCopy()
        var raw: [Raw] = []
        /// How much of `raw` is written.
        var written = 0
        var (kills, boots, jumps, lost) = (0, 0, 0, 0)

        init(_ seed: UInt64) { random = Random(seed) }

        var now: Moment { Moment(wallMs: trueMs + skewMs, boot: boot, bootMs: trueMs - bootedMs) }

        mutating func measure() {
            let measured = Measured.allCases[random.next(3)]
            // Whole days are bad.
            let isBadDay = (trueMs / day) % 11 == 3
            let isGood = random.next(isBadDay ? 20 : 400) != 0
            let latency = Int64(random.next(isBadDay ? 9000 : 2500))
            let event = Raw(
                ms: trueMs, measured: measured, isGood: isGood, latencyMs: measured == .requests ? nil : latency)
            var counts = Counts(good: isGood ? 1 : 0, bad: isGood ? 0 : 1)
            if let latency = event.latencyMs { counts.latencies.add(ms: latency) }
            measurements.add([measured: counts], now)
            raw.append(event)
        }

        mutating func write() {
            copy.take(measurements.writes(now))
            measurements.wrote(now)
            written = raw.count
        }

        /// The daemon is killed: what is not written is gone, and was never measured.
        mutating func kill() {
            kills += 1
            lost = max(lost, raw.count - written)
            raw.removeLast(raw.count - written)
            measurements = copy.measurements
        }

        mutating func restartMachine() {
            boots += 1
            write()
            boot += 1
            trueMs += Int64(random.next(Int(2 * day)))
            bootedMs = trueMs - 20_000
            measurements = copy.measurements
        }

        mutating func setClock() {
            jumps += 1
            write()
            skewMs = Int64(random.next(Int(4000 * day))) - 2000 * day
            // Something is written before the next boot: what passes over it is told by a clock that is as it was.
            write()
        }

        /// What follows from the single events alone.
        func recomputed(_ spec: ObjectiveSpec, windowMs: Int64, in range: Range<Int>) -> (good: Int, bad: Int, [Int64])
        {
            let step = SlidingWindow.stepMs(ofWindowMs: windowMs)
            var (good, bad, latencies) = (0, 0, [Int64]())
            for event in raw[range] where event.measured == spec.indicator.measured {
                // Whole steps: the one that is under way, and those that are not over for as long as the window is.
                guard event.ms / step * step + step > trueMs - windowMs else { continue }
                if spec.indicator.isLatency {
                    guard let ms = event.latencyMs else { continue }
                    latencies.append(ms)
                    if ms <= spec.thresholdMs { good += 1 } else { bad += 1 }
                } else if event.isGood {
                    good += 1
                } else {
                    bad += 1
                }
            }
            return (good, bad, latencies)
        }

        /// Where the events of the last so many milliseconds, and a step more, begin.
        func recent(_ ms: Int64) -> Range<Int> {
            var (low, high) = (0, raw.count)
            while low < high {
                let middle = (low + high) / 2
                if raw[middle].ms < trueMs - ms - hour { low = middle + 1 } else { high = middle }
            }
            return low..<raw.count
        }
    }

    private static let specs = [
        ObjectiveSpec(.startSuccess, 99, window: "168h"), ObjectiveSpec(.startLatency, 95, threshold: "2s"),
        ObjectiveSpec(.requestSuccess, 99), ObjectiveSpec(.deliverySuccess, 99.5),
        ObjectiveSpec(.acknowledgementLatency, 95, threshold: "2400ms", window: "48h"),
        ObjectiveSpec(.startSuccess, 99.9, window: "744h"), ObjectiveSpec(.requestSuccess, 99.95, window: "1h"),
    ]

    @Test(arguments: [1] as [UInt64])
    func aYearOfWindowsIsAsTheSingleEventsSay(seed: UInt64) {
        var world = World(seed)
        let end = world.trueMs + 365 * day
        var phases: [ObjectivePhase: Int] = [:]
        var asked = 0
        while world.trueMs < end {
            // Some hours are busy, most are not.
            world.trueMs += Int64(world.random.next(world.random.next(4) == 0 ? 20_000 : 40 * 60_000))
            world.measure()
            switch world.random.next(4000) {
            case 0..<400: world.write()
            case 400..<420: world.kill()
            case 420..<424: world.restartMachine()
            case 424..<428: world.setClock()
            case 428..<448:
                asked += 1
                for spec in Self.specs { check(spec, world, &phases) }
            default: break
            }
        }
        #expect(world.kills > 20 && world.boots > 5 && world.jumps > 5 && asked > 20 && world.lost > 0)
        #expect([.met, .burning, .spent].allSatisfy { phases[$0] ?? 0 > 0 }, "\(phases)")
        #expect(world.measurements.windows.values.allSatisfy { $0.buckets.count <= SlidingWindow.bucketsMax })
    }

    private func check(_ spec: ObjectiveSpec, _ world: World, _ phases: inout [ObjectivePhase: Int]) {
        let reading = world.measurements.reading(spec, world.now)
        let context = "\(spec.words) over \(spec.windowMs / hour) h at \(world.trueMs)"
        #expect(world.measurements.timeMs(world.now) == world.trueMs, "\(context)")
        let (good, bad, latencies) = world.recomputed(spec, windowMs: spec.windowMs, in: world.recent(spec.windowMs))
        #expect(reading.good == good && reading.bad == bad, "\(context): \(reading) for \(good), \(bad)")
        let may = Double(100_000 - spec.target) / 100_000
        func rate(_ windowMs: Int64) -> Double {
            let (good, bad, _) = world.recomputed(spec, windowMs: windowMs, in: world.recent(windowMs))
            return good + bad == 0 ? 0 : Double(bad) / Double(good + bad) / may
        }
        var isBurning = false
        for burn in reading.burns {
            let (long, short) = (rate(burn.longMs), rate(burn.shortMs))
            #expect(abs(Double(burn.long) / 1000 - long) <= 0.002, "\(context): \(burn)")
            #expect(abs(Double(burn.short) / 1000 - short) <= 0.002, "\(context): \(burn)")
            if long * 1000 + 1e-6 >= Double(burn.limit), short * 1000 + 1e-6 >= Double(burn.limit) { isBurning = true }
        }
        let isSpent = Double(bad) > Double(good + bad) * may + 1e-9
        let phase: ObjectivePhase = good + bad == 0 ? .noData : isSpent ? .spent : isBurning ? .burning : .met
        #expect(reading.phase == phase, "\(context): \(reading)")
        phases[phase, default: 0] += 1
        if !latencies.isEmpty {
            let rank = (Double(latencies.count) * Double(spec.target) / 100_000).rounded(.up)
            let exact = latencies.sorted()[max(0, Int(rank) - 1)]
            let told = reading.latencyMs ?? -1
            #expect(told >= exact && Double(told) <= Double(exact) * 1.1 + 1, "\(context): \(told) for \(exact)")
        }
        #expect(reading.trend.count == ObjectiveReading.parts)
    }
}
