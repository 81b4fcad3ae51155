import CLinux
import Glibc
import Storage

/// The place of a daemon that serves, taken by this one while agents run on and clients wait.
///
/// Flow: this daemon listens where clients look for one; then it asks the other to end, and waits for its lock. Who calls
/// meanwhile waits in the queue of the new socket. Nobody finds no socket, or one that refuses.
/// Guarantee: what can be known before is asked before. The other daemon is asked to end only when this program can go on
/// with its store.
struct Replacement {
    /// Of the state directory: held.
    let lock: Int32
    /// Nil: a service manager listens in the daemon's place.
    let listener: Int32?

    /// How long the other daemon has to finish what is under way.
    static let leavingMs: Int64 = 30_000
    private static let lookUs: UInt32 = 5_000

    /// - Returns: nil when no daemon serves this state.
    static func take(_ paths: Paths, isPassed: Bool, isManaged: Bool) throws -> Replacement? {
        try StateDirectory.prepare(paths)
        // One at a time; the kernel lets go of it with this process.
        let turn = open("\(paths.state)/successor", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard turn >= 0 else { throw cannot("open \(paths.state)/successor") }
        defer { close(turn) }
        guard agentos_flock_exclusive(turn) == 0 else {
            throw CommandProblem(.alreadyRunning, "another daemon is taking the place of the one that serves already")
        }
        let lock = open("\(paths.state)/lock", O_RDWR | O_CLOEXEC)
        guard lock >= 0 else { return nil }
        do {
            guard agentos_flock_exclusive(lock) != 0, let holder = LockHolder.find(paths) else {
                close(lock)
                return nil
            }
            if let problem = problem(holder, paths, isManaged: isManaged) {
                throw CommandProblem(.invalid, "the daemon with pid \(holder.pid) runs on: \(problem)")
            }
            let place = try isPassed ? nil : SocketPlace(paths.socket)
            kill(holder.pid, SIGTERM)
            let deadlineMs = agentos_boot_ms() + leavingMs
            while agentos_flock_exclusive(lock) != 0 {
                guard agentos_boot_ms() < deadlineMs else {
                    place?.giveBack()
                    throw CommandProblem(
                        .timeout,
                        "the daemon with pid \(holder.pid) was asked to end and did not within \(leavingMs / 1000) s; it "
                            + "runs on until it has finished what is under way. Start this one again then.")
                }
                place?.keep()
                usleep(lookUs)
            }
            place?.settle()
            return Replacement(lock: lock, listener: place?.listener)
        } catch {
            close(lock)
            throw error
        }
    }

    fileprivate static func cannot(_ what: String) -> CommandProblem {
        CommandProblem(.failure, "cannot \(what): \(String(cString: strerror(errno)))")
    }

    /// Why the other daemon is not to end.
    private static func problem(_ holder: LockHolder, _ paths: Paths, isManaged: Bool) -> String? {
        if holder.isManaged, !isManaged {
            return "a service manager has started it, and would see it end. Let that one start it anew, as 'systemctl "
                + "restart agentos' does: agents run on, and who calls waits"
        }
        if Session(paths).presence != .alive {
            return
                "it does not answer, so that it could not finish what is under way. 'agentos-apply daemon stop' asks it "
                + "to end whatever becomes of that"
        }
        return SQLiteStore.refusal(of: "\(paths.state)/store/agentos.db")
    }
}

/// A listening socket under a name that another process listens at, too.
private struct SocketPlace {
    let listener: Int32
    private let path: String
    /// A second name of this socket: a daemon of an older version removes the first one when it ends, whoever has it.
    private var own: String { "\(path).next" }
    private var moving: String { "\(path).moving" }
    /// The socket of the other daemon.
    private var before: String { "\(path).before" }

    init(_ path: String) throws {
        self.path = path
        listener = agentos_listen_unix("\(path).next")
        guard listener >= 0 else { throw Replacement.cannot("listen on \(path).next") }
        unlink(before)
        _ = link(path, before)  // fails when somebody has removed it: then there is nothing to give back
        guard move(own) else {
            let problem = Replacement.cannot("listen on \(path)")
            giveBack()
            throw problem
        }
    }

    /// Gives the path to a file that has another name, in one step.
    private func move(_ name: String) -> Bool {
        unlink(moving)
        return link(name, moving) == 0 && rename(moving, path) == 0
    }

    func keep() { if access(path, F_OK) != 0 { _ = move(own) } }

    func settle() {
        keep()
        unlink(own)
        unlink(before)
    }

    func giveBack() {
        if rename(before, path) != 0 { unlink(path) }
        unlink(own)
        unlink(moving)
        close(listener)
    }
}
