/// A digest that only those can make who have a key (RFC 2104), with SHA-256.
public enum HMAC {
    private static let blockBytes = 64

    /// 64 hexadecimal digits.
    public static func sha256Hex(_ bytes: [UInt8], key: [UInt8]) -> String {
        precondition(key.count <= blockBytes)
        let padded = key + [UInt8](repeating: 0, count: blockBytes - key.count)
        let inner = SHA256Digest.bytes(padded.map { $0 ^ 0x36 } + bytes)
        return SHA256Digest.hex(padded.map { $0 ^ 0x5c } + inner)
    }
}
