/// The path and the query of a request line, each part decoded once, after splitting.
public struct RequestTarget: Sendable, Equatable {
    /// As it was sent, without the query.
    public let path: String
    public let segments: [String]
    public let query: [(name: String, value: String)]

    public static func == (a: RequestTarget, b: RequestTarget) -> Bool {
        a.path == b.path && a.segments == b.segments && a.query.elementsEqual(b.query, by: ==)
    }

    private typealias Bytes = Slice<UnsafeBufferPointer<UInt8>>

    /// Reads the target of a request line, such as `/apis/g/v1/agents?watch=true`.
    ///
    /// Refused: text that is not UTF-8, `%` without two hexadecimal digits, zero bytes, and in a path control characters
    /// and an encoded slash: a name with one cannot be told from two names. Of a query each parameter says what it takes.
    public init(_ text: String) throws(TargetProblem) {
        self = try Array(text.utf8).withUnsafeBufferPointer { (bytes) throws(TargetProblem) in
            try RequestTarget(bytes)
        }
    }

    /// The same, from where the bytes lie.
    init(_ bytes: UnsafeBufferPointer<UInt8>) throws(TargetProblem) {
        let cut = bytes.firstIndex(of: UInt8(ascii: "?")) ?? bytes.endIndex
        guard cut > 0, bytes[0] == UInt8(ascii: "/") else {
            throw .malformed("the path does not begin with a slash")
        }
        path = String(decoding: bytes[..<cut], as: UTF8.self)
        segments = try Self.segments(bytes[1..<cut])
        query = cut == bytes.endIndex ? [] : try Self.query(bytes[(cut + 1)...])
    }

    /// A slash at the end begins no further part.
    private static func segments(_ path: Bytes) throws(TargetProblem) -> [String] {
        var segments: [String] = []
        segments.reserveCapacity(8)
        var start = path.startIndex
        while start < path.endIndex {
            let end = path[start...].firstIndex(of: UInt8(ascii: "/")) ?? path.endIndex
            let segment = try decode(path[start..<end], isQuery: false)
            if segment.utf8.contains(UInt8(ascii: "/")) { throw .malformed("%2F stands in a part of the path") }
            segments.append(segment)
            start = end + 1
        }
        return segments
    }

    private static func query(_ text: Bytes) throws(TargetProblem) -> [(name: String, value: String)] {
        var query: [(name: String, value: String)] = []
        for pair in text.split(separator: UInt8(ascii: "&")) {
            let equal = pair.firstIndex(of: UInt8(ascii: "="))
            let name = try decode(pair[..<(equal ?? pair.endIndex)], isQuery: true)
            let value = pair[(equal.map { $0 + 1 } ?? pair.endIndex)...]
            query.append((name, try decode(value, isQuery: true)))
        }
        return query
    }

    private static func decode(_ text: Bytes, isQuery: Bool) throws(TargetProblem) -> String {
        // Nearly all parts of paths are written as they are.
        let isPlain = text.allSatisfy {
            (0x20...0x7e).contains($0) && $0 != UInt8(ascii: "%") && $0 != UInt8(ascii: "+")
        }
        if isPlain { return String(decoding: text, as: UTF8.self) }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count)
        var rest = text
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
