import CCrypto

/// A SHA-256 digest, made of bytes that come part by part.
public struct SHA256Digest: ~Copyable {
    private let context: OpaquePointer

    public init() {
        guard let context = agentos_EVP_MD_CTX_new(), agentos_EVP_DigestInit_ex(context, agentos_EVP_sha256(), nil) == 1
        else {
            preconditionFailure("no memory for a digest")
        }
        self.context = context
    }

    deinit { agentos_EVP_MD_CTX_free(context) }

    public mutating func add(_ bytes: [UInt8]) { agentos_EVP_DigestUpdate(context, bytes, bytes.count) }

    /// 32 bytes.
    public consuming func bytes() -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: 32)
        agentos_EVP_DigestFinal_ex(context, &digest, nil)
        return digest
    }

    /// 64 hex digits.
    public consuming func hex() -> String {
        bytes().map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    /// 32 bytes.
    public static func bytes(_ bytes: [UInt8]) -> [UInt8] {
        var digest = SHA256Digest()
        digest.add(bytes)
        return digest.bytes()
    }

    public static func hex(_ bytes: [UInt8]) -> String {
        var digest = SHA256Digest()
        digest.add(bytes)
        return digest.hex()
    }
}
