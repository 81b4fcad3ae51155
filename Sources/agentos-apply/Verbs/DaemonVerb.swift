import CLinux
import Glibc
import Manifests
import Values

func daemonVerb(_ invocation: Invocation) throws -> ExitCode {
    let session = try Session(invocation)
    let paths = session.paths
    switch invocation.positionals.first {
    case nil:
        let format = try invocation.choice("log-format", ["text", "json"], default: "text")
        let runtimes = try ContainerRuntimes(paths, invocation, isRoot: getuid() == 0)
        return try Daemon.run(paths, runtimes, try SourceOptions(invocation), Log(isJSON: format == "json"))
    case "start":
        if session.isAnswered {
            Terminal.print("a daemon serves \(paths.socket) already")
            return .success
        }
        try startInBackground(session, (ContainerRuntimes.options + SourceOptions.options).flatMap(invocation.words))
        Terminal.print("daemon started; it serves \(paths.socket) and does not survive a reboot")
        return .success
    case "stop": return try stopDaemon(paths, session)
    case "status":
        guard session.isAnswered else {
            Terminal.print("no daemon serves \(paths.socket)")
            return .noDaemon
        }
        let ready = session.client.send(Client.Request(method: "GET", path: "/readyz"), timeoutMs: 5000)
        Terminal.print("daemon \(lockHolder(paths).map { "with pid \($0) " } ?? "")serves \(paths.socket)")
        if !ready.isSuccess { Terminal.print("not ready: \(String(decoding: ready.body, as: UTF8.self))") }
        return ready.isSuccess ? .success : .failure
    case let word?:
        throw invocation.usage(
            "unknown word \"\(word)\": expected start, stop or status\(Suggestion.text(for: word, among: ["start", "stop", "status"]))"
        )
    }
}

/// Makes sure that a daemon answers; starts one for this user unless that is not wanted.
func ensureDaemon(_ session: Session, autostart: Bool) throws {
    if session.isAnswered { return }
    guard autostart else {
        throw CommandProblem(
            .noDaemon, "no daemon answers at \(session.paths.socket)\nStart one with 'agentos-apply daemon start'.")
    }
    try startInBackground(session)
    Terminal.note(
        "Started a daemon in the background; it does not survive a reboot. Stop it with 'agentos-apply daemon stop'.")
}

/// Starts this program as a daemon of its own session and waits until one answers.
private func startInBackground(_ session: Session, _ options: [String] = []) throws {
    let paths = session.paths
    mkdir(paths.state, 0o700)
    let logPath = "\(paths.state)/daemon.log"
    var parent = ""
    for part in paths.state.split(separator: "/").dropLast() {
        parent += "/\(part)"
        mkdir(parent, 0o755)
    }
    mkdir(paths.state, 0o700)
    let log = open(logPath, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
    guard log >= 0 else {
        throw CommandProblem(.failure, "cannot write \(logPath): \(String(cString: strerror(errno)))")
    }
    defer { close(log) }
    let before = lseek(log, 0, SEEK_END)
    let null = agentos_open_null()
    defer { close(null) }
    var arguments = ([Paths.program, "daemon"] + paths.options + options).map { strdup($0) } + [nil]
    defer { for argument in arguments { free(argument) } }
    func spawn() throws -> pid_t {
        let pid = agentos_spawn_session(Paths.program, &arguments, environ, null, log)
        guard pid > 0 else {
            throw CommandProblem(.failure, "cannot start \(Paths.program): \(String(cString: strerror(errno)))")
        }
        return pid
    }
    var pid = try spawn()
    for attempt in 0..<400 {
        if session.isAnswered { return }
        var status: Int32 = 0
        if pid > 0, waitpid(pid, &status, WNOHANG) == pid {
            guard (status >> 8) & 0xff == ExitCode.alreadyRunning.rawValue else {
                let text = try String(
                    decoding: LocalFile.read(logPath, limit: 1 << 20).dropFirst(Int(before)), as: UTF8.self)
                throw CommandProblem(.noDaemon, "the daemon did not start:\n\(text)")
            }
            pid = -1
        }
        // Another command may have started the daemon that wins, and we wait for that one; or one that was killed is not
        // quite gone yet.
        if pid < 0, attempt % 20 == 19 { pid = try spawn() }
        usleep(25_000)
    }
    throw CommandProblem(.noDaemon, "the daemon does not answer; see \(logPath)")
}

private func lockHolder(_ paths: Paths) -> Int32? {
    guard let bytes = try? LocalFile.read("\(paths.state)/lock", limit: 64) else { return nil }
    return Int32(String(decoding: bytes, as: UTF8.self).prefix { $0.isNumber })
}

private func stopDaemon(_ paths: Paths, _ session: Session) throws -> ExitCode {
    let fd = open("\(paths.state)/lock", O_RDWR | O_CLOEXEC)
    guard fd >= 0, agentos_flock_exclusive(fd) != 0, let pid = lockHolder(paths) else {
        if fd >= 0 { close(fd) }
        Terminal.print("no daemon runs for \(paths.state)")
        return .success
    }
    defer { close(fd) }
    kill(pid, SIGTERM)
    for _ in 0..<1200 {
        if agentos_flock_exclusive(fd) == 0 {
            Terminal.print("daemon stopped; agents run on")
            return .success
        }
        usleep(25_000)
    }
    throw CommandProblem(.timeout, "the daemon with pid \(pid) did not stop within 30 s")
}
