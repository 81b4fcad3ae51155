import CLinux
import Glibc

/// A client of the socket that sends what it is told to, byte by byte, and may behave badly.
final class RawClient {
    let fd: Int32
    private var received: [UInt8] = []

    init(_ socket: String) { fd = agentos_connect_unix(socket) }

    deinit { if fd >= 0 { close(fd) } }

    struct Answer {
        var status: Int
        var head: String
        var body: [UInt8]
        var text: String { String(decoding: body, as: UTF8.self) }
    }

    @discardableResult
    func send(_ text: String) -> Bool { send(Array(text.utf8)) }

    @discardableResult
    func send(_ bytes: [UInt8]) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.send(fd, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            if count <= 0 { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }

    /// Takes more from the socket; false at its end or when nothing comes in time.
    private func receive(timeoutMs: Int32) -> Bool {
        var poll = pollfd(fd: fd, events: Int16(POLLIN), revents: 0)
        guard Glibc.poll(&poll, 1, timeoutMs) > 0 else { return false }
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        let count = Glibc.read(fd, &chunk, chunk.count)
        guard count > 0 else { return false }
        received += chunk[..<count]
        return true
    }

    /// The head of the answer that comes next, and as much of its body as its length says.
    func answer(timeoutMs: Int32 = 60_000, body: Bool = true) -> Answer? {
        let mark = Array("\r\n\r\n".utf8)
        while received.firstRange(of: mark) == nil { if !receive(timeoutMs: timeoutMs) { return nil } }
        guard let end = received.firstRange(of: mark) else { return nil }
        let head = String(decoding: received[..<end.lowerBound], as: UTF8.self)
        received = Array(received[end.upperBound...])
        let words = head.split(separator: " ", maxSplits: 2)
        var answer = Answer(status: words.count > 1 ? Int(words[1]) ?? 0 : 0, head: head, body: [])
        let length = head.split(separator: "\r\n").first { $0.lowercased().hasPrefix("content-length:") }
            .flatMap { Int($0.split(separator: ":")[1].drop { $0 == " " }) }
        guard body, let length else { return answer }
        while received.count < length { if !receive(timeoutMs: timeoutMs) { return nil } }
        answer.body = Array(received[..<length])
        received = Array(received[length...])
        return answer
    }

    /// Reads what comes until a condition holds, without an end of its own.
    func read(timeoutMs: Int32 = 60_000, until isEnough: (String) -> Bool) -> String {
        while !isEnough(String(decoding: received, as: UTF8.self)) { if !receive(timeoutMs: timeoutMs) { break } }
        return String(decoding: received, as: UTF8.self)
    }

    static func request(
        _ method: String, _ target: String, _ body: String = "", type: String = "application/json"
    ) -> String {
        "\(method) \(target) HTTP/1.1\r\nHost: localhost\r\nContent-Type: \(type)\r\n"
            + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
    }

    /// One request on a connection of its own; a stream is left after its head.
    @discardableResult
    static func ask(
        _ socket: String, _ method: String, _ target: String, _ body: String = "", type: String = "application/json"
    ) -> Answer? {
        let client = RawClient(socket)
        guard client.fd >= 0, client.send(request(method, target, body, type: type)) else { return nil }
        return client.answer()
    }
}
