import Glibc
import Machine

/// Small files of the command line.
enum LocalFile {
    /// Reads a file, a pipe or a device up to a limit, and one byte more to tell that there is more.
    ///
    /// - Parameter isText: stops at the first block that is none.
    static func read(_ path: String, limit: Int, isText: Bool = true) throws -> [UInt8] {
        let fd = path == "-" ? 0 : open(path, O_RDONLY | O_CLOEXEC)
        guard fd >= 0 else {
            throw CommandProblem(.invalid, "\(path): cannot be read: \(String(cString: strerror(errno)))")
        }
        defer { if fd != 0 { close(fd) } }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while bytes.count <= limit {
            let count = Glibc.read(fd, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else {
                throw CommandProblem(.invalid, "\(path): cannot be read: \(String(cString: strerror(errno)))")
            }
            if count == 0 { break }
            bytes += chunk[..<count]
            // Binary input is told at its first block; an endless one is not read to the limit.
            if isText, chunk[..<count].contains(0) { break }
        }
        return bytes
    }

    /// Reads a regular file up to a limit, whatever somebody has put in its place: a FIFO or a device holds nobody up.
    static func readRegular(_ path: String, limit: Int) throws(CommandProblem) -> (bytes: [UInt8], status: stat) {
        func cannot(_ why: String) -> CommandProblem { CommandProblem(.failure, "\(path): cannot be read: \(why)") }
        let fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
        guard fd >= 0 else { throw cannot(String(cString: strerror(errno))) }
        defer { close(fd) }
        var status = stat()
        guard fstat(fd, &status) == 0 else { throw cannot(String(cString: strerror(errno))) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw cannot("it is no regular file") }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while bytes.count <= limit {
            let count = Glibc.read(fd, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw cannot(String(cString: strerror(errno))) }
            if count == 0 { return (bytes, status) }
            bytes += chunk[..<count]
        }
        throw cannot("it has more than \(limit) bytes")
    }

    static func write(_ text: String, to path: String) throws { try write(Array(text.utf8), to: path) }

    static func write(_ bytes: [UInt8], to path: String) throws {
        let fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard fd >= 0 else {
            throw CommandProblem(.failure, "\(path): cannot be written: \(String(cString: strerror(errno)))")
        }
        defer { close(fd) }
        let problem = Terminal.put(bytes[...], to: fd)
        guard problem == 0 else {
            throw CommandProblem(.failure, "\(path): cannot be written: \(String(cString: strerror(problem)))")
        }
    }

    static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    /// Makes a directory of this user's own, and what is missing above it.
    static func makePath(_ path: String) throws {
        var made = ""
        for part in path.split(separator: "/") {
            made += "/\(part)"
            if exists(made) { continue }
            guard mkdir(made, made == path ? 0o700 : 0o755) == 0 || errno == EEXIST else {
                throw CommandProblem(.failure, "cannot make \(made): \(String(cString: strerror(errno)))")
            }
        }
    }

    static func isDirectory(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    static func names(in directory: String) -> [String] {
        guard let handle = opendir(directory) else { return [] }
        defer { closedir(handle) }
        var names: [String] = []
        while let entry = readdir(handle) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if !name.hasPrefix(".") { names.append(name) }
        }
        return names.sorted()
    }

    static func copy(_ from: String, to: String, mode: mode_t = 0o600) throws {
        let source = open(from, O_RDONLY | O_CLOEXEC)
        guard source >= 0 else {
            throw CommandProblem(.failure, "\(from): cannot be read: \(String(cString: strerror(errno)))")
        }
        defer { close(source) }
        let temporary = "\(to).tmp-\(getpid())"
        let target = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode)
        guard target >= 0 else {
            throw CommandProblem(.failure, "\(to): cannot be written: \(String(cString: strerror(errno)))")
        }
        defer { close(target) }
        var chunk = [UInt8](repeating: 0, count: 1 << 20)
        while true {
            let count = Glibc.read(source, &chunk, chunk.count)
            if count == 0 { break }
            if count < 0, errno == EINTR { continue }
            let problem = count < 0 ? errno : Terminal.put(chunk[..<count], to: target)
            guard problem == 0 else {
                unlink(temporary)
                let what = count < 0 ? "\(from): cannot be read" : "\(to): cannot be written"
                throw CommandProblem(.failure, "\(what): \(String(cString: strerror(problem)))")
            }
        }
        guard fsync(target) == 0, rename(temporary, to) == 0 else {
            let why = String(cString: strerror(errno))
            unlink(temporary)
            throw CommandProblem(.failure, "\(to): cannot be written: \(why)")
        }
        do throws(Files.Failure) { try Files.sync(Files.directory(of: to)) } catch {
            throw CommandProblem(.failure, error.words)
        }
    }
}
