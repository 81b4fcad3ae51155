import Foundation
import Glibc

/// A real server on a unix socket that answers each request with the bytes that a test gives it.
final class SocketServer: @unchecked Sendable {  // its fields do not change after init
    let path: String
    private let directory: String
    private let listener: Int32

    /// - Parameter answer: from the target of the request to the whole answer; nil: the connection stays open in silence.
    init(answer: @escaping @Sendable (String) -> [UInt8]?) {
        var template = Array("/tmp/agentos-socket.XXXXXX".utf8CString)
        let directory = mkdtemp(&template).map { String(cString: $0) } ?? "/tmp"
        self.directory = directory
        let path = "\(directory)/s.sock"
        self.path = path
        let server = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
        let bound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(server, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        precondition(bound == 0 && Glibc.listen(server, 64) == 0)
        listener = server
        Thread.detachNewThread {
            while true {
                let connection = accept(server, nil, nil)
                if connection < 0 { return }
                Thread.detachNewThread { Self.serve(connection, answer) }
            }
        }
    }

    deinit {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
        unlink(path)
        rmdir(directory)
    }

    private static func serve(_ connection: Int32, _ answer: @Sendable (String) -> [UInt8]?) {
        defer {
            // Programs that other tests have started may hold it, too.
            shutdown(connection, Int32(SHUT_RDWR))
            close(connection)
        }
        var head: [UInt8] = []
        var byte: UInt8 = 0
        while !head.suffix(4).elementsEqual("\r\n\r\n".utf8) {
            guard read(connection, &byte, 1) == 1 else { return }
            head.append(byte)
        }
        let target = String(decoding: head, as: UTF8.self).split(separator: " ").dropFirst().first.map(String.init)
        guard let bytes = answer(target ?? "") else {
            _ = read(connection, &byte, 1)  // until the client gives up
            return
        }
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
    }

    /// A whole HTTP answer; `length` lies when it is given.
    static func http(_ body: String, status: String = "200 OK", length: Int? = nil) -> [UInt8] {
        let head =
            "HTTP/1.1 \(status)\r\nContent-Type: application/json\r\nConnection: close\r\n"
            + "Content-Length: \(length ?? body.utf8.count)\r\n\r\n"
        return Array((head + body).utf8)
    }
}
