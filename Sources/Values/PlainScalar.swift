/// Scalars without quotes: what they are when read, and which texts may be written so.
enum PlainScalar {
    /// The core schema of YAML 1.2.2, chapter 10.3; but `0440` is octal, and a number that no double holds is text.
    static func value(of text: String) -> Node.Value {
        switch text {
        case "", "~", "null", "Null", "NULL": return .null
        case "true", "True", "TRUE": return .bool(true)
        case "false", "False", "FALSE": return .bool(false)
        default: break
        }
        guard let first = text.utf8.first, first < 0x3a else { return .string(text) }
        if let number = integer(text) { return .int(number) }
        guard isFloat(text), let number = Double(text), number.isFinite else { return .string(text) }
        return .double(number)
    }

    private static func integer(_ text: String) -> Int64? {
        func number(_ digits: Substring, radix: Int) -> Int64? {
            // `Int64` would take a sign here.
            guard let first = digits.utf8.first, first != 0x2b, first != 0x2d else { return nil }
            return Int64(digits, radix: radix)
        }
        if text.hasPrefix("0x") { return number(text.dropFirst(2), radix: 16) }
        if text.hasPrefix("0o") { return number(text.dropFirst(2), radix: 8) }
        // As Kubernetes' own tools read it, YAML 1.1: the one number that people write so is the mode of a file.
        if text.utf8.count > 1, text.utf8.first == 0x30, let number = number(text[...], radix: 8) {
            return number
        }
        return Int64(text)
    }

    private static func isFloat(_ text: String) -> Bool {
        var digits = false
        for (index, byte) in text.utf8.enumerated() {
            switch byte {
            case 0x30...0x39: digits = true
            case 0x2b, 0x2d, 0x2e, 0x65, 0x45: if (byte | 0x20) == 0x65 && index == 0 { return false }
            default: return false
            }
        }
        return digits
    }

    // MARK: Writing

    /// A text that every reader of YAML takes for that text when it stands without quotes.
    ///
    /// Source: the implicit types of YAML 1.1 (yaml.org/type), wider than any one reader takes them.
    static func isSafe(_ text: String) -> Bool {
        guard let first = text.utf8.first, let last = text.utf8.last,
            text.utf8.count <= Limits.yamlKeyBytesMax,
            last != UInt8(ascii: " "), last != UInt8(ascii: ":"),
            text.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7f }),
            !text.contains(": "), !text.contains(" #")
        else { return false }
        switch first {
        case 0x61...0x7a, 0x41...0x5a: return !words.contains(text.lowercased())
        // Numbers of any base, times of sixty parts, dates.
        case 0x30...0x39: return !text.utf8.allSatisfy(isOfNumbers)
        case UInt8(ascii: "/"), UInt8(ascii: "_"), UInt8(ascii: "$"): return true
        case UInt8(ascii: "."): return text.hasPrefix("./") || text.hasPrefix("../")
        default: return false
        }
    }

    private static let words: Set<String> = [
        "y", "n", "yes", "no", "on", "off", "true", "false", "null",
    ]

    private static func isOfNumbers(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x46, 0x61...0x66: true
        case UInt8(ascii: "x"), UInt8(ascii: "X"), UInt8(ascii: "o"), UInt8(ascii: "_"),
            UInt8(ascii: "."):
            true
        case UInt8(ascii: ":"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: " "): true
        case UInt8(ascii: "T"), UInt8(ascii: "t"), UInt8(ascii: "Z"), UInt8(ascii: "z"): true
        default: false
        }
    }

    /// What may stand unescaped in quotes and in blocks: no control character, no line end of Unicode, no character
    /// that YAML forbids.
    static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x20..<0x7f, 0xa0...0x2027, 0x202a...0xd7ff, 0xe000..<0xfeff, 0xff00...0xfffd, 0x10000...:
            true
        default: false
        }
    }
}
