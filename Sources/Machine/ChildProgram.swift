import CLinux
import Glibc
public import Values

/// A program of this machine that is run once, for what it prints. A supervisor ends all of it when its time is up.
public final class ChildProgram {
    public struct Result {
        public var end: ExecutionResult
        public var output: [UInt8] = []
        public var error: [UInt8] = []

        public var text: String { String(decoding: output, as: UTF8.self) }
        /// What it says of its failure, in one line.
        public var complaint: String {
            let lines = String(decoding: error, as: UTF8.self).split(whereSeparator: \.isNewline)
            if let last = lines.last(where: { !$0.allSatisfy(\.isWhitespace) }) { return String(last.prefix(500)) }
            switch end {
            case .exited(let code): return "it exited with code \(code)"
            case .timedOut: return "it did not end in time"
            case .unstarted(_, let why), .failed(let why): return why
            }
        }
    }

    private let events: EventLoop
    private let done: (Result) -> Void
    private var result = Result(end: .failed("it was not started"))
    private var open = 0
    /// The descriptor of the supervisor's report; its closing ends the program.
    private var report: Int32 = -1

    /// Calls `done` once, on the loop's thread.
    @discardableResult
    public static func run(
        _ words: [String], environment: [String], input: [UInt8] = [], directory: String = "/", timeoutMs: Int64,
        supervisor: String, events: EventLoop, done: @escaping (Result) -> Void
    ) -> ChildProgram {
        let program = ChildProgram(events, done)
        do throws(Files.Failure) {
            try program.start(words, environment, input, directory, timeoutMs, supervisor)
        } catch {
            program.result.end = .failed(error.words)
            done(program.result)
        }
        return program
    }

    /// Ends the program and all that it has started; `done` is called all the same.
    public func cancel() {
        guard report >= 0 else { return }
        result.end = .failed("it was stopped")
        closeReport()
    }

    private func closeReport() {
        events.unwatch(report)
        close(report)
        report = -1
        finishOne()
    }

    private init(_ events: EventLoop, _ done: @escaping (Result) -> Void) {
        self.events = events
        self.done = done
    }

    private func start(
        _ words: [String], _ environment: [String], _ input: [UInt8], _ directory: String, _ timeoutMs: Int64,
        _ supervisor: String
    ) throws(Files.Failure) {
        var pipes: [[Int32]] = []
        func makePipe() throws(Files.Failure) -> [Int32] {
            var pipe: [Int32] = [-1, -1]
            guard agentos_close_on_exec_pipe(&pipe) == 0 else { throw Files.Failure(code: errno, what: "pipe") }
            pipes.append(pipe)
            return pipe
        }
        // The program has its own copies of these.
        defer { for fd in pipes.flatMap(\.self) where fd >= 0 { close(fd) } }
        let (output, error) = (try makePipe(), try makePipe())
        let given = try Files.memory(input)
        defer { close(given) }
        let specification = Supervisor.Specification(
            boot: ProcessTable.bootID, directory: directory, arguments: words, environment: environment)
        report = try Supervisor(path: supervisor).start(
            ["exec", String(timeoutMs)], in: nil, specification,
            streams: (input: given, output: output[1], error: error[1]))
        open = 3
        collect(dup(output[0])) { self.result.output += $0 }
        collect(dup(error[0])) { self.result.error += $0 }
        events.watch(report) { _ in
            self.result.end = Supervisor.end(reportedAt: self.report)
            self.closeReport()
        }
    }

    private func collect(_ fd: Int32, _ take: @escaping (ArraySlice<UInt8>) -> Void) {
        var left = Limits.programOutputBytesMax
        events.watch(fd) { _ in
            var chunk = [UInt8](repeating: 0, count: 65_536)
            let count = read(fd, &chunk, chunk.count)
            if count < 0, errno == EINTR || errno == EAGAIN { return }
            guard count > 0 else {
                self.events.unwatch(fd)
                close(fd)
                return self.finishOne()
            }
            take(chunk[..<min(count, left)])
            left -= min(count, left)
        }
    }

    private func finishOne() {
        open -= 1
        if open == 0 { done(result) }
    }
}
