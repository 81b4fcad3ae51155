import Values

/// A tar archive (ustar) in a gzip envelope without compression: what one small file needs, RFC 1952 and POSIX.
package struct GzipArchive {
    private var tar: [UInt8] = []
    private let seconds: Int64

    /// - Parameter seconds: the time of all its files, since 1970.
    package init(seconds: Int64) { self.seconds = seconds }

    /// Assumes: a name of at most 100 bytes.
    package mutating func add(_ name: String, _ content: [UInt8]) {
        var header = [UInt8](repeating: 0, count: Self.blockBytes)
        func put(_ text: String, at offset: Int) {
            header.replaceSubrange(offset..<offset + text.utf8.count, with: text.utf8)
        }
        func octal(_ number: Int64, _ digits: Int) -> String {
            let text = String(max(0, number), radix: 8)
            return String(repeating: "0", count: max(0, digits - text.count)) + text
        }
        put(String(name.prefix(100)), at: 0)
        put(octal(0o600, 7), at: 100)
        put(octal(0, 7), at: 108)
        put(octal(0, 7), at: 116)
        put(octal(Int64(content.count), 11), at: 124)
        put(octal(seconds, 11), at: 136)
        put("0", at: 156)
        put("ustar", at: 257)
        put("00", at: 263)
        // The sum counts its own field as blanks.
        put("        ", at: 148)
        put(octal(header.reduce(0) { $0 + Int64($1) }, 6) + "\0 ", at: 148)
        tar += header + content
        tar += [UInt8](repeating: 0, count: (Self.blockBytes - content.count % Self.blockBytes) % Self.blockBytes)
    }

    /// The whole archive.
    package var bytes: [UInt8] {
        let data = tar + [UInt8](repeating: 0, count: 2 * Self.blockBytes)
        var out: [UInt8] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]
        var rest = data[...]
        repeat {
            let piece = rest.prefix(Self.pieceBytes)
            rest = rest.dropFirst(piece.count)
            let count = UInt16(piece.count)
            out.append(rest.isEmpty ? 1 : 0)
            out += Self.little(UInt32(count)).prefix(2)
            out += Self.little(UInt32(~count)).prefix(2)
            out += piece
        } while !rest.isEmpty
        return out + Self.little(Self.checksum(data)) + Self.little(UInt32(truncatingIfNeeded: data.count))
    }

    private static let blockBytes = 512
    /// The most that a piece without compression holds.
    private static let pieceBytes = 65_535

    private static func little(_ number: UInt32) -> [UInt8] {
        (0..<4).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
    }

    /// CRC-32, as gzip takes it.
    private static func checksum(_ bytes: [UInt8]) -> UInt32 {
        let table = (0..<256).map { byte -> UInt32 in
            var sum = UInt32(byte)
            for _ in 0..<8 { sum = sum & 1 == 1 ? 0xedb8_8320 ^ (sum >> 1) : sum >> 1 }
            return sum
        }
        var sum = ~UInt32(0)
        for byte in bytes { sum = table[Int(UInt8(truncatingIfNeeded: sum) ^ byte)] ^ (sum >> 8) }
        return ~sum
    }
}
