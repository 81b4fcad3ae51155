import CLinux
import Glibc

/// The streams of a command, between this program's own and those that the command gets. The command never gets this
/// program's own: through a terminal or a file that both hold, it could write where it may not.
final class CommandStreams {
    private(set) var remote: [Int32]
    private var input: Int32
    private let output: Int32
    private let error: Int32
    /// The connection that is told of the window's size; -1 without a terminal.
    private let connection: Int32
    private var before: termios?
    /// Output that could not be passed on, other than to somebody who had read enough.
    private(set) var lost: CommandProblem?

    init(readsInput: Bool) throws {
        agentos_ignore_sigpipe()
        var pipes: [[Int32]] = []
        for _ in 0..<3 {
            var pipe: [Int32] = [-1, -1]
            guard agentos_close_on_exec_pipe(&pipe) == 0 else {
                throw CommandProblem(.failure, "pipe: \(String(cString: strerror(errno)))")
            }
            pipes.append(pipe)
        }
        remote = [pipes[0][0], pipes[1][1], pipes[2][1]]
        (input, output, error, connection) = (pipes[0][1], pipes[1][0], pipes[2][0], -1)
        if !readsInput {
            close(input)
            input = -1
        }
    }

    init(terminal connection: Int32) throws {
        agentos_ignore_sigpipe()
        var sides: [Int32] = [-1, -1]
        guard agentos_open_terminal(&sides) == 0 else {
            throw CommandProblem(.failure, "no pseudo terminal: \(String(cString: strerror(errno)))")
        }
        remote = [sides[1], sides[1], sides[1]]
        (input, output, error, self.connection) = (sides[0], sides[0], -1, connection)
        resize()
        var settings = termios()
        tcgetattr(0, &settings)
        before = settings
        cfmakeraw(&settings)
        tcsetattr(0, TCSANOW, &settings)
    }

    func closeRemote() {
        for fd in Set(remote) { close(fd) }
        remote = []
        if before != nil { resize() }
    }

    private func resize() {
        var columns: UInt16 = 0
        var rows: UInt16 = 0
        guard agentos_get_window(0, &columns, &rows) == 0 else { return }
        _ = agentos_set_window(output, columns, rows)
        if remote.isEmpty { send(connection, "r", 1, Int32(MSG_NOSIGNAL)) }
    }

    /// Copies until all output is there; returns the line that ended the command, empty when the connection broke.
    func carry(until end: Int32, _ session: Session) throws -> String {
        let window = before == nil ? -1 : agentos_signalfd_window()
        defer { if var before { tcsetattr(0, TCSADRAIN, &before) } }
        var result: [UInt8] = []
        var isEnded = false
        var outputs = [(from: output, to: Int32(1)), (from: error, to: 2)].filter { $0.from >= 0 }
        // What came from standard input and the command has not taken yet.
        var pending: ArraySlice<UInt8> = []
        var readsInput = input >= 0
        if input >= 0 { _ = fcntl(input, F_SETFL, fcntl(input, F_GETFL) | O_NONBLOCK) }
        while !isEnded || !outputs.isEmpty {
            var polls = outputs.map { pollfd(fd: $0.from, events: Int16(POLLIN), revents: 0) }
            polls.append(pollfd(fd: isEnded ? -1 : end, events: Int16(POLLIN), revents: 0))
            polls.append(pollfd(fd: readsInput && pending.isEmpty ? 0 : -1, events: Int16(POLLIN), revents: 0))
            polls.append(pollfd(fd: pending.isEmpty ? -1 : input, events: Int16(POLLOUT), revents: 0))
            polls.append(pollfd(fd: window, events: Int16(POLLIN), revents: 0))
            // Something that the command left behind may hold its outputs open: what is there is shown, no more.
            // A command without outputs may run on; only the daemon can say, so it must be there.
            let ready = poll(
                &polls, nfds_t(polls.count), isEnded ? 1000 : outputs.isEmpty ? Self.silenceMs : -1)
            if ready == 0, isEnded { break }
            if ready == 0 {
                if case .unusable(let problem) = session.presence { throw problem }
                continue
            }
            if ready < 0 { continue }
            let count = outputs.count
            outputs = zip(outputs, polls).filter { $1.revents == 0 || copy($0.from, $0.to) }.map { $0.0 }
            if polls[count].revents != 0 {
                var chunk = [UInt8](repeating: 0, count: 4096)
                let taken = recv(end, &chunk, chunk.count, 0)
                if taken > 0 { result += chunk[..<taken] }
                if taken <= 0 || result.last == UInt8(ascii: "\n") { isEnded = true }
            }
            if polls[count + 1].revents != 0 {
                var chunk = [UInt8](repeating: 0, count: 65_536)
                let taken = read(0, &chunk, chunk.count)
                if taken > 0 { pending = chunk[..<taken] }
                if taken == 0 || taken < 0 && errno != EINTR { readsInput = false }
            }
            if polls[count + 2].revents != 0 || !pending.isEmpty {
                let written = pending.withUnsafeBytes { write(input, $0.baseAddress, $0.count) }
                if written > 0 { pending = pending.dropFirst(written) }
                if written < 0, errno != EAGAIN, errno != EINTR {
                    // The command has closed its input.
                    pending = []
                    readsInput = false
                }
            }
            if !readsInput, pending.isEmpty, input >= 0, before == nil {
                close(input)
                input = -1
            }
            if polls[count + 3].revents != 0 {
                _ = agentos_read_signal(window)
                resize()
            }
        }
        return String(decoding: result.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
    }

    /// How long a command may be without outputs before the daemon is asked whether it lives.
    private static let silenceMs: Int32 = 15_000

    /// False when there is no more.
    private func copy(_ from: Int32, _ to: Int32) -> Bool {
        var chunk = [UInt8](repeating: 0, count: 65_536)
        let count = read(from, &chunk, chunk.count)
        if count < 0, errno == EINTR || errno == EAGAIN { return true }
        guard count > 0 else { return false }
        let problem = Terminal.put(chunk[..<count], to: to)
        if problem == 0 { return true }
        // Nobody takes its output any more: the command learns it as it would from a pipe of its own.
        close(from)
        if before != nil { input = -1 }  // a terminal is both
        if problem != EPIPE {
            lost = CommandProblem(
                .failure, "cannot write standard \(to == 1 ? "output" : "error"): \(String(cString: strerror(problem)))"
            )
        }
        return false
    }
}
