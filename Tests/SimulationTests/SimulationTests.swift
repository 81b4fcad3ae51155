import Planner
import Reconciler
import Simulation
import Testing

/// The seeds that every run of the tests goes through; longer runs: `swift run -c release simulate --seeds N`.
private let seeds: Range<UInt64> = 1..<1001

@Suite struct SimulationTests {
    /// Promises 1 to 5, 7 and 8, in chaos and in the calm after it.
    @Test func everySeedKeepsThePromisesAndConverges() async {
        let results = await all(seeds, mutant: nil)
        let violations = results.compactMap { seed, result in result.violation.map { "seed \(seed): \($0)" } }
        #expect(violations.isEmpty, "replay one with: simulate --seed N")

        let told = results.reduce(into: Set<String>()) { $0.formUnion($1.result.transitions) }
        let missing = Set(TransitionName.allCases.map { EventType.run($0).text }).subtracting(told)
        #expect(missing.isEmpty, "transitions that no seed went through")
        #expect(results.contains { $0.result.freezes > 0 }, "nothing was frozen")
        #expect(results.contains { $0.result.prunes > 0 }, "nothing was pruned")
        #expect(results.contains { $0.result.untold > 0 }, "no crash loop was fast enough to be told in part")
        #expect(results.contains { $0.result.fed > 0 }, "no named sink was given anything")
        #expect(results.contains { $0.result.parked > 0 }, "nothing was parked for a sink")
        #expect(results.contains { $0.result.stops > 0 }, "the daemon was never stopped")
        #expect(results.contains { $0.result.restores > 0 }, "no backup was restored")
        for boundary in CrashBoundary.allCases {
            let hits = results.reduce(0) { $0 + ($1.result.crashes[boundary] ?? 0) }
            #expect(hits > 0, "no crash at \(boundary)")
        }
        for (seed, result) in results where result.steps < 200 || result.crashes.values.reduce(0, +) < 3 {
            Issue.record("seed \(seed) is too tame: \(result.steps) steps, \(result.crashes)")
        }
    }

    @Test(arguments: Mutant.allCases) func aKnownBadVariantIsCaught(_ mutant: Mutant) async {
        let caught = await all(1..<51, mutant: mutant).count { $0.result.violation != nil }
        #expect(caught >= Self.floor(mutant), "\(caught) of 50 seeds")
    }

    /// How many of the first 50 seeds catch it at least: 45, but for those that need a rare moment. These were caught by
    /// 83, 47 and 69 of 100: by 45, 26 and 38 of the first 50.
    private static func floor(_ mutant: Mutant) -> Int {
        switch mutant {
        case .actBeforeCommit, .noInFlightGuard, .randomIDs, .outboxLostInCrash, .sinkForgets: 45
        case .noClaim: 40
        case .tornReadIsWhole: 20
        case .restoreForgets: 32
        }
    }

    @Test func aSeedReplaysExactly() {
        for seed in UInt64(1)..<6 {
            let (first, second) = (simulate(seed: seed), simulate(seed: seed))
            #expect(first.fingerprint == second.fingerprint)
        }
    }

    private func all(_ seeds: Range<UInt64>, mutant: Mutant?) async -> [(seed: UInt64, result: SimulationResult)] {
        await withTaskGroup(of: (UInt64, SimulationResult).self) { group in
            for seed in seeds { group.addTask { (seed, simulate(seed: seed, mutant: mutant)) } }
            var results: [(seed: UInt64, result: SimulationResult)] = []
            for await (seed, result) in group { results.append((seed, result)) }
            return results.sorted { $0.seed < $1.seed }
        }
    }
}
