import CTLS
import Glibc
import Machine

/// One client over TLS: its connection, and the socket pair that leads on to the server, with what waits in between.
///
/// Never more than one piece waits in each direction: who does not read stops the other side.
final class TLSLink {
    enum State {
        case handshake
        case open
        case closed
    }

    let fd: Int32
    let sinceMs: Int64
    private(set) var state = State.handshake
    /// Since when bytes wait for the client to take them; nil: none do.
    private(set) var stalledMs: Int64?

    private let ssl: OpaquePointer
    private let events: EventLoop
    private let arrived: (PeerCertificate?) -> Int32?
    private let left: (TLSLink) -> Void
    private var inner: Int32 = -1
    private var inward: ArraySlice<UInt8> = []
    private var outward: ArraySlice<UInt8> = []
    private var wantsWrite = false
    private var watched: (outer: UInt32, inner: UInt32) = (0, 0)

    /// - Parameter arrived: called when the client is known; returns our end of the pair that leads to the server.
    init?(
        fd: Int32, context: TLSContext, events: EventLoop, nowMs: Int64,
        arrived: @escaping (PeerCertificate?) -> Int32?, left: @escaping (TLSLink) -> Void
    ) {
        guard let ssl = agentos_SSL_new(context.pointer) else { return nil }
        agentos_SSL_set_fd(ssl, fd)
        agentos_SSL_set_accept_state(ssl)
        self.fd = fd
        self.ssl = ssl
        self.events = events
        self.arrived = arrived
        self.left = left
        sinceMs = nowMs
    }

    deinit { agentos_SSL_free(ssl) }

    /// Goes on with whatever can go on.
    func pump(_ scratch: UnsafeMutableRawBufferPointer, nowMs: Int64) {
        agentos_tls_clear_errors()
        if state == .handshake, !shakeHands() { return }
        guard state == .open else { return }
        var isBusy = true
        for _ in 0..<Self.roundsMax where isBusy {
            let moved = (moveInward(scratch), moveOutward(scratch))
            if state == .closed { return }
            isBusy = moved.0 || moved.1
        }
        stalledMs = outward.isEmpty ? nil : stalledMs ?? nowMs
        watch()
        // Others have their turn; epoll does not tell of what OpenSSL has read already.
        if isBusy {
            events.after(ms: 0) { [weak self] in
                guard let self, state == .open else { return }
                onEvent()
            }
        }
    }

    private static let roundsMax = 16

    func close() {
        guard state != .closed else { return }
        if state == .open { agentos_SSL_shutdown(ssl) }
        state = .closed
        if watched.outer != 0 { events.unwatch(fd) }
        if watched.inner != 0 { events.unwatch(inner) }
        Glibc.close(fd)
        if inner >= 0 { Glibc.close(inner) }
        left(self)
    }

    // MARK: Handshake

    private func shakeHands() -> Bool {
        let result = agentos_SSL_do_handshake(ssl)
        guard result == 1 else {
            switch agentos_SSL_get_error(ssl, result) {
            case SSL_ERROR_WANT_READ: wantsWrite = false
            case SSL_ERROR_WANT_WRITE: wantsWrite = true
            default:
                close()
                return false
            }
            watch()
            return false
        }
        wantsWrite = false
        var certificate: PeerCertificate?
        if let shown = agentos_SSL_get1_peer_certificate(ssl) {
            defer { agentos_X509_free(shown) }
            certificate = PeerCertificate(shown)
            // A certificate that names nobody is no way to be nobody.
            if certificate == nil || agentos_SSL_get_verify_result(ssl) != Int(X509_V_OK) {
                close()
                return false
            }
        }
        guard let end = arrived(certificate) else {
            close()
            return false
        }
        inner = end
        state = .open
        return true
    }

    // MARK: Bytes

    /// From the client to the server; true when something has moved.
    private func moveInward(_ scratch: UnsafeMutableRawBufferPointer) -> Bool {
        if inward.isEmpty {
            wantsWrite = false
            let count = agentos_SSL_read(ssl, scratch.baseAddress, Int32(scratch.count))
            guard count > 0 else {
                switch agentos_SSL_get_error(ssl, count) {
                case SSL_ERROR_WANT_READ: break
                case SSL_ERROR_WANT_WRITE: wantsWrite = true
                default: close()
                }
                return false
            }
            let sent = Self.send(inner, UnsafeRawBufferPointer(rebasing: scratch[..<Int(count)]))
            if sent < 0 {
                close()
                return false
            }
            if sent < count { inward = Array(scratch[sent..<Int(count)])[...] }
            return true
        }
        let sent = inward.withUnsafeBytes { Self.send(inner, $0) }
        if sent < 0 { close() }
        inward = inward.dropFirst(max(0, sent))
        return sent > 0
    }

    /// From the server to the client; true when something has moved.
    private func moveOutward(_ scratch: UnsafeMutableRawBufferPointer) -> Bool {
        guard state == .open else { return false }
        if outward.isEmpty {
            let count = recv(inner, scratch.baseAddress, scratch.count, Int32(MSG_DONTWAIT))
            guard count > 0 else {
                if count == 0 || (errno != EAGAIN && errno != EINTR) { close() }
                return false
            }
            let sent = write(UnsafeRawBufferPointer(rebasing: scratch[..<count]))
            if state == .closed { return false }
            if sent < count { outward = Array(scratch[sent..<count])[...] }
            return true
        }
        let sent = outward.withUnsafeBytes { write($0) }
        outward = outward.dropFirst(sent)
        return sent > 0
    }

    private func write(_ bytes: UnsafeRawBufferPointer) -> Int {
        let count = agentos_SSL_write(ssl, bytes.baseAddress, Int32(bytes.count))
        wantsWrite = false
        if count > 0 { return Int(count) }
        switch agentos_SSL_get_error(ssl, count) {
        case SSL_ERROR_WANT_WRITE: wantsWrite = true
        case SSL_ERROR_WANT_READ: break
        default: close()
        }
        return 0
    }

    /// How many bytes were taken; -1 when nobody takes any more.
    private static func send(_ fd: Int32, _ bytes: UnsafeRawBufferPointer) -> Int {
        let count = Glibc.send(fd, bytes.baseAddress, bytes.count, Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL))
        if count >= 0 { return count }
        return errno == EAGAIN || errno == EINTR ? 0 : -1
    }

    // MARK: Waiting

    var onEvent: () -> Void = {}

    /// Waits for what can be used: a side whose bytes have no place is not listened to.
    private func watch() {
        let outer: UInt32 = (inward.isEmpty ? 1 : 0) | (wantsWrite || !outward.isEmpty ? 4 : 0)
        set(fd, outer, &watched.outer)
        if inner >= 0 { set(inner, (outward.isEmpty ? 1 : 0) | (inward.isEmpty ? 0 : 4), &watched.inner) }
    }

    private func set(_ fd: Int32, _ wanted: UInt32, _ current: inout UInt32) {
        guard wanted != current else { return }
        if wanted == 0 {
            events.unwatch(fd)
        } else if !events.watch(fd, events: wanted, { [weak self] _ in self?.onEvent() }) {
            // The kernel has no room for a watch. Not in the middle of what is going on.
            events.after(ms: 0) { [weak self] in self?.close() }
            return
        }
        current = wanted
    }
}
