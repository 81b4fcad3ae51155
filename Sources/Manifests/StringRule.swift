import Values

/// What a text must be.
public enum StringRule: Sendable {
    case any
    case nonEmpty
    /// RFC 1123 label of at most this length.
    case label(Int)
    /// RFC 1123 subdomain, at most 253 characters.
    case subdomain
    case labelKey
    case labelValue
    case environmentName
    case configKey
    case absolutePath
    case signal
    case base64
    case headerName
    /// Text without control characters.
    case line
    /// `500ms`, `30s`, `5m`, `1h`.
    case duration
    case gitURL
    /// What can stand as one part of a path, as the names of roles do: `system:basic-user`.
    case pathPart
}

extension StringRule {
    public func accepts(_ text: String) -> Bool { problem(with: text) == nil }

    /// What was expected, when the text does not follow the rule.
    func problem(with text: String) -> String? {
        switch self {
        case .any: return nil
        case .nonEmpty: return text.isEmpty ? "must not be empty" : nil
        case .label(let longest):
            return Self.isLabel(text[...]) && text.utf8.count <= longest
                ? nil
                : "must be an RFC 1123 label: lower-case letters, digits and '-', starting and ending with a letter or digit, at most \(longest) characters; found \(quoted(text))"
        case .subdomain:
            let fine =
                text.utf8.count <= 253
                && text.split(separator: ".", omittingEmptySubsequences: false).allSatisfy(Self.isLabel)
            return fine
                ? nil : "must be a lower-case RFC 1123 subdomain of at most 253 characters; found \(quoted(text))"
        case .labelKey:
            let parts = text.split(separator: "/", omittingEmptySubsequences: false)
            let prefixFine =
                parts.count == 1 || (parts.count == 2 && StringRule.subdomain.problem(with: String(parts[0])) == nil)
            return prefixFine && Self.isQualifiedName(parts.last ?? "")
                ? nil : "must be a label key, [prefix/]name with a name of at most 63 characters; found \(quoted(text))"
        case .labelValue:
            return text.isEmpty || Self.isQualifiedName(text[...])
                ? nil : "must be at most 63 letters, digits, '-', '_' or '.'; found \(quoted(text))"
        case .environmentName:
            let fine =
                !text.isEmpty && !text.utf8.contains(UInt8(ascii: "="))
                && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f }
                && !(text.utf8.first.map { (0x30...0x39).contains($0) } ?? true)
            return fine
                ? nil
                : "must be the name of an environment variable: printable, no '=', no digit first; found \(quoted(text))"
        case .configKey:
            let fine =
                !text.isEmpty && text.utf8.count <= 253 && text != "." && text != ".."
                && text.utf8.allSatisfy { Self.isAlphanumeric($0) || $0 == 0x2d || $0 == 0x5f || $0 == 0x2e }
            return fine ? nil : "must be letters, digits, '-', '_' or '.'; found \(quoted(text))"
        case .absolutePath:
            return text.hasPrefix("/") && !text.utf8.contains(0)
                ? nil : "must be an absolute path; found \(quoted(text))"
        case .signal:
            return Signals.number(of: text) != nil ? nil : "must be a signal such as SIGTERM; found \(quoted(text))"
        case .headerName:
            let fine = !text.isEmpty && text.utf8.allSatisfy { Self.isAlphanumeric($0) || $0 == 0x2d || $0 == 0x5f }
            return fine ? nil : "must be the name of an HTTP header; found \(quoted(text))"
        case .duration:
            return (Durations.milliseconds(text) ?? 0) >= 100
                ? nil : "must be a time of at least 100ms, such as 30s or 5m; found \(quoted(text))"
        case .gitURL:
            let scheme = ["https://", "http://", "ssh://", "file:///"].contains(where: text.hasPrefix)
            let host = text.prefix { $0 != ":" && $0 != "/" }
            let isShort = !scheme && host.contains("@") && text.dropFirst(host.count).first == ":"
            let fine = (scheme || isShort) && !text.hasPrefix("-") && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f }
            let words = "must be https://…, ssh://…, user@host:path or file:///…"
            let place = text.firstRange(of: "://").map { text[$0.upperBound...] } ?? text[...]
            let user = place.prefix { $0 != "/" }.split(separator: "@", omittingEmptySubsequences: false).dropLast()
            // What may be a password is not repeated.
            if !user.isEmpty, user.joined().contains(":") || text.hasPrefix("http") {
                return "must not name a user or password; put them into the Secret that secretRef names"
            }
            return fine ? nil : "\(words); found \(quoted(text))"
        case .pathPart:
            let fine =
                !text.isEmpty && text.utf8.count <= 253 && text != "." && text != ".."
                && text.utf8.allSatisfy {
                    $0 > 0x20 && $0 != 0x7f && $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "%")
                }
            return fine
                ? nil : "must be at most 253 characters without blanks, '/' and '%'; found \(quoted(text))"
        case .line:
            return text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7f }
                ? nil : "must not hold control characters; found \(quoted(text))"
        case .base64:
            return Base64.decode(text) != nil ? nil : "must be base64 (use stringData for plain text)"
        }
    }

    private func quoted(_ text: String) -> String { "\"\(text.count > 80 ? text.prefix(80) + "…" : text[...])\"" }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        (0x61...0x7a).contains(byte) || (0x41...0x5a).contains(byte) || (0x30...0x39).contains(byte)
    }

    static func isLabel(_ text: Substring) -> Bool {
        guard let first = text.utf8.first, let last = text.utf8.last, first != 0x2d, last != 0x2d else { return false }
        return text.utf8.allSatisfy { (0x61...0x7a).contains($0) || (0x30...0x39).contains($0) || $0 == 0x2d }
    }

    static func isQualifiedName(_ text: Substring) -> Bool {
        guard text.utf8.count <= 63, let first = text.utf8.first, let last = text.utf8.last, isAlphanumeric(first),
            isAlphanumeric(last)
        else { return false }
        return text.utf8.allSatisfy { isAlphanumeric($0) || $0 == 0x2d || $0 == 0x5f || $0 == 0x2e }
    }
}
