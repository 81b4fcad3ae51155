import HTTP
import Reconciler
import Values

/// Kubernetes' channels over SPDY, for kubectl before 1.30: a stream of the connection for each.
struct SPDYChannels: CommandChannels {
    /// The versions of what the streams carry, the best first.
    enum Version: String, CaseIterable {
        /// The end is told as an object.
        case v4 = "v4.channel.k8s.io"
        /// Terminals have a size.
        case v3 = "v3.channel.k8s.io"
        case v2 = "v2.channel.k8s.io"
    }

    private enum Kind: String {
        case status = "error"
        case input = "stdin"
        case output = "stdout"
        case error = "stderr"
        case size = "resize"
    }

    private let version: Version
    private let session = SPDYSession()
    private let expected: Set<Kind>
    private var streams: [Kind: UInt32] = [:]
    /// What has come of the size of a terminal.
    private var size: [UInt8] = []

    init(_ version: Version, _ wanted: CommandRequest.Streams) {
        self.version = version
        let all: [(Kind, Bool)] = [
            (.status, true), (.input, wanted.hasInput), (.output, wanted.hasOutput), (.error, wanted.hasError),
            (.size, wanted.isTerminal && version != .v2),
        ]
        expected = Set(all.filter(\.1).map(\.0))
    }

    let isClosedByClient = true

    var isReady: Bool { expected.allSatisfy { streams[$0] != nil } }

    mutating func receive(_ bytes: [UInt8]) -> CommandChannelsReceived {
        var received = CommandChannelsReceived()
        do throws(SPDYSession.Problem) {
            for event in try session.receive(bytes, reply: &received.reply) {
                switch event {
                case .opened(let stream, let type, _):
                    guard let kind = Kind(rawValue: type), streams[kind] == nil else {
                        received.isOver = true
                        return received
                    }
                    streams[kind] = stream
                case .data(let stream, let bytes, let isLast): take(bytes, of: stream, isLast, &received)
                case .reset(let stream): if stream == streams[.input] { received.inputs.append(.end) }
                case .goAway: received.isOver = true
                }
            }
        } catch {
            received.isOver = true
        }
        return received
    }

    private mutating func take(
        _ bytes: [UInt8], of stream: UInt32, _ isLast: Bool, _ received: inout CommandChannelsReceived
    ) {
        if stream == streams[.input] {
            if !bytes.isEmpty { received.inputs.append(.bytes(bytes)) }
            if isLast { received.inputs.append(.end) }
        } else if stream == streams[.size] {
            for byte in bytes where size.count < TerminalSize.bytesMax {
                size.append(byte)
                guard byte == UInt8(ascii: "}") else { continue }
                if let window = TerminalSize.read(size) { received.inputs.append(window) }
                size = []
            }
        }
    }

    mutating func output(_ bytes: [UInt8], isError: Bool) -> [UInt8] {
        streams[isError ? .error : .output].map { session.data(bytes, on: $0) } ?? []
    }

    func probe() -> [UInt8] { session.ping() }

    mutating func end(_ end: CommandEnd) -> [UInt8] {
        let last = version == .v4 ? JSONWriter.bytes(end.status) : Array(end.message.utf8)
        var out: [UInt8] = []
        for kind in [Kind.output, .error, .input, .size] {
            if let stream = streams[kind] { out += session.data([], on: stream, isLast: true) }
        }
        if let stream = streams[.status] { out += session.data(last, on: stream, isLast: true) }
        return out
    }
}
