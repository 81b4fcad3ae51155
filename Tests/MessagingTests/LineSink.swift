import CLinux
import Glibc
import Reconciler
import Values

/// An example of a sink of one's own: it hands events, as lines, to a program that listens on a unix socket, and takes its word
/// for how many of them it has stored.
///
/// One connection for each batch: the lines, the end of what is sent, and the answer, a number. Doubles are dropped by who reads.
final class LineSink: EventSink, Sendable {
    private let socket: String
    private static let timeoutMs: Int64 = 30_000

    /// Making one neither blocks nor fails, whether anybody listens or not.
    init(_ socket: String) { self.socket = socket }

    func append(_ events: [EventRecord]) throws(SinkFailure) -> [DeliveryVerdict] {
        if events.isEmpty { return [] }
        let fd = agentos_connect_unix(socket)
        guard fd >= 0 else { throw .lost("\(socket): \(String(cString: strerror(errno)))") }
        defer { close(fd) }
        let deadline = agentos_boot_ms() + Self.timeoutMs
        // An event has no line end, so each is one line.
        try send(Array(events.map { $0.payload + "\n" }.joined().utf8), fd, deadline)
        shutdown(fd, Int32(SHUT_WR))
        let answer = String(decoding: try receive(fd, deadline), as: UTF8.self)
        guard let count = WholeNumber.read(answer, in: 0...events.count) as Int? else {
            // Nothing is known of any event: all of them come again, with the same ids.
            throw .lost("\(socket) did not say how many events it has")
        }
        // What has no verdict was not stored, and comes again; in order, because each batch begins with the oldest.
        return events.prefix(count).map { DeliveryVerdict($0) }
    }

    /// Waits for the socket; throws when the time is up.
    private func wait(_ fd: Int32, _ events: Int32, _ deadline: Int64) throws(SinkFailure) {
        var waiting = pollfd(fd: fd, events: Int16(events), revents: 0)
        let left = max(0, deadline - agentos_boot_ms())
        guard poll(&waiting, 1, Int32(clamping: left)) == 1 else { throw .lost("\(socket) says nothing") }
    }

    private func send(_ bytes: [UInt8], _ fd: Int32, _ deadline: Int64) throws(SinkFailure) {
        var rest = bytes[...]
        while !rest.isEmpty {
            try wait(fd, POLLOUT, deadline)
            let flags = Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)
            let count = rest.withUnsafeBytes { Glibc.send(fd, $0.baseAddress, $0.count, flags) }
            if count < 0, errno == EINTR || errno == EAGAIN { continue }
            guard count > 0 else { throw .lost("\(socket): \(String(cString: strerror(errno)))") }
            rest = rest.dropFirst(count)
        }
    }

    private func receive(_ fd: Int32, _ deadline: Int64) throws(SinkFailure) -> [UInt8] {
        var answer: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64)
        while answer.count < 64 {
            try wait(fd, POLLIN, deadline)
            let count = read(fd, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            answer += chunk[..<count]
        }
        return answer
    }
}
