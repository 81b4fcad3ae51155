import CLinux
import Glibc
import Values

/// One request on its way over a connection, and what of its answer is there.
final class Transfer {
    /// Takes the content of a successful answer as it comes.
    final class Sink {
        private let take: (UnsafeRawBufferPointer) throws -> Bool
        private(set) var problem: (any Error)?
        private(set) var isStopped = false

        init(_ take: @escaping (UnsafeRawBufferPointer) throws -> Bool) { self.take = take }

        fileprivate func receive(_ bytes: UnsafeRawBufferPointer) -> Bool {
            do { isStopped = try !take(bytes) } catch { problem = error }
            return !isStopped && problem == nil
        }
    }

    /// The longest answer that is kept whole; lists are read as they come.
    private static let answerBytesMax = 256 << 20
    /// How often one connection is read before the others have their turn.
    private static let readsMax = 16

    /// How it has ended; nil: it has not.
    private(set) var result: Result<Client.Response, Client.Failure>?
    private let endpoint: Endpoint
    private let request: [UInt8]
    private var sent = 0
    private let sink: Sink?
    private let timeoutMs: Int64?
    private let deadlineMs: Int64
    private var connection: Connection?
    /// Another request was answered over it: the daemon may have closed it since.
    private var isKept: Bool
    private var reader = ResponseReader()
    private var body: [UInt8] = []
    private var isTooLarge = false
    private var hasNews = false
    private var hasAnswer = false
    /// More came than the answer: whose it is, nobody knows.
    private var hasRest = false

    /// - Parameter kept: a connection that another request has left open.
    init(_ request: Client.Request, _ endpoint: Endpoint, sink: Sink? = nil, over kept: Connection? = nil) {
        self.endpoint = endpoint
        self.sink = sink
        self.request = Self.bytes(request, endpoint)
        timeoutMs = request.timeoutMs
        deadlineMs = request.timeoutMs.map { agentos_boot_ms().addingSaturated(max(1, $0)) } ?? .max
        isKept = kept != nil
        connection = kept
        if !isKept { connect() }
        flush()
    }

    deinit { disconnect() }

    /// A request whose values stand in it as they are: who makes one encodes what comes from outside.
    private static func bytes(_ request: Client.Request, _ endpoint: Endpoint) -> [UInt8] {
        let query = request.query.map { "\($0.0)=\(Percent.encode($0.1))" }.joined(separator: "&")
        var lines = [
            "\(request.method) \(endpoint.prefix)\(request.path)\(query.isEmpty ? "" : "?\(query)") HTTP/1.1",
            "Host: \(endpoint.host)",
        ]
        lines += endpoint.headers + request.headers
        if let body = request.body { lines.append("Content-Length: \(body.count)") }
        return Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8) + (request.body ?? [])
    }

    private func connect() {
        do throws(Client.Failure) { connection = try .open(endpoint) } catch { result = .failure(error) }
    }

    private func disconnect() {
        if let connection { close(connection.descriptor) }
        connection = nil
    }

    /// True when bytes have come since the last call.
    func takeNews() -> Bool {
        defer { hasNews = false }
        return hasNews
    }

    /// Gives away the connection once the answer is there; nil when it serves no further request.
    func takeConnection() -> Connection? {
        guard reader.isComplete, reader.keepsConnection, !hasRest, sent == request.count else { return nil }
        defer { connection = nil }
        return connection
    }

    // MARK: Working

    /// Waits until something happens to one of these, or for so long, and lets each go on.
    static func turn(_ transfers: [Transfer], waitMs: Int64) {
        var polls = transfers.map { transfer in
            let events = transfer.sent < transfer.request.count ? POLLIN | POLLOUT : POLLIN
            return pollfd(fd: transfer.connection?.descriptor ?? -1, events: Int16(events), revents: 0)
        }
        let nearest = transfers.reduce(Int64.max) { min($0, $1.deadlineMs) }
        let left = max(0, min(waitMs, nearest.subtractingSaturated(agentos_boot_ms())))
        if poll(&polls, nfds_t(polls.count), Int32(clamping: left)) < 0 { return }
        for (transfer, ready) in zip(transfers, polls) {
            if ready.revents & Int16(POLLOUT) != 0 { transfer.flush() }
            if ready.revents & ~Int16(POLLOUT) != 0 { transfer.receive() }
            transfer.lookAtTime()
        }
    }

    private func lookAtTime() {
        if result == nil, agentos_boot_ms() >= deadlineMs { result = .failure(.late(afterMs: timeoutMs ?? 0)) }
    }

    private func flush() {
        while result == nil, let connection, sent < request.count {
            let count = request[sent...].withUnsafeBytes {
                send(connection.descriptor, $0.baseAddress, $0.count, Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL))
            }
            if count < 0, errno == EINTR { continue }
            if count < 0, errno == EAGAIN { return }
            // What the daemon has said before it closed is still read.
            if count < 0 { return receive() }
            sent += count
        }
    }

    private func receive() {
        withUnsafeTemporaryAllocation(byteCount: 65_536, alignment: 16) { buffer in
            for _ in 0..<Self.readsMax {
                guard result == nil, let connection else { return }
                let count = recv(connection.descriptor, buffer.baseAddress, buffer.count, Int32(MSG_DONTWAIT))
                if count < 0, errno == EINTR { continue }
                if count < 0, errno == EAGAIN { return }
                guard count > 0 else { return ended(count < 0 ? errno : 0) }
                (hasNews, hasAnswer) = (true, true)
                take(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            }
        }
    }

    private func take(_ bytes: UnsafeRawBufferPointer) {
        do throws(ResponseProblem) {
            hasRest = try reader.read(bytes, content: { takeContent($1, of: $0) }) < bytes.count
            if isTooLarge {
                result = .failure(.tooLarge(bytesMax: Self.answerBytesMax))
            } else if reader.isComplete || sink?.isStopped == true || sink?.problem != nil {
                succeed()
            }
        } catch {
            result = .failure(.notUnderstood(error.words))
        }
    }

    private func takeContent(_ bytes: UnsafeRawBufferPointer, of status: Int) -> Bool {
        if let sink, (200..<300).contains(status) { return sink.receive(bytes) }
        isTooLarge = bytes.count > Self.answerBytesMax - body.count
        if !isTooLarge { body.append(contentsOf: bytes) }
        return !isTooLarge
    }

    private func succeed() {
        result = .success(Client.Response(status: reader.status, headers: reader.headers, body: body))
    }

    /// The daemon has closed the connection.
    private func ended(_ error: Int32) {
        if error == 0, connection?.isBroken != true, reader.end() { return succeed() }
        // One that was kept may have been closed before it had this request: it is sent again, once.
        if isKept, !hasAnswer {
            disconnect()
            (isKept, sent) = (false, 0)
            connect()
            return flush()
        }
        // Who has not had the whole request has not begun with it.
        if !hasAnswer, sent < request.count, case .socket = endpoint {
            result = .failure(.absent("the connection was closed before the request was sent"))
            return
        }
        result = .failure(connection?.failure(error) ?? .cut("the connection was closed"))
    }
}
