import CLinux
import CMicroHTTPD
import Glibc
public import Machine
public import Values

/// HTTP/1.1 on a listening socket, driven by the event loop; no threads of its own.
public final class HTTPServer {
    private let events: EventLoop
    private var daemon: OpaquePointer?
    private var handle: (Exchange) -> Void = { _ in }
    private var runIsPlanned = false
    fileprivate var open: [ObjectIdentifier: Exchange] = [:]

    public init(events: EventLoop) { self.events = events }

    /// Serves until `stop`. The socket is closed with the server.
    public func start(listenFD: Int32, handle: @escaping (Exchange) -> Void) -> Bool {
        self.handle = handle
        let user = Unmanaged.passUnretained(self).toOpaque()
        daemon = agentos_mhd_start(
            listenFD, UInt32(Limits.connectionsMax),
            { user, connection, url, method, _, data, size, slot in
                let server = Unmanaged<HTTPServer>.fromOpaque(user!).takeUnretainedValue()
                return server.access(connection!, url!, method!, data, size!, slot!) ? MHD_Result.YES : MHD_Result.NO
            }, user,
            { _, _, slot, _ in
                guard let pointer = slot?.pointee else { return }
                slot?.pointee = nil
                Unmanaged<Exchange>.fromOpaque(pointer).takeRetainedValue().closed()
            }, nil)
        guard let daemon else { return false }
        events.watch(agentos_mhd_epoll_fd(daemon)) { [unowned self] _ in run() }
        events.after(ms: Self.sweepMs) { [unowned self] in sweep() }
        return true
    }

    private static let sweepMs: Int64 = 10_000

    /// The library does not look at a connection that waits for us: whose client is gone is found here.
    private func sweep() {
        guard daemon != nil else { return }
        for exchange in open.values where exchange.isHungUp { exchange.end() }
        events.after(ms: Self.sweepMs) { [unowned self] in sweep() }
    }

    private func run() {
        guard let daemon else { return }
        MHD_run(daemon)
        // The library's descriptors are edge-triggered: what it has not finished is only told by a timeout of 0.
        var timeout: UInt64 = 1
        if MHD_get_timeout(daemon, &timeout) == .YES, timeout == 0 { runSoon() }
    }

    /// Lets the library go on with connections that were resumed.
    fileprivate func runSoon() {
        if runIsPlanned { return }
        runIsPlanned = true
        events.after(ms: 0) { [unowned self] in
            runIsPlanned = false
            run()
        }
    }

    public func stop() {
        guard let daemon else { return }
        events.unwatch(agentos_mhd_epoll_fd(daemon))
        // The library refuses to stop while a connection waits for us.
        for exchange in open.values { exchange.abandon() }
        for _ in 0..<3 { MHD_run(daemon) }
        self.daemon = nil
        MHD_stop_daemon(daemon)
    }

    private func access(
        _ connection: OpaquePointer, _ url: UnsafePointer<CChar>, _ method: UnsafePointer<CChar>,
        _ data: UnsafePointer<CChar>?,
        _ size: UnsafeMutablePointer<Int>, _ slot: UnsafeMutablePointer<UnsafeMutableRawPointer?>
    ) -> Bool {
        guard let pointer = slot.pointee else {
            let exchange = Exchange(
                server: self, connection: connection, method: String(cString: method), path: String(cString: url))
            slot.pointee = Unmanaged.passRetained(exchange).toOpaque()
            open[ObjectIdentifier(exchange)] = exchange
            return true
        }
        let exchange = Unmanaged<Exchange>.fromOpaque(pointer).takeUnretainedValue()
        if size.pointee > 0, let data {
            exchange.append(UnsafeRawBufferPointer(start: data, count: size.pointee))
            size.pointee = 0
            return true
        }
        if !exchange.isHandled {
            exchange.isHandled = true
            handle(exchange)
            exchange.waitIfOpen()
        }
        return exchange.sendIfReady()
    }
}

/// One request and its answer.
public final class Exchange {
    public let method: String
    public let path: String
    public private(set) var body: [UInt8] = []
    public private(set) var isTooLarge = false
    /// The user at the other end of the unix socket.
    public let peerUID: UInt32?
    /// Called when the client is gone or the answer is complete.
    public var onClose: () -> Void = {}

    private unowned let server: HTTPServer
    private let connection: OpaquePointer
    fileprivate var isHandled = false
    private var isSuspended = false
    private var isClosed = false
    private var answer: (status: Int, type: String, headers: [(String, String)], bytes: [UInt8])?
    private var isStream = false
    private var onUpgrade: ((Int32) -> Void)?
    private var upgrade: OpaquePointer?
    private var isQueued = false
    private var stream: [UInt8] = []
    private var streamStart = 0
    private var streamEnded = false

    fileprivate init(server: HTTPServer, connection: OpaquePointer, method: String, path: String) {
        self.server = server
        self.connection = connection
        self.method = method
        self.path = path
        var uid: uid_t = 0
        var pid: pid_t = 0
        peerUID = agentos_peer(agentos_mhd_socket(connection), &uid, &pid) == 0 ? uid : nil
    }

