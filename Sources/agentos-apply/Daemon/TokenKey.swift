import API
import Values

/// What tokens of ServiceAccounts are signed with: made once, and kept in the state directory.
enum TokenKey {
    private static let name = "tokens.key"

    static func tokens(_ paths: Paths) throws(CommandProblem) -> AccountTokens {
        let directory = try KeyDirectory(paths)
        if let text = try directory.text(name) {
            guard let secret = Base64.decode(text), secret.count == AccountTokens.secretBytes else {
                throw CommandProblem(
                    .failure,
                    "\(directory.place(of: name)) is damaged; restore it, or remove it: then all tokens of "
                        + "ServiceAccounts end")
            }
            return AccountTokens(secret: secret)
        }
        var random = SystemRandomNumberGenerator()
        let secret = (0..<AccountTokens.secretBytes).map { _ in UInt8.random(in: .min ... .max, using: &random) }
        try directory.keep(Base64.encode(secret) + "\n", as: name)
        return AccountTokens(secret: secret)
    }
}
