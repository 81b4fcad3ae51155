/// The path and the query of a request line, each part decoded once, after splitting.
public struct RequestTarget: Sendable, Equatable {
    /// As it was sent, without the query.
    public let path: String
    public let segments: [String]
    public let query: [(name: String, value: String)]

    public static func == (a: RequestTarget, b: RequestTarget) -> Bool {
        a.path == b.path && a.segments == b.segments && a.query.elementsEqual(b.query, by: ==)
    }

    /// Reads the target of a request line, such as `/apis/g/v1/agents?watch=true`.
    ///
    /// Refused: text that is not UTF-8, `%` without two hexadecimal digits, zero bytes, and in a path control characters
    /// and an encoded slash: a name with one cannot be told from two names. Of a query each parameter says what it takes.
    public init(_ text: String) throws(TargetProblem) {
        let cut = text.firstIndex(of: "?")
        path = String(text[..<(cut ?? text.endIndex)])
        guard path.hasPrefix("/") else { throw .malformed("the path does not begin with a slash") }
        var parts = path.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
        if parts.last?.isEmpty == true { parts.removeLast() }
        var segments: [String] = []
        for part in parts {
            let segment = try Self.decode(part, isQuery: false)
            if segment.utf8.contains(UInt8(ascii: "/")) { throw .malformed("%2F stands in a part of the path") }
            segments.append(segment)
        }
        self.segments = segments
        var query: [(name: String, value: String)] = []
        if let cut {
            for pair in text[text.index(after: cut)...].split(separator: "&") {
                let halves = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                let name = try Self.decode(halves[0], isQuery: true)
                query.append((name, halves.count > 1 ? try Self.decode(halves[1], isQuery: true) : ""))
            }
        }
        self.query = query
    }

    private static func decode(_ text: Substring, isQuery: Bool) throws(TargetProblem) -> String {
        // Nearly all parts of paths are written as they are.
        let isPlain = text.utf8.allSatisfy {
            (0x20...0x7e).contains($0) && $0 != UInt8(ascii: "%") && $0 != UInt8(ascii: "+")
        }
        if isPlain { return String(text) }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.utf8.count)
        var rest = text.utf8
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%") {
                guard let high = rest.popFirst().flatMap(digit), let low = rest.popFirst().flatMap(digit) else {
                    throw .malformed("% stands without two hexadecimal digits")
                }
                bytes.append(high << 4 | low)
            } else {
                bytes.append(isQuery && byte == UInt8(ascii: "+") ? 0x20 : byte)
            }
        }
        guard bytes.allSatisfy({ ($0 >= 0x20 && $0 != 0x7f) || (isQuery && $0 != 0) }) else {
            throw .malformed("a control character stands in it")
        }
        guard let decoded = String(validating: bytes, as: UTF8.self) else { throw .malformed("it is not UTF-8") }
        return decoded
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x41 + 10
        case 0x61...0x66: byte - 0x61 + 10
        default: nil
        }
    }
}

/// Why a target is refused.
public enum TargetProblem: Error, Sendable, Equatable {
    case malformed(String)
}
