import CMicroHTTPD
import Glibc

/// One request and its answer. Everything runs on the thread of its server's event loop.
public final class Exchange {
    public let method: String
    /// Where the request goes; nil when `problem` says why it cannot be told.
    public let target: RequestTarget?
    /// Why this request is refused before its body is read; it is to be answered at once.
    public internal(set) var problem: HeadProblem?
    public private(set) var body: [UInt8] = []
    public let peer: Peer
    /// Called once, when the client is gone or the answer is complete.
    public var onClose: () -> Void = {}
    /// Called when the client has taken nearly all that was written: a source that is pulled goes on.
    public var onDrain: () -> Void = {}

    /// Something was done for it that is not to be done twice: it is not told that nothing was.
    public var hasBegun = false

    unowned let server: HTTPServer
    let origin: Origin
    private var answer: Answer?
    private var queue = ByteQueue()
    private var gzip: Gzip?
    private var queueEnds = false
    private var isCut = false
    private var isQueued = false
    private var isClosed = false
    private var drainIsPlanned = false
    private(set) var isSuspended = false
    private(set) var isStream = false
    private var upgraded: OpaquePointer?
    private var link: UpgradedConnection?
    private var messages: WebSocketSession?
    private var isText = false

    init(
        server: HTTPServer, handle: OpaquePointer, method: String, target: Result<RequestTarget, TargetProblem>,
        peer: Peer
    ) {
        self.server = server
        origin = .connection(handle)
        self.method = method
        self.peer = peer
        switch target {
        case .success(let target): self.target = target
        case .failure(.malformed(let why)):
            self.target = nil
            problem = .malformedTarget(why)
        }
    }

    /// A request that has come in a message; `answered` is called once at most.
    public init(server: HTTPServer, _ message: HTTPMessage, answered: @escaping (HTTPMessage.Answer) -> Void) {
        self.server = server
        origin = .message(message, answered: answered)
        method = message.method
        body = message.body
        // Who has sent a message is known by what it carries alone.
        peer = .remote(nil)
        do throws(TargetProblem) { target = try RequestTarget(message.target) } catch {
            target = nil
            guard case .malformed(let why) = error else { return }
            problem = .malformedTarget(why)
        }
    }

    private var handle: OpaquePointer? {
        switch origin {
        case .connection(let handle): handle
        case .message: nil
        }
    }

    /// It has come in a message: there is one answer, and nothing that goes on.
    public var isMessage: Bool { handle == nil }

    // MARK: The request

    /// Takes a part of the body; false when it is more than it may be.
    func append(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard bytes.count <= server.limits.bodyBytesMax - body.count, server.reserveBody(bytes.count) else {
            return false
        }
        body.append(contentsOf: bytes)
        return true
    }

    // MARK: Answering

    /// Whether there is room for one more answer that is compressed.
    public var canCompress: Bool { !isMessage && server.openCompressed < server.limits.compressedMax }

    /// Answers with bytes; they are shared, not copied, and may come in many pieces.
    ///
    /// - Parameter compresses: as gzip, where there is room for it.
    public func respond(
        _ status: Int, _ type: String, _ chunks: [[UInt8]], headers: [(String, String)] = [], compresses: Bool = false
    ) {
        guard answer == nil, !isClosed else { return }
        if case .message(_, let answered) = origin {
            answer = .whole(Head(), [])
            answered(
                HTTPMessage.Answer(status: status, type: type, headers: headers, body: Array(chunks.joined())))
            return closed()
        }
        let count = chunks.reduce(0) { $0 + $1.count }
        var head = Head(status: status, type: type, headers: headers)
        if compresses, canCompress, let gzip = Gzip() {
            self.gzip = gzip
            server.openCompressed += 1
            head.headers.append(("Content-Encoding", "gzip"))
            answer = .compressed(head)
            for chunk in chunks { queue.append(chunk) }
        } else if count <= Self.wholeBytesMax {
            answer = .whole(head, chunks.count == 1 ? chunks[0] : Array(chunks.joined()))
        } else {
            answer = .long(head, count)
            for chunk in chunks { queue.append(chunk) }
        }
        resume()
    }

    public func respond(_ status: Int, _ type: String, _ bytes: [UInt8], headers: [(String, String)] = []) {
        respond(status, type, [bytes], headers: headers)
    }

    private static let wholeBytesMax = 65_536

    /// Begins an answer of unknown length; `write` and `end` follow.
    public func startStream(_ type: String) {
        guard answer == nil, !isClosed else { return }
        isStream = true
        countStreams(1)
        answer = .stream(Head(type: type))
        resume()
    }

