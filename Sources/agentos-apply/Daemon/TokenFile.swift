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

    private struct State: Equatable {
        var inode: UInt64
        var bytes: Int
        var seconds: Int
        var nanoseconds: Int
    }

    /// Reads the file; a daemon does not start with one that it cannot use.
    init(_ path: String, _ log: Log, take: @escaping (StaticTokens) -> Void) throws {
        self.path = path
        self.log = log
        self.take = take
        take(try read())
    }

    private static let checkMs: Int64 = 1000

    func watch(_ events: EventLoop) {
        events.after(ms: Self.checkMs) { [self] in
            if state() != seen {
                do {
                    let tokens = try read()
                    take(tokens)
                    log.info("tokens were read again", [("tokens", String(tokens.count))])
                } catch {
                    take(StaticTokens())
                    log.error("the token file cannot be used: its tokens hold no more", [("error", "\(error)")])
                }
            }
            watch(events)
        }
    }

    private func state() -> State? {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        return State(
            inode: UInt64(status.st_ino), bytes: Int(status.st_size), seconds: status.st_mtim.tv_sec,
            nanoseconds: status.st_mtim.tv_nsec)
    }

    private func read() throws -> StaticTokens {
        seen = state()
        var status = stat()
        guard stat(path, &status) == 0 else {
            throw CommandProblem(.failure, "\(path): cannot be read: \(String(cString: strerror(errno)))")
        }
        guard status.st_mode & 0o077 == 0, status.st_uid == getuid() || status.st_uid == 0 else {
            throw CommandProblem(.failure, "\(path): must be readable by its owner alone (mode 0600)")
        }
        let bytes = try LocalFile.read(path, limit: Limits.inputBytesMax)
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
