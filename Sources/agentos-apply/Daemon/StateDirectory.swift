import CLinux
import Glibc

/// The state directory of a running daemon: its parts exist and it is locked, for one daemon at a time.
struct StateDirectory: ~Copyable {
    let path: String
    private let lock: Int32

    /// - Parameter lock: held already; nil: it is taken.
    init(_ paths: Paths, lock: Int32?, isManaged: Bool) throws {
        path = paths.state
        try Self.prepare(paths)
        self.lock = try lock ?? Self.takeLock("\(paths.state)/lock", paths)
        ftruncate(self.lock, 0)
        let text = Array(LockHolder.text(pid: getpid(), isManaged: isManaged).utf8)
        _ = pwrite(self.lock, text, text.count, 0)
    }

    deinit { close(lock) }

    static func prepare(_ paths: Paths) throws {
        // As root, agents have users of their own and must pass through to their homes; nothing else can be read there.
        let open: mode_t = getuid() == 0 ? 0o711 : 0o700
        try LocalFile.makePath(paths.state)
        chmod(paths.state, open)
        for (name, mode) in [
            ("store", 0o700), ("journal", 0o700), ("runs", 0o700), ("containers", 0o700), ("sandboxes", 0o700),
            ("homes", open),
        ] as [(String, mode_t)] {
            let path = "\(paths.state)/\(name)"
            guard mkdir(path, mode) == 0 || errno == EEXIST else { throw cannot("make", path) }
            chmod(path, mode)
        }
        if let slash = paths.socket.lastIndex(of: "/"), slash != paths.socket.startIndex {
            try LocalFile.makePath(String(paths.socket[..<slash]))
        }
    }

    private static func takeLock(_ path: String, _ paths: Paths) throws -> Int32 {
        let fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard fd >= 0 else { throw cannot("open", path) }
        guard agentos_flock_exclusive(fd) == 0 else {
            close(fd)
            throw CommandProblem(.alreadyRunning, "another daemon serves \(paths.state) already")
        }
        return fd
    }

    private static func cannot(_ verb: String, _ path: String) -> CommandProblem {
        CommandProblem(.failure, "cannot \(verb) \(path): \(String(cString: strerror(errno)))")
    }
}