    /// Bytes that the client has not taken yet.
    public var queuedBytes: Int { link?.unsentBytes ?? (isStream && !isMessage ? queue.count : 0) }

    /// Adds to a stream. A client that leaves more than the server's limit unread is let go.
    public func write(_ chunk: [UInt8]) { write([chunk]) }

    /// Adds to a stream what belongs together: one message, where the stream has messages.
    public func write(_ parts: [[UInt8]]) {
        guard isStream, !isClosed, !queueEnds, !isCut else { return }
        if let messages, let link {
            link.write(messages.message(parts, isText: isText))
            if link.unsentBytes > server.limits.streamBytesMax { link.cut() }
            return
        }
        for part in parts {
            queue.append(part)
            server.queuedBytes += part.count
        }
        if queue.count > server.limits.streamBytesMax { return cut() }
        if server.queuedBytes > server.limits.streamsBytesMax { server.cutTheSlowest() }
        resume()
    }

    /// Ends a stream, when all that was written is sent.
    public func end() {
        queueEnds = true
        if let link {
            if let bytes = messages?.close(.normal) { link.write(bytes) }
            return link.finish()
        }
        if isMessage { return sendGathered() }
        resume()
    }

    /// What was written as a stream is the one answer to a message.
    private func sendGathered() {
        guard case .message(_, let answered) = origin, case .stream(let head)? = answer, !isClosed else { return }
        var body = [UInt8](repeating: 0, count: queue.count)
        server.queuedBytes -= body.withUnsafeMutableBytes { queue.take(into: $0) }
        answered(HTTPMessage.Answer(status: head.status, type: head.type ?? "", headers: head.headers, body: body))
        closed()
    }

    /// Closes the connection in the middle of the answer, so that the client sees that it is not whole.
    func cut() {
        if let link { return link.cut() }
        guard isStream, !isCut else { return }
        if isMessage { return end() }
        isCut = true
        server.queuedBytes -= queue.count
        queue.removeAll()
        resume()
    }

    // MARK: Another protocol

    /// Answers 101: from now on the connection speaks another protocol.
    ///
    /// - Returns: nil when the client is gone.
    public func upgrade(to name: String, headers: [(String, String)] = []) -> UpgradedConnection? {
        guard answer == nil, !isClosed, !isMessage else { return nil }
        isStream = true
        countStreams(1)
        let link = UpgradedConnection(
            server.events, account: { [unowned self] in account($0) }, release: { [unowned self] in endUpgrade() })
        self.link = link
        answer = .upgrade(Head(status: 101, headers: [("Upgrade", name)] + headers))
        resume()
        return link
    }

    /// The same for WebSocket, as both sides have agreed.
    public func upgrade(_ handshake: WebSocketHandshake) -> UpgradedConnection? {
        upgrade(to: "websocket", headers: handshake.headers)
    }

    /// Begins an answer of messages over WebSocket: each `write` is one, `end` closes. What the client says is skipped.
    public func startMessages(_ handshake: WebSocketHandshake, asText: Bool) {
        guard let link = upgrade(handshake) else { return }
        messages = WebSocketSession(messageBytesMax: Self.skippedBytesMax)
        isText = asText
        link.onReceive = { [unowned self, unowned link] bytes in
            guard let received = messages?.receive(bytes) else { return }
            link.write(received.reply)
            if received.isOver { link.finish() }
        }
        link.onDrain = { [unowned self] in onDrain() }
        link.probe { [weak self] in self?.messages?.ping() ?? [] }
    }

    private static let skippedBytesMax: UInt64 = 1 << 16

    private func countStreams(_ change: Int) {
        server.openStreams += change
        if peer.isRemote { server.openRemoteStreams += change }
    }

    private func account(_ count: Int) {
        server.queuedBytes += count
        if count > 0, server.queuedBytes > server.limits.streamsBytesMax { server.cutTheSlowest() }
    }

    private func endUpgrade() {
        guard let upgraded else { return }
        self.upgraded = nil
        agentos_mhd_end_upgrade(upgraded)
        server.runSoon()
    }

    // MARK: The library's side

    /// The exchange waits for its handler; the library leaves the connection alone meanwhile.
    func waitIfOpen() {
        if answer == nil, !isSuspended, let handle {
            isSuspended = true
            agentos_mhd_suspend(handle)
        }
    }

    private func resume() {
        guard isSuspended, !isClosed, let handle else { return }
        isSuspended = false
        agentos_mhd_resume(handle)
        server.runSoon()
    }

