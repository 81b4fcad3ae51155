import HTTP
import Testing
import Values

/// WebSocket's framing, both sides of it, without a connection.
@Suite struct WebSocketTests {
    private static func server() -> WebSocketSession { WebSocketSession(messageBytesMax: 1 << 20) }
    private static func client() -> WebSocketSession {
        WebSocketSession(messageBytesMax: 1 << 20) { 0x1234_5678 }
    }

    /// The messages that come when bytes arrive in pieces of a size.
    private static func messages(_ bytes: [UInt8], to session: inout WebSocketSession, pieces: Int) -> [[UInt8]] {
        var found: [[UInt8]] = []
        for start in stride(from: 0, to: bytes.count, by: pieces) {
            for part in session.receive(Array(bytes[start..<min(start + pieces, bytes.count)])).parts {
                if part.isFirst { found.append([]) }
                if !found.isEmpty { found[found.count - 1] += part.bytes }
            }
        }
        return found
    }

    @Test(arguments: [1, 2, 3, 7, 64, 100_000]) func messagesArriveWholeInWhateverPieces(pieces: Int) {
        let sizes = [0, 1, 125, 126, 127, 65_535, 65_536, 70_000]
        let sent = sizes.map { size in (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 7) } }
        var (server, client) = (Self.server(), Self.client())
        let toServer = sent.flatMap { client.message([$0], isText: false) }
        #expect(Self.messages(toServer, to: &server, pieces: pieces) == sent)
        let toClient = sent.flatMap { server.message([[], $0], isText: false) }
        #expect(Self.messages(toClient, to: &client, pieces: pieces) == sent)
    }

    /// The example of RFC 6455, section 1.3.
    @Test func theKeyIsAcceptedAsTheStandardSays() {
        #expect(WebSocketHandshake.accept("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
    }

    /// A frame of a client, masked with zeroes.
    private static func frame(_ first: UInt8, _ payload: [UInt8], length: [UInt8]? = nil) -> [UInt8] {
        [first] + (length ?? [0x80 | UInt8(payload.count)]) + [0, 0, 0, 0] + payload
    }

    @Test func messagesInFragmentsWithPingsBetweenThemAreOne() {
        var server = Self.server()
        let bytes =
            Self.frame(0x01, Array("ge".utf8)) + Self.frame(0x89, [1, 2]) + Self.frame(0x00, [0xc3])
            + Self.frame(0x80, [0xa4, 0x6e])
        let received = server.receive(bytes)
        #expect(received.parts.map(\.bytes) == [Array("ge".utf8), [0xc3], [0xa4, 0x6e]])
        #expect(received.parts.map(\.isFirst) == [true, false, false])
        #expect(received.parts.map(\.isLast) == [false, false, true])
        #expect(received.reply == [0x8a, 2, 1, 2] && !received.isOver)
    }

    /// What breaks the protocol, and the code that it is answered with.
    private static let broken: [(name: String, bytes: [UInt8], code: UInt16)] = [
        ("a reserved bit", frame(0xc2, []), 1002), ("an unknown opcode", frame(0x83, []), 1002),
        ("an unmasked frame", [0x82, 0], 1002), ("a continuation of nothing", frame(0x80, []), 1002),
        ("a message in a message", frame(0x01, []) + frame(0x81, []), 1002),
        ("a ping in parts", frame(0x09, []), 1002), ("a long ping", frame(0x89, [], length: [0xfe, 0, 200]), 1002),
        ("a length in too many bytes", frame(0x82, [], length: [0xfe, 0, 5]), 1002),
        ("a length of 64 bits for few", frame(0x82, [], length: [0xff, 0, 0, 0, 0, 0, 0, 1, 0]), 1002),
        ("a negative length", frame(0x82, [], length: [0xff, 0x80, 0, 0, 0, 0, 0, 0, 0]), 1002),
        ("more than the most", frame(0x82, [], length: [0xff, 0, 0, 0, 0, 0, 0x20, 0, 0]), 1009),
        ("2^63 - 1 bytes", frame(0x82, [], length: [0xff, 0x7f, 255, 255, 255, 255, 255, 255, 255]), 1009),
        ("text that is none", frame(0x81, [0xff]), 1007), ("half a letter", frame(0x81, [0xc3]), 1007),
        ("a surrogate", frame(0x81, [0xed, 0xa0, 0x80]), 1007), ("half a code", frame(0x88, [3]), 1002),
        ("a code that is never sent", frame(0x88, [0x03, 0xed]), 1002),
        ("a reason that is no text", frame(0x88, [0x03, 0xe8, 0xff]), 1007),
    ]

    @Test(arguments: broken.indices) func whatBreaksTheProtocolIsAnsweredWithItsCode(index: Int) {
        var server = Self.server()
        let received = server.receive(Self.broken[index].bytes)
        let code =
            received.reply.count > 4 || received.reply.count == 4
            ? UInt16(received.reply[2]) << 8 | UInt16(received.reply[3]) : 0
        #expect(received.isOver && code == Self.broken[index].code, "\(Self.broken[index].name): \(received.reply)")
        #expect(server.message([[1]], isText: false).isEmpty && server.receive([1, 2, 3]).isOver)
    }

    @Test func aCloseIsAnsweredOnceAndEndsBothWays() {
        var (server, client) = (Self.server(), Self.client())
        let close = client.close(.normal, "enough")
        let answer = server.receive(close + client.message([[1]], isText: false))
        #expect(answer.isOver && answer.parts.isEmpty && answer.reply == [0x88, 2, 3, 0xe8])
        #expect(client.close(.normal).isEmpty && server.close(.goingAway).isEmpty)
        var other = Self.server()
        let long = other.close(.internalError, String(repeating: "ä", count: 200))
        #expect(long.count <= 127 && String(validating: long[4...], as: UTF8.self) != nil)
    }

    /// Whole conversations with bytes changed at random: nothing traps, and nothing is kept of what was taken.
    @Test(arguments: 0..<4) func noBytesTrap(seed: UInt64) {
        var random = SplitMix(seed: seed)
        for _ in 0..<2000 {
            let client = WebSocketSession(messageBytesMax: 4096) { 0xdead_beef }
            var bytes: [UInt8] = []
            for _ in 0..<Int.random(in: 1...5, using: &random) {
                let payload = (0..<Int.random(in: 0...300, using: &random)).map { UInt8(truncatingIfNeeded: $0) }
                bytes += client.message([payload], isText: Bool.random(using: &random))
                if Bool.random(using: &random) { bytes += client.ping() }
            }
            for _ in 0..<Int.random(in: 0...4, using: &random) {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            var server = WebSocketSession(messageBytesMax: 4096)
            var rest = bytes[...]
            while !rest.isEmpty {
                let count = Int.random(in: 1...64, using: &random)
                let received = server.receive(Array(rest.prefix(count)))
                #expect(received.parts.reduce(0) { $0 + $1.bytes.count } <= count)
                rest = rest.dropFirst(count)
            }
        }
    }
}
