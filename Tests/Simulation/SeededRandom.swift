/// Random numbers from a seed (SplitMix64): the same on every machine.
public struct SeededRandom: RandomNumberGenerator {
    private var state: UInt64

    public init(seed: UInt64) {
        state = 0
        var mixer = seed &* 0xd134_2543_de82_ef95 &+ 0x2545_f491_4f6c_dd1d
        mixer ^= mixer >> 29
        state = mixer &* 0xbf58_476d_1ce4_e5b9 ^ (mixer >> 32)
    }

    public mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }

    mutating func chance(_ percent: Int) -> Bool { Int(next() % 100) < percent }
    mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(max(1, bound))) }
}
