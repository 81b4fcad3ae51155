import CLinux
import CMicroHTTPD
import Glibc
public import Machine

/// HTTP/1.1 on listening sockets, driven by an event loop; no threads of its own.
///
/// Guarantee: whatever clients do, the server stays reachable: connections without a request give way to new ones,
/// and every head, body and answer has a time after which it is given up.
public final class HTTPServer {
    public let limits: HTTPLimits
    /// Exchanges whose answer has no end yet.
    public internal(set) var openStreams = 0
    /// Of them, those over TLS.
    public internal(set) var openRemoteStreams = 0
    /// Answers that are being compressed.
    var openCompressed = 0
    /// Bytes of streams that clients have not taken yet.
    var queuedBytes = 0

    let events: EventLoop
    private var daemon: OpaquePointer?
    private var handle: (Exchange) -> Void = { _ in }
    private var runIsPlanned = false
    private var isStopping = false
    /// Nobody new is served; who is there is told so.
    private(set) var isDraining = false
    /// Of some that have no answer yet, what they ask for may have been done.
    private(set) var hasBegun = false
    private var bodiesBytes = 0
    private var listener: Listener?
    private var connections: [ObjectIdentifier: Connection] = [:]
    /// Who is at the other end of connections that the library is just being given. What is not here is nobody: our own
    /// end of a pair would have the credentials of the daemon.
    private var peers: [Int32: Peer] = [:]
    private var sweepTimer: EventLoop.TimerID?

    public init(events: EventLoop, limits: HTTPLimits = HTTPLimits()) {
        self.events = events
        self.limits = limits
    }

    /// A header of 503: the server ends and has not begun with the request, which another one takes soon.
    public static let stops = ("Agentos-Stops", "true")

    /// Why the library that serves cannot be loaded, and what to do; nil when it can.
    public static var absence: String? {
        agentos_mhd_absence().map { why in
            "the library that serves HTTP cannot be loaded: \(String(cString: why)); install libmicrohttpd12"
        }
    }

    /// Serves until `stop`. The socket is closed with the server.
    public func start(listenFD: Int32, handle: @escaping (Exchange) -> Void) -> Bool {
        self.handle = handle
        daemon = agentos_mhd_start(
            UInt32(limits.connectionsMax + Self.leavingMax), limits.sendStallSeconds,
            Unmanaged.passUnretained(self).toOpaque(),
            Self.began, Self.access, Self.completed, Self.notified)
        guard let daemon else { return false }
        guard events.watch(agentos_mhd_epoll_fd(daemon), { [unowned self] _ in run() }) else { return false }
        listener = Listener(fd: listenFD, events: events) { [unowned self] in admit($0) }
        sweepTimer = events.after(ms: Self.sweepMs) { [unowned self] in sweep() }
        return true
    }

    /// Takes no more connections, and ends those that are there: answers under way are sent whole, streams end, and who
    /// asks for something new learns that the connection closes. `done` is called when nobody is left, or when time is up.
    ///
    /// - Parameter hasBegun: what is asked for and has no answer yet may have been done; false: nothing was.
    public func drain(ms: Int64, hasBegun: Bool, _ done: @escaping () -> Void) {
        isDraining = true
        self.hasBegun = hasBegun
        listener?.close()
        for connection in connections.values { connection.exchange?.leave() }
        run()
        awaitLeaving(until: agentos_boot_ms() + ms, done)
    }

    private static let drainLookMs: Int64 = 10

    private func awaitLeaving(until deadlineMs: Int64, _ done: @escaping () -> Void) {
        for connection in connections.values where connection.isIdle || connection.isReading { connection.drop() }
        run()
        if connections.isEmpty || agentos_boot_ms() >= deadlineMs { return done() }
        events.after(ms: Self.drainLookMs) { [unowned self] in awaitLeaving(until: deadlineMs, done) }
    }

