import Drivers
import Glibc
import Planner
import Reconciler
import Support
import Synchronization
import Testing
import Values

/// A command's streams as messages, with real programs behind them.
@Suite struct CommandSessionTests {
    private static let run = RunID(uid: UID(high: 1, low: 2), ordinal: 0, attempt: 1)

    /// Runs a shell script on the descriptors that a driver would be given; it ends when `control` is closed.
    private func session(_ script: String, isTerminal: Bool = false) -> CommandHandle {
        let execution = Execution(run: Self.run, command: [script], timeoutMs: 0, isTerminal: isTerminal)
        return CommandHandle(execution) { ends, report in
            var thread = pthread_t()
            let body = Box { report(Self.run(script, ends)) }
            pthread_create(
                &thread, nil,
                {
                    Unmanaged<Box>.fromOpaque($0!).takeRetainedValue().run()
                    return nil
                },
                Unmanaged.passRetained(body).toOpaque())
            pthread_detach(thread)
        }
    }

    private final class Box: Sendable {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    private static func run(_ script: String, _ ends: CommandEnds) -> ExecutionResult {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for (number, fd) in [ends.input, ends.output, ends.error].enumerated() {
            posix_spawn_file_actions_adddup2(&actions, fd, Int32(number))
        }
        let arguments: [String] = ["/bin/sh", "-c", script]
        var words: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
        defer { for word in words { free(word) } }
        var pid: pid_t = 0
        guard posix_spawn(&pid, "/bin/sh", &actions, nil, &words, environ) == 0 else { return .failed("no shell") }
        for fd in [ends.input, ends.output, ends.error] { close(fd) }
        var status: Int32 = 0
        while waitpid(pid, &status, WNOHANG) == 0 {
            var poll = pollfd(fd: ends.control, events: Int16(POLLIN), revents: 0)
            if Glibc.poll(&poll, 1, 10) > 0, poll.revents & Int16(POLLHUP) != 0 { World.kill(pid, SIGKILL) }
        }
        close(ends.control)
        return .exited(status & 0x7f == 0 ? Int(status >> 8) : 128 + Int(status & 0x7f))
    }

    private func next(_ session: CommandHandle) throws -> CommandOutput {
        let answer = Answer<CommandOutput>()
        session.next { answer.give($0) }
        return try answer.wait()
    }

    private func send(_ session: CommandHandle, _ input: CommandInput) throws {
        let taken = Answer<Bool>()
        session.send(input) { taken.give(true) }
        _ = try taken.wait()
    }

    /// All output and error up to the end, and the end.
    private func all(_ session: CommandHandle) throws -> (output: [UInt8], error: [UInt8], end: ExecutionResult) {
        var (output, error): ([UInt8], [UInt8]) = ([], [])
        while true {
            switch try next(session) {
            case .output(let bytes): output += bytes
            case .error(let bytes): error += bytes
            case .ended(let result): return (output, error, result)
            }
        }
    }

    @Test func streamsAreCarriedWholeBothWays() throws {
        let session = session("cat; echo problem >&2; exit 7")
        let sent = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        let done = Answer<Bool>()
        @Sendable func feed(_ rest: ArraySlice<UInt8>) {
            if rest.isEmpty { return session.send(.end) { done.give(true) } }
            session.send(.bytes(Array(rest.prefix(50_000)))) { feed(rest.dropFirst(50_000)) }
        }
        feed(sent[...])
        let (output, error, end) = try all(session)
        #expect(output == sent && error == Array("problem\n".utf8) && end == .exited(7))
        #expect(try done.wait())
        session.hangUp()
    }

    @Test func whatNobodyAsksForStaysWithTheCommand() throws {
        let scratch = try Scratch()
        let session = session("while echo 0123456789abcdef; do echo >> \(scratch.path)/count; done")
        guard case .output = try next(session) else { return #expect(Bool(false), "it writes") }
        func count() -> Int {
            var status = stat()
            return stat("\(scratch.path)/count", &status) == 0 ? Int(status.st_size) : 0
        }
        let hasStopped = World.becomes(within: 30_000) { !World.changes(within: 300) { String(count()) } }
        // A pipe holds 64 KiB, and as much may be on its way.
        #expect(hasStopped && count() < 20_000, "\(count()) lines were taken although nobody asked")
        session.hangUp()
    }

    @Test func aCommandWhoseInputIsNotReadHoldsItsCallerBack() throws {
        let session = session("sleep 1000")
        var sent = 0
        for _ in 0..<100 {
            let taken = Answer<Bool>()
            session.send(.bytes([UInt8](repeating: 1, count: 65_536))) { taken.give(true) }
            if !World.becomes(within: 200, every: 1, { taken.isThere }) { break }
            sent += 1
        }
        #expect(sent < 10, "\(sent) messages were taken although nobody read")
        session.hangUp()
    }

    @Test func hangingUpEndsTheCommand() throws {
        let scratch = try Scratch()
        let session = session("echo $$ > \(scratch.path)/pid; echo started; sleep 1000")
        #expect(try next(session) == .output(Array("started\n".utf8)))
        let pid = scratch.number("pid")
        session.hangUp()
        #expect(pid > 1 && World.becomes(within: 60_000) { World.kill(pid, 0) != 0 })
    }

    @Test func aTerminalHasASizeAndOneOutput() throws {
        let session = session("read go; stty size; echo problem >&2; read line; echo got $line", isTerminal: true)
        try send(session, .window(columns: 100, rows: 33))
        try send(session, .bytes(Array("go\na word\n".utf8)))
        let (output, error, end) = try all(session)
        let text = String(decoding: output, as: UTF8.self)
        #expect(text.contains("33 100") && text.contains("problem") && text.contains("got a word"), "\(text)")
        #expect(error.isEmpty && end == .exited(0))
        session.hangUp()
    }

    @Test func whatACommandLeftBehindDoesNotHoldItsEndUp() throws {
        let session = session("sleep 1000 & echo $!")
        let (output, _, end) = try all(session)
        let left = try #require(pid_t(String(decoding: output, as: UTF8.self).prefix { $0.isNumber }))
        #expect(World.kill(left, SIGKILL) == 0 && end == .exited(0))
        session.hangUp()
    }
}
