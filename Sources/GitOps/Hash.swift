/// FNV-1a, 64 bits: tells contents apart; no protection against somebody who looks for two that are equal.
struct Hash {
    private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325

    mutating func add(_ bytes: some Sequence<UInt8>) {
        for byte in bytes { value = (value ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
    }

    mutating func add(_ number: UInt64) {
        for shift in 0..<8 { add(CollectionOfOne(UInt8(truncatingIfNeeded: number >> UInt64(shift * 8)))) }
    }

    var text: String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
