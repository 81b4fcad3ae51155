/// Reads the frames of a WebSocket connection (RFC 6455), byte by byte as they come; does no input or output.
///
/// Guarantee: no bytes trap; what is kept of them is less than 140 bytes. Messages are told in the parts in which they
/// come, never put together.
public struct WebSocketDecoder: Sendable {
    /// What came.
    public enum Event: Sendable, Equatable {
        /// Bytes of a message, and whether they are its first and its last.
        case part([UInt8], isText: Bool, isFirst: Bool, isLast: Bool)
        case ping([UInt8])
        case pong
        case close(code: UInt16?)
    }

    private struct Frame: Sendable {
        var opcode: WebSocketFrame.Opcode
        var isFinal: Bool
        var left: UInt64
        var mask: [UInt8]
        var position = 0
    }

    private struct Message: Sendable {
        var isText: Bool
        var bytes: UInt64 = 0
        var isBegun = false
        var text = UTF8Progress()
    }

    private let isServer: Bool
    private let messageBytesMax: UInt64
    private var header: [UInt8] = []
    private var frame: Frame?
    private var control: [UInt8] = []
    private var message: Message?
    private var isClosed = false

    /// - Parameters:
    ///   - isServer: reads what a client sends, which is masked.
    ///   - messageBytesMax: of one message, all its parts together.
    public init(isServer: Bool, messageBytesMax: UInt64) {
        self.isServer = isServer
        self.messageBytesMax = messageBytesMax
    }

    /// Reads more bytes. After the close frame all others are skipped.
    public mutating func receive(_ bytes: [UInt8]) throws(WebSocketProblem) -> [Event] {
        var events: [Event] = []
        var rest = bytes[...]
        while !isClosed {
            if frame == nil {
                guard try readHeader(&rest) else { break }
            }
            guard var current = frame else { break }
            let count = Int(min(UInt64(rest.count), current.left))
            if count == 0, current.left > 0 { break }
            let payload = Self.unmask(rest.prefix(count), &current)
            rest = rest.dropFirst(count)
            current.left -= UInt64(count)
            frame = current.left == 0 ? nil : current
            if current.opcode.isControl {
                control += payload
                if current.left == 0 { events.append(try takeControl(current.opcode)) }
            } else if let event = try takeData(payload, current) {
                events.append(event)
            }
        }
        return events
    }

    private static func unmask(_ bytes: ArraySlice<UInt8>, _ frame: inout Frame) -> [UInt8] {
        guard !frame.mask.isEmpty else { return Array(bytes) }
        var out = Array(bytes)
        for index in out.indices { out[index] ^= frame.mask[(frame.position + index) & 3] }
        frame.position = (frame.position + out.count) & 3
        return out
    }

    // MARK: Heads of frames

    /// Takes what is missing of a frame's head; false when more must come.
    private mutating func readHeader(_ rest: inout ArraySlice<UInt8>) throws(WebSocketProblem) -> Bool {
        while header.count < 2 || header.count < headerCount {
            guard let byte = rest.popFirst() else { return false }
            header.append(byte)
        }
        defer { header = [] }
        guard header[0] & 0x70 == 0 else { throw .protocolError("reserved bits are set") }
        guard let opcode = WebSocketFrame.Opcode(rawValue: header[0] & 0x0f) else {
            throw .protocolError("unknown opcode \(header[0] & 0x0f)")
        }
        let isFinal = header[0] & 0x80 != 0
        let isMasked = header[1] & 0x80 != 0
        guard isMasked == isServer else {
            throw .protocolError(isServer ? "a client's frame is not masked" : "a server's frame is masked")
        }
        let length = try payloadLength()
        if opcode.isControl, !isFinal || length > 125 {
            throw .protocolError("a control frame is too long or in parts")
        }
        try begin(opcode, length)
        frame = Frame(opcode: opcode, isFinal: isFinal, left: length, mask: isMasked ? header.suffix(4) : [])
        return true
    }

    private var headerCount: Int {
        let extended =
            switch header[1] & 0x7f {
            case 126: 2
            case 127: 8
            default: 0
            }
        return 2 + extended + (header[1] & 0x80 != 0 ? 4 : 0)
    }

