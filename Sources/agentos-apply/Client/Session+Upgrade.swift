import CLinux
import Glibc
import HTTP
import HTTPClient
import Values

extension Session {
    /// How long a daemon may take to leave HTTP; nothing runs before.
    private static let answerMs: Int64 = 20_000

    /// A connection that has left HTTP for WebSocket, with a subprotocol.
    func upgrade(_ path: String, to subprotocol: String, body: [UInt8]) throws -> Int32 {
        let fd: Int32
        do throws(Client.Failure) { fd = try client.connection() } catch { throw problem(error) }
        var random = SystemRandomNumberGenerator()
        let key = Base64.encode((0..<16).map { _ in UInt8.random(in: 0...255, using: &random) })
        let head =
            "POST \(endpoint.prefix)\(path) HTTP/1.1\r\nHost: \(endpoint.host)\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            + endpoint.headers.map { "\($0)\r\n" }.joined()
            + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: \(key)\r\nSec-WebSocket-Protocol: \(subprotocol)\r\n"
            + "Content-Type: application/json\r\nContent-Length: \(body.count)\r\n\r\n"
        // The socket's buffer is empty and larger than any command; one that is not read fills and says so.
        let bytes = Array(head.utf8) + body
        let deadlineMs = agentos_boot_ms() + Self.answerMs
        do {
            try send(bytes[...], to: fd, deadlineMs)
            let head = try readHead(fd, deadlineMs)
            if head.status == 101 {
                if head.accept == WebSocketHandshake.accept(key) { return fd }
                throw problem(.notUnderstood("it is no WebSocket"))
            }
            var response = Client.Response()
            response.status = head.status
            while response.body.count < min(head.length, 1 << 20) {
                response.body.append(try readByte(fd, deadlineMs))
            }
            throw problem(response)
        } catch {
            close(fd)
            throw error
        }
    }

    private func send(_ bytes: ArraySlice<UInt8>, to fd: Int32, _ deadlineMs: Int64) throws {
        var rest = bytes
        while !rest.isEmpty {
            try wait(fd, POLLOUT, deadlineMs)
            let count = rest.withUnsafeBytes { write(fd, $0.baseAddress, $0.count) }
            if count < 0, errno != EINTR, errno != EAGAIN { throw problem(.cut(String(cString: strerror(errno)))) }
            rest = rest.dropFirst(max(0, count))
        }
    }

    /// Byte by byte up to the empty line: what follows it belongs to the other protocol.
    private func readHead(_ fd: Int32, _ deadlineMs: Int64) throws -> (status: Int, length: Int, accept: String?) {
        var head: [UInt8] = []
        while !head.suffix(4).elementsEqual("\r\n\r\n".utf8), head.count < 16_384 {
            head.append(try readByte(fd, deadlineMs))
        }
        let lines = String(decoding: head, as: UTF8.self).split(separator: "\r\n")
        let status = lines.first?.split(separator: " ").dropFirst().first.flatMap { Int($0) }
        guard let status else { throw problem(.notUnderstood("it is no HTTP")) }
        func value(_ name: String) -> String? {
            let line = lines.first { $0.lowercased().hasPrefix("\(name):") }
            return line.map { String($0.dropFirst(name.utf8.count + 1).drop { $0 == " " }) }
        }
        let length = value("content-length").flatMap { Int($0.filter(\.isNumber)) }
        return (status, length ?? 0, value("sec-websocket-accept"))
    }

    private func readByte(_ fd: Int32, _ deadlineMs: Int64) throws -> UInt8 {
        while true {
            try wait(fd, POLLIN, deadlineMs)
            var byte: UInt8 = 0
            let count = read(fd, &byte, 1)
            if count == 1 { return byte }
            if count < 0, errno == EINTR || errno == EAGAIN { continue }
            throw problem(.cut("the connection was closed"))
        }
    }

    private func wait(_ fd: Int32, _ events: Int32, _ deadlineMs: Int64) throws {
        let left = deadlineMs - agentos_boot_ms()
        var ready = pollfd(fd: fd, events: Int16(events), revents: 0)
        if left <= 0 || poll(&ready, 1, Int32(clamping: left)) == 0 {
            throw problem(.silent(afterMs: Self.answerMs))
        }
    }
}
