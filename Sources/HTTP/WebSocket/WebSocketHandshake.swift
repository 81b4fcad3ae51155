import Values

/// The agreement of both sides to leave HTTP for WebSocket (RFC 6455, section 4).
public struct WebSocketHandshake: Sendable, Equatable {
    /// The protocol inside of the messages that both know; nil: none was asked for.
    public let subprotocol: String?
    private let accept: String

    /// Whether a head asks for it.
    public static func isAsked(by exchange: Exchange) -> Bool {
        exchange.header("Upgrade")?.lowercased() == "websocket"
    }

    /// - Parameters:
    ///   - protocols: those that are spoken here, the best first.
    ///   - isLenient: messages mean the same in all of them, so that a client that knows others is served, too.
    public init(_ exchange: Exchange, protocols: [String], isLenient: Bool = false) throws(WebSocketProblem) {
        guard exchange.header("Sec-WebSocket-Version") == "13" else {
            throw WebSocketProblem(code: .protocolError, message: "the version of WebSocket is not 13")
        }
        guard let key = exchange.header("Sec-WebSocket-Key"), Base64.decode(key)?.count == 16 else {
            throw WebSocketProblem(code: .protocolError, message: "Sec-WebSocket-Key is not 16 bytes in base64")
        }
        let asked = exchange.headers("Sec-WebSocket-Protocol").flatMap { line in
            line.split(separator: ",").map { String($0.drop { $0 == " " }.prefix { $0 != " " }) }
        }
        // Some clients close a connection on which none of theirs was chosen. A token is not one of them.
        let spare = isLenient ? asked.first { !$0.hasPrefix("base64url.bearer.") } : nil
        subprotocol = protocols.first(where: asked.contains) ?? spare
        if !isLenient, !asked.isEmpty, subprotocol == nil {
            let known = protocols.isEmpty ? "none" : protocols.joined(separator: ", ")
            throw WebSocketProblem(code: .protocolError, message: "no subprotocol that is spoken here (\(known))")
        }
        accept = Self.accept(key)
    }

    /// What proves to the client that its key was read.
    public static func accept(_ key: String) -> String {
        Base64.encode(sha1(Array("\(key)258EAFA5-E914-47DA-95CA-C5AB0DC85B11".utf8)))
    }

    var headers: [(String, String)] {
        [("Sec-WebSocket-Accept", accept)] + (subprotocol.map { [("Sec-WebSocket-Protocol", $0)] } ?? [])
    }
}
