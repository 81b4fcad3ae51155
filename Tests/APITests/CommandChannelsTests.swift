import Reconciler
import Testing
import Values

@testable import API
@testable import HTTP

/// What clients of commands send, and how it is told what became of it; without a connection.
@Suite struct CommandChannelsTests {
    private static let all = CommandRequest.Streams(hasInput: true, hasOutput: true, hasError: true, isTerminal: false)

    private static func message(_ bytes: [UInt8], isText: Bool = false) -> [UInt8] {
        WebSocketSession(messageBytesMax: 1 << 20) { 7 }.message([bytes], isText: isText)
    }

    @Test func theFirstByteOfAMessageNamesItsStream() {
        var channels = WebSocketChannels(.v5)
        let size = Array("\u{4}{\"Width\":100,\"Height\":33}".utf8)
        let bytes =
            Self.message([0, 1, 2]) + Self.message(size) + Self.message([0]) + Self.message([])
            + Self.message([9, 9]) + Self.message([255, 0])
        let whole = channels.receive(bytes)
        #expect(whole.inputs == [.bytes([1, 2]), .window(columns: 100, rows: 33), .end] && !whole.isOver)
        var slowly = WebSocketChannels(.v5)
        let inputs = bytes.flatMap { slowly.receive([$0]).inputs }
        #expect(inputs == [.bytes([1]), .bytes([2]), .window(columns: 100, rows: 33), .end])
    }

    /// Version 4 cannot close its input: these bytes mean nothing there.
    @Test func onlyVersionFiveClosesItsInput() {
        var channels = WebSocketChannels(.v4)
        #expect(channels.receive(Self.message([255, 0])).inputs.isEmpty)
    }

    @Test(arguments: [
        "{}", "{\"Width\":-1,\"Height\":1}", "{\"Width\":65536,\"Height\":1}", "{\"Width\":1e9,\"Height\":1}", "[",
        "80x24",
        "{\"Width\":99999999999999999999,\"Height\":1}", "{\"Width\":\"1\",\"Height\":1}",
    ])
    func sizesThatAreNoneAreSkipped(text: String) {
        var channels = WebSocketChannels(.v5)
        let received = channels.receive(Self.message([4] + Array(text.utf8)))
        #expect(received.inputs.isEmpty && !received.isOver)
    }