    public func stop() {
        guard let daemon else { return }
        isStopping = true
        listener?.close()
        if let sweepTimer { events.cancel(sweepTimer) }
        // The library aborts when it is stopped while a connection waits for us: each gets an answer first.
        for _ in 0..<16 {
            for connection in connections.values { connection.exchange?.abandon() }
            _ = agentos_mhd_run(daemon)
            if connections.values.allSatisfy({ $0.exchange?.isSuspended != true }) { break }
        }
        events.unwatch(agentos_mhd_epoll_fd(daemon))
        self.daemon = nil
        // Better to leave it as it is than to be aborted by it: this process ends.
        if connections.values.contains(where: { $0.exchange?.isSuspended == true }) { return }
        agentos_mhd_stop(daemon)
    }

    // MARK: Connections

    /// Connections that were let go and that the library still holds: it closes them a moment later, and would refuse
    /// those that take their places meanwhile.
    private static let leavingMax = 64

    /// Takes a connection that was accepted; false when there is no place for it now.
    private func admit(_ attempt: Listener.Attempt) -> Bool {
        guard daemon != nil else { return false }
        switch attempt {
        case .wantsPlace:
            if connections.count < limits.connectionsMax { return true }
            return connections.count < limits.connectionsMax + Self.leavingMax && dropTheIdlest()
        case .wantsDescriptor: return dropTheIdlest()
        case .accepted(let fd):
            add(fd, Connection.user(fd))
            return true
        }
    }

    private func add(_ fd: Int32, _ peer: Peer) {
        guard let daemon, !isDraining else {
            close(fd)
            return
        }
        peers[fd] = peer
        // The library closes the descriptor when this fails.
        _ = agentos_mhd_add(daemon, fd)
        peers[fd] = nil
        run()
    }

    /// Serves those who come out of a front. A share of the connections stays with the socket.
    public func serve(_ front: TLSFront) {
        events.receive(front.arrivals) { [unowned self] arrivals in
            for arrival in arrivals {
                let remote = connections.values.filter(\.peer.isRemote)
                if remote.count < limits.remoteMax || dropTheIdlest(of: remote) {
                    add(arrival.fd, .remote(arrival.certificate))
                } else {
                    close(arrival.fd)
                }
            }
        }
    }

    /// Lets go of the connection that is without a request for the longest time.
    private func dropTheIdlest() -> Bool { dropTheIdlest(of: Array(connections.values)) }

    private func dropTheIdlest(of connections: [Connection]) -> Bool {
        let idle = connections.filter { $0.isIdle }.min { $0.sinceMs < $1.sinceMs }
        let now = agentos_boot_ms()
        guard
            let idle = idle
                ?? connections.filter({ $0.isReading && now - $0.sinceMs > 2000 }).min(by: {
                    $0.sinceMs < $1.sinceMs
                })
        else { return false }
        idle.drop()
        run()
        return true
    }

    /// Of all streams, the one whose client is furthest behind is let go.
    func cutTheSlowest() {
        connections.values.compactMap(\.exchange).max { $0.queuedBytes < $1.queuedBytes }?.cut()
    }

    func reserveBody(_ count: Int) -> Bool {
        guard count <= limits.bodiesBytesMax - bodiesBytes else { return false }
        bodiesBytes += count
        return true
    }

    func releaseBody(_ count: Int) { bodiesBytes -= count }

    private static let sweepMs: Int64 = 1000

    /// Closes what has had its time. The library does not look at a connection that waits for us: whose client is
    /// gone is found here.
    private func sweep() {
        guard daemon != nil else { return }
        let now = agentos_boot_ms()
        for connection in connections.values {
            if let exchange = connection.exchange, exchange.isHungUp { exchange.end() }
            if connection.isOverdue(now, limits) { connection.drop() }
        }
        run()
        listener?.arm()
        sweepTimer = events.after(ms: Self.sweepMs) { [unowned self] in sweep() }
    }

    // MARK: Running

    private func run() {
        guard let daemon else { return }
        // The library's descriptors are edge-triggered: what it has not finished no descriptor tells.
        if agentos_mhd_run(daemon) { runSoon() }
    }

    /// Lets the library go on with connections that were resumed.
    func runSoon() {
        if runIsPlanned || isStopping { return }
        runIsPlanned = true
        events.soon { [unowned self] in
            runIsPlanned = false
            run()
        }
    }

    func soon(_ body: @escaping () -> Void) { events.soon(body) }

    // MARK: Called by the library

