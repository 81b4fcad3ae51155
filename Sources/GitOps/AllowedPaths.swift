import CLinux
import Glibc

/// Directories of the machine that somebody may name, and what lies below them.
struct AllowedPaths: Sendable {
    struct Problem: Error { var message: String }

    var prefixes: [String]
    /// What allows one, for messages.
    var option: String

    /// A descriptor (O_PATH) of a file or directory, reached without leaving the allowed directory through a link.
    func open(_ path: String) throws(Problem) -> Int32 {
        let isPlain = !path.split(separator: "/").contains("..")
        let prefix = prefixes.filter { path == $0 || path.hasPrefix($0 == "/" ? "/" : "\($0)/") }
            .max { $0.utf8.count < $1.utf8.count }
        guard isPlain, let prefix else {
            throw Problem(
                message: "\(path) is not allowed; the daemon's option \(option) DIRECTORY allows what is below")
        }
        let rest = path.dropFirst(prefix.count).drop { $0 == "/" }
        let fd = agentos_open_beneath(prefix, rest.isEmpty ? "." : String(rest))
        guard fd >= 0 else {
            let why = errno == EXDEV ? "a symbolic link leads out of \(prefix)" : String(cString: strerror(errno))
            throw Problem(message: "\(path): \(why)")
        }
        return fd
    }

    /// The real path of a file or directory.
    func resolve(_ path: String) throws(Problem) -> String {
        let fd = try open(path)
        defer { close(fd) }
        return Self.path(of: fd) ?? path
    }

    static func path(of fd: Int32) -> String? {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink("/proc/self/fd/\(fd)", &buffer, buffer.count - 1)
        return count > 0 ? String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self) : nil
    }
}
