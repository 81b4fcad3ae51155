import API
import Glibc
import Machine
import Values

/// The file of tokens, looked at from time to time: what it does not say any more holds no more.
final class TokenFile {
    private let path: String
    private let log: Log
    private let take: (StaticTokens) -> Void
    private var seen: State?
    private var isStopped = false

    /// - Parameter reading: of the file; a daemon does not start with one that it cannot use.
    init(_ reading: Reading, _ path: String, _ log: Log, take: @escaping (StaticTokens) -> Void) {
        self.path = path
        self.log = log.about(.access)
        self.take = take
        seen = reading.state
        take(reading.tokens)
    }

    private static let checkMs: Int64 = 1000

    /// From now on another file says who is known, or none.
    func stop() { isStopped = true }

    /// - Parameter work: where the file is read; a thread, which lasts.
    func watch(_ events: EventLoop, _ work: SideWork) {
        events.after(ms: Self.checkMs) { [self] in
            if isStopped { return }
            work.run { [path, seen] () -> Look in
                let state = State(path)
                if state == seen { return .same }
                do throws(CommandProblem) { return .changed(try Reading(path)) } catch {
                    return .unusable(state, error)
                }
            } then: { [self] (look: Look) in
                if isStopped { return }
                use(look)
                watch(events, work)
            }
        }
    }

    /// What looking at the file has shown.
    private enum Look: Sendable {
        case same
        case changed(Reading)
        case unusable(State?, CommandProblem)
    }

    private func use(_ look: Look) {
        switch look {
        case .same: break
        case .changed(let reading):
            seen = reading.state
            take(reading.tokens)
            log.info("tokens were read again", [("tokens", String(reading.tokens.count))])
        case .unusable(let state, let problem):
            seen = state
            take(StaticTokens())
            log.error("the token file cannot be used: its tokens hold no more", [("error", problem.message)])
        }
    }
}

/// The file as it was found.
private struct State: Equatable, Sendable {
    private var inode: UInt64
    private var bytes: Int
    private var mode: UInt32
    private var seconds: Int
    private var nanoseconds: Int

    /// Nil when it is not there.
    init?(_ path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        self.init(status)
    }

    init(_ status: stat) {
        inode = UInt64(status.st_ino)
        bytes = Int(status.st_size)
        mode = status.st_mode
        seconds = status.st_mtim.tv_sec
        nanoseconds = status.st_mtim.tv_nsec
    }
}

extension TokenFile {
    /// The tokens of a file, as it was found.
    struct Reading: Sendable {
        fileprivate let state: State?
        fileprivate let tokens: StaticTokens

        /// - Throws: why it cannot be used.
        init(_ path: String) throws(CommandProblem) {
            state = State(path)
            tokens = try Self.tokens(path)
        }

        private static func tokens(_ path: String) throws(CommandProblem) -> StaticTokens {
            let (bytes, status) = try LocalFile.readRegular(path, limit: Limits.inputBytesMax)
            guard status.st_mode & 0o077 == 0, status.st_uid == getuid() || status.st_uid == 0 else {
                throw CommandProblem(.failure, "\(path): must be readable by its owner alone (mode 0600)")
            }
            do throws(TokenFileProblem) {
                return try StaticTokens(csv: String(decoding: bytes, as: UTF8.self))
            } catch {
                throw CommandProblem(
                    .failure,
                    "\(path):\(error.line): expected TOKEN,USER,UID[,\"GROUP,…\"] with a token of at least "
                        + "\(Limits.tokenBytesMin) bytes that stands in no other line")
            }
        }
    }
}
