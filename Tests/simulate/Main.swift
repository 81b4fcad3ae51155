import Simulation

/// `simulate --seeds N [--from SEED]`, or `simulate --seed SEED` to replay one.
@main
struct Main {
    static func main() {
        let words = CommandLine.arguments
        func number(after name: String) -> UInt64? {
            words.firstIndex(of: name).flatMap { $0 + 1 < words.count ? UInt64(words[$0 + 1]) : nil }
        }
        let from = number(after: "--seed") ?? number(after: "--from") ?? 1
        let count = number(after: "--seed") != nil ? 1 : number(after: "--seeds") ?? 1000
        var failures = 0
        for seed in from..<from + count {
            if let violation = simulate(seed: seed).violation {
                failures += 1
                print("seed \(seed): \(violation)")
            }
        }
        print("\(count - UInt64(failures)) of \(count) seeds passed")
    }
}
