import CLinux
import Glibc
import Machine

/// Files and directories that strangers may have made: reached without leaving a directory, opened without waiting, and
/// read only when they are regular files of a real file system.
enum RegularFile {
    enum Problem: Error, Equatable {
        case leadsOut
        /// It is something that is not read: a FIFO, a device.
        case isNoFile(String)
        case failed(Int32)
        case isTooLarge(Int)

        var words: String {
            switch self {
            case .leadsOut: "the symbolic link leads out of the directory"
            case .isNoFile(let what): "it is \(what), not a file"
            case .failed(let code): String(cString: strerror(code))
            case .isTooLarge(let most): "larger than \(most >> 10) KiB"
            }
        }
    }

    /// The bytes and what the kernel said of the file that was read, after links.
    struct Content {
        var bytes: [UInt8]
        var status: stat
    }

    /// Reads a file below a directory; links are followed as long as they do not lead out.
    static func read(_ path: String, below root: String, limit: Int) throws(Problem) -> Content {
        let place = agentos_open_beneath(root, path)
        guard place >= 0 else { throw errno == EXDEV ? .leadsOut : .failed(errno) }
        defer { close(place) }
        return try read(place, limit: limit)
    }

    /// The text of a small file; nil when it is not there or is no file.
    static func text(_ path: String, limit: Int = 65_536) -> String? {
        let place = agentos_open_path(path)
        guard place >= 0 else { return nil }
        defer { close(place) }
        return (try? read(place, limit: limit)).map { String(decoding: $0.bytes, as: UTF8.self) }
    }

    /// Reads the file that a descriptor made with O_PATH names.
    static func read(_ place: Int32, limit: Int) throws(Problem) -> Content {
        var status = stat()
        guard fstat(place, &status) == 0 else { throw .failed(errno) }
        if let what = kind(status.st_mode) { throw .isNoFile(what) }
        switch agentos_is_of_kernel(place) {
        case 0: break
        case 1: throw .isNoFile("made by the kernel when it is read")
        default: throw .failed(errno)
        }
        // Only now is it opened: opening a FIFO or a device may wait, or do something.
        let fd = open("/proc/self/fd/\(place)", O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
        guard fd >= 0 else { throw .failed(errno) }
        defer { close(fd) }
        guard fstat(fd, &status) == 0 else { throw .failed(errno) }
        guard status.st_size <= limit else { throw .isTooLarge(limit) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while bytes.count <= limit {
            let count = Glibc.read(fd, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw .failed(errno) }
            if count == 0 { return Content(bytes: bytes, status: status) }
            bytes += chunk[..<count]
        }
        throw .isTooLarge(limit)
    }

    /// What something is that is no regular file; nil for one.
    static func kind(_ mode: mode_t) -> String? {
        switch mode & S_IFMT {
        case S_IFREG: nil
        case S_IFDIR: "a directory"
        case S_IFLNK: "a symbolic link"
        case S_IFIFO: "a FIFO"
        case S_IFSOCK: "a socket"
        default: "a device"
        }
    }
}

/// The names in a directory below another, as the bytes they are.
enum DirectoryNames {
    static func list(_ path: String, below root: String) throws(RegularFile.Problem) -> (names: [Name], status: stat) {
        let place = agentos_open_beneath(root, path.isEmpty ? "." : path)
        guard place >= 0 else { throw errno == EXDEV ? .leadsOut : .failed(errno) }
        defer { close(place) }
        var status = stat()
        let fd = open("/proc/self/fd/\(place)", O_RDONLY | O_CLOEXEC | O_DIRECTORY | O_NONBLOCK)
        guard fd >= 0 else { throw .failed(errno) }
        guard fstat(fd, &status) == 0, let handle = fdopendir(fd) else {
            let code = errno
            close(fd)
            throw .failed(code)
        }
        defer { closedir(handle) }
        var names: [Name] = []
        while let entry = readdir(handle) {
            let bytes = withUnsafeBytes(of: &entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
            if bytes.first == UInt8(ascii: ".") { continue }
            var inner = stat()
            // What has gone meanwhile has no kind; the look at the end sees that it went.
            let isThere = bytes.withUnsafeBufferPointer { buffer in
                (Array(buffer) + [0]).withUnsafeBytes {
                    fstatat(fd, $0.baseAddress!.assumingMemoryBound(to: CChar.self), &inner, AT_SYMLINK_NOFOLLOW) == 0
                }
            }
            names.append(Name(bytes: bytes, status: isThere ? inner : nil))
        }
        return (names.sorted { $0.bytes.lexicographicallyPrecedes($1.bytes) }, status)
    }

    struct Name {
        var bytes: [UInt8]
        var status: stat?

        /// Nil when it is not UTF-8.
        var text: String? { String(validating: bytes, as: UTF8.self) }
        /// With `\xff` for each byte that is none of UTF-8.
        var shown: String {
            if let text { return text }
            return bytes.map { byte in
                (0x20..<0x7f).contains(byte)
                    ? String(UnicodeScalar(byte)) : "\\x" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
            }.joined()
        }
    }
}
