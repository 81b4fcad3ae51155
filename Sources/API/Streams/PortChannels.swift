import HTTP
import Values

/// A protocol that carries connections to ports of a replica over one connection of a client. Does no input or output.
protocol PortChannels {
    /// Reads what the client has sent.
    mutating func receive(_ bytes: [UInt8]) -> PortChannelsReceived
    /// What carries bytes of a port to the client.
    mutating func output(_ bytes: [UInt8], of link: UInt32) -> [UInt8]
    /// Nothing follows from a port; `problem`: why there was nothing, or no more. Its link is over.
    mutating func end(_ link: UInt32, problem: String?) -> [UInt8]
    /// What a client that is there answers, without its user noticing.
    mutating func probe() -> [UInt8]
    /// No link is open, and none comes.
    var isFinished: Bool { get }
}

/// What a client has sent.
struct PortChannelsReceived: Equatable {
    enum Event: Equatable {
        /// The client wants a connection to a port.
        case open(UInt32, port: UInt16)
        case bytes(UInt32, [UInt8])
        /// Nothing follows on this side.
        case end(UInt32)
        /// The client takes nothing more, either.
        case reset(UInt32)
    }

    var events: [Event] = []
    /// To be sent at once.
    var reply: [UInt8] = []
    /// The client has ended the conversation, or does not speak the protocol.
    var isOver = false
}

/// Pairs of streams over SPDY, as kubectl opens them: one for data, one for what went wrong.
struct SPDYPorts: PortChannels {
    static let version = "portforward.k8s.io"
    private static let streamsMax = 512
    /// Of `requestID`, which joins the two streams of a pair.
    private static let idBytesMax = 32

    private struct Pair {
        var data: UInt32?
        var error: UInt32?
    }

    private let session = SPDYSession(streamsMax: streamsMax)
    /// Pairs of which one is missing, by the client's number.
    private var waiting: [String: Pair] = [:]
    /// The stream for what went wrong, by that of the data.
    private var errors: [UInt32: UInt32] = [:]

    let isFinished = false

    mutating func receive(_ bytes: [UInt8]) -> PortChannelsReceived {
        var received = PortChannelsReceived()
        do throws(SPDYSession.Problem) {
            for event in try session.receive(bytes, reply: &received.reply) {
                switch event {
                case .opened(let stream, let type, let headers):
                    guard open(stream, type, headers, &received) else {
                        received.isOver = true
                        return received
                    }
                case .data(let stream, let bytes, let isLast):
                    guard errors[stream] != nil else {
                        // Nothing can be kept for a pair that is not whole, and nothing may be lost.
                        if !waiting.values.contains(where: { $0.data == stream }) { continue }
                        received.isOver = true
                        return received
                    }
                    if !bytes.isEmpty { received.events.append(.bytes(stream, bytes)) }
                    if isLast { received.events.append(.end(stream)) }
                case .reset(let stream):
                    waiting = waiting.filter { $0.value.data != stream && $0.value.error != stream }
                    if errors[stream] != nil { received.events.append(.reset(stream)) }
                case .goAway: received.isOver = true
                }
            }
        } catch {
            received.isOver = true
        }
        return received
    }

    private mutating func open(
        _ stream: UInt32, _ type: String, _ headers: [SPDYSession.Header],
        _ received: inout PortChannelsReceived
    ) -> Bool {
        func header(_ name: String) -> String? { headers.first { $0.name == name }?.value }
        guard let port = header("port").flatMap({ UInt16($0) }), port > 0, let id = header("requestid"),
            id.utf8.count <= Self.idBytesMax
        else { return false }
        var pair = waiting[id] ?? Pair()
        switch type {
        case "data" where pair.data == nil: pair.data = stream
        case "error" where pair.error == nil: pair.error = stream
        default: return false
        }
        waiting[id] = pair
        guard let data = pair.data, let error = pair.error else { return true }
        waiting[id] = nil
        errors[data] = error
        received.events.append(.open(data, port: port))
        return true
    }

    mutating func output(_ bytes: [UInt8], of link: UInt32) -> [UInt8] { session.data(bytes, on: link) }

    mutating func end(_ link: UInt32, problem: String?) -> [UInt8] {
        guard let error = errors.removeValue(forKey: link) else { return [] }
        return session.data(Array((problem ?? "").utf8), on: error, isLast: true)
            + session.data([], on: link, isLast: true)
    }

