import CLinux
import Glibc

/// Who is at the other end of a connection.
public enum Peer: Sendable, Equatable {
    /// A user of this machine, as the kernel says.
    case user(UInt32)
    /// Somebody over TLS, with the certificate that was shown and found good.
    case remote(PeerCertificate?)
    /// It cannot be told.
    case unknown

    public var isRemote: Bool { if case .remote = self { true } else { false } }
}

/// One client's connection, as the server has to know it: what it waits for, and since when.
final class Connection {
    let fd: Int32
    let peer: Peer
    /// Nil: no request; its head may be on the way.
    fileprivate(set) var exchange: Exchange?
    /// Since when it waits for a head, or has a request.
    fileprivate(set) var sinceMs: Int64
    /// When the last part of a body has arrived.
    var progressMs: Int64 = 0
    /// The body is not complete.
    var isReading = false
    fileprivate var hasServed = false
    private var isDropped = false

    init(fd: Int32, peer: Peer) {
        self.fd = fd
        self.peer = peer
        sinceMs = agentos_boot_ms()
    }

    /// The user at the other end of a unix socket that was connected to ours.
    static func user(_ fd: Int32) -> Peer {
        var uid: uid_t = 0
        var pid: pid_t = 0
        return agentos_peer(fd, &uid, &pid) == 0 ? .user(uid) : .unknown
    }

    var isIdle: Bool { exchange == nil && !isDropped }

    func isOverdue(_ now: Int64, _ limits: HTTPLimits) -> Bool {
        if isDropped { return false }
        if exchange == nil { return now - sinceMs > (hasServed ? limits.idleMs : limits.headMs) }
        return isReading && (now - sinceMs > limits.bodyMs || now - progressMs > limits.bodyStallMs)
    }

    /// Ends the connection; the library finds it closed and lets go of it.
    func drop() {
        isDropped = true
        shutdown(fd, Int32(SHUT_RDWR))
    }
}

/// A request from its first line to its end, as the library's slot holds it.
final class Request {
    let connection: Connection
    let target: Result<RequestTarget, TargetProblem>
    private(set) var exchange: Exchange?
    var isHandled = false

    /// - Parameter target: from its request line, which the library decodes afterwards, in place.
    init(_ connection: Connection, target: UnsafeBufferPointer<UInt8>) {
        self.connection = connection
        self.target = Result { () throws(TargetProblem) in try RequestTarget(target) }
    }

    func begin(_ exchange: Exchange) {
        self.exchange = exchange
        connection.exchange = exchange
        connection.sinceMs = agentos_boot_ms()
        connection.progressMs = connection.sinceMs
        connection.isReading = true
    }

    func completed() {
        exchange?.closed()
        connection.exchange = nil
        connection.isReading = false
        connection.hasServed = true
        connection.sinceMs = agentos_boot_ms()
    }
}
