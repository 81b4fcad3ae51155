import Machine
import Values

/// Signs requests in the manner of Standard Webhooks: who has the secret can tell that a request is from here, is as it was
/// sent, and when.
struct WebhookSigner {
    private static let secretBytes = 24...64
    private static let prefix = "whsec_"

    private let keys: [[UInt8]]

    /// Reads one or two secrets, so that one can be replaced by another while both hold.
    init(file path: String) throws(Files.Problem) {
        let text = String(decoding: try Files.secret(path, limit: 4096), as: UTF8.self)
        let lines = text.split(whereSeparator: \.isNewline).filter {
            !$0.hasPrefix("#") && !$0.allSatisfy(\.isWhitespace)
        }
        var keys: [[UInt8]] = []
        for line in lines {
            guard line.hasPrefix(Self.prefix), let key = Base64.decode(String(line.dropFirst(Self.prefix.count))),
                Self.secretBytes.contains(key.count)
            else {
                throw Files.Problem(
                    path, "holds a line that is no secret: expected whsec_ and 24 to 64 bytes in base64")
            }
            keys.append(key)
        }
        guard (1...2).contains(keys.count) else {
            throw Files.Problem(path, "holds \(keys.count) secrets; expected one, or two while one replaces the other")
        }
        self.keys = keys
    }

    /// The headers of one request.
    ///
    /// - Parameters:
    ///   - id: the same whenever the same body is sent again.
    ///   - seconds: since 1970.
    func headers(_ body: [UInt8], id: String, seconds: Int64) -> [String] {
        let signed = Array("\(id).\(seconds).".utf8) + body
        let signatures = keys.map { "v1,\(Base64.encode(HMAC.sha256(signed, key: $0)))" }
        return [
            "webhook-id: \(id)", "webhook-timestamp: \(seconds)",
            "webhook-signature: \(signatures.joined(separator: " "))",
        ]
    }
}