    mutating func probe() -> [UInt8] { session.ping() }
}

/// The same in messages of WebSocket, for kubectl from 1.31: what is in them is SPDY.
struct TunnelledPorts: PortChannels {
    static let version = "SPDY/3.1+portforward.k8s.io"

    private var session = WebSocketSession(messageBytesMax: 32 << 20)
    private var ports = SPDYPorts()

    let isFinished = false

    mutating func receive(_ bytes: [UInt8]) -> PortChannelsReceived {
        let came = session.receive(bytes)
        var received = PortChannelsReceived(reply: came.reply, isOver: came.isOver)
        for part in came.parts {
            let inner = ports.receive(part.bytes)
            received.events += inner.events
            received.reply += message(inner.reply)
            if inner.isOver {
                received.reply += session.close(.normal)
                received.isOver = true
                break
            }
        }
        return received
    }

    mutating func output(_ bytes: [UInt8], of link: UInt32) -> [UInt8] { message(ports.output(bytes, of: link)) }
    mutating func end(_ link: UInt32, problem: String?) -> [UInt8] { message(ports.end(link, problem: problem)) }
    mutating func probe() -> [UInt8] { session.ping() }

    private func message(_ bytes: [UInt8]) -> [UInt8] {
        bytes.isEmpty ? [] : session.message([bytes], isText: false)
    }
}

/// One connection to each of the ports that the query names, in channels of WebSocket: for the libraries of Kubernetes, and
/// for the command line. Of each port, an even channel is for data and the next for what went wrong; each begins with the
/// number of the port, in two bytes.
struct WebSocketPorts: PortChannels {
    /// The subprotocols, the best first.
    enum Version: String, CaseIterable {
        /// A client can end its side.
        case v5 = "v5.channel.k8s.io"
        case v4 = "v4.channel.k8s.io"
    }

    private static let close: UInt8 = 255
    static let portsMax = 32

    private let version: Version
    private let ports: [UInt16]
    private var session = WebSocketSession(messageBytesMax: 32 << 20)
    private var isOpen: [Bool]
    private var hasBegun = false
    /// Of the message that is coming.
    private var channel: UInt8?

    /// - Parameter ports: at most `portsMax`.
    init(_ version: Version, _ ports: [UInt16]) {
        self.version = version
        self.ports = ports
        isOpen = ports.map { _ in true }
    }

    var isFinished: Bool { hasBegun && !isOpen.contains(true) }

    /// What is said and done before the client says anything.
    mutating func begin() -> PortChannelsReceived {
        hasBegun = true
        var begun = PortChannelsReceived()
        for (index, port) in ports.enumerated() {
            let number = [UInt8(port & 255), UInt8(port >> 8)]
            begun.reply += message(UInt8(2 * index), number) + message(UInt8(2 * index + 1), number)
            begun.events.append(.open(UInt32(index), port: port))
        }
        return begun
    }

    mutating func receive(_ bytes: [UInt8]) -> PortChannelsReceived {
        let came = session.receive(bytes)
        var received = PortChannelsReceived(reply: came.reply, isOver: came.isOver)
        for part in came.parts {
            var bytes = part.bytes[...]
            if part.isFirst { channel = nil }
            if channel == nil { channel = bytes.popFirst() }
            guard let channel, !bytes.isEmpty else { continue }
            if channel == Self.close {
                guard version == .v5, let ended = link(bytes[bytes.startIndex]) else { continue }
                received.events.append(.end(ended))
            } else if let link = link(channel) {
                received.events.append(.bytes(link, Array(bytes)))
            }
        }
        return received
    }

    private func link(_ channel: UInt8) -> UInt32? {
        channel % 2 == 0 && Int(channel / 2) < ports.count ? UInt32(channel / 2) : nil
    }

    mutating func output(_ bytes: [UInt8], of link: UInt32) -> [UInt8] { message(UInt8(2 * link), bytes) }

    mutating func end(_ link: UInt32, problem: String?) -> [UInt8] {
        guard isOpen[Int(link)] else { return [] }
        isOpen[Int(link)] = false
        let told = problem.map { message(UInt8(2 * link + 1), Array($0.utf8)) } ?? []
        return told + (isFinished ? session.close(.normal) : [])
    }

    mutating func probe() -> [UInt8] { session.ping() }

    private func message(_ channel: UInt8, _ bytes: [UInt8]) -> [UInt8] {
        session.message([[channel], bytes], isText: false)
    }
}
