import Glibc
import Machine
import Support
import Testing

@testable import GRPC

/// One gRPC server that misbehaves on demand, and a loop to call it from.
private final class Peer {
    let events = EventLoop()
    let socket: String
    private var pid: pid_t = 0

    init() throws {
        var template = Array("/tmp/agentos-test.XXXXXX".utf8CString)
        socket = String(cString: try #require(mkdtemp(&template))) + "/s"
        try start()
    }

    deinit {
        stop()
        unlink(socket)
        rmdir(String(socket.dropLast(2)))
    }

    func start() throws {
        unlink(socket)
        let script = #filePath.replacing("GRPCTests.swift", with: "grpc-server.py")
        let arguments: [String] = ["/usr/bin/python3", script, socket]
        var words = arguments.map { strdup($0) } + [nil]
        defer { for word in words { free(word) } }
        let result = posix_spawn(&pid, "/usr/bin/python3", nil, nil, &words, environ)
        try #require(result == 0)
        // The name is there before the server listens.
        World.until("the server answers") {
            let (outcome, channel) = (Outcome(), channel())
            outcome.call(channel, "/echo")
            run { outcome.ends > 0 }
            channel.close()
            return outcome.failure == nil
        }
    }

    func stop() {
        guard pid > 0 else { return }
        World.kill(pid, SIGKILL)
        waitpid(pid, nil, 0)
        pid = 0
    }

    func channel(messageBytesMax: Int = 16 << 20) -> GRPCChannel {
        GRPCChannel(path: socket, events: events, messageBytesMax: messageBytesMax)
    }

    /// Runs the loop until `isDone`, at most two minutes.
    func run(until isDone: @escaping () -> Bool) {
        var ticks = 0
        func tick() {
            ticks += 1
            if isDone() || ticks > 24_000 { return events.stop() }
            events.after(ms: 5) { tick() }
        }
        tick()
        events.run()
        #expect(isDone(), "not within two minutes")
    }
}

private func once(_ bytes: [UInt8]) -> () -> [UInt8]? {
    var rest = [bytes][...]
    return { rest.popFirst() }
}

/// One call's outcome.
private final class Outcome {
    var messages: [[UInt8]] = []
    var ends = 0
    var failure: GRPCFailure?

    @discardableResult
    func call(_ channel: GRPCChannel, _ method: String, _ body: String = "hello", deadlineMs: Int64? = 100_000)
        -> GRPCChannel.CallID
    {
        channel.call(method, deadlineMs: deadlineMs, next: once(Array(body.utf8))) { [self] in
            messages.append(Array($0))
        } done: { [self] in
            ends += 1
            failure = $0
        }
    }
}

@Suite struct GRPCTests {
    private func outcome(_ method: String, _ body: String = "hello", deadlineMs: Int64 = 100_000) throws -> Outcome {
        let peer = try Peer()
        let channel = peer.channel()
        let outcome = Outcome()
        outcome.call(channel, method, body, deadlineMs: deadlineMs)
        peer.run { outcome.ends > 0 }
        // The channel is good for another call after each misbehaviour.
        let next = Outcome()
        next.call(channel, "/echo", "again")
        peer.run { next.ends > 0 }
        #expect(next.failure == nil && next.messages == [Array("again".utf8)], "\(String(describing: next.failure))")
        #expect(outcome.ends == 1)
        return outcome
    }

    @Test func anAnswerComesBackWhole() throws {
        let outcome = try outcome("/echo")
        #expect(outcome.failure == nil)
        #expect(outcome.messages == [Array("hello".utf8)])
    }

    @Test(arguments: [
        ("/status", GRPCFailure.Code.notFound), ("/trailersOnly", .alreadyExists), ("/reset", .internalError),
        ("/huge", .resourceExhausted), ("/cutOff", .internalError), ("/compressed", .internalError),
        ("/noStatus", .internalError), ("/http503", .unavailable), ("/goAway", .unavailable),
        ("/unknown", .unimplemented),
        ("/garbage", .unavailable),
    ])
    func aBadAnswerIsOneFailureAndTheNextCallWorks(method: String, code: GRPCFailure.Code) throws {
        let outcome = try outcome(method)
        #expect(outcome.failure?.code == code, "\(String(describing: outcome.failure))")
    }

    @Test func theMessageOfAStatusIsDecoded() throws {
        #expect(try outcome("/status").failure?.message == "no such thing: ü")
    }

    @Test func aResetAfterTheTrailersIsNoFailure() throws {
        let outcome = try outcome("/resetAfterTrailers")
        #expect(outcome.failure == nil)
        #expect(outcome.messages.count == 1)
    }

    @Test func largeAndManyMessagesArriveThroughFlowControl() throws {
        #expect(try outcome("/large").messages.map(\.count) == [9 << 20])
        let many = try outcome("/many").messages
        #expect(many.count == 2000 && many.allSatisfy { $0.count == 1000 })
    }

