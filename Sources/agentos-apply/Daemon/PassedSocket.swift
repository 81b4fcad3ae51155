import CLinux
import Glibc

/// The socket that a service manager listens on in the daemon's place, so that nobody who calls is refused while it starts:
/// sd_listen_fds(3), without its library.
package struct PassedSocket {
    /// Where the manager puts what it passes.
    private static let first: Int32 = 3
    let path: String

    /// Nil: nothing is passed to this process.
    ///
    /// - Throws: what is passed is not the one socket that is served.
    static func find(_ environment: (String) -> String?, pid: Int32) throws(CommandProblem) -> PassedSocket? {
        guard let count = try count(environment, pid: pid) else { return nil }
        let names = environment("LISTEN_FDNAMES").map { " (\($0))" } ?? ""
        guard count == 1 else {
            throw CommandProblem(
                .usage,
                "the service manager passes \(count) descriptors\(names), and one is served: give its socket unit one "
                    + "ListenStream=; what is served over TLS stands in the setting listen")
        }
        var path = [CChar](repeating: 0, count: 128)
        if let why = words(agentos_passed_socket(first, &path, path.count)) {
            throw CommandProblem(
                .usage,
                "the service manager passes a descriptor\(names) that cannot be served: \(why); expected a listening "
                    + "unix stream socket, as ListenStream=/run/agentos/agentos.sock makes one")
        }
        return PassedSocket(
            path: String(decoding: path.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self))
    }

    /// How many descriptors are meant for this process; nil: none, or those of another.
    package static func count(_ environment: (String) -> String?, pid: Int32) throws(CommandProblem) -> Int? {
        guard environment("LISTEN_PID") == String(pid), let text = environment("LISTEN_FDS") else { return nil }
        guard let count = Int(text), (0...Int(Int32.max - first)).contains(count) else {
            throw CommandProblem(.usage, "LISTEN_FDS: expected a number of descriptors, found \"\(text)\"")
        }
        return count == 0 ? nil : count
    }

    private static func words(_ check: Int32) -> String? {
        switch Int(check) {
        case AGENTOS_PASSED_GOOD: nil
        case AGENTOS_PASSED_NO_DESCRIPTOR: "descriptor \(first) is not open"
        case AGENTOS_PASSED_NO_SOCKET: "it is no socket"
        case AGENTOS_PASSED_NOT_LISTENING: "nobody listens on it (is Accept=yes in the socket unit?)"
        case AGENTOS_PASSED_NO_PATH: "it has no path that clients could find it by"
        default: "it is a socket of another kind"
        }
    }

    /// A descriptor to serve on, which may be closed; the passed one stays for the program that starts in this one's place.
    func descriptor() throws -> Int32 {
        let fd = fcntl(Self.first, F_DUPFD_CLOEXEC, 10)
        guard fd >= 0 else {
            throw CommandProblem(.failure, "cannot serve \(path): \(String(cString: strerror(errno)))")
        }
        return fd
    }

    /// The same process executes its program again, which finds the socket where it was.
    func keepOverExec() { _ = fcntl(Self.first, F_SETFD, 0) }
}
