import API
package import HTTP
import Values

/// What the daemon's listeners show of themselves, and whom they trust.
package struct Certificates: Sendable {
    package enum Identity: Sendable {
        /// Of the daemon's own authority, made when the one before ends; nil: none can be made.
        case own(trusted: String, make: @Sendable () -> Credential?)
        /// The operator's files, PEM texts.
        case files(certificate: String, key: String)
    }

    package static let secondsMax: Int64 = 90 * 86_400
    /// An own certificate is made anew so long before its end.
    private static let renewSeconds: Int64 = 30 * 86_400

    private let identity: Identity
    /// Certificates of authorities that clients are trusted by: texts, and a file of the operator's.
    private let authorities: [String]
    private let authorityFile: String?

    package init(_ identity: Identity, authorities: [String], authorityFile: String?) {
        self.identity = identity
        self.authorities = authorities
        self.authorityFile = authorityFile
    }

    /// What they are now. Caveat: reads files of the operator's; not for a loop's thread.
    ///
    /// - Parameter used: what is shown; an own certificate that is good for long yet stays.
    package func settings(after used: TLSSettings?, nowSeconds: Int64) throws(CommandProblem) -> TLSSettings {
        var all = authorities
        if let authorityFile { all.append(try Self.text(authorityFile)) }
        return TLSSettings(identity: try credential(after: used?.identity, nowSeconds), clientAuthorities: all)
    }

    private func credential(after used: Credential?, _ nowSeconds: Int64) throws(CommandProblem) -> Credential {
        switch identity {
        case .files(let certificate, let key):
            return Credential(certificate: try Self.text(certificate), key: try Self.text(key))
        case .own(let trusted, let make):
            if let used, let end = used.endSeconds, end - nowSeconds >= Self.renewSeconds { return used }
            guard var made = make() else {
                throw CommandProblem(.failure, "no certificate can be made for the names of this machine")
            }
            made.certificate += trusted
            return made
        }
    }

    package var isOwn: Bool {
        switch identity {
        case .own: true
        case .files: false
        }
    }

    /// What clients of these settings trust.
    package func trusted(_ settings: TLSSettings) -> String {
        switch identity {
        case .own(let trusted, _): trusted
        case .files: settings.identity.certificate
        }
    }

    private static func text(_ path: String) throws(CommandProblem) -> String {
        String(decoding: try LocalFile.readRegular(path, limit: Limits.pemBytesMax).bytes, as: UTF8.self)
    }
}
