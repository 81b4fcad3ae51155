import CLinux
import Glibc
import HTTP
import Manifests
import Planner
import Reconciler
import Values

extension Server {
    /// `POST …/agents/NAME/exec` with `{"command": […], "ordinal": 0, "timeoutSeconds": 0, "terminal": false}`.
    ///
    /// Answers 101 and waits for the descriptors of input, output and error in one message. A byte may
    /// follow whenever the size of the terminal has changed. At the end comes one line: `exited CODE`, `timeout` or `failed MESSAGE`. A connection that is closed
    /// earlier ends the command.
    func execute(_ call: Call) {
        let (exchange, key) = (call.exchange, call.key)
        func refuse(_ message: String) { call.fail(.badRequest(message, key: key)) }
        guard exchange.header("Upgrade") == CommandSession.name else {
            return refuse("exec needs a connection that can be upgraded: 'Upgrade: \(CommandSession.name)'")
        }
        var diagnostics = Diagnostics()
        let body = JSONReader.read(exchange.body, file: "body", diagnostics: &diagnostics)
        let command = (body?["command"]?.list ?? []).compactMap(\.string)
        guard !command.isEmpty, command.count == body?["command"]?.list?.count, command.count <= 1024,
            !command.contains(where: { $0.utf8.contains(0) })
        else { return refuse("command: expected 1 to 1024 strings without zero bytes") }
        let timeout = body?["timeoutSeconds"]?.int ?? 0
        let ordinal = body?["ordinal"]?.int ?? 0
        guard (0...Limits.replicasMax).contains(ordinal) else {
            return refuse("ordinal: must be from 0 to \(Limits.replicasMax)")
        }
        guard (0...86_400).contains(timeout) else { return refuse("timeoutSeconds: must be from 0 to 86400") }
        let isTerminal = body?["terminal"]?.bool ?? false
        loop.submit(
            actor: call.principal, .execute(key, ordinal: ordinal, command: command)
        ) { [self] answer in
            guard case .execution(let run, let driver) = answer else { return call.reply(answer, loop.engine.state) }
            let session = CommandSession(server: self, exchange: exchange) { [self] streams, control, report in
                let execution = Execution(
                    run: run, command: command, timeoutMs: Int64(timeout) * 1000, streams: streams,
                    isTerminal: isTerminal, control: control)
                loop.execute(execution, driver: driver, report: report)
            }
            commands[session.number] = session
            exchange.onClose = { [weak self] in self?.commands[session.number] = nil }
            call.upgrade(to: CommandSession.name) { session.open($0) }
        }
    }
}

/// One command of a client: from its descriptors to its result.
final class CommandSession {
    static let name = "agentos-exec"
    typealias Start = (Execution.Streams, Int32, @escaping @Sendable (ExecutionResult) -> Void) -> Void

    let number: Int
    private unowned let server: Server
    private let exchange: Exchange
    private let start: Start
    private var fd: Int32 = -1

    init(server: Server, exchange: Exchange, start: @escaping Start) {
        self.server = server
        number = server.nextStream()
        self.exchange = exchange
        self.start = start
    }

    func open(_ fd: Int32) {
        self.fd = fd
        if !server.loop.events.watch(fd, { [unowned self] _ in receive() }) {
            finish(.failed("the daemon has no room for another connection"))
        }
    }

    private func receive() {
        var fds: [Int32] = [-1, -1, -1]
        let count = agentos_receive_descriptors(fd, &fds, 3)
        if count < 0, errno == EAGAIN || errno == EINTR { return }
        server.loop.events.unwatch(fd)
        // What cannot be waited for, such as a file, has no place in an event loop.
        guard count == 3, fds.allSatisfy(Self.canWait) else {
            for descriptor in fds where descriptor >= 0 { close(descriptor) }
            return finish(.failed("the client did not send three pipes, sockets or terminals"))
        }
        start(
            Execution.Streams(input: fds[0], output: fds[1], error: fds[2]), fcntl(fd, F_DUPFD_CLOEXEC, 0)
        ) { [results = server.commandResults, number] in
            results.send((number, $0))
        }
    }

    private static func canWait(_ fd: Int32) -> Bool {
        var status = stat()
        guard fstat(fd, &status) == 0 else { return false }
        let type = status.st_mode & S_IFMT
        return type == S_IFIFO || type == S_IFSOCK || isatty(fd) == 1
    }

    func finish(_ result: ExecutionResult) {
        let line =
            switch result {
            case .exited(let code): "exited \(code)\n"
            case .timedOut: "timeout\n"
            case .failed(let message): "failed \(message.replacing("\n", with: " "))\n"
            }
        let bytes = Array(line.utf8)
        // The socket's buffer is empty; a client that is gone does not miss the line.
        send(fd, bytes, bytes.count, Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL))
        exchange.endUpgrade()
    }
}
