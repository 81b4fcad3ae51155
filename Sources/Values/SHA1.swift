import CCrypto

/// The SHA-1 digest of some bytes, for protocols that ask for it. It proves nothing about who made them.
public func sha1(_ bytes: [UInt8]) -> [UInt8] {
    var digest = [UInt8](repeating: 0, count: 20)
    guard agentos_EVP_Digest(bytes, bytes.count, &digest, nil, agentos_EVP_sha1(), nil) == 1 else {
        preconditionFailure("no memory for a digest")
    }
    return digest
}
