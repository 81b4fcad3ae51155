import CLinux
import Glibc
import HTTP
import Values

/// One connection to a port here, and the one of the daemon that leads to the port of a replica: bytes both ways.
struct PortConnection {
    private let near: Int32
    private let far: Int32
    private var session = WebSocketSession(messageBytesMax: 1 << 30) { UInt32.random(in: 0 ... .max) }
    /// What each side has not taken yet; no more is read for it meanwhile.
    private var toNear: ArraySlice<UInt8> = []
    private var toFar: ArraySlice<UInt8> = []
    private var hasNearEnded = false
    private var isFarOver = false
    private var channel: UInt8?
    /// Bytes of each channel that came: the first two are the number of the port.
    private var counts: [UInt8: Int] = [:]
    /// What the daemon says of a connection that there is not.
    private var problem: [UInt8] = []

    private static let data: UInt8 = 0
    private static let error: UInt8 = 1
    private static let close: UInt8 = 255
    private static let problemBytesMax = 4096

    /// Takes both descriptors over.
    init(near: Int32, far: Int32) {
        self.near = near
        self.far = far
        for fd in [near, far] { _ = fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) }
    }

    /// Carries until the port has ended, or one side is gone; why there was nothing to carry, or nil.
    mutating func carry() -> String? {
        defer {
            Glibc.close(near)
            Glibc.close(far)
        }
        while !isFarOver || !toNear.isEmpty {
            let readsNear = !hasNearEnded && toFar.isEmpty && !isFarOver
            // Who is neither read nor written is not looked at: that it has ended would be told again and again.
            let looksFar = !isFarOver && (toNear.isEmpty || !toFar.isEmpty)
            var polls = [
                pollfd(
                    fd: looksFar ? far : -1,
                    events: Int16(toNear.isEmpty ? POLLIN : 0) | Int16(toFar.isEmpty ? 0 : POLLOUT), revents: 0),
                pollfd(
                    fd: readsNear || !toNear.isEmpty ? near : -1,
                    events: Int16(readsNear ? POLLIN : 0) | Int16(toNear.isEmpty ? 0 : POLLOUT), revents: 0),
            ]
            guard poll(&polls, nfds_t(polls.count), -1) > 0 else { continue }
            if polls[0].revents & Int16(POLLOUT) != 0, !Self.send(&toFar, to: far) { break }
            if polls[0].revents & ~Int16(POLLOUT) != 0, toNear.isEmpty { readFar() }
            if polls[1].revents & ~Int16(POLLOUT) != 0, readsNear { readNear() }
            if !toNear.isEmpty, !Self.send(&toNear, to: near) { break }
        }
        return problem.isEmpty ? nil : String(decoding: problem, as: UTF8.self)
    }

    /// False: the other side takes nothing any more.
    private static func send(_ bytes: inout ArraySlice<UInt8>, to fd: Int32) -> Bool {
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { Glibc.send(fd, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            if count < 0, errno == EINTR { continue }
            if count < 0 { return errno == EAGAIN }
            bytes = bytes.dropFirst(count)
        }
        return true
    }

    private mutating func readNear() {
        var chunk = [UInt8](repeating: 0, count: 65_536)
        let count = read(near, &chunk, chunk.count)
        if count < 0, errno == EINTR || errno == EAGAIN { return }
        hasNearEnded = count <= 0
        let (channel, bytes) = count > 0 ? (Self.data, Array(chunk[..<count])) : (Self.close, [Self.data])
        toFar += session.message([[channel], bytes], isText: false)
        if !Self.send(&toFar, to: far) { isFarOver = true }
    }

    private mutating func readFar() {
        var chunk = [UInt8](repeating: 0, count: 65_536)
        let count = read(far, &chunk, chunk.count)
        if count < 0, errno == EINTR || errno == EAGAIN { return }
        guard count > 0 else {
            isFarOver = true
            return
        }
        let received = session.receive(Array(chunk[..<count]))
        for part in received.parts { take(part) }
        toFar += received.reply
        if received.isOver || !Self.send(&toFar, to: far) { isFarOver = true }
    }

    private mutating func take(_ part: WebSocketSession.Part) {
        var bytes = part.bytes[...]
        if part.isFirst { channel = nil }
        if channel == nil { channel = bytes.popFirst() }
        guard let channel else { return }
        let before = counts[channel] ?? 0
        counts[channel] = before + bytes.count
        bytes = bytes.dropFirst(max(0, 2 - before))
        if channel == Self.data {
            toNear += bytes
        } else if channel == Self.error, problem.count < Self.problemBytesMax {
            problem += bytes
        }
    }
}
