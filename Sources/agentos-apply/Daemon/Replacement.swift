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
    private let turn: Int32

    /// How long the other daemon has to finish what is under way.
    static let leavingMs: Int64 = 30_000
    private static let lookUs: UInt32 = 5_000
    private static let looks = 20

    /// The new daemon serves: the next may take its place.
    func end() { close(turn) }

    /// Whether a daemon takes the place of another now, from before it asks that one to end until it serves.
    static func isUnderWay(_ paths: Paths) -> Bool {
        let turn = open("\(paths.state)/successor", O_RDWR | O_CLOEXEC)
        guard turn >= 0 else { return false }
        defer { close(turn) }
        return agentos_flock_exclusive(turn) != 0
    }

    /// - Parameter check: finds out whether this daemon can start; called when there is one that would have to end.
    /// - Returns: nil when no daemon serves this state.
    static func take(
        _ paths: Paths, isPassed: Bool, isManaged: Bool, check: () throws(CommandProblem) -> Void
    ) throws -> Replacement? {
        try StateDirectory.prepare(paths)
        let turn = try takeTurn("\(paths.state)/successor")
        let lock = open("\(paths.state)/lock", O_RDWR | O_CLOEXEC)
        do {
            guard lock >= 0, agentos_flock_exclusive(lock) != 0, let holder = LockHolder.find(paths) else {
                close(lock)
                close(turn)
                return nil
            }
            if let problem = problem(holder, paths, isManaged: isManaged, check) {
                throw CommandProblem(.invalid, "the daemon with pid \(holder.pid) runs on: \(problem)")
            }
            let place = try isPassed ? nil : SocketPlace(paths.socket)
            guard LockHolder.pid(paths) == holder.pid else {
                place?.giveBack()
                throw CommandProblem(.alreadyRunning, "another daemon has taken the place meanwhile")
            }
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
            return Replacement(lock: lock, listener: place?.listener, turn: turn)
        } catch {
            close(lock)
            close(turn)
            throw error
        }
    }

    fileprivate static func cannot(_ what: String) -> CommandProblem {
        CommandProblem(.failure, "cannot \(what): \(String(cString: strerror(errno)))")
    }

    /// One at a time; the kernel lets go of it with this process.
    private static func takeTurn(_ path: String) throws(CommandProblem) -> Int32 {
        let turn = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard turn >= 0 else { throw cannot("open \(path)") }
        // Who asks whether one is under way has it for a moment.
        for _ in 0..<looks where agentos_flock_exclusive(turn) != 0 { usleep(lookUs) }
        guard agentos_flock_exclusive(turn) == 0 else {
            close(turn)
            throw CommandProblem(.alreadyRunning, "another daemon is taking the place of the one that serves already")
        }
        return turn
    }

    /// Why the other daemon is not to end.
    private static func problem(
        _ holder: LockHolder, _ paths: Paths, isManaged: Bool, _ check: () throws(CommandProblem) -> Void
    ) -> String? {
        if holder.isManaged, !isManaged {
            return "a service manager has started it, and would see it end. Let that one start it anew, as 'systemctl "
                + "restart agentos' does: agents run on, and who calls waits"
        }
        if Session(paths).presence != .alive {
            return
                "it does not answer, so that it could not finish what is under way. 'agentos-apply daemon stop' asks it "
                + "to end whatever becomes of that"
        }
        do throws(CommandProblem) { try check() } catch { return error.message }
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
        // A daemon that has not been asked to end, or another that came first, keeps its own.
        if isOurs, rename(before, path) != 0 { unlink(path) }
        unlink(own)
        unlink(moving)
        unlink(before)
        close(listener)
    }

    /// Clients find this socket.
    private var isOurs: Bool {
        var (found, ours) = (stat(), stat())
        return stat(path, &found) == 0 && stat(own, &ours) == 0 && found.st_dev == ours.st_dev
            && found.st_ino == ours.st_ino
    }
}
