import CLinux
import CNGHTTP2
import Glibc
package import Machine

/// A call that did not end with OK.
///
/// Source: the status codes of gRPC over HTTP/2.
package struct GRPCFailure: Error, Sendable, Equatable {
    package enum Code: Int, Sendable {
        case cancelled = 1
        case unknown, invalidArgument, deadlineExceeded, notFound, alreadyExists, permissionDenied, resourceExhausted
        case failedPrecondition, aborted, outOfRange, unimplemented, internalError, unavailable, dataLoss
        case unauthenticated
    }

    package var code: Code
    package var message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    /// Nothing answered; whether the call was carried out is not known.
    package var isOutage: Bool { code == .unavailable || code == .deadlineExceeded }
}

/// A gRPC client on one connection to a unix socket: HTTP/2 with prior knowledge, any number of calls at a time.
///
/// It connects when it is used, fails all its calls when the connection breaks, and connects again with the next call;
/// it repeats nothing by itself. Assumes: used on its loop's thread only.
package final class GRPCChannel {
    package struct CallID: Hashable, Sendable { let number: Int }

    final class Call {
        let id: CallID
        let method: String
        /// The next message to send; nil at the end.
        let next: () -> [UInt8]?
        let onMessage: (ArraySlice<UInt8>) -> Void
        let done: (GRPCFailure?) -> Void
        var stream: Int32 = -1
        var outgoing: ArraySlice<UInt8> = []
        var incoming: [UInt8] = []
        var httpStatus = 0
        var status: Int?
        var message = ""
        /// What to say instead of what the stream says.
        var verdict: GRPCFailure?
        var timer: EventLoop.TimerID?

        init(
            id: CallID, method: String, next: @escaping () -> [UInt8]?,
            onMessage: @escaping (ArraySlice<UInt8>) -> Void, done: @escaping (GRPCFailure?) -> Void
        ) {
            self.id = id
            self.method = method
            self.next = next
            self.onMessage = onMessage
            self.done = done
        }
    }

    package let path: String
    private let metadata: [(String, String)]
    private let events: EventLoop
    private let messageBytesMax: Int
    private var fd: Int32 = -1
    private var session: OpaquePointer?
    private var outgoing: [UInt8] = []
    private var outgoingStart = 0
    private var nextCall = 0
    private var streams: [Int32: Call] = [:]
    private var calls: [CallID: Call] = [:]
    private var ended: [(Call, GRPCFailure?)] = []
    private var isPumping = false
    private var bytesReceived = 0
    private lazy var thread = pthread_self()

    /// `metadata` goes with every call. An answer with a message above `messageBytesMax` bytes ends its call.
    package init(
        path: String, metadata: [(String, String)] = [], events: EventLoop, messageBytesMax: Int = 16 << 20
    ) {
        self.path = path
        self.metadata = metadata
        self.events = events
        self.messageBytesMax = messageBytesMax
    }

    /// Calls that are still in flight end without a word.
    deinit {
        for call in calls.values { if let timer = call.timer { events.cancel(timer) } }
        if session != nil {
            events.unwatch(fd)
            Glibc.close(fd)
            nghttp2_session_del(session)
        }
    }

    package var callsInFlight: Int { calls.count }

    // MARK: Calls

    /// Starts a call. `done` is called once, with nil for OK, after all messages of the answer.
    ///
    /// - Parameters:
    ///   - deadlineMs: after so long the call fails with `deadlineExceeded`; nil for a stream without an end.
    ///   - next: the messages to send, taken as fast as the other side reads them; nil ends them.
    @discardableResult
    package func call(
        _ method: String, deadlineMs: Int64?, next: @escaping () -> [UInt8]?,
        onMessage: @escaping (ArraySlice<UInt8>) -> Void, done: @escaping (GRPCFailure?) -> Void
    ) -> CallID {
        precondition(pthread_equal(thread, pthread_self()) != 0, "a channel is used on one thread")
        nextCall += 1
        let call = Call(id: CallID(number: nextCall), method: method, next: next, onMessage: onMessage, done: done)
        calls[call.id] = call
        if let deadlineMs {
            let before = bytesReceived
            call.timer = events.after(ms: deadlineMs) { [unowned self] in expire(call, silentSince: before) }
        }
        if connect() { submit(call, deadlineMs) } else { end(call, GRPCFailure(.unavailable, connectProblem)) }
        pump()
        return call.id
    }

    /// Ends a call with `cancelled` and tells the other side; nothing happens when it has ended.
    package func cancel(_ id: CallID) {
        guard let call = calls[id] else { return }
        abandon(call, GRPCFailure(.cancelled, "\(call.method) was cancelled"))
        pump()
    }

    /// Ends the connection and all calls on it.
    package func close() {
        disconnect("the connection was closed")
        deliver()
    }

    private func expire(_ call: Call, silentSince before: Int) {
        guard calls[call.id] != nil else { return }
        abandon(call, GRPCFailure(.deadlineExceeded, "\(call.method) did not answer in time"))
        // Not a byte came since the call began: the other side hangs, a fresh connection may not.
        if bytesReceived == before { disconnect("nothing came from \(path)") }
        pump()
    }

    private func abandon(_ call: Call, _ failure: GRPCFailure) {
        if call.stream >= 0, let session {
            nghttp2_submit_rst_stream(
                session, UInt8(NGHTTP2_FLAG_NONE.rawValue), call.stream, UInt32(NGHTTP2_CANCEL.rawValue))
        }
        end(call, failure)
    }

    private func end(_ call: Call, _ failure: GRPCFailure?) {
        guard calls.removeValue(forKey: call.id) != nil else { return }
        if call.stream >= 0 { streams[call.stream] = nil }
        if let timer = call.timer { events.cancel(timer) }
        ended.append((call, failure))
    }

    private func deliver() {
        while !ended.isEmpty {
            let all = ended
            ended = []
            for (call, failure) in all { call.done(failure) }
        }
    }

    // MARK: The connection

    private var connectProblem = ""

    private func connect() -> Bool {
        if session != nil { return true }
        fd = agentos_connect_unix(path)
        guard fd >= 0, fcntl(fd, F_SETFL, O_NONBLOCK) == 0 else {
            connectProblem = "cannot connect to \(path): \(String(cString: strerror(errno)))"
            if fd >= 0 { Glibc.close(fd) }
            fd = -1
            return false
        }
        session = GRPCSession.open(Unmanaged.passUnretained(self).toOpaque())
        events.watch(fd) { [unowned self] _ in receive() }
        return true
    }

    private func disconnect(_ why: String) {
        guard session != nil else { return }
        events.unwatch(fd)
        Glibc.close(fd)
        fd = -1
        nghttp2_session_del(session)
        session = nil
        outgoing = []
        outgoingStart = 0
        for call in calls.values.sorted(by: { $0.id.number < $1.id.number }) {
            call.stream = -1
            end(call, GRPCFailure(.unavailable, why))
        }
        streams = [:]
    }

    private func submit(_ call: Call, _ deadlineMs: Int64?) {
        var headers = [
            (":method", "POST"), (":scheme", "http"), (":path", call.method), (":authority", "localhost"),
            ("content-type", "application/grpc"), ("te", "trailers"),
        ]
        if let deadlineMs { headers.append(("grpc-timeout", "\(deadlineMs)m")) }
        let stream = GRPCSession.request(session, headers + metadata)
        guard stream > 0 else {
            return end(call, GRPCFailure(.internalError, String(cString: nghttp2_strerror(stream))))
        }
        call.stream = stream
        streams[stream] = call
    }

    /// Sends what there is to send, then tells the ends of calls.
    private func pump() {
        guard !isPumping else { return }
        isPumping = true
        send()
        isPumping = false
        deliver()
    }

    private func send() {
        while let session {
            if outgoingStart == outgoing.count {
                outgoing.removeAll(keepingCapacity: outgoing.capacity <= 1 << 20)
                outgoingStart = 0
                while outgoing.count < 256 << 10 {
                    var data: UnsafePointer<UInt8>?
                    let count = nghttp2_session_mem_send(session, &data)
                    guard count > 0, let data else { break }
                    outgoing.append(contentsOf: UnsafeBufferPointer(start: data, count: count))
                }
                if outgoing.isEmpty {
                    if nghttp2_session_want_read(session) == 0 { disconnect("\(path) ended the connection") }
                    return
                }
            }
            let count = outgoing.withUnsafeBytes {
                Glibc.send(fd, $0.baseAddress! + outgoingStart, $0.count - outgoingStart, Int32(MSG_NOSIGNAL))
            }
            if count < 0, errno == EINTR { continue }
            if count < 0, errno == EAGAIN {
                // The other side does not read: wait until it does.
                events.watch(fd, events: 1 | 4) { [unowned self] flags in
                    if flags & 4 != 0 {
                        events.watch(fd) { [unowned self] _ in receive() }
                        pump()
                    }
                    if flags & ~4 != 0 { receive() }
                }
                return
            }
            guard count > 0 else { return disconnect("cannot write to \(path): \(String(cString: strerror(errno)))") }
            outgoingStart += count
        }
    }

    private func receive() {
        guard let session else { return }
        isPumping = true
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        let count = read(fd, &chunk, chunk.count)
        if count > 0 {
            bytesReceived &+= count
            let taken = nghttp2_session_mem_recv(session, chunk, count)
            if taken < 0 {
                disconnect("\(path) does not speak HTTP/2: \(String(cString: nghttp2_strerror(Int32(taken))))")
            }
        } else if count == 0 {
            disconnect("\(path) closed the connection")
        } else if errno != EAGAIN, errno != EINTR {
            disconnect("cannot read from \(path): \(String(cString: strerror(errno)))")
        }
        isPumping = false
        pump()
    }

    // MARK: What the session tells; called while it reads or writes, so nothing here ends the connection

    func header(_ stream: Int32, _ name: String, _ value: String) {
        guard let call = streams[stream] else { return }
        switch name {
        case ":status": call.httpStatus = Int(value) ?? 0
        case "grpc-status": call.status = Int(value) ?? GRPCFailure.Code.unknown.rawValue
        case "grpc-message": call.message = Self.percentDecoded(value)
        default: break
        }
    }

    func data(_ stream: Int32, _ bytes: UnsafeBufferPointer<UInt8>) {
        guard let call = streams[stream], call.verdict == nil else { return }
        call.incoming.append(contentsOf: bytes)
        var at = 0
        while call.incoming.count - at >= 5 {
            let size = call.incoming[at + 1..<at + 5].reduce(0) { $0 << 8 | Int($1) }
            if call.incoming[at] != 0 || size > messageBytesMax {
                call.verdict =
                    call.incoming[at] != 0
                    ? GRPCFailure(.internalError, "\(call.method) answered with a compressed or malformed message")
                    : GRPCFailure(
                        .resourceExhausted,
                        "\(call.method) answered with a message of \(size) bytes; at most \(messageBytesMax) are taken")
                call.incoming = []
                nghttp2_submit_rst_stream(
                    session, UInt8(NGHTTP2_FLAG_NONE.rawValue), stream, UInt32(NGHTTP2_CANCEL.rawValue))
                return
            }
            guard call.incoming.count - at - 5 >= size else { break }
            call.onMessage(call.incoming[at + 5..<at + 5 + size])
            at += 5 + size
        }
        if at > 0 { call.incoming.removeFirst(at) }
    }

    func closed(_ stream: Int32, _ code: UInt32) {
        guard let call = streams[stream] else { return }
        end(call, outcome(call, code))
    }

    private func outcome(_ call: Call, _ code: UInt32) -> GRPCFailure? {
        if let verdict = call.verdict { return verdict }
        // A reset after the trailers only means that the rest of the request is not wanted.
        if let status = call.status {
            if status == 0 {
                return call.incoming.isEmpty
                    ? nil : GRPCFailure(.internalError, "\(call.method): the last message is cut off")
            }
            return GRPCFailure(GRPCFailure.Code(rawValue: status) ?? .unknown, call.message)
        }
        switch (code, call.httpStatus) {
        case (UInt32(NGHTTP2_REFUSED_STREAM.rawValue), _):
            return GRPCFailure(.unavailable, "\(call.method) was refused by the server")
        case (0, 0), (0, 200): return GRPCFailure(.internalError, "\(call.method) ended without a status")
        case (0, let status):
            let code: GRPCFailure.Code =
                status == 404 ? .unimplemented : (502...504).contains(status) ? .unavailable : .unknown
            return GRPCFailure(code, "\(call.method) was answered with HTTP status \(status)")
        default:
            return GRPCFailure(.internalError, "\(call.method): the stream was reset with code \(code)")
        }
    }

    /// Fills a part of the request's body. Returns the count and whether more follows.
    func body(_ stream: Int32, _ room: UnsafeMutableBufferPointer<UInt8>) -> (count: Int, isLast: Bool) {
        guard let call = streams[stream] else { return (0, true) }
        if call.outgoing.isEmpty {
            guard let message = call.next() else { return (0, true) }
            let size = message.count
            let prefix: [UInt8] = [0] + [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: size >> $0) }
            call.outgoing = (prefix + message)[...]
        }
        let count = min(room.count, call.outgoing.count)
        for index in 0..<count { room[index] = call.outgoing[call.outgoing.startIndex + index] }
        call.outgoing = call.outgoing.dropFirst(count)
        return (count, false)
    }

    private static func percentDecoded(_ text: String) -> String {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), rest.count >= 2,
                let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
            {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