    @Test func aDeadlineEndsTheCallAndASilentConnectionIsReplaced() throws {
        #expect(try outcome("/silence", deadlineMs: 100).failure?.code == .deadlineExceeded)
        #expect(try outcome("/slow", "1000", deadlineMs: 100).failure?.code == .deadlineExceeded)
    }

    @Test func aCancelledCallEndsAtOnceAndOnce() throws {
        let peer = try Peer()
        let channel = peer.channel()
        let (slow, other) = (Outcome(), Outcome())
        let id = slow.call(channel, "/slow", "0.2")
        other.call(channel, "/slow", "0.3")
        channel.cancel(id)
        #expect(slow.failure?.code == .cancelled)
        peer.run { other.ends > 0 }
        #expect(other.failure == nil)
        #expect(slow.ends == 1)
        #expect(channel.callsInFlight == 0)
    }

    @Test func aThousandCallsShareOneConnection() throws {
        let peer = try Peer()
        let channel = peer.channel()
        let outcomes = (0..<1000).map { _ in Outcome() }
        for (number, outcome) in outcomes.enumerated() { outcome.call(channel, "/echo", "call \(number)") }
        #expect(channel.callsInFlight == 1000)
        peer.run { outcomes.allSatisfy { $0.ends > 0 } }
        for (number, outcome) in outcomes.enumerated() {
            #expect(outcome.ends == 1 && outcome.failure == nil && outcome.messages == [Array("call \(number)".utf8)])
        }
    }

    @Test func aServerThatIsGoneFailsCallsAndIsFoundAgain() throws {
        let peer = try Peer()
        let channel = peer.channel()
        let (first, second, third) = (Outcome(), Outcome(), Outcome())
        first.call(channel, "/slow", "1000", deadlineMs: nil)
        peer.events.after(ms: 100) { peer.stop() }
        peer.run { first.ends > 0 }
        #expect(first.failure?.code == .unavailable)
        second.call(channel, "/echo")
        #expect(second.failure?.code == .unavailable, "no server listens")
        try peer.start()
        third.call(channel, "/echo")
        peer.run { third.ends > 0 }
        #expect(third.failure == nil)
    }

    @Test func aReaderThatStopsHoldsTheSenderBack() throws {
        // A listener that accepts and never reads: what is taken from the caller is bounded by the windows.
        var template = Array("/tmp/agentos-test.XXXXXX".utf8CString)
        let directory = String(cString: try #require(mkdtemp(&template)))
        defer { rmdir(directory) }
        let path = "\(directory)/s"
        let listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(listener) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let bound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(listener, $0, 110) }
        }
        try #require(bound == 0 && listen(listener, 4) == 0)
        defer { unlink(path) }
        let events = EventLoop()
        let channel = GRPCChannel(path: path, events: events)
        var taken = 0
        var failure: GRPCFailure?
        channel.call("/echo", deadlineMs: 300) {
            taken += 1
            return [UInt8](repeating: 1, count: 1 << 20)
        } onMessage: { _ in
        } done: {
            failure = $0
            events.stop()
        }
        events.run()
        #expect(failure?.code == .deadlineExceeded)
        #expect(taken <= 2, "\(taken) MiB were taken although nobody read")
    }

    @Test func noListenerIsUnavailable() throws {
        let channel = GRPCChannel(path: "/tmp/agentos-no-such-socket", events: EventLoop())
        let outcome = Outcome()
        outcome.call(channel, "/echo")
        #expect(outcome.failure?.code == .unavailable && outcome.ends == 1)
    }
}

@Suite struct ProtobufTests {
    @Test func whatIsWrittenIsReadBack() throws {
        var writer = ProtoWriter()
        writer.put(1, "name")
        writer.put(2, UInt64.max)
        writer.put(3) { $0.put(1, 7 as UInt64) }
        writer.put(4, map: ["b": "2", "a": "1"])
        writer.put(5, "")
        let message = try ProtoMessage(writer.bytes)
        #expect(message.string(1) == "name" && message.number(2) == .max && message.message(3).number(1) == 7)
        #expect(message.map(4) == ["a": "1", "b": "2"] && message.all(5).isEmpty)
    }

    @Test(
        arguments: [
            [0x08], [0x0a, 0x05, 0x01], [0x0b], [0x00, 0x00],
            [0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
            [0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], [0x09, 1, 2, 3],
        ] as [[UInt8]])
    func malformedBytesAreRefused(bytes: [UInt8]) {
        #expect(throws: ProtoMessage.Malformed.self) { try ProtoMessage(bytes) }
    }

    @Test func randomBytesNeverTrap() {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<20_000 {
            let bytes = (0..<Int.random(in: 0..<40, using: &random)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
            _ = try? ProtoMessage(bytes)
        }
    }
}
