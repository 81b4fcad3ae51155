import CLinux
import CTLS
import Glibc
public import Machine

/// A client that has come over TLS: the server's end of the pair that its bytes go through, and who it is.
public struct TLSArrival: Sendable {
    let fd: Int32
    let certificate: PeerCertificate?
}

/// Takes TLS off in front of a server, on a thread of its own: handshakes cost the server's loop nothing, and what the
/// server gets is a plain connection and the certificate that was shown on it.
public final class TLSFront: Sendable {
    /// The maxima of a front.
    public struct Limits: Sendable {
        /// Clients, those in their handshake included.
        public var clientsMax = 512
        /// Of them, those whose handshake is not over: the longest gives way to a new one.
        public var handshakesMax = 128
        public var handshakeMs: Int64 = 10_000
        /// For a client that takes nothing.
        public var stallMs: Int64 = 60_000

        public init() {}
    }

    fileprivate enum Command: Sendable {
        case use(TLSSettings)
        case close
    }

    /// Where clients come out.
    public let arrivals = Mailbox<TLSArrival>()
    private let commands = Mailbox<Command>()

    /// Begins to accept on listening sockets, which are closed with it.
    public init(listening fds: [Int32], settings: TLSSettings, limits: Limits = Limits()) throws(TLSProblem) {
        if let problem = settings.problem { throw problem }
        let (arrivals, commands) = (arrivals, commands)
        startThread(name: "tls") {
            TLSThread(settings, limits, arrivals)?.run(fds, commands)
        }
    }

    /// Shows new clients another certificate, and trusts others; those who are here stay.
    public func use(_ settings: TLSSettings) { commands.send(.use(settings)) }

    /// Accepts nobody any more; those who are here stay as long as the server serves them.
    public func close() { commands.send(.close) }
}

/// What lives on the thread of a front.
private final class TLSThread {
    private let events = EventLoop()
    private let limits: TLSFront.Limits
    private let arrivals: Mailbox<TLSArrival>
    private var context: TLSContext
    private var links: [Int32: TLSLink] = [:]
    private var listeners: [Listener] = []
    private let scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: 16_384, alignment: 16)

    init?(_ settings: TLSSettings, _ limits: TLSFront.Limits, _ arrivals: Mailbox<TLSArrival>) {
        do throws(TLSProblem) { context = try TLSContext(settings) } catch { return nil }
        self.limits = limits
        self.arrivals = arrivals
    }

    func run(_ fds: [Int32], _ commands: Mailbox<TLSFront.Command>) {
        listeners = fds.map { fd in Listener(fd: fd, events: events) { [unowned self] in admit($0) } }
        events.receive(commands) { [unowned self] commands in
            for command in commands { take(command) }
        }
        sweep()
        events.run()
    }

    private func take(_ command: TLSFront.Command) {
        switch command {
        case .use(let settings):
            // They were tried before they were sent.
            if let new = try? TLSContext(settings) { context = new }
        case .close:
            for listener in listeners { listener.close() }
            listeners = []
            for link in links.values where link.state == .handshake { link.close() }
        }
    }

    private func admit(_ attempt: Listener.Attempt) -> Bool {
        switch attempt {
        case .wantsPlace:
            let waiting = links.values.filter { $0.state == .handshake }
            if links.count < limits.clientsMax, waiting.count < limits.handshakesMax { return true }
            return drop(waiting)
        case .wantsDescriptor: return drop(links.values.filter { $0.state == .handshake })
        case .accepted(let fd):
            begin(fd)
            return true
        }
    }

    private func drop(_ waiting: [TLSLink]) -> Bool {
        guard let longest = waiting.min(by: { $0.sinceMs < $1.sinceMs }) else { return false }
        longest.close()
        return true
    }

    private func begin(_ fd: Int32) {
        var one: Int32 = 1
        setsockopt(fd, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
        let link = TLSLink(
            fd: fd, context: context, events: events, nowMs: agentos_boot_ms(),
            arrived: { [unowned self] certificate in handOver(certificate) },
            left: { [unowned self] link in
                links[link.fd] = nil
                for listener in listeners { listener.arm() }
            })
        guard let link else {
            close(fd)
            return
        }
        links[fd] = link
        link.onEvent = { [unowned self, unowned link] in link.pump(scratch, nowMs: agentos_boot_ms()) }
        link.pump(scratch, nowMs: agentos_boot_ms())
    }

    private func handOver(_ certificate: PeerCertificate?) -> Int32? {
        var ends: [Int32] = [-1, -1]
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        guard socketpair(AF_UNIX, kind, 0, &ends) == 0 else { return nil }
        arrivals.send(TLSArrival(fd: ends[1], certificate: certificate))
        return ends[0]
    }

    private static let sweepMs: Int64 = 1000

    private func sweep() {
        let now = agentos_boot_ms()
        for link in links.values {
            switch link.state {
            case .handshake: if now - link.sinceMs > limits.handshakeMs { link.close() }
            case .open: if let since = link.stalledMs, now - since > limits.stallMs { link.close() }
            case .closed: break
            }
        }
        for listener in listeners { listener.arm() }
        events.after(ms: Self.sweepMs) { [unowned self] in sweep() }
    }
}