    fileprivate func append(_ bytes: UnsafeRawBufferPointer) {
        if body.count + bytes.count > Limits.inputBytesMax { isTooLarge = true } else { body.append(contentsOf: bytes) }
    }

    public func query(_ name: String) -> String? {
        agentos_mhd_argument(connection, name).map { String(cString: $0) }
    }

    public func flag(_ name: String) -> Bool { ["true", "1", "All"].contains(query(name) ?? "") }

    public func header(_ name: String) -> String? {
        agentos_mhd_header(connection, name).map { String(cString: $0) }
    }

    // MARK: Answering

    public func respond(_ status: Int, _ type: String, _ bytes: [UInt8], headers: [(String, String)] = []) {
        guard answer == nil, !isClosed else { return }
        answer = (status, type, headers, bytes)
        resume()
    }

    public func respond(_ status: Int, _ node: Node, headers: [(String, String)] = []) {
        respond(status, "application/json", JSONWriter.bytes(node), headers: headers)
    }

    /// Begins an answer of unknown length; `write` and `end` follow.
    public func startStream(_ type: String) {
        guard answer == nil, !isClosed else { return }
        isStream = true
        answer = (200, type, [], [])
        resume()
    }

    /// Bytes that the client has not taken yet.
    public var queuedBytes: Int { stream.count - streamStart }

    public func write(_ bytes: [UInt8]) {
        guard !isClosed, !streamEnded else { return }
        stream += bytes
        resume()
    }

    public func end() {
        streamEnded = true
        resume()
    }

    // MARK: Another protocol

    /// Answers 101 and gives the connection's descriptor to `taken`; it stays open until `endUpgrade`.
    public func upgrade(to name: String, taken: @escaping (Int32) -> Void) {
        guard answer == nil, !isClosed else { return }
        onUpgrade = taken
        answer = (101, "", [("Upgrade", name)], [])
        resume()
    }

    public func endUpgrade() {
        guard let upgrade else { return }
        self.upgrade = nil
        agentos_mhd_end_upgrade(upgrade)
        server.runSoon()
    }

    fileprivate func waitIfOpen() {
        if answer == nil, !isSuspended {
            isSuspended = true
            MHD_suspend_connection(connection)
        }
    }

    private func resume() {
        guard isSuspended, !isClosed else { return }
        isSuspended = false
        MHD_resume_connection(connection)
        server.runSoon()
    }

    fileprivate func sendIfReady() -> Bool {
        guard let answer, !isQueued else { return true }
        isQueued = true
        let response: OpaquePointer?
        if onUpgrade != nil {
            response = agentos_mhd_upgrade(
                { user, _, _, _, _, fd, handle in
                    let exchange = Unmanaged<Exchange>.fromOpaque(user!).takeUnretainedValue()
                    exchange.upgrade = handle
                    exchange.onUpgrade?(fd)
                }, Unmanaged.passUnretained(self).toOpaque())
        } else if isStream {
            response = agentos_mhd_stream(
                { user, _, buffer, count in
                    Unmanaged<Exchange>.fromOpaque(user!).takeUnretainedValue().read(into: buffer!, count)
                }, Unmanaged.passUnretained(self).toOpaque())
        } else {
            response = answer.bytes.withUnsafeBytes { agentos_mhd_response($0.baseAddress, $0.count) }
        }
        guard let response else { return false }
        defer { MHD_destroy_response(response) }
        if !answer.type.isEmpty { MHD_add_response_header(response, "Content-Type", answer.type) }
        for (name, value) in answer.headers { MHD_add_response_header(response, name, value) }
        return agentos_mhd_queue(connection, UInt32(answer.status), response) == 1
    }

    private func read(into buffer: UnsafeMutablePointer<CChar>, _ count: Int) -> Int {
        let available = min(queuedBytes, count)
        if available == 0 {
            if streamEnded { return agentos_mhd_end_of_stream() }
            isSuspended = true
            MHD_suspend_connection(connection)
            return 0
        }
        stream.withUnsafeBytes { bytes in
            UnsafeMutableRawPointer(buffer).copyMemory(from: bytes.baseAddress! + streamStart, byteCount: available)
        }
        streamStart += available
        if streamStart == stream.count {
            stream.removeAll(keepingCapacity: stream.count < 65_536)
            streamStart = 0
        }
        return available
    }

    /// The client has closed its side while the answer goes on.
    public var isHungUp: Bool {
        var poll = pollfd(fd: agentos_mhd_socket(connection), events: Int16(POLLIN), revents: 0)
        return isSuspended && Glibc.poll(&poll, 1, 0) > 0 && poll.revents & Int16(POLLHUP | POLLERR) != 0
    }

    /// Ends the exchange because the server stops.
    fileprivate func abandon() {
        if upgrade != nil { return endUpgrade() }
        streamEnded = true
        if answer == nil { answer = (503, "text/plain", [("Retry-After", "1")], Array("the daemon stops\n".utf8)) }
        resume()
    }

    fileprivate func closed() {
        isClosed = true
        server.open[ObjectIdentifier(self)] = nil
        onClose()
        onClose = {}
    }
}
