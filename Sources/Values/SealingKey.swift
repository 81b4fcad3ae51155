import CCrypto

/// A key of AES-256-GCM: what it seals can be read, and was not changed, only by who holds it and knows the context.
public struct SealingKey: Sendable, Equatable {
    private static let keyBytes = 32
    private static let nonceBytes = 12
    private static let tagBytes = 16

    private let bytes: [UInt8]
    /// Names the key without telling anything of it: 16 hex digits.
    public let id: String

    private init(_ bytes: [UInt8]) {
        self.bytes = bytes
        id = String(SHA256Digest.hex(Array("agentos sealing key".utf8) + bytes).prefix(16))
    }

    /// Reads 64 hex digits.
    public init?(_ text: some StringProtocol) {
        let digits = text.utf8.compactMap(hexDigit)
        guard text.utf8.count == Self.keyBytes * 2, digits.count == text.utf8.count else { return nil }
        self.init(stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] })
    }

    /// A new key, of random bytes.
    public static func fresh() -> SealingKey { SealingKey(random(keyBytes)) }

    public var hex: String { bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() }

    private static func random(_ count: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        guard agentos_RAND_bytes(&bytes, Int32(count)) == 1 else {
            preconditionFailure("the machine gives no random bytes")
        }
        return bytes
    }

    /// Nonce, sealed bytes and tag. The nonce is new each time: equal values are sealed to different bytes.
    ///
    /// - Parameter context: what the value belongs to; it is not stored, and opens nowhere else.
    public func seal(_ plain: [UInt8], for context: [UInt8]) -> [UInt8] {
        let nonce = Self.random(Self.nonceBytes)
        var sealed = [UInt8](repeating: 0, count: plain.count + 1)
        var tag = [UInt8](repeating: 0, count: Self.tagBytes)
        var (length, rest): (Int32, Int32) = (0, 0)
        let cipher = agentos_EVP_CIPHER_CTX_new()
        defer { agentos_EVP_CIPHER_CTX_free(cipher) }
        guard agentos_EVP_EncryptInit_ex(cipher, agentos_EVP_aes_256_gcm(), nil, bytes, nonce) == 1,
            agentos_EVP_EncryptUpdate(cipher, nil, &length, context, Int32(context.count)) == 1,
            agentos_EVP_EncryptUpdate(cipher, &sealed, &length, plain, Int32(plain.count)) == 1,
            agentos_EVP_EncryptFinal_ex(cipher, nil, &rest) == 1,
            agentos_EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, Int32(Self.tagBytes), &tag) == 1
        else { preconditionFailure("no memory to seal") }
        return nonce + sealed[..<Int(length)] + tag
    }

    /// Nil when it was sealed with another key, for another context, or was changed.
    public func open(_ sealed: [UInt8], for context: [UInt8]) -> [UInt8]? {
        guard sealed.count >= Self.nonceBytes + Self.tagBytes else { return nil }
        let nonce = Array(sealed[..<Self.nonceBytes])
        let body = Array(sealed[Self.nonceBytes..<sealed.count - Self.tagBytes])
        var tag = Array(sealed[(sealed.count - Self.tagBytes)...])
        var plain = [UInt8](repeating: 0, count: body.count + 1)
        var (length, rest): (Int32, Int32) = (0, 0)
        let cipher = agentos_EVP_CIPHER_CTX_new()
        defer { agentos_EVP_CIPHER_CTX_free(cipher) }
        guard agentos_EVP_DecryptInit_ex(cipher, agentos_EVP_aes_256_gcm(), nil, bytes, nonce) == 1,
            agentos_EVP_DecryptUpdate(cipher, nil, &length, context, Int32(context.count)) == 1,
            agentos_EVP_DecryptUpdate(cipher, &plain, &length, body, Int32(body.count)) == 1,
            agentos_EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_TAG, Int32(Self.tagBytes), &tag) == 1,
            agentos_EVP_DecryptFinal_ex(cipher, nil, &rest) == 1
        else { return nil }
        return Array(plain[..<Int(length)])
    }
}
