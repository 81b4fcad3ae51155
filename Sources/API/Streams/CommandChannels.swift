import HTTP
import Reconciler
import Values

/// A protocol that carries a command's streams over one connection. Does no input or output.
protocol CommandChannels {
    /// The client has opened all that it asked for; the command may begin.
    var isReady: Bool { get }
    /// Reads what the client has sent.
    mutating func receive(_ bytes: [UInt8]) -> CommandChannelsReceived
    /// What carries output to the client.
    mutating func output(_ bytes: [UInt8], isError: Bool) -> [UInt8]
    /// What tells the client how the command ended, and that nothing follows.
    mutating func end(_ end: CommandEnd) -> [UInt8]
    /// What a client that is there answers, without its user noticing; nothing where the protocol has no such thing.
    func probe() -> [UInt8]
    /// The client closes the connection, when it has read everything; one that finds it closed may lose what it has not.
    var isClosedByClient: Bool { get }
}

/// What a client has sent.
struct CommandChannelsReceived: Equatable {
    var inputs: [CommandInput] = []
    /// To be sent at once.
    var reply: [UInt8] = []
    /// The client has ended the conversation, or does not speak the protocol.
    var isOver = false
}

/// How a command ended, as Kubernetes tells it.
struct CommandEnd: Equatable {
    let status: Node
    /// For protocols that have no object for it; empty when all is well.
    let message: String
    /// What the command itself could not say, for its standard error.
    let complaint: String

    init(_ result: ExecutionResult) {
        switch result {
        case .exited(0):
            self.init(.map([("metadata", .emptyMap), ("status", "Success")]), message: "")
        case .exited(let code):
            self.init(code: code, complaint: "")
        case .unstarted(let code, let why):
            self.init(code: code, complaint: "\(why)\n")
        case .timedOut:
            self.init(reason: "Timeout", code: 504, message: "the command was killed: it took too long")
        case .failed(let why):
            self.init(reason: "InternalError", code: 500, message: why)
        }
    }

    private init(_ status: Node, message: String, complaint: String = "") {
        self.status = status
        self.message = message
        self.complaint = complaint
    }

    private init(code: Int, complaint: String) {
        let message = "command terminated with non-zero exit code: \(code)"
        let cause = Node.map([("reason", "ExitCode"), ("message", .text(String(code)))])
        self.init(
            .map([
                ("metadata", .emptyMap), ("status", "Failure"), ("message", .text(message)),
                ("reason", "NonZeroExitCode"), ("details", .map([("causes", .list([cause]))])),
            ]), message: message, complaint: complaint)
    }

    private init(reason: String, code: Int, message: String) {
        self.init(
            .map([
                ("metadata", .emptyMap), ("status", "Failure"), ("message", .text(message)), ("reason", .text(reason)),
                ("code", .number(code)),
            ]), message: message)
    }
}

/// The size of a terminal as clients send it: `{"Width": 80, "Height": 24}`.
enum TerminalSize {
    static let bytesMax = 1024

    /// Nil: it is none.
    static func read(_ bytes: [UInt8]) -> CommandInput? {
        var diagnostics = Diagnostics()
        guard let node = JSONReader.read(bytes, file: "resize", diagnostics: &diagnostics), diagnostics.isEmpty,
            let width = node["Width"]?.int, let height = node["Height"]?.int,
            let columns = UInt16(exactly: width), let rows = UInt16(exactly: height)
        else { return nil }
        return .window(columns: columns, rows: rows)
    }
}

/// Which protocol a client of commands has asked for.
enum CommandFace {
    case webSocket(WebSocketHandshake, WebSocketChannels.Version)
    case spdy(SPDYChannels.Version)

    private static let spdy = "SPDY/3.1"
    private static let spdyVersion = "X-Stream-Protocol-Version"

    init(_ call: Call) throws(Failure) {
        if call.exchange.header("Upgrade")?.uppercased() == Self.spdy {
            let asked = call.exchange.headers(Self.spdyVersion).flatMap { line in
                line.split(separator: ",").map { String($0.drop { $0 == " " }.prefix { $0 != " " }) }
            }
            guard let version = SPDYChannels.Version.allCases.first(where: { asked.contains($0.rawValue) }) else {
                let known = SPDYChannels.Version.allCases.map(\.rawValue).joined(separator: ", ")
                throw .badRequest("\(Self.spdyVersion): expected one of \(known)")
            }
            self = .spdy(version)
            return
        }
        guard WebSocketHandshake.isAsked(by: call.exchange) else {
            throw .badRequest(
                "this needs a connection that can be upgraded: 'Upgrade: websocket' or 'Upgrade: SPDY/3.1'")
        }
        do throws(WebSocketProblem) {
            let handshake = try WebSocketHandshake(
                call.exchange, protocols: WebSocketChannels.Version.allCases.map(\.rawValue))
            let version = handshake.subprotocol.flatMap(WebSocketChannels.Version.init) ?? .v1
            self = .webSocket(handshake, version)
        } catch {
            throw .badRequest(error.message)
        }
    }

    func upgrade(_ call: Call) -> UpgradedConnection? {
        switch self {
        case .webSocket(let handshake, _): call.upgrade(handshake)
        case .spdy(let version):
            call.upgrade(to: Self.spdy, headers: [(Self.spdyVersion, version.rawValue)])
        }
    }

    func channels(_ streams: CommandRequest.Streams) -> any CommandChannels {
        switch self {
        case .webSocket(_, let version): WebSocketChannels(version)
        case .spdy(let version): SPDYChannels(version, streams)
        }
    }
}
