import HTTP
import Reconciler
import Values

/// Kubernetes' channels over WebSocket: the first byte of a message names its stream.
struct WebSocketChannels: CommandChannels {
    /// The subprotocols, the best first.
    enum Version: String, CaseIterable {
        /// A client can close its input.
        case v5 = "v5.channel.k8s.io"
        /// The end is told as an object.
        case v4 = "v4.channel.k8s.io"
        case v4Base64 = "v4.base64.channel.k8s.io"
        case v1 = "channel.k8s.io"
        case v1Base64 = "base64.channel.k8s.io"

        var isBase64: Bool { self == .v4Base64 || self == .v1Base64 }
        var hasStatus: Bool { self != .v1 && self != .v1Base64 }
    }

    private enum Channel {
        static let input: UInt8 = 0
        static let output: UInt8 = 1
        static let error: UInt8 = 2
        static let status: UInt8 = 3
        static let size: UInt8 = 4
        static let close: UInt8 = 255
    }

    private let version: Version
    private var session = WebSocketSession(messageBytesMax: UInt64(Self.messageBytesMax))
    /// Of the message that is coming.
    private var channel: UInt8?
    /// What has come of a message that must be read whole.
    private var whole: [UInt8] = []

    static let messageBytesMax = 32 << 20
    private static let wholeBytesMax = 1 << 20

    init(_ version: Version) { self.version = version }

    let isClosedByClient = false
    let isReady = true

    mutating func receive(_ bytes: [UInt8]) -> CommandChannelsReceived {
        let came = session.receive(bytes)
        var received = CommandChannelsReceived(reply: came.reply, isOver: came.isOver)
        for part in came.parts {
            let isTaken = version.isBase64 ? takeWhole(part, &received) : take(part, &received)
            if isTaken { continue }
            received.reply += session.close(.tooBig, "a message is too long to be read whole")
            received.isOver = true
            break
        }
        return received
    }

    private mutating func take(_ part: WebSocketSession.Part, _ received: inout CommandChannelsReceived) -> Bool {
        var bytes = part.bytes[...]
        if part.isFirst { (channel, whole) = (nil, []) }
        if channel == nil { channel = bytes.popFirst() }
        guard let channel else { return true }
        switch channel {
        case Channel.input: if !bytes.isEmpty { received.inputs.append(.bytes(Array(bytes))) }
        case Channel.size, Channel.close:
            guard whole.count + bytes.count <= TerminalSize.bytesMax else { return false }
            whole += bytes
            if part.isLast { takeControl(channel, &received) }
        default: break  // nothing else goes this way
        }
        return true
    }

    private mutating func takeControl(_ channel: UInt8, _ received: inout CommandChannelsReceived) {
        if channel == Channel.size {
            if let size = TerminalSize.read(whole) { received.inputs.append(size) }
        } else if version == .v5, whole == [Channel.input] {
            received.inputs.append(.end)
        }
    }

    /// A text: the digit of the channel, then base64.
    private mutating func takeWhole(_ part: WebSocketSession.Part, _ received: inout CommandChannelsReceived) -> Bool {
        if part.isFirst { whole = [] }
        guard whole.count + part.bytes.count <= Self.wholeBytesMax else { return false }
        whole += part.bytes
        guard part.isLast, let digit = whole.first else { return true }
        let text = String(decoding: whole.dropFirst(), as: UTF8.self)
        whole = Base64.decode(text) ?? []
        switch digit {
        case UInt8(ascii: "0"): if !whole.isEmpty { received.inputs.append(.bytes(whole)) }
        case UInt8(ascii: "4"): takeControl(Channel.size, &received)
        default: break
        }
        return true
    }

    // MARK: To the client

    mutating func output(_ bytes: [UInt8], isError: Bool) -> [UInt8] {
        message(isError ? Channel.error : Channel.output, bytes)
    }

    mutating func end(_ end: CommandEnd) -> [UInt8] {
        let last = version.hasStatus ? JSONWriter.bytes(end.status) : Array(end.message.utf8)
        let told = last.isEmpty ? [] : message(Channel.status, last)
        return told + session.close(.normal)
    }

    func probe() -> [UInt8] { session.ping() }

    private func message(_ channel: UInt8, _ bytes: [UInt8]) -> [UInt8] {
        if version.isBase64 {
            return session.message([[UInt8(ascii: "0") + channel], Array(Base64.encode(bytes).utf8)], isText: true)
        }
        return session.message([[channel], bytes], isText: false)
    }
}
