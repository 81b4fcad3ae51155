import CLinux
import Glibc
import Manifests
import Values

func execVerb(_ invocation: Invocation) throws -> ExitCode {
    guard invocation.positionals.count >= 2 else { throw invocation.usage("give an AGENT and a COMMAND") }
    let isTerminal = invocation.flag("tty")
    if isTerminal, isatty(0) != 1 {
        throw invocation.usage("-t needs a terminal as standard input; leave it out for pipes and files")
    }
    let timeoutMs = try invocation.milliseconds("timeout", default: 0)
    let body = Node.map([
        ("command", .list(invocation.positionals.dropFirst().map(Node.text))),
        ("ordinal", .number(try invocation.integer("replica", 0...Limits.replicasMax) ?? 0)),
        ("timeoutSeconds", .number((timeoutMs + 999) / 1000)), ("terminal", Node(.bool(isTerminal))),
    ])
    let session = try Session(invocation)
    let path = Session.path(
        .agent, namespace: invocation.value("namespace") ?? "default", name: invocation.positionals[0])
    let connection = try session.upgrade("\(path)/exec", to: "agentos-exec", body: JSONWriter.bytes(body))
    let streams =
        try isTerminal ? CommandStreams(terminal: connection) : CommandStreams(readsInput: invocation.flag("stdin"))
    guard agentos_send_descriptors(connection, streams.remote, 3) == 0 else {
        throw CommandProblem(.failure, "the daemon closed the connection")
    }
    streams.closeRemote()
    let result = streams.carry(until: connection)
    let words = result.split(separator: " ", maxSplits: 1).map(String.init)
    switch words.first {
    // The command's own exit code, whatever it is.
    case "exited": exit(words.count > 1 ? Int32(words[1]) ?? 1 : 1)
    case "timeout": throw CommandProblem(.timeout, "the command was killed after \(timeoutMs) ms")
    case "failed": throw CommandProblem(.failure, words.count > 1 ? words[1] : "the command failed")
    default: throw CommandProblem(.failure, "the daemon closed the connection; the command was ended")
    }
}

extension Session {
    /// A connection that has left HTTP for another protocol.
    fileprivate func upgrade(_ path: String, to name: String, body: [UInt8]) throws -> Int32 {
        let fd = agentos_connect_unix(paths.socket)
        guard fd >= 0 else { throw problem(noAnswer: String(cString: strerror(errno))) }
        let head =
            "POST \(path) HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: \(name)\r\n"
            + "Content-Type: application/json\r\nContent-Length: \(body.count)\r\n\r\n"
        let bytes = Array(head.utf8) + body
        guard write(fd, bytes, bytes.count) == bytes.count else {
            throw problem(noAnswer: String(cString: strerror(errno)))
        }
        // Byte by byte up to the empty line: what follows it belongs to the other protocol.
        var answer: [UInt8] = []
        var byte: UInt8 = 0
        while !answer.suffix(4).elementsEqual("\r\n\r\n".utf8), answer.count < 16_384 {
            let count = read(fd, &byte, 1)
            if count < 0, errno == EINTR { continue }
            guard count == 1 else { throw problem(noAnswer: "the connection was closed") }
            answer.append(byte)
        }
        let lines = String(decoding: answer, as: UTF8.self).split(separator: "\r\n")
        let status = lines.first?.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        if status == 101 { return fd }
        var response = Client.Response(status: status)
        let length = lines.first { $0.lowercased().hasPrefix("content-length:") }?.split(separator: ":").last
        let size = length.flatMap { Int($0.filter(\.isNumber)) } ?? 0
        while response.body.count < size, read(fd, &byte, 1) == 1 { response.body.append(byte) }
        close(fd)
        throw problem(response)
    }
}

/// The streams of a command, between this program's own and those that the command gets. The command never gets this
/// program's own: through a terminal or a file that both hold, it could write where it may not.
private final class CommandStreams {
    private(set) var remote: [Int32]
    private var input: Int32
    private let output: Int32
    private let error: Int32
    /// The connection that is told of the window's size; -1 without a terminal.
    private let connection: Int32
    private var before: termios?

    init(readsInput: Bool) throws {
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
        agentos_ignore_sigpipe()
    }

    init(terminal connection: Int32) throws {
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
    func carry(until end: Int32) -> String {
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
            let ready = poll(&polls, nfds_t(polls.count), isEnded ? 1000 : -1)
            if ready == 0 { break }
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

    /// False when there is no more.
    private func copy(_ from: Int32, _ to: Int32) -> Bool {
        var chunk = [UInt8](repeating: 0, count: 65_536)
        let count = read(from, &chunk, chunk.count)
        if count < 0, errno == EINTR || errno == EAGAIN { return true }
        guard count > 0 else { return false }
        var rest = chunk[..<count]
        while !rest.isEmpty {
            let written = rest.withUnsafeBytes { write(to, $0.baseAddress, $0.count) }
            if written < 0, errno == EINTR { continue }
            guard written > 0 else { return false }
            rest = rest.dropFirst(written)
        }
        return true
    }
}
