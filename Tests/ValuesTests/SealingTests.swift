import Testing
import Values

/// Values that are sealed open only for those who hold the key, and only where they belong.
@Suite struct SealingTests {
    private static let key = SealingKey(String(repeating: "5a", count: 32))

    @Test(arguments: [0, 1, 15, 16, 17, 1000, 1 << 20]) func whatIsSealedOpens(_ count: Int) throws {
        let key = try #require(Self.key)
        let plain = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        let sealed = key.seal(plain, for: [1, 2, 3])
        #expect(key.open(sealed, for: [1, 2, 3]) == plain)
        #expect(sealed.count == count + 28 && (count < 16 || sealed.firstRange(of: plain.prefix(16)) == nil))
        #expect(key.seal(plain, for: [1, 2, 3]) != sealed, "each value has a nonce of its own")
        #expect(key.open(sealed, for: [1, 2, 4]) == nil && key.open(sealed, for: []) == nil)
        #expect(SealingKey.fresh().open(sealed, for: [1, 2, 3]) == nil)
    }

    @Test func everyBitCounts() throws {
        let key = try #require(Self.key)
        let sealed = key.seal(Array("a value".utf8), for: [])
        for index in sealed.indices {
            for bit in 0..<8 {
                var changed = sealed
                changed[index] ^= 1 << UInt8(bit)
                #expect(key.open(changed, for: []) == nil)
            }
        }
        for count in 0..<sealed.count { #expect(key.open(Array(sealed.prefix(count)), for: []) == nil) }
    }

    /// Source: McGrew and Viega, The Galois/Counter Mode of Operation, test case 14.
    @Test func theCipherIsThatOfTheStandard() throws {
        let key = try #require(SealingKey(String(repeating: "00", count: 32)))
        let sealed: [UInt8] =
            [UInt8](repeating: 0, count: 12) + [
                0xce, 0xa7, 0x40, 0x3d, 0x4d, 0x60, 0x6b, 0x6e, 0x07, 0x4e, 0xc5, 0xd3, 0xba, 0xf3, 0x9d, 0x18,
                0xd0, 0xd1, 0xc8, 0xa7, 0x99, 0x99, 0x6b, 0xf0, 0x26, 0x5b, 0x98, 0xb5, 0xd4, 0x8a, 0xb9, 0x19,
            ]
        #expect(key.open(sealed, for: []) == [UInt8](repeating: 0, count: 16))
    }

    @Test func keysAreReadStrictly() throws {
        let (a, b) = (SealingKey.fresh(), SealingKey.fresh())
        let keys = try #require(SecretKeys(text: "# a comment\n\(a.hex)\n\n \(b.hex) \n"))
        #expect(keys.current == a && keys.older == [b] && keys[b.id] == b && keys["x"] == nil)
        #expect(a.id.count == 16 && a.id != b.id && !a.hex.contains(a.id))
        for text in [
            "", "# only a comment", "xyz", String(a.hex.dropLast()), "\(a.hex)0", "\(a.hex) x", "g\(a.hex.dropFirst())",
        ] {
            #expect(SecretKeys(text: text) == nil, "\(text)")
        }
    }
}
