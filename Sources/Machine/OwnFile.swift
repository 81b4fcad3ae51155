import Glibc

extension Files {
    /// A file that holds a secret, whole: a regular file of this user or of root that nobody else may read.
    ///
    /// - Throws: what is wrong with it, and what to do; never what is in it.
    public static func secret(_ path: String, limit: Int) throws(Problem) -> [UInt8] {
        let fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
        guard fd >= 0 else { throw Problem(path, "cannot be read: \(String(cString: strerror(errno)))") }
        defer { close(fd) }
        var status = stat()
        guard fstat(fd, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw Problem(path, "is no regular file")
        }
        guard status.st_mode & 0o077 == 0, status.st_uid == getuid() || status.st_uid == 0 else {
            throw Problem(path, "must be readable by its owner alone (mode 0600), who is root or runs the daemon")
        }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while bytes.count <= limit {
            let count = read(fd, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw Problem(path, "cannot be read: \(String(cString: strerror(errno)))") }
            if count == 0 { return bytes }
            bytes += chunk[..<count]
        }
        throw Problem(path, "has more than \(limit) bytes")
    }

    /// A file that cannot be used, in words.
    public struct Problem: Error {
        public var words: String
        public init(_ path: String, _ what: String) { words = "\(path) \(what)" }
    }
}
