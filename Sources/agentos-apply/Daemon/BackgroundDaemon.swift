import CLinux
import Glibc
import HTTPClient

/// A daemon in the background, as the command line starts and stops it.
enum BackgroundDaemon {
    /// One that ends is told at once; one that lives may have much to load.
    private static let startMs: Int64 = 120_000
    /// How long another's place may be taken: until that one has left, and the new one has loaded.
    static let replacingMs = startMs + Replacement.leavingMs
    private static let stopMs: Int64 = 30_000

    /// Makes sure that a daemon answers; starts one for this user unless that is not wanted.
    static func ensure(_ session: Session, _ invocation: Invocation, autostart: Bool) throws {
        // Nobody starts a daemon on another machine: what is sent says whether one is there.
        guard session.isOfThisMachine else { return }
        switch session.settledPresence {
        case .alive: return
        case .unusable(let problem): throw problem
        case .absent: break
        }
        guard autostart else {
            throw CommandProblem(
                .noDaemon,
                "no daemon answers at \(session.endpoint.name)\nStart one with 'agentos-apply daemon start'.")
        }
        try start(try invocation.localPaths())
        Terminal.note(
            "Started a daemon in the background; it does not survive a reboot. Stop it with 'agentos-apply daemon stop'."
        )
    }

    /// Starts this program as a daemon of its own session and waits until one answers.
    ///
    /// - Parameter replaces: that one is to take the place of one that serves; until it has, that one runs on.
    static func start(_ paths: Paths, _ options: [String] = [], replaces: Bool = false) throws {
        let session = Session(paths)
        try LocalFile.makePath(paths.state)
        let logPath = "\(paths.state)/daemon.log"
        let log = open(logPath, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        guard log >= 0 else {
            throw CommandProblem(.failure, "cannot write \(logPath): \(String(cString: strerror(errno)))")
        }
        defer { close(log) }
        let before = lseek(log, 0, SEEK_END)
        let null = agentos_open_null()
        defer { close(null) }
        let words = [Paths.program, "daemon"] + (replaces ? ["--replace"] : []) + paths.options + options
        var arguments = words.map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        func spawn() throws -> pid_t {
            let pid = agentos_spawn_session(Paths.program, &arguments, environ, null, log)
            guard pid > 0 else {
                throw CommandProblem(.failure, "cannot start \(Paths.program): \(String(cString: strerror(errno)))")
            }
            return pid
        }
        var pid = try spawn()
        let deadlineMs = agentos_boot_ms() + (replaces ? replacingMs : startMs)
        var attempt = 0
        while agentos_boot_ms() < deadlineMs {
            if !replaces || LockHolder.pid(paths) == pid, session.presence == .alive { return }
            var status: Int32 = 0
            if pid > 0, waitpid(pid, &status, WNOHANG) == pid {
                // One that was killed has none.
                let code = status & 0x7f == 0 ? ExitCode(rawValue: (status >> 8) & 0xff) : nil
                if replaces {
                    let runsOn = LockHolder.find(paths)?.isAlive == true
                    throw CommandProblem(
                        code == .success ? .failure : code ?? .failure,
                        (runsOn ? "" : "the daemon has ended; agents run on, and ")
                            + "no other daemon has started:\n\(said(logPath, after: before))")
                }
                guard code == .alreadyRunning else {
                    throw CommandProblem(.noDaemon, "the daemon did not start:\n\(said(logPath, after: before))")
                }
                pid = -1
            }
            // Another command may have started the daemon that wins, and we wait for that one; or one that was killed is
            // not quite gone yet.
            attempt += 1
            if pid < 0, attempt % 20 == 0 { pid = try spawn() }
            usleep(25_000)
        }
        throw CommandProblem(.noDaemon, "the daemon was started and does not answer yet; see \(logPath)")
    }

    /// What a daemon has written to its log since then.
    private static func said(_ path: String, after offset: off_t) -> String {
        let fd = open(path, O_RDONLY | O_CLOEXEC)
        guard fd >= 0 else { return "" }
        defer { close(fd) }
        var bytes = [UInt8](repeating: 0, count: 65_536)
        let count = pread(fd, &bytes, bytes.count, offset)
        return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
    }

    static func stop(_ paths: Paths) throws -> ExitCode {
        let fd = open("\(paths.state)/lock", O_RDWR | O_CLOEXEC)
        guard fd >= 0, agentos_flock_exclusive(fd) != 0, let pid = LockHolder.pid(paths) else {
            if fd >= 0 { close(fd) }
            try Terminal.print("no daemon runs for \(paths.state)")
            return .success
        }
        defer { close(fd) }
        kill(pid, SIGTERM)
        let deadlineMs = agentos_boot_ms() + stopMs
        while agentos_boot_ms() < deadlineMs {
            if agentos_flock_exclusive(fd) == 0 {
                try Terminal.print("daemon stopped; agents run on")
                return .success
            }
            usleep(25_000)
        }
        throw CommandProblem(.timeout, "the daemon with pid \(pid) did not stop within 30 s")
    }
}
