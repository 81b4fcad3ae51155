import CLinux
import Glibc

/// A way to the daemon for plain bytes: its socket, or the near end of a tunnel to another machine.
package struct Connection {
    /// For whoever opened it to close.
    package let descriptor: Int32
    private let tunnel: TLSTunnel?

    /// Sockets of this machine are connected at once; a tunnel takes bytes while it is being made.
    static func open(_ endpoint: Endpoint) throws(Client.Failure) -> Connection {
        switch endpoint {
        case .socket(let path):
            let descriptor = agentos_connect_unix(path)
            guard descriptor >= 0 else { throw Client.Failure(connecting: errno) }
            return Connection(descriptor: descriptor, tunnel: nil)
        case .server(let server):
            let tunnel = try TLSTunnel(server)
            return Connection(descriptor: tunnel.near, tunnel: tunnel)
        }
    }

    /// It ended otherwise than by the server's own word: what has no length of its own may lack its end.
    var isBroken: Bool { tunnel?.failure != nil }

    /// Why no more comes, when reading has ended, or failed with an error of the kernel.
    package func failure(_ error: Int32 = 0) -> Client.Failure {
        tunnel?.failure ?? .cut(error == 0 ? "the connection was closed" : String(cString: strerror(error)))
    }
}

extension Client.Failure {
    /// What to say when this program can open nothing more, whatever a library says of it; nil: it can.
    static var noDescriptors: Client.Failure? {
        let descriptor = dup(STDERR_FILENO)
        if descriptor >= 0 { close(descriptor) }
        return descriptor < 0 && errno == EMFILE ? Client.Failure(connecting: EMFILE) : nil
    }

    /// Why nobody could be reached.
    init(connecting error: Int32) {
        let why = String(cString: strerror(error))
        switch error {
        case EMFILE: self = .unable("it has as many files open as it may; 'ulimit -n' says and raises how many")
        case ENFILE, ENOMEM, ENOBUFS: self = .unable("the machine has no room for another connection: \(why)")
        case EAGAIN: self = .silent(afterMs: 0)
        case EACCES, EPERM: self = .forbidden(why)
        default: self = .absent(why)
        }
    }
}