    private func payloadLength() throws(WebSocketProblem) -> UInt64 {
        func number(_ count: Int) -> UInt64 { header[2..<2 + count].reduce(0) { $0 << 8 | UInt64($1) } }
        let short = UInt64(header[1] & 0x7f)
        let (length, least): (UInt64, UInt64) =
            switch short {
            case 126: (number(2), 126)
            case 127: (number(8), 65_536)
            default: (short, 0)
            }
        guard length >= least, length >> 63 == 0 else { throw .protocolError("a length is not written as it must be") }
        return length
    }

    private mutating func begin(_ opcode: WebSocketFrame.Opcode, _ length: UInt64) throws(WebSocketProblem) {
        switch opcode {
        case .close, .ping, .pong:
            control = []
            return
        case .continuation: if message == nil { throw .protocolError("nothing is to be continued") }
        case .text, .binary:
            if message != nil { throw .protocolError("a message begins inside of another") }
            message = Message(isText: opcode == .text)
        }
        let (bytes, isOver) = (message?.bytes ?? 0).addingReportingOverflow(length)
        guard !isOver, bytes <= messageBytesMax else {
            throw WebSocketProblem(code: .tooBig, message: "a message is larger than \(messageBytesMax) bytes")
        }
        message?.bytes = bytes
    }

    // MARK: What is in them

    private mutating func takeData(_ payload: [UInt8], _ frame: Frame) throws(WebSocketProblem) -> Event? {
        guard var current = message else { return nil }
        let isLast = frame.left == 0 && frame.isFinal
        if current.isText, !current.text.take(payload) || (isLast && !current.text.isComplete) {
            throw WebSocketProblem(code: .notText, message: "a text is not UTF-8")
        }
        let isFirst = !current.isBegun
        if payload.isEmpty, !isLast { return nil }
        current.isBegun = true
        message = isLast ? nil : current
        return .part(payload, isText: current.isText, isFirst: isFirst, isLast: isLast)
    }

    private mutating func takeControl(_ opcode: WebSocketFrame.Opcode) throws(WebSocketProblem) -> Event {
        switch opcode {
        case .ping: return .ping(control)
        case .pong: return .pong
        case .close, .continuation, .text, .binary:
            isClosed = true
            if control.isEmpty { return .close(code: nil) }
            guard control.count >= 2 else { throw .protocolError("a close frame has half a code") }
            let code = UInt16(control[0]) << 8 | UInt16(control[1])
            guard Self.codes.contains(where: { $0.contains(code) }) else { throw .protocolError("close code \(code)") }
            var text = UTF8Progress()
            guard text.take(control[2...]), text.isComplete else {
                throw WebSocketProblem(code: .notText, message: "the reason of a close is not UTF-8")
            }
            return .close(code: code)
        }
    }

    /// Those that may be sent.
    private static let codes: [ClosedRange<UInt16>] = [1000...1003, 1007...1014, 3000...4999]
}

/// Why a connection is closed by the side that reads.
public struct WebSocketProblem: Error, Sendable, Equatable {
    /// As a close frame has it (section 7.4).
    public enum Code: UInt16, Sendable {
        case normal = 1000
        case goingAway = 1001
        case protocolError = 1002
        case notText = 1007
        case tooBig = 1009
        case internalError = 1011
    }

    public let code: Code
    public let message: String

    static func protocolError(_ message: String) -> WebSocketProblem {
        WebSocketProblem(code: .protocolError, message: message)
    }
}

/// Whether bytes that come in pieces are UTF-8 so far (RFC 3629, the table of section 4).
struct UTF8Progress: Sendable {
    private var left = 0
    /// What the next byte may be.
    private var next: ClosedRange<UInt8> = 0x80...0xbf

    var isComplete: Bool { left == 0 }

    mutating func take(_ bytes: some Sequence<UInt8>) -> Bool {
        for byte in bytes {
            if left > 0 {
                guard next.contains(byte) else { return false }
                left -= 1
                next = 0x80...0xbf
                continue
            }
            switch byte {
            case 0x00...0x7f: continue
            case 0xc2...0xdf: (left, next) = (1, 0x80...0xbf)
            case 0xe0: (left, next) = (2, 0xa0...0xbf)
            case 0xe1...0xec, 0xee, 0xef: (left, next) = (2, 0x80...0xbf)
            case 0xed: (left, next) = (2, 0x80...0x9f)
            case 0xf0: (left, next) = (3, 0x90...0xbf)
            case 0xf1...0xf3: (left, next) = (3, 0x80...0xbf)
            case 0xf4: (left, next) = (3, 0x80...0x8f)
            default: return false
            }
        }
        return true
    }
}
