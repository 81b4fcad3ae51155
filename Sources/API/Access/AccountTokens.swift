import Manifests
import Planner
import Reconciler
import Values

/// Tokens of ServiceAccounts: they say whose they are and until when, and carry a signature that only this daemon makes.
///
/// Nothing of a token is kept. It holds no more when its time is over, and when the account, or the object that it is
/// bound to, is gone or was made anew.
public struct AccountTokens: Sendable {
    private let secret: [UInt8]

    /// - Parameter secret: 32 random bytes that nobody else has.
    public init(secret: [UInt8]) {
        precondition(secret.count == Self.secretBytes)
        self.secret = secret
    }

    public static let secretBytes = 32
    private static let mark = "agentos1"

    struct Claim: Equatable {
        var account: UID
        /// An object without which the token holds nothing.
        var bound: UID?
        var expiresMs: Int64
        /// No two tokens are the same.
        var nonce: UInt64
    }

    func token(_ claim: Claim) -> String {
        let bound = claim.bound?.hex ?? "0"
        let words = "\(Self.mark).\(claim.account.hex).\(bound).\(claim.expiresMs).\(String(claim.nonce, radix: 16))"
        return "\(words).\(signature(words))"
    }

    /// What a token says; nil: it was not made here.
    func claim(_ token: String) -> Claim? {
        let parts = token.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 6, parts[0] == Self.mark, let dot = token.lastIndex(of: ".") else { return nil }
        guard Self.isSame(Array(parts[5].utf8), Array(signature(String(token[..<dot])).utf8)) else { return nil }
        guard let account = UID(String(parts[1])), let expiresMs = WholeNumber.read(parts[3], in: 0...Int64.max),
            let nonce = UInt64(parts[4], radix: 16)
        else { return nil }
        return Claim(account: account, bound: UID(String(parts[2])), expiresMs: expiresMs, nonce: nonce)
    }

    /// What tells in a plan that bytes are the same, to nobody but this daemon.
    func seal(_ bytes: [UInt8]) -> String { HMAC.sha256Hex(Array("plan.".utf8) + bytes, key: secret) }

    private func signature(_ words: String) -> String { HMAC.sha256Hex(Array(words.utf8), key: secret) }

    /// Takes the same time wherever the difference is.
    private static func isSame(_ one: [UInt8], _ other: [UInt8]) -> Bool {
        guard one.count == other.count else { return false }
        return zip(one, other).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
    }
}

extension AccountTokens {
    /// Whom a token names now; nil: nobody, or nobody any more.
    func principal(_ token: String, _ state: EngineState, nowMs: Int64) -> Principal? {
        guard let claim = claim(token), claim.expiresMs > nowMs,
            let key = state.keysByUID[claim.account], key.kind == .serviceAccount
        else { return nil }
        if let bound = claim.bound, state.keysByUID[bound] == nil { return nil }
        return .account(key, uid: claim.account)
    }
}
