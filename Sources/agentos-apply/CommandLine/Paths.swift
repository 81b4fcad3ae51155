import Glibc

/// Where the daemon keeps its state and listens, for root and for ordinary users.
struct Paths {
    var state: String
    var socket: String
    /// The options that lead another process to the same daemon.
    var options: [String] { ["--state-dir", state, "--socket", socket] }

    init(_ invocation: Invocation) throws {
        let isRoot = getuid() == 0
        let given = invocation.value("state-dir") ?? Self.environment("AGENTOS_STATE_DIR")
        if let given {
            state = Self.absolute(given)
        } else if isRoot {
            state = "/var/lib/agentos"
        } else if let base = Self.environment("XDG_STATE_HOME") {
            state = "\(base)/agentos"
        } else if let home = Self.environment("HOME") {
            state = "\(home)/.local/state/agentos"
        } else {
            throw CommandProblem(.usage, "no state directory: set HOME or give --state-dir DIR")
        }
        if let path = invocation.value("socket") ?? Self.environment("AGENTOS_SOCKET") {
            socket = Self.absolute(path)
        } else if given != nil {
            socket = "\(state)/agentos.sock"
        } else if isRoot {
            socket = "/run/agentos/agentos.sock"
        } else {
            socket = "\(Self.environment("XDG_RUNTIME_DIR") ?? state)/agentos.sock"
        }
        if socket.utf8.count > 107 {
            throw CommandProblem(
                .usage,
                "the socket path \(socket) is longer than 107 bytes, the most that Linux allows; give --socket PATH")
        }
    }

    static func environment(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
    }

    static func absolute(_ path: String) -> String {
        if path.hasPrefix("/") { return path }
        var buffer = [CChar](repeating: 0, count: 4096)
        guard getcwd(&buffer, buffer.count) != nil else { return path }
        return "\(String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self))/\(path)"
    }

    /// The path of this very program.
    static var program: String {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = readlink("/proc/self/exe", &buffer, buffer.count - 1)
        return String(decoding: buffer.prefix(max(0, count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

/// Small files of the command line.
enum LocalFile {
    /// Reads a file, a pipe or a device up to a limit, and one byte more to tell that there is more.
    static func read(_ path: String, limit: Int) throws -> [UInt8] {
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
            if chunk[..<count].contains(0) { break }
        }
        return bytes
    }

    static func write(_ text: String, to path: String) throws {
        let fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard fd >= 0 else {
            throw CommandProblem(.failure, "\(path): cannot be written: \(String(cString: strerror(errno)))")
        }
        defer { close(fd) }
        let bytes = Array(text.utf8)
        guard Glibc.write(fd, bytes, bytes.count) == bytes.count else {
            throw CommandProblem(.failure, "\(path): cannot be written: \(String(cString: strerror(errno)))")
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
            guard count > 0, Glibc.write(target, chunk, count) == count else {
                let why = String(cString: strerror(errno))
                unlink(temporary)
                throw CommandProblem(.failure, "\(to): cannot be written: \(why)")
            }
        }
        guard fsync(target) == 0, rename(temporary, to) == 0 else {
            let why = String(cString: strerror(errno))
            unlink(temporary)
            throw CommandProblem(.failure, "\(to): cannot be written: \(why)")
        }
    }
}
