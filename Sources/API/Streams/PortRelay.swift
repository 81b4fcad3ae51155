import CLinux
import Glibc
import HTTP
import Reconciler
import Values

/// Connections to ports of one replica and their client: what each of them sends, no faster than the other takes it.
final class PortRelay {
    /// A connection to a port, or the wish for one.
    private final class Link {
        /// -1 until it is there.
        var fd: Int32 = -1
        /// What the client has sent and the port has not taken.
        var pending: [UInt8] = []
        var hasClientEnded = false
        var watched: UInt32 = 0
    }

    let number: Int
    private unowned let server: Server
    private let connection: UpgradedConnection
    private var channels: any PortChannels
    private let dial: (UInt16, @escaping @Sendable (DialResult) -> Void) -> Void
    private var links: [UInt32: Link] = [:]
    private var pendingBytes = 0
    private var isOver = false

    /// Connections of one client at a time.
    private static let linksMax = 200
    /// A client that leaves so much unread is sent no more, and of one that sends so much no more is read.
    private static let unreadBytesMax = 256 << 10
    private static let pieceBytes = 64 << 10

    init(
        server: Server, _ connection: UpgradedConnection, _ channels: any PortChannels,
        dial: @escaping (UInt16, @escaping @Sendable (DialResult) -> Void) -> Void
    ) {
        self.server = server
        number = server.nextStream()
        self.connection = connection
        self.channels = channels
        self.dial = dial
    }

    func begin(_ begun: PortChannelsReceived) {
        connection.onReceive = { [unowned self] in take(channels.receive($0)) }
        connection.onDrain = { [unowned self] in for id in links.keys.sorted() { arm(id) } }
        connection.onEnd = { [unowned self] in hangUp() }
        connection.probe { [weak self] in self?.channels.probe() ?? [] }
        take(begun)
    }

    // MARK: From the client

    private func take(_ received: PortChannelsReceived) {
        connection.write(received.reply)
        for event in received.events where !isOver {
            switch event {
            case .open(let id, let port): open(id, port)
            case .bytes(let id, let bytes):
                guard let link = links[id] else { continue }
                link.pending += bytes
                pendingBytes += bytes.count
                flush(id)
            case .end(let id):
                links[id]?.hasClientEnded = true
                flush(id)
            case .reset(let id): if links[id] != nil { end(id, problem: nil) }
            }
        }
        guard !isOver else { return }
        if received.isOver {
            hangUp()
            return connection.finish()
        }
        if pendingBytes > Self.unreadBytesMax { connection.pause() }
    }

    private func open(_ id: UInt32, _ port: UInt16) {
        links[id] = Link()
        if links.count > Self.linksMax { return end(id, problem: "more than \(Self.linksMax) connections at a time") }
        guard server.dials < Limits.dialsMax else { return end(id, problem: "too many connections are being made") }
        server.dials += 1
        dial(port) { [dialled = server.dialled, number] in dialled.send((number, id, $0)) }
    }

    /// A connection is there, or there is none.
    func take(_ result: DialResult, for id: UInt32) {
        switch result {
        case .connected(let fd):
            guard let link = links[id], link.fd < 0 else {
                close(fd)
                return
            }
            link.fd = fd
            flush(id)
        case .refused(let why): if links[id] != nil { end(id, problem: why) }
        }
    }

    // MARK: Ports

    /// Sends what the client has sent, as far as the port takes it.
    private func flush(_ id: UInt32) {
        guard let link = links[id], link.fd >= 0 else { return }
        while !link.pending.isEmpty {
            let count = link.pending.withUnsafeBytes {
                Glibc.send(link.fd, $0.baseAddress, $0.count, Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL))
            }
            if count < 0, errno == EINTR { continue }
            if count < 0, errno == EAGAIN { break }
            guard count > 0 else { return end(id, problem: nil) }
            link.pending.removeFirst(count)
            pendingBytes -= count
        }
        if link.pending.isEmpty, link.hasClientEnded { shutdown(link.fd, Int32(SHUT_WR)) }
        if pendingBytes <= Self.unreadBytesMax / 2 { connection.resume() }
        arm(id)
    }

    private func arm(_ id: UInt32) {
        guard let link = links[id], link.fd >= 0 else { return }
        let reads = connection.unsentBytes < Self.unreadBytesMax
        let wanted: UInt32 = (reads ? 1 : 0) | (link.pending.isEmpty ? 0 : 4)
        if wanted == link.watched { return }
        if link.watched != 0 { server.loop.events.unwatch(link.fd) }
        link.watched = wanted
        if wanted == 0 { return }
        if !server.loop.events.watch(link.fd, events: wanted, { [unowned self] in ready(id, $0) }) {
            end(id, problem: "it cannot be watched: \(String(cString: strerror(errno)))")
        }
    }

    private func ready(_ id: UInt32, _ mask: UInt32) {
        if mask & 4 != 0 { flush(id) }
        guard let link = links[id], link.watched & 1 != 0, mask & ~4 != 0 else { return }
        var chunk = [UInt8](repeating: 0, count: Self.pieceBytes)
        let count = recv(link.fd, &chunk, chunk.count, Int32(MSG_DONTWAIT))
        if count < 0, errno == EAGAIN || errno == EINTR { return }
        guard count > 0 else { return end(id, problem: nil) }
        connection.write(channels.output(Array(chunk[..<count]), of: id))
        arm(id)
    }

    private func end(_ id: UInt32, problem: String?) {
        drop(id)
        connection.write(channels.end(id, problem: problem))
        guard !isOver, channels.isFinished else { return }
        hangUp()
        connection.finish()
    }

    private func drop(_ id: UInt32) {
        guard let link = links.removeValue(forKey: id) else { return }
        pendingBytes -= link.pending.count
        if link.watched != 0 { server.loop.events.unwatch(link.fd) }
        if link.fd >= 0 { close(link.fd) }
        if pendingBytes <= Self.unreadBytesMax / 2, !isOver { connection.resume() }
    }

    // MARK: The end

    /// The client is gone, or has ended the conversation.
    func hangUp() {
        guard !isOver else { return }
        isOver = true
        for id in links.keys.sorted() { drop(id) }
    }

    /// The daemon ends.
    func stop() {
        guard !isOver else { return }
        for id in links.keys.sorted() { end(id, problem: "the daemon stops") }
        hangUp()
        connection.finish()
    }
}
