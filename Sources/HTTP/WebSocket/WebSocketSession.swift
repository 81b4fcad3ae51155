/// How frames are written (RFC 6455, section 5.2).
public enum WebSocketFrame {
    enum Opcode: UInt8, Sendable {
        case continuation = 0
        case text = 1
        case binary = 2
        case close = 8
        case ping = 9
        case pong = 10

        var isControl: Bool { rawValue & 8 != 0 }
    }

    /// A whole frame; masked when there is a mask, as clients must.
    static func bytes(_ opcode: Opcode, _ payload: [[UInt8]], mask: UInt32?) -> [UInt8] {
        let count = payload.reduce(0) { $0 + $1.count }
        var out: [UInt8] = [0x80 | opcode.rawValue]
        out.reserveCapacity(count + 14)
        let bit: UInt8 = mask == nil ? 0 : 0x80
        if count < 126 {
            out.append(bit | UInt8(count))
        } else if count < 65_536 {
            out += [bit | 126, UInt8(count >> 8), UInt8(count & 255)]
        } else {
            out.append(bit | 127)
            for shift in stride(from: 56, through: 0, by: -8) { out.append(UInt8(count >> shift & 255)) }
        }
        guard let mask else {
            for part in payload { out += part }
            return out
        }
        let key = (0..<4).map { UInt8(mask >> UInt32(24 - 8 * $0) & 255) }
        out += key
        var position = 0
        for part in payload {
            for byte in part {
                out.append(byte ^ key[position & 3])
                position += 1
            }
        }
        return out
    }
}

/// One side of a WebSocket connection: what came, what is to be answered, and whether it is over. Does no input or
/// output.
public struct WebSocketSession: Sendable {
    /// What bytes of the other side mean.
    public struct Received: Sendable, Equatable {
        /// Parts of messages, in order.
        public var parts: [Part] = []
        /// To be sent to the other side.
        public var reply: [UInt8] = []
        /// No message comes any more, and none may be sent.
        public var isOver = false
    }

    /// Bytes of a message, and whether they are its first and its last.
    public struct Part: Sendable, Equatable {
        public var bytes: [UInt8]
        public var isText: Bool
        public var isFirst: Bool
        public var isLast: Bool
    }

    private var decoder: WebSocketDecoder
    private let nextMask: (@Sendable () -> UInt32)?
    private var hasClosed = false

    /// The side of the server.
    public init(messageBytesMax: UInt64) {
        decoder = WebSocketDecoder(isServer: true, messageBytesMax: messageBytesMax)
        nextMask = nil
    }

    /// The side of the client, with what makes its masks.
    public init(messageBytesMax: UInt64, nextMask: @escaping @Sendable () -> UInt32) {
        decoder = WebSocketDecoder(isServer: false, messageBytesMax: messageBytesMax)
        self.nextMask = nextMask
    }

    public mutating func receive(_ bytes: [UInt8]) -> Received {
        var received = Received()
        if hasClosed {
            received.isOver = true
            return received
        }
        do throws(WebSocketProblem) {
            for event in try decoder.receive(bytes) {
                switch event {
                case .part(let bytes, let isText, let isFirst, let isLast):
                    received.parts.append(Part(bytes: bytes, isText: isText, isFirst: isFirst, isLast: isLast))
                case .ping(let bytes): received.reply += frame(.pong, [bytes])
                case .pong: break
                case .close(let code):
                    received.reply += close(code.flatMap(WebSocketProblem.Code.init) ?? .normal)
                    received.isOver = true
                }
            }
        } catch {
            received.reply += close(error.code, error.message)
            received.isOver = true
        }
        return received
    }

    /// A whole message; nothing after the end.
    public func message(_ parts: [[UInt8]], isText: Bool) -> [UInt8] {
        hasClosed ? [] : frame(isText ? .text : .binary, parts)
    }

    /// Asks the other side whether it is there.
    public func ping() -> [UInt8] { hasClosed ? [] : frame(.ping, []) }

    /// Ends this side; nothing when it has ended.
    public mutating func close(_ code: WebSocketProblem.Code, _ reason: String = "") -> [UInt8] {
        if hasClosed { return [] }
        hasClosed = true
        // A control frame has room for so much, and a text is not cut in the middle of a letter.
        var text: [UInt8] = []
        for letter in reason where text.count + letter.utf8.count <= 120 { text += letter.utf8 }
        return frame(.close, [[UInt8(code.rawValue >> 8), UInt8(code.rawValue & 255)], text])
    }

    private func frame(_ opcode: WebSocketFrame.Opcode, _ payload: [[UInt8]]) -> [UInt8] {
        WebSocketFrame.bytes(opcode, payload, mask: nextMask?())
    }
}
