import CLinux
import HTTP
import Planner
import Reconciler
import Values

extension Server {
    /// Who asks: the user of the socket, whom a certificate or a token names, or nobody.
    ///
    /// A token that is shown must be good, also beside a certificate: whoever shows one means to be asked for it.
    func identify(_ exchange: Exchange) throws(Failure) -> Principal {
        switch exchange.peer {
        case .user(let uid):
            guard let principal = local(uid) else {
                let message = "this socket serves user \(settings.ownUID) and root only"
                throw Failure(code: 403, reason: "Forbidden", message: message)
            }
            return principal
        case .remote(let certificate):
            var known: Principal?
            if let authorization = exchange.header("Authorization") {
                known = bearer(authorization)
                if known == nil { throw .unauthorized }
            }
            if let certificate {
                // Its connection may have been there before its end.
                guard certificate.endSeconds * 1000 > agentos_wall_ms() else { throw .unauthorized }
                known = Principal(
                    user: certificate.user, groups: certificate.groups + [Principal.authenticated], via: .certificate)
            }
            return known ?? .anonymous
        case .unknown: throw .unauthorized
        }
    }

    /// Nobody speaks for another here; a client that believes it does must not be served as itself.
    func refuseImpersonation(_ exchange: Exchange, _ principal: Principal) throws(Failure) {
        guard let header = Self.impersonation.first(where: { exchange.header($0) != nil }) else { return }
        throw Failure(
            code: 403, reason: "Forbidden",
            message:
                "\(header): User \"\(principal.user)\" cannot impersonate others here; ask with their own credentials")
    }

    private static let impersonation: [StaticString] = ["Impersonate-User", "Impersonate-Group", "Impersonate-Uid"]

    private func bearer(_ authorization: String) -> Principal? {
        let words = authorization.split(separator: " ", maxSplits: 1)
        guard words.count == 2, words[0].lowercased() == "bearer" else { return nil }
        return principal(token: String(words[1].drop { $0 == " " }))
    }

    /// Whom a token names; nil: nobody, or nobody any more.
    ///
    /// Tokens of the file are found by their digests: how long that takes tells nothing of any token.
    func principal(token: String) -> Principal? {
        guard !token.isEmpty, token.utf8.count <= Limits.tokenBytesMax else { return nil }
        return staticTokens[SHA256Digest.hex(Array(token.utf8))]
            ?? accountTokens.principal(token, loop.engine.state, nowMs: agentos_wall_ms())
    }
}

/// Tokens that a file names, by their digests.
public struct StaticTokens: Sendable {
    private var principals: [String: Principal] = [:]

    public init() {}

    subscript(digest: String) -> Principal? { principals[digest] }

    /// How many there are.
    public var count: Int { principals.count }

    /// Reads lines of `token,user,uid,"group,group"`, as Kubernetes has them.
    ///
    /// - Throws: what is wrong, with its line; the tokens themselves are not repeated.
    public init(csv: String) throws(TokenFileProblem) {
        for (index, line) in csv.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let text = line.last == "\r" ? line.dropLast() : line
            if text.allSatisfy({ $0 == " " }) || text.hasPrefix("#") { continue }
            let fields = Self.fields(text)
            guard let fields, (3...4).contains(fields.count), fields[0].utf8.count <= Limits.tokenBytesMax,
                fields[0].utf8.count >= Limits.tokenBytesMin, !fields[1].isEmpty
            else { throw TokenFileProblem(line: index + 1) }
            let groups = fields.count > 3 ? fields[3].split(separator: ",").map(String.init) : []
            let principal = Principal(
                user: fields[1], groups: groups + [Principal.authenticated], uid: fields[2], via: .token)
            let isNew = principals.updateValue(principal, forKey: SHA256Digest.hex(Array(fields[0].utf8))) == nil
            guard isNew, principals.count <= Limits.staticTokensMax else { throw TokenFileProblem(line: index + 1) }
        }
    }

    /// Fields between commas, some in double quotes; nil when a quote has no end.
    private static func fields(_ line: Substring) -> [String]? {
        var fields = [""]
        var isQuoted = false
        for character in line {
            switch character {
            case "\"": isQuoted.toggle()
            case "," where !isQuoted: fields.append("")
            default: fields[fields.count - 1].append(character)
            }
        }
        return isQuoted ? nil : fields.map { String($0.drop { $0 == " " }) }
    }
}

/// A line of a token file that cannot be used.
public struct TokenFileProblem: Error, Sendable, Equatable {
    public var line: Int
}
