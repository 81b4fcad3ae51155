import HTTP
import Machine
import Manifests
import Reconciler
import Values

/// One command and its client: what each of them sends, no faster than the other takes it.
final class CommandRelay {
    /// Where the output comes from.
    enum Source {
        case command(any CommandSession)
        /// What a run writes; nothing can be sent to it.
        case log(any LogSession)
    }

    /// What a source tells, on its way to the loop.
    enum Message: Sendable {
        case output(CommandOutput)
        case records([LogRecord]?)
        /// The last input was taken.
        case taken
    }

    let number: Int
    private unowned let server: Server
    private let connection: UpgradedConnection
    private var channels: any CommandChannels
    private let streams: CommandRequest.Streams
    private let lateAfterMs: Int64
    private let open: () -> Source?
    private var source: Source?
    /// What the client has sent and the command has not taken. While there is something, no more is read.
    private var inputs: [CommandInput] = []
    private var isSending = false
    private var isAsking = false
    private var isOver = false
    private var deadline: EventLoop.TimerID?

    /// A client that leaves so much unread stops the command.
    private static let unreadBytesMax = 256 << 10
    private static let pieceBytes = 64 << 10
    private static let earlyInputsMax = 64
    /// For a client to open the streams that it has asked for.
    private static let streamsMs: Int64 = 30_000

    /// - Parameter lateAfterMs: after which the driver ends the command; 0: never.
    init(
        server: Server, _ connection: UpgradedConnection, _ channels: any CommandChannels,
        _ streams: CommandRequest.Streams, lateAfterMs: Int64, open: @escaping () -> Source?
    ) {
        self.server = server
        number = server.nextStream()
        self.connection = connection
        self.channels = channels
        self.streams = streams
        self.lateAfterMs = lateAfterMs
        self.open = open
    }

    func begin() {
        connection.onReceive = { [unowned self] in receive($0) }
        connection.onDrain = { [unowned self] in pull() }
        connection.onEnd = { [unowned self] in hangUp() }
        connection.probe { [weak self] in self?.channels.probe() ?? [] }
        if channels.isReady { return start() }
        deadline = server.loop.events.after(ms: Self.streamsMs) { [weak self] in
            self?.finish(.failed("the client did not open the streams that it has asked for"))
        }
    }

    private func start() {
        guard !isOver else { return }
        if let deadline { server.loop.events.cancel(deadline) }
        guard let source = open() else { return finish(.failed("no such driver serves here")) }
        self.source = source
        if lateAfterMs > 0 {
            // The driver has ended it by then, unless it hangs.
            deadline = server.loop.events.after(ms: lateAfterMs + Limits.operationMs) { [weak self] in
                self?.finish(.timedOut)
            }
        }
        if !streams.hasInput { inputs.insert(.end, at: 0) }
        sendInput()
        pull()
    }

    // MARK: From the client

    private func receive(_ bytes: [UInt8]) {
        let received = channels.receive(bytes)
        connection.write(received.reply)
        // Who takes nothing any more is found by that.
        guard !isOver else { return }
        inputs += received.inputs.filter { streams.hasInput || $0.isSize }
        if received.isOver {
            hangUp()
            return connection.finish()
        }
        if source == nil, channels.isReady { return start() }
        if source == nil, inputs.count > Self.earlyInputsMax {
            return finish(.failed("the client sends input before it has opened its streams"))
        }
        sendInput()
    }

    private func sendInput() {
        guard case .command(let session)? = source, !isOver else {
            if case .log? = source { inputs = [] }
            return
        }
        if isSending { return }
        if inputs.isEmpty { return connection.resume() }
        isSending = true
        let input = inputs.removeFirst()
        connection.pause()
        session.send(input) { [messages = server.commandMessages, number] in messages.send((number, .taken)) }
    }

    /// The client is gone, or has ended the conversation: the command ends.
    func hangUp() {
        guard !isOver else { return }
        isOver = true
        release()
    }

    // MARK: To the client

    private func pull() {
        guard let source, !isOver, !isAsking, connection.unsentBytes < Self.unreadBytesMax else { return }
        isAsking = true
        let (messages, number) = (server.commandMessages, number)
        switch source {
        case .command(let session): session.next { messages.send((number, .output($0))) }
        case .log(let session):
            session.next(bytesMax: Self.pieceBytes) { messages.send((number, .records($0))) }
        }
    }

    func take(_ message: Message) {
        if isOver { return }
        switch message {
        case .taken:
            isSending = false
            sendInput()
        case .output(let output):
            isAsking = false
            switch output {
            case .output(let bytes): write(bytes, isError: false)
            case .error(let bytes): write(bytes, isError: true)
            case .ended(let result): return finish(result)
            }
            pull()
        case .records(nil): finish(.exited(0))
        case .records(let records?):
            isAsking = false
            for record in records {
                write(record.bytes + (record.isPartial ? [] : [0x0a]), isError: record.isError)
            }
            pull()
        }
    }

    private func write(_ bytes: [UInt8], isError: Bool) {
        guard isError ? streams.hasError : streams.hasOutput else { return }
        connection.write(channels.output(bytes, isError: isError))
    }

    /// The daemon ends, and the command with it.
    func stop() { finish(.failed("the daemon stops; the command was ended")) }

    private func finish(_ result: ExecutionResult) {
        guard !isOver else { return }
        let end = CommandEnd(result)
        if !end.complaint.isEmpty { write(Array(end.complaint.utf8), isError: streams.hasError) }
        connection.write(channels.end(end))
        isOver = true
        release()
        connection.finish(awaitingClose: channels.isClosedByClient)
    }

    private func release() {
        if let deadline { server.loop.events.cancel(deadline) }
        switch source {
        case .command(let session): session.hangUp()
        case .log(let session): session.close()
        case nil: break
        }
        source = nil
        inputs = []
    }
}

extension CommandInput {
    fileprivate var isSize: Bool {
        switch self {
        case .window: true
        case .bytes, .end: false
        }
    }
}
