import CLinux
import Glibc

/// Small reads and writes that the drivers need; errors are errno.
public enum Files {
    public struct Failure: Error {
        package var code: Int32
        package var what: String

        package init(code: Int32, what: String) {
            self.code = code
            self.what = what
        }

        public var words: String { "\(what): \(String(cString: strerror(code)))" }
    }

    /// The text of a small file; nil when it is not there or cannot be read.
    public static func text(_ path: String, limit: Int = 65_536) -> String? {
        let fd = open(path, O_RDONLY | O_CLOEXEC)
        guard fd >= 0 else { return nil }
        defer { close(fd) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while bytes.count < limit {
            let count = read(fd, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            bytes += chunk[..<count]
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Writes to an existing kernel file.
    package static func write(_ path: String, _ text: String) throws(Failure) {
        let fd = open(path, O_WRONLY | O_CLOEXEC)
        guard fd >= 0 else { throw Failure(code: errno, what: path) }
        defer { close(fd) }
        let bytes = Array(text.utf8)
        guard Glibc.write(fd, bytes, bytes.count) == bytes.count else { throw Failure(code: errno, what: path) }
    }

    /// A file in memory, at its beginning; the caller closes it.
    package static func memory(_ bytes: [UInt8]) throws(Failure) -> Int32 {
        let fd = agentos_memory_file("agentos")
        guard fd >= 0 else { throw Failure(code: errno, what: "memfd_create") }
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(fd, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                let code = errno
                close(fd)
                throw Failure(code: code, what: "a file in memory")
            }
            rest = rest.dropFirst(count)
        }
        lseek(fd, 0, SEEK_SET)
        return fd
    }

    /// A new file that is there whole or not at all, in place of an old one.
    ///
    /// - Parameter isDurable: it is on the disk, under its name, when this returns.
    public static func replace(
        _ path: String, _ bytes: [UInt8], mode: UInt32 = 0o600, owner: UInt32? = nil, group: UInt32? = nil,
        isDurable: Bool = false
    ) throws(Failure) {
        let temporary = "\(path).new"
        unlink(temporary)
        let fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard fd >= 0 else { throw Failure(code: errno, what: temporary) }
        var rest = bytes[...]
        var isDone = owner.map { fchown(fd, $0, group ?? $0) == 0 } ?? true
        isDone = isDone && fchmod(fd, mode) == 0
        while isDone, !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(fd, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            isDone = count > 0
            rest = rest.dropFirst(max(0, count))
        }
        if isDone, isDurable { isDone = fsync(fd) == 0 }
        let code = errno
        close(fd)
        guard isDone, rename(temporary, path) == 0 else {
            let problem = isDone ? errno : code
            unlink(temporary)
            throw Failure(code: problem, what: path)
        }
        if isDurable { try sync(directory(of: path)) }
    }

    /// The names in a directory are on the disk when this returns.
    public static func sync(_ directory: String) throws(Failure) {
        let fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard fd >= 0 else { throw Failure(code: errno, what: directory) }
        defer { close(fd) }
        // Some file systems know no such thing for directories.
        guard fsync(fd) == 0 || errno == EINVAL || errno == ENOTSUP else {
            throw Failure(code: errno, what: directory)
        }
    }

    /// The directory that a file is in.
    public static func directory(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    public static func makeDirectory(_ path: String, mode: UInt32 = 0o700) throws(Failure) {
        if mkdir(path, mode) == 0 {
            chmod(path, mode)  // whatever the umask
        } else if errno != EEXIST {
            throw Failure(code: errno, what: "mkdir \(path)")
        }
    }

    /// What can be read of a directory; for those to whom nothing and not readable are the same.
    public static func names(in directory: String) -> [String] { (try? list(directory)) ?? [] }

    /// All names in a directory, or why they cannot be read: silence is not emptiness.
    public static func list(_ directory: String) throws(Failure) -> [String] {
        guard let handle = opendir(directory) else { throw Failure(code: errno, what: directory) }
        defer { closedir(handle) }
        var names: [String] = []
        while true {
            errno = 0
            guard let entry = readdir(handle) else { break }
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        guard errno == 0 else { throw Failure(code: errno, what: directory) }
        return names
    }

    public static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    /// Bytes that are free for us on the file system of a path; none when nobody can say.
    public static func freeBytes(_ path: String) -> Int64 {
        var status = statvfs()
        guard statvfs(path, &status) == 0 else { return 0 }
        return Int64(
            clamping: UInt64(status.f_bavail).multipliedReportingOverflow(by: UInt64(status.f_frsize)).partialValue)
    }

    /// Bytes that a tree takes on the disk, without what links lead to.
    public static func treeBytes(_ path: String) -> Int64 {
        var status = stat()
        guard lstat(path, &status) == 0 else { return 0 }
        let own = Int64(status.st_blocks) * 512
        guard status.st_mode & S_IFMT == S_IFDIR else { return own }
        return names(in: path).reduce(own) { $0 + treeBytes("\(path)/\($1)") }
    }

    public static func isDirectory(_ path: String) -> Bool {
        var status = stat()
        return lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    /// Removes a tree as far as it can be; `Tree.remove` says what could not.
    public static func removeTree(_ path: String) { try? Tree.remove(path) }
}