    @Test func base64IsReadAndWritten() {
        var channels = WebSocketChannels(.v4Base64)
        #expect(
            channels.receive(Self.message(Array("0aGVsbG8=".utf8), isText: true)).inputs == [
                .bytes(Array("hello".utf8))
            ])
        #expect(channels.receive(Self.message(Array("0!!".utf8), isText: true)).inputs.isEmpty)
        let out = channels.output(Array("hello".utf8), isError: true)
        #expect(String(decoding: out[2...], as: UTF8.self) == "2aGVsbG8=")
    }

    @Test func theEndIsToldAsKubernetesTellsIt() {
        func status(_ result: ExecutionResult) -> String { JSONWriter.text(CommandEnd(result).status) }
        #expect(status(.exited(0)) == #"{"metadata":{},"status":"Success"}"#)
        let seven = status(.exited(7))
        #expect(
            seven.contains(#""reason":"NonZeroExitCode""#) && seven.contains(#"{"reason":"ExitCode","message":"7"}"#))
        let missing = CommandEnd(.unstarted(code: 127, "no such file"))
        #expect(missing.complaint == "no such file\n" && JSONWriter.text(missing.status).contains(#""message":"127""#))
        #expect(status(.failed("why")).contains("InternalError"))
        var old = WebSocketChannels(.v1)
        #expect(String(decoding: old.end(CommandEnd(.exited(3))), as: UTF8.self).contains("non-zero exit code: 3"))
    }

    // MARK: SPDY

    /// What Debian's kubectl 1.20 sends for `exec -i`: four streams of which the headers are one compressed stream.
    private struct SPDYClient {
        private let writer = SPDYHeaderWriter()

        mutating func open(_ stream: UInt8, _ type: String, isLast: Bool = false) -> [UInt8] {
            let block = writer.write([("streamtype", type)])
            let length = block.count + 10
            return [
                0x80, 3, 0, 1, isLast ? 1 : 0, 0, UInt8(length >> 8), UInt8(length & 255), 0, 0, 0, stream, 0, 0, 0, 0,
                0, 0,
            ]
                + block
        }

        func data(_ stream: UInt8, _ bytes: [UInt8], isLast: Bool = false) -> [UInt8] {
            [0, 0, 0, stream, isLast ? 1 : 0, 0, UInt8(bytes.count >> 8), UInt8(bytes.count & 255)] + bytes
        }
    }

    @Test func aCommandBeginsWhenAllStreamsAreOpen() {
        var (client, channels) = (SPDYClient(), SPDYChannels(.v4, Self.all))
        for (stream, type) in [(UInt8(1), "error"), (3, "stdin"), (5, "stdout")] {
            let received = channels.receive(client.open(stream, type))
            #expect(!received.isOver && !received.reply.isEmpty && !channels.isReady, "\(type)")
        }
        #expect(!channels.receive(client.open(7, "stderr")).isOver && channels.isReady)
        #expect(channels.receive(client.data(3, [1, 2])).inputs == [.bytes([1, 2])])
        let slowly = client.data(3, [3, 4], isLast: true).flatMap { channels.receive([$0]).inputs }
        #expect(slowly == [.bytes([3]), .bytes([4]), .end])
        #expect(channels.receive(client.data(3, [], isLast: true)).inputs.isEmpty, "it has ended once")
        let ping: [UInt8] = [0x80, 3, 0, 6, 0, 0, 0, 4, 0, 0, 0, 9]
        #expect(channels.receive(ping).reply == ping)
        #expect(channels.probe() == [0x80, 3, 0, 6, 0, 0, 0, 4, 0, 0, 0, 2])
        #expect(channels.output([65], isError: false) == [0, 0, 0, 5, 0, 0, 0, 1, 65])
        #expect(String(decoding: channels.end(CommandEnd(.exited(0))), as: UTF8.self).hasSuffix("\"Success\"}"))
    }

    /// A client that has no input may say so as it opens the stream.
    @Test func aStreamMayEndAsItIsOpened() {
        var (client, channels) = (SPDYClient(), SPDYChannels(.v4, Self.all))
        #expect(channels.receive(client.open(1, "error", isLast: true)).inputs.isEmpty)
        #expect(channels.receive(client.open(3, "stdin", isLast: true)).inputs == [.end])
    }

    @Test func whatBreaksSPDYEndsTheConversation() {
        var client = SPDYClient()
        let opened = client.open(1, "error")
        for bytes in [
            opened + client.open(2, "stdin"), client.open(3, "unknown"), [0x80, 2, 0, 1, 0, 0, 0, 0],
            [0x80, 3, 0, 1, 0, 0, 0, 2, 0, 0], [0x80, 3, 0, 1, 0, 255, 255, 255],
            [0x80, 3, 0, 1, 0, 0, 0, 14, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4],
        ] {
            var channels = SPDYChannels(.v4, Self.all)
            #expect(channels.receive(bytes).isOver, "\(bytes.prefix(12))")
        }
    }

    /// A kilobyte of zlib can stand for a megabyte of headers.
    @Test func headersThatGrowWithoutBoundAreRefused() {
        let block = SPDYHeaderWriter().write([("streamtype", String(repeating: "a", count: 10 << 20))])
        let length = block.count + 10
        let frame: [UInt8] =
            [0x80, 3, 0, 1, 0, 0, UInt8(length >> 8), UInt8(length & 255), 0, 0, 0, 1, 0, 0, 0, 0, 0, 0] + block
        var channels = SPDYChannels(.v4, Self.all)
        #expect(length < 65_536 && channels.receive(frame).isOver)
    }

    @Test(arguments: 0..<4) func noBytesTrap(seed: UInt64) {
        var random = SplitMix(seed: seed)
        var client = SPDYClient()
        let whole =
            client.open(1, "error") + client.open(3, "stdin") + client.open(5, "stdout") + client.open(7, "stderr")
            + client.data(3, [1, 2, 3]) + [0x80, 3, 0, 6, 0, 0, 0, 4, 0, 0, 0, 9]
        for _ in 0..<1000 {
            var bytes = whole
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            var channels = SPDYChannels(.v4, Self.all)
            var rest = bytes[...]
            while !rest.isEmpty {
                let received = channels.receive(Array(rest.prefix(9)))
                if received.isOver { break }
                rest = rest.dropFirst(9)
            }
        }
    }
}
