import CTLS

/// A certificate, with those that signed it behind it, and its key: PEM texts.
public struct Credential: Sendable, Equatable {
    public var certificate: String
    public var key: String

    public init(certificate: String, key: String) {
        self.certificate = certificate
        self.key = key
    }

    /// Seconds since 1970 at which the certificate ends; nil when it cannot be read.
    public var endSeconds: Int64? {
        guard let read = agentos_pem_certificate(certificate) else { return nil }
        defer { agentos_X509_free(read) }
        let end = agentos_x509_end(read)
        return end < 0 ? nil : end
    }
}

/// Who signs certificates: a key and the certificate that others trust.
public struct Authority: Sendable {
    public let credential: Credential

    /// Takes up an authority that was made before; nil when it cannot sign.
    public init?(_ credential: Credential) {
        self.credential = credential
        if issue(.client(user: "probe", groups: []), seconds: 1) == nil { return nil }
    }

    /// Makes a new one; nil when the machine has no randomness or memory for it.
    public static func make(_ name: String, seconds: Int64) -> Authority? {
        Credential.make(nil, name, [], seconds, nil, nil).flatMap(Authority.init)
    }

    /// What a certificate is for.
    public enum Purpose: Sendable {
        /// A server that is reached by these names: `DNS:localhost`, `IP:127.0.0.1`.
        case server(names: [String])
        /// A client: the user is the common name, its groups are organizations.
        case client(user: String, groups: [String])
    }

    /// Makes a key and a certificate for it; nil when a name is none that a certificate can hold.
    public func issue(_ purpose: Purpose, seconds: Int64) -> Credential? {
        switch purpose {
        case .server(let names):
            Credential.make(credential, "agentos-apply", [], seconds, "serverAuth", names.joined(separator: ","))
        case .client(let user, let groups): Credential.make(credential, user, groups, seconds, "clientAuth", nil)
        }
    }
}

extension Credential {
    fileprivate static func make(
        _ issuer: Credential?, _ name: String, _ groups: [String], _ seconds: Int64, _ usage: String?,
        _ names: String?
    ) -> Credential? {
        guard ([name] + groups).allSatisfy({ (1...64).contains($0.utf8.count) && !$0.utf8.contains(0) }) else {
            return nil
        }
        var certificate = [CChar](repeating: 0, count: 65_536)
        var key = [CChar](repeating: 0, count: 4096)
        let organizations = groups.map { strdup($0) }
        defer { for text in organizations { free(text) } }
        var pointers = organizations.map { UnsafePointer($0) }
        let isMade = agentos_make_certificate(
            issuer?.certificate, issuer?.key, name, &pointers, Int32(groups.count), seconds, usage, names, &certificate,
            Int32(certificate.count), &key, Int32(key.count))
        func text(_ buffer: [CChar]) -> String {
            String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
        return isMade == 1 ? Credential(certificate: text(certificate), key: text(key)) : nil
    }
}

/// Who a client is by the certificate that it has shown and that was found good.
public struct PeerCertificate: Sendable, Equatable {
    public var user: String
    public var groups: [String]
    public var endSeconds: Int64

    public init(user: String, groups: [String], endSeconds: Int64) {
        self.user = user
        self.groups = groups
        self.endSeconds = endSeconds
    }

    /// Nil: the certificate names nobody, or more than one.
    init?(_ certificate: OpaquePointer) {
        guard let users = Self.texts(certificate, NID_commonName), users.count == 1, !users[0].isEmpty,
            let groups = Self.texts(certificate, NID_organizationName)
        else { return nil }
        self.init(user: users[0], groups: groups, endSeconds: agentos_x509_end(certificate))
    }

    private static let groupsMax: Int32 = 256

    private static func texts(_ certificate: OpaquePointer, _ name: Int32) -> [String]? {
        var found: [String] = []
        var buffer = [CChar](repeating: 0, count: 1024)
        for place in 0..<groupsMax {
            let count = agentos_x509_subject(certificate, name, place, &buffer, Int32(buffer.count))
            if count == -1 { return found }
            guard count >= 0,
                let text = String(validating: buffer[..<Int(count)].map { UInt8(bitPattern: $0) }, as: UTF8.self)
            else { return nil }
            found.append(text)
        }
        return nil
    }
}
