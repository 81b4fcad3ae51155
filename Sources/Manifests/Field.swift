/// One field of a kind: the single description from which validation, defaults, JSON Schema and the
/// question "does a change of it restart?" are all answered.
public struct Field: Sendable {
    public var name: String
    public var shape: Shape
    public var required = false
    /// What an absent field means; filled in before anything is stored, so that it can be seen.
    public var fallback: Node?
    /// A change raises the agent's revision and so restarts its replicas.
    public var restarts = false
    /// Cannot change while the object exists.
    public var immutable = false
    /// Known to the schema but not to this program yet: refused by name with this reason.
    public var refusal: String?
    public var text: String

    public init(
        _ name: String, _ shape: Shape, required: Bool = false, fallback: Node? = nil, restarts: Bool = false,
        immutable: Bool = false, refusal: String? = nil, text: String
    ) {
        self.name = name
        self.shape = shape
        self.required = required
        self.fallback = fallback
        self.restarts = restarts
        self.immutable = immutable
        self.refusal = refusal
        self.text = text
    }
}

/// The values that a field can take.
public indirect enum Shape: Sendable {
    case string(StringRule)
    case integer(ClosedRange<Int64>)
    case number(ClosedRange<Double>)
    case boolean
    case quantity(QuantityRule)
    case enumeration([String])
    case list(Shape, max: Int, nonEmpty: Bool)
    /// A map from names to strings; Secret data may be large.
    case strings(StringRule, values: StringRule)
    case object([Field])
    /// Exactly one of the fields.
    case union([Field])
    /// Kept as it is: written by the daemon, ignored when applied.
    case anything
}

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
}

public enum QuantityRule: Sendable {
    case cpu
    case memory
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
            return fine
                ? nil : "must be https://…, ssh://…, user@host:path or file:///…; found \(quoted(text))"
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

/// Linux signals that may be named as `stopSignal`, with or without `SIG`.
public enum Signals {
    private static let names: [(String, Int32)] = [
        ("SIGHUP", 1), ("SIGINT", 2), ("SIGQUIT", 3), ("SIGKILL", 9), ("SIGUSR1", 10), ("SIGUSR2", 12),
        ("SIGTERM", 15), ("SIGCONT", 18), ("SIGWINCH", 28),
    ]

    public static func number(of name: String) -> Int32? {
        names.first { $0.0 == name || $0.0.dropFirst(3) == name[...] }?.1
    }

    public static func name(of number: Int32) -> String {
        let more: [Int32: String] = [
            4: "SIGILL", 6: "SIGABRT", 7: "SIGBUS", 8: "SIGFPE", 11: "SIGSEGV", 13: "SIGPIPE", 31: "SIGSYS",
        ]
        return names.first { $0.1 == number }?.0 ?? more[number] ?? "SIG\(number)"
    }
}

/// Base64 with padding (RFC 4648, section 4); line ends are skipped.
public enum Base64 {
    public static func decode(_ text: String) -> [UInt8]? {
        var out: [UInt8] = []
        var bits: UInt32 = 0
        var count = 0
        var padding = 0
        for byte in text.utf8 {
            let value: UInt32
            switch byte {
            case 0x41...0x5a: value = UInt32(byte) - 0x41
            case 0x61...0x7a: value = UInt32(byte) - 0x61 + 26
            case 0x30...0x39: value = UInt32(byte) - 0x30 + 52
            case 0x2b: value = 62
            case 0x2f: value = 63
            case 0x3d:
                padding += 1
                continue
            case 0x0a, 0x0d: continue
            default: return nil
            }
            guard padding == 0 else { return nil }
            bits = bits << 6 | value
            count += 1
            if count % 4 == 0 {
                out += [UInt8(bits >> 16 & 255), UInt8(bits >> 8 & 255), UInt8(bits & 255)]
                bits = 0
            }
        }
        switch (count % 4, padding) {
        case (0, 0): break
        case (2, 2): out.append(UInt8(bits >> 4 & 255))
        case (3, 1): out += [UInt8(bits >> 10 & 255), UInt8(bits >> 2 & 255)]
        default: return nil
        }
        return out
    }

    public static func encode(_ bytes: [UInt8]) -> String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        var out: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            var bits: UInt32 = 0
            for index in 0..<3 { bits = bits << 8 | (index < group.count ? UInt32(group[start + index]) : 0) }
            for index in 0..<4 {
                out.append(index <= group.count ? alphabet[Int(bits >> UInt32(18 - 6 * index) & 63)] : 0x3d)
            }
        }
        return String(decoding: out, as: UTF8.self)
    }
}
