/// A digest that only those can make who have a key (RFC 2104), with SHA-256.
public enum HMAC {
    private static let blockBytes = 64

    /// 32 bytes.
    ///
    /// - Parameter key: at most 64 bytes.
    public static func sha256(_ bytes: [UInt8], key: [UInt8]) -> [UInt8] {
        precondition(key.count <= blockBytes)
        let padded = key + [UInt8](repeating: 0, count: blockBytes - key.count)
        let inner = SHA256Digest.bytes(padded.map { $0 ^ 0x36 } + bytes)
        return SHA256Digest.bytes(padded.map { $0 ^ 0x5c } + inner)
    }

    /// 64 hexadecimal digits.
    public static func sha256Hex(_ bytes: [UInt8], key: [UInt8]) -> String {
        sha256(bytes, key: key).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