    private static let began: MHD_URI_Log = { user, target, handle in
        let server = Unmanaged<HTTPServer>.fromOpaque(user!).takeUnretainedValue()
        return server.began(handle!, target!)
    }

    private static let access: MHD_AccessHandlerCallback = { user, handle, _, method, _, data, size, slot in
        let server = Unmanaged<HTTPServer>.fromOpaque(user!).takeUnretainedValue()
        guard let pointer = slot!.pointee else { return MHD_Result.NO }
        let request = Unmanaged<Request>.fromOpaque(pointer).takeUnretainedValue()
        return server.access(request, handle!, method!, data, size!) ? MHD_Result.YES : MHD_Result.NO
    }

    private static let completed: MHD_RequestCompletedCallback = { _, _, slot, _ in
        guard let pointer = slot?.pointee else { return }
        slot?.pointee = nil
        Unmanaged<Request>.fromOpaque(pointer).takeRetainedValue().completed()
    }

    private static let notified: MHD_NotifyConnectionCallback = { user, handle, context, code in
        let server = Unmanaged<HTTPServer>.fromOpaque(user!).takeUnretainedValue()
        if agentos_mhd_is_start(code) {
            let fd = agentos_mhd_socket(handle!)
            let connection = Connection(fd: fd, peer: server.peers[fd] ?? .unknown)
            server.connections[ObjectIdentifier(connection)] = connection
            context!.pointee = Unmanaged.passUnretained(connection).toOpaque()
        } else if let pointer = context!.pointee {
            context!.pointee = nil
            let connection = Unmanaged<Connection>.fromOpaque(pointer).takeUnretainedValue()
            server.connections[ObjectIdentifier(connection)] = nil
            server.listener?.arm()
        }
    }

    /// A request line is there; its head follows.
    private func began(_ handle: OpaquePointer, _ target: UnsafePointer<CChar>) -> UnsafeMutableRawPointer? {
        guard let pointer = agentos_mhd_context(handle) else { return nil }
        let connection = Unmanaged<Connection>.fromOpaque(pointer).takeUnretainedValue()
        let bytes = UnsafeRawBufferPointer(start: target, count: strlen(target))
        let request = Request(connection, target: bytes.bindMemory(to: UInt8.self))
        return Unmanaged.passRetained(request).toOpaque()
    }

    private func access(
        _ request: Request, _ handle: OpaquePointer, _ method: UnsafePointer<CChar>, _ data: UnsafePointer<CChar>?,
        _ size: UnsafeMutablePointer<Int>
    ) -> Bool {
        guard let exchange = request.exchange else {
            let exchange = Exchange(
                server: self, handle: handle, method: String(cString: method), target: request.target,
                peer: request.connection.peer)
            if exchange.problem == nil { exchange.problem = headProblem(handle) }
            request.begin(exchange)
            return exchange.problem == nil || answer(exchange, request)
        }
        if size.pointee > 0, let data {
            guard exchange.append(UnsafeRawBufferPointer(start: data, count: size.pointee)) else { return false }
            request.connection.progressMs = agentos_boot_ms()
            size.pointee = 0
            return true
        }
        return answer(exchange, request)
    }

    private func answer(_ exchange: Exchange, _ request: Request) -> Bool {
        if !request.isHandled {
            request.isHandled = true
            request.connection.isReading = false
            if isStopping { exchange.abandon() } else { handle(exchange) }
            exchange.waitIfOpen()
        }
        return exchange.sendIfReady()
    }

    /// What makes a head dangerous to go on with.
    private func headProblem(_ handle: OpaquePointer) -> HeadProblem? {
        var head = agentos_mhd_head()
        agentos_mhd_read_head(handle, &head)
        if head.hosts > 1 { return .ambiguous("more than one Host") }
        if head.lengths > 1 || (head.lengths > 0 && head.encodings > 0) || head.encodings > 1 {
            return .ambiguous("Content-Length and Transfer-Encoding contradict each other")
        }
        let length = Int(clamping: head.length)
        if length > limits.bodyBytesMax { return .bodyTooLarge(bytesMax: limits.bodyBytesMax) }
        if length > limits.bodiesBytesMax - bodiesBytes { return .tooManyBodies }
        return nil
    }
}
