import CLinux
import Glibc
import Machine
package import Reconciler
package import Values

/// The streams of one command, between its descriptors and the messages of its caller.
final class CommandStream {
    /// After the command's end its output is waited for so long: what it left behind may hold the streams open.
    private static let drainMs: Int64 = 1000

    private let events: EventLoop
    private let isTerminal: Bool
    private var input: Int32 = -1
    private var outputs: [(fd: Int32, isError: Bool)] = []
    private var control: Int32 = -1
    private var pending: ArraySlice<UInt8> = []
    private var taken: (@Sendable () -> Void)?
    private var question: (@Sendable (CommandOutput) -> Void)?
    private var result: ExecutionResult?
    private var drain: EventLoop.TimerID?

    init(_ events: EventLoop, isTerminal: Bool) {
        self.events = events
        self.isTerminal = isTerminal
    }

    deinit { close() }

    /// Makes the descriptors, and gives the command's ends away. Nil when this machine has no more of them.
    func open() -> CommandEnds? {
        var sockets: [Int32] = [-1, -1]
        guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0, &sockets) == 0 else {
            return nil
        }
        control = sockets[0]
        var pipes: [[Int32]] = []
        func give(_ theirs: [Int32]) -> CommandEnds? {
            if theirs.allSatisfy({ $0 >= 0 }) {
                return CommandEnds(input: theirs[0], output: theirs[1], error: theirs[2], control: sockets[1])
            }
            for fd in theirs + [sockets[1]] where fd >= 0 { Glibc.close(fd) }
            return nil
        }
        if isTerminal {
            var ends: [Int32] = [-1, -1]
            guard agentos_open_terminal(&ends) == 0 else { return give([-1, -1, -1]) }
            outputs = [(ends[0], false)]
            input = fcntl(ends[0], F_DUPFD_CLOEXEC, 0)
            pipes = [ends]
        } else {
            for _ in 0..<3 {
                var ends: [Int32] = [-1, -1]
                guard agentos_close_on_exec_pipe(&ends) == 0 else { break }
                pipes.append(ends)
            }
            guard pipes.count == 3 else {
                for fd in pipes.flatMap(\.self) { Glibc.close(fd) }
                return give([-1, -1, -1])
            }
            input = pipes[0][1]
            outputs = [(pipes[1][0], false), (pipes[2][0], true)]
        }
        for fd in [input] + outputs.map(\.fd) { _ = fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) }
        if isTerminal {
            return give([pipes[0][1], fcntl(pipes[0][1], F_DUPFD_CLOEXEC, 0), fcntl(pipes[0][1], F_DUPFD_CLOEXEC, 0)])
        }
        return give([pipes[0][0], pipes[1][1], pipes[2][1]])
    }

    // MARK: To the command

    func send(_ message: CommandInput, taken: @escaping @Sendable () -> Void) {
        switch message {
        case .bytes(let bytes):
            pending = bytes[...]
            self.taken = taken
            return write()
        case .end: if !isTerminal { closeInput() }
        case .window(let columns, let rows):
            if isTerminal, let fd = outputs.first?.fd {
                agentos_set_window(fd, columns, rows)
                var byte: UInt8 = 0
                Glibc.send(control, &byte, 1, Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL))
            }
        }
        taken()
    }

    private func write() {
        while !pending.isEmpty, input >= 0 {
            let count = pending.withUnsafeBytes { Glibc.write(input, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            if count < 0, errno == EAGAIN {
                let isWatched = events.watch(input, events: 4) { [unowned self] _ in
                    events.unwatch(input)
                    write()
                }
                if isWatched { return }
                closeInput()
                continue
            }
            // Nobody reads any more.
            if count <= 0 { closeInput() }
            pending = pending.dropFirst(max(0, count))
        }
        pending = []
        let done = taken
        taken = nil
        done?()
    }

    private func closeInput() {
        guard input >= 0 else { return }
        events.unwatch(input)
        Glibc.close(input)
        input = -1
    }

    // MARK: From the command

    func next(_ take: @escaping @Sendable (CommandOutput) -> Void) {
        question = take
        for (fd, isError) in outputs { events.watch(fd) { [unowned self] _ in read(fd, isError) } }
        conclude()
    }

    private func read(_ fd: Int32, _ isError: Bool) {
        guard question != nil else { return }
        var chunk = [UInt8](repeating: 0, count: 65_536)
        let count = Glibc.read(fd, &chunk, chunk.count)
        if count < 0, errno == EINTR || errno == EAGAIN { return }
        if count > 0 { return answer(isError ? .error(Array(chunk[..<count])) : .output(Array(chunk[..<count]))) }
        // A terminal that nobody has open any more answers with an error.
        events.unwatch(fd)
        outputs.removeAll { $0.fd == fd }
        Glibc.close(fd)
        conclude()
    }

    private func answer(_ output: CommandOutput) {
        guard let take = question else { return }
        question = nil
        for (fd, _) in outputs { events.unwatch(fd) }
        if let drain { events.cancel(drain) }
        drain = nil
        take(output)
    }

    func ended(_ result: ExecutionResult) {
        self.result = result
        conclude()
    }

    /// All was read, or nothing comes any more: the end is told.
    private func conclude() {
        guard let result, question != nil else { return }
        if outputs.isEmpty { return answer(.ended(result)) }
        if drain == nil {
            drain = events.after(ms: Self.drainMs) { [unowned self] in
                drain = nil
                answer(.ended(result))
            }
        }
    }

    func close() {
        if let drain { events.cancel(drain) }
        drain = nil
        question = nil
        closeInput()
        for (fd, _) in outputs {
            events.unwatch(fd)
            Glibc.close(fd)
        }
        outputs = []
        if control >= 0 { Glibc.close(control) }
        control = -1
    }
}

/// The caller's end of a command.
package struct CommandHandle: CommandSession {
    private let id: Int

    /// - Parameter begin: runs the command on its ends; calls back once.
    package init(
        _ execution: Execution,
        begin: @escaping @Sendable (CommandEnds, @escaping @Sendable (ExecutionResult) -> Void) -> Void
    ) {
        let id = StreamThread.shared.nextID()
        self.id = id
        StreamThread.shared.run { keeper in
            let stream = CommandStream(keeper.events, isTerminal: execution.isTerminal)
            keeper.commands[id] = stream
            guard let ends = stream.open() else {
                return stream.ended(.failed("no streams for the command: \(String(cString: strerror(errno)))"))
            }
            begin(ends) { result in
                StreamThread.shared.run { $0.commands[id]?.ended(result) }
            }
        }
    }

    package func send(_ input: CommandInput, taken: @escaping @Sendable () -> Void) {
        StreamThread.shared.run { [id] keeper in
            guard let stream = keeper.commands[id] else { return taken() }
            stream.send(input, taken: taken)
        }
    }

    package func next(_ take: @escaping @Sendable (CommandOutput) -> Void) {
        StreamThread.shared.run { [id] in $0.commands[id]?.next(take) }
    }

    package func hangUp() {
        StreamThread.shared.run { [id] in $0.commands.removeValue(forKey: id)?.close() }
    }
}
