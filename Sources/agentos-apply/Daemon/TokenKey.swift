import API
import Glibc
import Values

/// What tokens of ServiceAccounts are signed with: made once, and kept in the state directory.
enum TokenKey {
    static func tokens(_ paths: Paths) throws -> AccountTokens {
        let directory = "\(paths.state)/pki"
        let path = "\(directory)/tokens.key"
        try LocalFile.makePath(directory)
        chmod(directory, 0o700)
        if LocalFile.exists(path) {
            let text = String(decoding: try LocalFile.read(path, limit: 1024), as: UTF8.self)
            guard let secret = Base64.decode(text), secret.count == AccountTokens.secretBytes else {
                throw CommandProblem(
                    .failure, "\(path) is damaged; restore it, or remove it: then all tokens of ServiceAccounts end")
            }
            return AccountTokens(secret: secret)
        }
        var random = SystemRandomNumberGenerator()
        let secret = (0..<AccountTokens.secretBytes).map { _ in UInt8.random(in: .min ... .max, using: &random) }
        try LocalFile.write(Base64.encode(secret) + "\n", to: "\(path).new")
        guard rename("\(path).new", path) == 0 else {
            throw CommandProblem(.failure, "\(path): cannot be written: \(String(cString: strerror(errno)))")
        }
        return AccountTokens(secret: secret)
    }
}
