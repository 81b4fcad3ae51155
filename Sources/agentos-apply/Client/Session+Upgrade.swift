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
        let connection: Connection
        do throws(Client.Failure) { connection = try client.connection() } catch { throw problem(error) }
        let fd = connection.descriptor
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
            let response = try readAnswer(connection, deadlineMs)
            if response.status == 101 {
                if response.headers["sec-websocket-accept"] == WebSocketHandshake.accept(key) { return fd }
                throw problem(.notUnderstood("it is no WebSocket"))
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
            let count = rest.withUnsafeBytes { Glibc.send(fd, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            // What was said before the connection was closed is still read.
            if count < 0, errno != EINTR, errno != EAGAIN { return }
            rest = rest.dropFirst(max(0, count))
        }
    }

    /// Byte by byte: what follows the answer belongs to the other protocol. Of one that refuses, the beginning is enough.
    private func readAnswer(_ connection: Connection, _ deadlineMs: Int64) throws -> Client.Response {
        var reader = ResponseReader()
        var body: [UInt8] = []
        do {
            while !reader.isComplete, body.count < 1 << 20 {
                guard let byte = try readByte(connection, deadlineMs) else {
                    if reader.end() { break }
                    throw problem(connection.failure())
                }
                _ = try withUnsafeBytes(of: byte) { byte in
                    try reader.read(byte) {
                        body += $1
                        return true
                    }
                }
            }
        } catch let wrong as ResponseProblem {
            throw problem(.notUnderstood(wrong.words))
        }
        return Client.Response(status: reader.status, headers: reader.headers, body: body)
    }

    /// Nil: no more comes.
    private func readByte(_ connection: Connection, _ deadlineMs: Int64) throws -> UInt8? {
        while true {
            try wait(connection.descriptor, POLLIN, deadlineMs)
            var byte: UInt8 = 0
            let count = read(connection.descriptor, &byte, 1)
            if count == 1 { return byte }
            if count == 0 { return nil }
            if count < 0, errno == EINTR || errno == EAGAIN { continue }
            throw problem(connection.failure(errno))
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
