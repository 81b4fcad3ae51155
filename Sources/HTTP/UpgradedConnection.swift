import Glibc
import Machine

/// A connection that has left HTTP: bytes both ways, each side as fast as the other reads.
///
/// Everything runs on the thread of its server's event loop. It ends once: by `finish`, by `cut`, or by its client.
public final class UpgradedConnection {
    /// What the client has sent; not called while reading is paused.
    public var onReceive: ([UInt8]) -> Void = { _ in }
    /// Called when the client has taken nearly all that was written: a source that is pulled goes on.
    public var onDrain: () -> Void = {}
    /// Called once when the client is gone, or too far behind; not after `finish`.
    public var onEnd: () -> Void = {}

    /// What the client has not taken yet.
    public private(set) var unsentBytes = 0

    private enum State {
        case open
        /// What was written is sent; then the client closes, or has had its time.
        case finishing
        case closed
    }

    private let events: EventLoop
    /// Is told how the number of unsent bytes changes.
    private let account: (Int) -> Void
    /// Gives the descriptor back.
    private let release: () -> Void
    private var state = State.open
    private var fd: Int32 = -1
    private var early: [UInt8] = []
    private var queue = ByteQueue()
    private var isPaused = false
    private var hasShutDown = false
    private var drainIsPlanned = false
    private var watched: UInt32?

    init(_ events: EventLoop, account: @escaping (Int) -> Void, release: @escaping () -> Void) {
        self.events = events
        self.account = account
        self.release = release
    }

    /// The library has let go of the descriptor. `early` is what it had read already.
    func opened(_ fd: Int32, early: [UInt8]) {
        self.fd = fd
        self.early = early
        _ = fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK)
        // The library is at work; what ends the connection calls it.
        events.after(ms: 0) { [self] in
            if state == .closed { return release() }
            deliverEarly()
            flush()
        }
    }

    private func deliverEarly() {
        guard state == .open, !isPaused, !early.isEmpty else { return }
        let bytes = early
        early = []
        onReceive(bytes)
    }

    // MARK: What the caller does

    /// Leaves what the client sends where it is.
    public func pause() {
        isPaused = true
        arm()
    }

    /// Takes what the client sends again.
    public func resume() {
        guard isPaused else { return }
        isPaused = false
        deliverEarly()
        arm()
    }

    /// Sends bytes, as soon as the client takes them; nothing after the end.
    public func write(_ bytes: [UInt8]) {
        guard state == .open, !bytes.isEmpty else { return }
        queue.append(bytes)
        change(bytes.count)
        flush()
    }

    /// Sends what `probe` makes from time to time while nothing else waits to be sent: to a client that has vanished
    /// without a word the kernel finds that nobody answers, and ends the connection.
    public func probe(_ probe: @escaping () -> [UInt8]) {
        events.after(ms: Self.probeMs) { [weak self] in
            guard let self, state == .open else { return }
            if unsentBytes == 0 { write(probe()) }
            self.probe(probe)
        }
    }

    private static let probeMs: Int64 = 30_000

    /// Ends the connection when all that was written has been sent.
    ///
    /// - Parameter awaitingClose: the client does it first; it gets long for that.
    public func finish(awaitingClose: Bool = false) {
        guard state == .open else { return }
        state = .finishing
        early = []
        farewellMs = awaitingClose ? Self.patienceMs : Self.farewellMs
        hasShutDown = awaitingClose
        events.after(ms: farewellMs) { [weak self] in self?.farewell() }
        flush()
    }

    /// Ends it now.
    public func cut() { end(telling: state == .open) }

    /// How long a client may take for what was left at the end, as long as it takes something.
    private static let farewellMs: Int64 = 5000
    private static let patienceMs: Int64 = 60_000
    private var farewellMs = UpgradedConnection.farewellMs

    private func farewell() {
        guard state == .finishing else { return }
        let before = unsentBytes
        if before == 0 { return end(telling: false) }
        // A client that is slow and reads gets everything.
        events.after(ms: farewellMs) { [weak self] in
            guard let self, state == .finishing else { return }
            unsentBytes < before ? farewell() : end(telling: false)
        }
    }

    // MARK: The descriptor

    private func change(_ count: Int) {
        unsentBytes += count
        account(count)
    }

    private func arm() {
        guard fd >= 0, state != .closed else { return }
        let reads = state == .finishing || (!isPaused && unsentBytes < Self.pausedBytes)
        let wanted: UInt32 = (reads ? 1 : 0) | (queue.count > 0 ? 4 : 0)
        if wanted == watched { return }
        watched = wanted
        if !events.watch(fd, events: wanted, { [unowned self] in ready($0) }) { end(telling: state == .open) }
    }

    /// A client that asks and does not take the answers is not read any further.
    private static let pausedBytes = 1 << 20
    private static let drainedBytes = 65_536

    private func ready(_ mask: UInt32) {
        if mask & 4 != 0 { flush() }
        guard state != .closed else { return }
        if let watched, watched & 1 != 0 { return read() }
        // Nobody is at the other end, and what came before is not wanted any more.
        if mask & (8 | 16) != 0 { end(telling: state == .open) }
    }

    private func read() {
        var chunk = [UInt8](repeating: 0, count: 65_536)
        let count = recv(fd, &chunk, chunk.count, 0)
        if count < 0, errno == EAGAIN || errno == EINTR { return }
        guard count > 0 else { return end(telling: state == .open) }
        if state == .open { onReceive(Array(chunk[..<count])) }
    }

    private func flush() {
        guard fd >= 0 else { return }
        while queue.count > 0, state != .closed {
            let sent = queue.send {
                Glibc.send(fd, $0.baseAddress, $0.count, Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL))
            }
            if sent < 0, errno == EINTR { continue }
            if sent < 0, errno == EAGAIN { break }
            guard sent > 0 else { return end(telling: state == .open) }
            change(-sent)
        }
        guard state != .closed else { return }
        if state == .finishing, queue.count == 0, !hasShutDown {
            // The rest of what the client says is read away: closing on it would throw away what was sent.
            hasShutDown = true
            shutdown(fd, Int32(SHUT_WR))
        }
        if state == .open, queue.count < Self.drainedBytes { planDrain() }
        arm()
    }

    private func planDrain() {
        if drainIsPlanned { return }
        drainIsPlanned = true
        events.after(ms: 0) { [weak self] in
            guard let self else { return }
            drainIsPlanned = false
            if state == .open { onDrain() }
        }
    }

    private func end(telling: Bool) {
        guard state != .closed else { return }
        state = .closed
        if watched != nil { events.unwatch(fd) }
        watched = nil
        queue.removeAll()
        change(-unsentBytes)
        if telling { onEnd() }
        (onReceive, onDrain, onEnd) = ({ _ in }, {}, {})
        if fd >= 0 { release() }
    }
}
