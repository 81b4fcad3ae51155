import CLinux
import Glibc
import HTTP
import Values

/// The streams of a command, between this program's own and the connection to the daemon. The command never gets this
/// program's own: through a terminal or a file that both hold, it could write where it may not.
final class CommandStreams {
    /// How a command ended.
    enum End {
        case exited(Int32)
        case late
        case failed(String)
        /// The connection broke before.
        case cut
    }

    private let connection: Int32
    private let isTerminal: Bool
    /// Where input comes from, and where output goes: this program's own, or files.
    private let input: Int32
    private let output: Int32
    /// Tells of signals that would end this program: the command is then given the end of its input, to put things in
    /// order; a second one ends the connection.
    private let interrupts: Int32
    private(set) var interruption: Int32?
    private var readsInput: Bool
    private var session = WebSocketSession(messageBytesMax: 1 << 30) { UInt32.random(in: 0 ... .max) }
    /// What the daemon has not taken yet. No input is read meanwhile.
    private var pending: ArraySlice<UInt8> = []
    private var channel: UInt8?
    private var status: [UInt8] = []
    private var end: End?
    /// Standard output or error that nobody reads any more.
    private var closed: Set<Int32> = []
    /// Output that could not be passed on, other than to somebody who had read enough.
    private(set) var lost: CommandProblem?

    init(
        _ connection: Int32, readsInput: Bool, isTerminal: Bool, input: Int32 = 0, output: Int32 = 1,
        interrupts: Int32 = -1
    ) {
        agentos_ignore_sigpipe()
        self.interrupts = interrupts
        self.input = input
        self.output = output
        self.connection = connection
        self.isTerminal = isTerminal
        self.readsInput = readsInput
        _ = fcntl(connection, F_SETFL, fcntl(connection, F_GETFL) | O_NONBLOCK)
    }

    deinit { close(connection) }

    /// Carries until the command has ended and all of its output is there.
    func carry() -> End {
        var before: termios?
        let window = isTerminal ? agentos_signalfd_window() : -1
        if isTerminal {
            var settings = termios()
            tcgetattr(0, &settings)
            before = settings
            cfmakeraw(&settings)
            tcsetattr(0, TCSANOW, &settings)
            sendSize()
        }
        defer { if var before { tcsetattr(0, TCSADRAIN, &before) } }
        while end == nil {
            let waitsToSend = pending.isEmpty ? 0 : Int16(POLLOUT)
            var polls = [
                pollfd(fd: connection, events: Int16(POLLIN) | waitsToSend, revents: 0),
                pollfd(fd: readsInput && pending.isEmpty ? input : -1, events: Int16(POLLIN), revents: 0),
                pollfd(fd: window, events: Int16(POLLIN), revents: 0),
                pollfd(fd: interrupts, events: Int16(POLLIN), revents: 0),
            ]
            guard poll(&polls, nfds_t(polls.count), -1) > 0 else { continue }
            if polls[0].revents & Int16(POLLOUT) != 0 { flush() }
            if polls[0].revents & ~Int16(POLLOUT) != 0 { receive() }
            if polls[1].revents != 0 { readInput() }
            if polls[2].revents != 0 {
                _ = agentos_read_signal(window)
                sendSize()
            }
            if polls[3].revents != 0 { interrupt() }
        }
        return end ?? .cut
    }

    // MARK: To the command

    private enum Channel {
        static let input: UInt8 = 0
        static let error: UInt8 = 2
        static let status: UInt8 = 3
        static let size: UInt8 = 4
        static let close: UInt8 = 255
    }

    private func readInput() {
        var chunk = [UInt8](repeating: 0, count: 65_536)
        let count = read(input, &chunk, chunk.count)
        if count > 0 { return send(Channel.input, Array(chunk[..<count])) }
        if count < 0, errno == EINTR || errno == EAGAIN { return }
        readsInput = false
        send(Channel.close, [Channel.input])
    }

    private func interrupt() {
        let signal = agentos_read_signal(interrupts)
        guard signal > 0 else { return }
        if interruption != nil { return finish(.cut) }
        interruption = signal
        readsInput = false
        send(Channel.close, [Channel.input])
    }

    private func sendSize() {
        var columns: UInt16 = 0
        var rows: UInt16 = 0
        guard agentos_get_window(0, &columns, &rows) == 0 else { return }
        send(Channel.size, Array("{\"Width\":\(columns),\"Height\":\(rows)}".utf8))
    }

    private func send(_ channel: UInt8, _ bytes: [UInt8]) {
        pending += session.message([[channel], bytes], isText: false)
        flush()
    }

    private func flush() {
        while !pending.isEmpty {
            let count = pending.withUnsafeBytes {
                Glibc.send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count < 0, errno == EINTR { continue }
            // What the daemon has said before it closed is still read.
            if count < 0 { if errno != EAGAIN { pending = [] } else { break } }
            pending = pending.dropFirst(max(0, count))
        }
    }

    // MARK: From the command

    private func receive() {
        var chunk = [UInt8](repeating: 0, count: 65_536)
        let count = read(connection, &chunk, chunk.count)
        if count < 0, errno == EINTR || errno == EAGAIN { return }
        guard count > 0 else { return finish(.cut) }
        let received = session.receive(Array(chunk[..<count]))
        for part in received.parts where end == nil { take(part) }
        pending += received.reply
        flush()
        if received.isOver { finish(status.isEmpty ? .cut : Self.end(status)) }
    }

    private func finish(_ how: End) { if end == nil { end = how } }

    private func take(_ part: WebSocketSession.Part) {
        var bytes = part.bytes[...]
        if part.isFirst { channel = nil }
        if channel == nil { channel = bytes.popFirst() }
        guard let channel, !bytes.isEmpty else { return }
        if channel == Channel.status {
            if status.count < Self.statusBytesMax { status += bytes }
        } else {
            show(bytes, on: channel == Channel.error ? 2 : output)
        }
    }

    private static let statusBytesMax = 1 << 16

    private func show(_ bytes: ArraySlice<UInt8>, on fd: Int32) {
        // It would have got a signal from a pipe of its own for this.
        if closed.contains(fd) { return finish(.exited(128 + SIGPIPE)) }
        let problem = Terminal.put(bytes, to: fd)
        if problem == 0 { return }
        closed.insert(fd)
        if problem == EPIPE { return }
        lost = CommandProblem(
            .failure,
            "cannot write \(fd == 1 ? "standard output" : fd == 2 ? "standard error" : "the copy"): \(String(cString: strerror(problem)))"
        )
        finish(.failed(lost?.message ?? ""))
    }

    private static func end(_ status: [UInt8]) -> End {
        let node = JSONReader.read(String(decoding: status, as: UTF8.self))
        if node?["status"]?.string == "Success" { return .exited(0) }
        switch node?["reason"]?.string {
        case "NonZeroExitCode":
            let code = node?[path: "details", "causes"]?.list?.first?["message"]?.string
            return .exited(code.flatMap { Int32($0) } ?? 1)
        case "Timeout": return .late
        case let other: return .failed(node?["message"]?.string ?? other ?? "the command failed")
        }
    }
}
