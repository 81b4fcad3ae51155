import Values

/// Reads one answer of HTTP/1.1 as its bytes come. Does no input or output; each piece costs what it is long.
///
/// Source: RFC 9112. Guarantee: an answer whose end does not come is never taken for a whole one.
package struct ResponseReader: Sendable {
    package private(set) var status = 0
    /// By names in small letters; of a name that stands twice the last value.
    package private(set) var headers: [String: String] = [:]

    private enum State: Sendable, Equatable {
        case status
        case fields
        case content(left: Int64)
        case chunkSize
        case chunk(left: Int64)
        case chunkEnd
        case trailers
        /// Up to the end of the connection.
        case rest
        case complete
    }

    private var state = State.status
    private var line: [UInt8] = []
    private var headBytes = 0

    /// The head, and what stands between the pieces of an answer.
    private static let headBytesMax = 65_536

    package init() {}

    /// The whole answer is there. After 101 what follows belongs to another protocol.
    package var isComplete: Bool { state == .complete }
    /// The connection serves another request after this one.
    package private(set) var keepsConnection = true

    /// Takes bytes up to the end of the answer, and gives its status and what they hold of its content to `content`, until
    /// that returns false.
    ///
    /// - Returns: how many bytes belong to the answer.
    package mutating func read(
        _ bytes: UnsafeRawBufferPointer, content: (Int, UnsafeRawBufferPointer) -> Bool
    ) throws(ResponseProblem) -> Int {
        var at = 0
        while at < bytes.count, state != .complete {
            switch state {
            case .content(let left), .chunk(let left):
                let count = Int(min(left, Int64(bytes.count - at)))
                pass(count, of: left)
                at += count
                if !content(status, UnsafeRawBufferPointer(rebasing: bytes[(at - count)..<at])) { return at }
            case .rest:
                let part = UnsafeRawBufferPointer(rebasing: bytes[at...])
                at = bytes.count
                if !content(status, part) { return at }
            case .status, .fields, .chunkSize, .chunkEnd, .trailers:
                guard let line = try line(bytes, &at) else { return at }
                try take(line)
            case .complete: break
            }
        }
        return at
    }

    /// The connection has ended: whether the answer is whole.
    package mutating func end() -> Bool {
        if state == .rest { state = .complete }
        return state == .complete
    }

    /// Content has come.
    private mutating func pass(_ count: Int, of left: Int64) {
        let left = left - Int64(count)
        switch state {
        case .content: state = left == 0 ? .complete : .content(left: left)
        case .chunk: state = left == 0 ? .chunkEnd : .chunk(left: left)
        case .status, .fields, .chunkSize, .chunkEnd, .trailers, .rest, .complete: break
        }
    }

    // MARK: Lines

    /// The next line without its end; nil while that has not come.
    private mutating func line(_ bytes: UnsafeRawBufferPointer, _ at: inout Int) throws(ResponseProblem) -> String? {
        let part = bytes[at...]
        let end = part.firstIndex(of: 0x0a)
        let taken = part[..<(end ?? part.endIndex)]
        headBytes += taken.count
        guard headBytes <= Self.headBytesMax else { throw ResponseProblem(words: "its head has no end") }
        line += taken
        at = end.map { $0 + 1 } ?? part.endIndex
        if end == nil { return nil }
        guard line.popLast() == 0x0d, let text = String(validating: line, as: UTF8.self) else {
            throw ResponseProblem(words: "it is no HTTP")
        }
        line.removeAll(keepingCapacity: true)
        return text
    }

    private mutating func take(_ line: String) throws(ResponseProblem) {
        switch state {
        case .status: try takeStatus(line)
        case .fields:
            if line.isEmpty { return try beginContent() }
            try takeField(line)
        case .chunkSize: try takeChunkSize(line)
        case .chunkEnd:
            guard line.isEmpty else { throw ResponseProblem(words: "a piece of it is longer than it says") }
            (state, headBytes) = (.chunkSize, 0)
        case .trailers: if line.isEmpty { state = .complete }
        case .content, .chunk, .rest, .complete: break
        }
    }

    private mutating func takeStatus(_ line: String) throws(ResponseProblem) {
        let words = line.split(separator: " ", maxSplits: 2)
        guard words.count >= 2, words[0] == "HTTP/1.1" || words[0] == "HTTP/1.0",
            let status = WholeNumber.read(words[1], in: 100...599)
        else { throw ResponseProblem(words: "it is no HTTP") }
        self.status = status
        keepsConnection = words[0] == "HTTP/1.1"
        headers = [:]
        state = .fields
    }

    private mutating func takeField(_ line: String) throws(ResponseProblem) {
        guard let colon = line.firstIndex(of: ":"), colon != line.startIndex, line.first != " ", line.first != "\t"
        else { throw ResponseProblem(words: "a line of its head is no field") }
        let name = line[..<colon].lowercased()
        var value = line[line.index(after: colon)...].drop { $0 == " " || $0 == "\t" }
        while value.last == " " || value.last == "\t" { value.removeLast() }
        if name == "content-length" || name == "transfer-encoding", let earlier = headers[name], earlier != value {
            throw ResponseProblem(words: "it has two lengths")
        }
        headers[name] = String(value)
    }

    private mutating func takeChunkSize(_ line: String) throws(ResponseProblem) {
        let digits = line.prefix { $0 != ";" && $0 != " " }
        guard (1...15).contains(digits.utf8.count), digits.utf8.first != UInt8(ascii: "-"),
            digits.utf8.first != UInt8(ascii: "+"), let size = Int64(digits, radix: 16)
        else { throw ResponseProblem(words: "a piece of it has no length") }
        (state, headBytes) = (size == 0 ? .trailers : .chunk(left: size), 0)
    }

    // MARK: The end of the head

    private mutating func beginContent() throws(ResponseProblem) {
        headBytes = 0
        if headers["connection"]?.lowercased() == "close" { keepsConnection = false }
        switch status {
        case 101: state = .complete
        // Others come before the answer itself.
        case 100..<200: state = .status
        case 204, 304: state = .complete
        default: state = try contentState()
        }
    }

    private mutating func contentState() throws(ResponseProblem) -> State {
        let length = headers["content-length"]
        if let encoding = headers["transfer-encoding"] {
            guard encoding.lowercased() == "chunked", length == nil else {
                throw ResponseProblem(words: "its length is said in a way that is not known")
            }
            return .chunkSize
        }
        guard let length else {
            keepsConnection = false
            return .rest
        }
        guard let count: Int64 = WholeNumber.read(length, in: 0...Int64.max) else {
            throw ResponseProblem(words: "its length is no number")
        }
        return count == 0 ? .complete : .content(left: count)
    }
}

/// Why an answer cannot be read.
package struct ResponseProblem: Error, Sendable, Equatable {
    package let words: String
}
