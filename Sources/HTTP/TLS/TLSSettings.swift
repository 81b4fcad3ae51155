import CTLS

/// What a server shows of itself, and whose clients it trusts.
public struct TLSSettings: Sendable, Equatable {
    public var identity: Credential
    /// Certificates of those who sign the certificates of clients, as PEM texts.
    public var clientAuthorities: [String]

    public init(identity: Credential, clientAuthorities: [String]) {
        self.identity = identity
        self.clientAuthorities = clientAuthorities
    }

    /// What is wrong with them; nil: nothing.
    public var problem: TLSProblem? {
        do throws(TLSProblem) {
            _ = try TLSContext(self)
            return nil
        } catch {
            return error
        }
    }
}

/// Why settings cannot be served with.
public enum TLSProblem: Error, Sendable, Equatable {
    /// One of the server's certificates cannot be read.
    case certificate
    /// Its key cannot be read.
    case key
    /// Its key can be read with a password only.
    case encryptedKey
    /// The key belongs to another certificate.
    case pair
    /// A list of authorities holds no certificate, or one that cannot be read.
    case authorities
    case noMemory
}

/// OpenSSL's form of the settings.
final class TLSContext {
    let pointer: OpaquePointer

    init(_ settings: TLSSettings) throws(TLSProblem) {
        guard let context = agentos_tls_context() else { throw .noMemory }
        pointer = context
        switch agentos_tls_identity(context, settings.identity.certificate, settings.identity.key) {
        case agentos_identity_fine: break
        case agentos_identity_key: throw .key
        case agentos_identity_encrypted: throw .encryptedKey
        case agentos_identity_pair: throw .pair
        default: throw .certificate
        }
        for authorities in settings.clientAuthorities where agentos_tls_trust(context, authorities) < 1 {
            throw .authorities
        }
    }

    deinit { agentos_SSL_CTX_free(pointer) }
}