    /// Hands the answer to the library once it is there; false when that fails, which closes the connection.
    func sendIfReady() -> Bool {
        guard let answer, !isQueued, let handle else { return true }
        isQueued = true
        let user = Unmanaged.passUnretained(self).toOpaque()
        let reader: MHD_ContentReaderCallback = { user, _, buffer, count in
            Unmanaged<Exchange>.fromOpaque(user!).takeUnretainedValue().read(into: buffer!, count)
        }
        let head: Head
        let response: OpaquePointer?
        switch answer {
        case .whole(let whole, let bytes):
            head = whole
            response = bytes.withUnsafeBytes { agentos_mhd_response($0.baseAddress, $0.count) }
            self.answer = .whole(Head(), [])
        case .long(let long, let count): (head, response) = (long, agentos_mhd_long(UInt64(count), reader, user))
        case .compressed(let stream), .stream(let stream):
            (head, response) = (stream, agentos_mhd_stream(reader, user))
        case .upgrade(let upgrade):
            head = upgrade
            response = agentos_mhd_upgrade(
                { user, _, _, early, count, fd, handle in
                    let exchange = Unmanaged<Exchange>.fromOpaque(user!).takeUnretainedValue()
                    exchange.upgraded = handle
                    exchange.link?.opened(fd, early: Array(UnsafeRawBufferPointer(start: early, count: count)))
                }, user)
        }
        guard let response else { return false }
        defer { agentos_mhd_destroy(response) }
        if let type = head.type { Self.add("Content-Type", type, to: response) }
        for (name, value) in head.headers { Self.add(name, value, to: response) }
        if server.isDraining, head.status != 101 { agentos_mhd_add_header(response, "Connection", "close") }
        return agentos_mhd_queue(handle, UInt32(head.status), response) == 1
    }

    private func read(into buffer: UnsafeMutablePointer<CChar>, _ count: Int) -> Int {
        if isCut { return agentos_mhd_cut_stream() }
        let room = UnsafeMutableRawBufferPointer(start: buffer, count: count)
        if let gzip {
            let taken = gzip.fill(room, from: &queue)
            return taken == 0 ? agentos_mhd_end_of_stream() : taken
        }
        let taken = queue.take(into: room)
        if isStream { server.queuedBytes -= taken }
        if taken == 0 {
            guard !queueEnds, let handle else { return agentos_mhd_end_of_stream() }
            isSuspended = true
            agentos_mhd_suspend(handle)
        }
        if isStream, !queueEnds, queue.count < Self.drainedBytes { planDrain() }
        return taken
    }

    private static let drainedBytes = 65_536

    private func planDrain() {
        if drainIsPlanned { return }
        drainIsPlanned = true
        server.soon { [weak self] in
            guard let self, !isClosed else { return }
            drainIsPlanned = false
            onDrain()
        }
    }

    /// The client has closed its side while the answer goes on.
    public var isHungUp: Bool {
        guard let handle else { return false }
        var poll = pollfd(fd: agentos_mhd_socket(handle), events: Int16(POLLIN), revents: 0)
        return isSuspended && Glibc.poll(&poll, 1, 0) > 0 && poll.revents & Int16(POLLHUP | POLLERR) != 0
    }

    /// Ends the exchange because the server stops, as well as it can be ended: what was written is sent.
    func leave() {
        if let link {
            if let bytes = messages?.close(.goingAway, "the daemon stops") { link.write(bytes) }
            return link.finish()
        }
        if isStream { queueEnds = true }
        if answer == nil { answer = stopping }
        resume()
    }

    /// The same, at once.
    func abandon() {
        if upgraded != nil, let link { return link.cut() }
        queueEnds = true
        if answer == nil { answer = stopping }
        resume()
    }

    private var stopping: Answer {
        let isUntaken = !hasBegun && !server.hasBegun
        return .whole(
            Head(
                status: 503, type: "text/plain",
                headers: isUntaken ? [("Retry-After", "1"), HTTPServer.stops] : []),
            Array("the daemon stops\(isUntaken ? "" : "; what was asked for may have been done")\n".utf8))
    }

    /// Nobody waits for the answer any more, or it is complete.
    public func closed() {
        guard !isClosed else { return }
        isClosed = true
        if isStream {
            countStreams(-1)
            server.queuedBytes -= queue.count
        }
        if gzip != nil { server.openCompressed -= 1 }
        gzip = nil
        link?.cut()
        if !isMessage { server.releaseBody(body.count) }
        body = []
        queue.removeAll()
        onClose()
        onClose = {}
        onDrain = {}
    }
}
