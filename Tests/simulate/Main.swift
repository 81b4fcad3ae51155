import Glibc
import Simulation

/// `simulate --seeds N [--from SEED]` runs many, `simulate --seed SEED` replays one; `--mutant NAME` takes a known-bad variant.
@main
struct Main {
    static func main() {
        let words = CommandLine.arguments.dropFirst()
        let known = ["--seeds", "--from", "--seed", "--mutant", "--fingerprints"]
        if let unknown = words.first(where: { $0.hasPrefix("-") && !known.contains($0) }) {
            print("unknown \(unknown): expected \(known.joined(separator: ", "))")
            exit(2)
        }
        func text(after name: String) -> String? {
            words.firstIndex(of: name).flatMap { words.indices.contains($0 + 1) ? words[$0 + 1] : nil }
        }
        func number(after name: String) -> UInt64? { text(after: name).flatMap { UInt64($0) } }
        let from = number(after: "--seed") ?? number(after: "--from") ?? 1
        let count = number(after: "--seed") != nil ? 1 : number(after: "--seeds") ?? 1000
        let mutant = text(after: "--mutant").flatMap(Mutant.init(rawValue:))
        var failures: UInt64 = 0
        for seed in from..<from + count {
            let result = simulate(seed: seed, mutant: mutant)
            if words.contains("--fingerprints") { print("\(seed) \(result.fingerprint) \(result.steps)") }
            if let violation = result.violation {
                failures += 1
                print("seed \(seed): \(violation)")
                fflush(nil)  // who stops it has what was found until then
            }
        }
        print("\(count - failures) of \(count) seeds passed")
        if failures > 0 { exit(1) }
    }
}
