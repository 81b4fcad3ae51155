import Drivers
import Glibc
import Planner
import Reconciler
import Support
import Synchronization
import Testing

/// A directory that is gone with the test.
final class Scratch {
    let path: String

    init() throws {
        var template = Array("/tmp/agentos-test.XXXXXX".utf8CString)
        path = String(cString: try #require(mkdtemp(&template)))
    }

    deinit { _ = system("rm -rf \(path)") }

    func write(_ name: String, _ text: String, appending: Bool = false) {
        let fd = open("\(path)/\(name)", O_WRONLY | O_CREAT | (appending ? O_APPEND : O_TRUNC), 0o600)
        let bytes = Array(text.utf8)
        #expect(Glibc.write(fd, bytes, bytes.count) == bytes.count)
        close(fd)
    }
}

extension Scratch {
    func number(_ name: String) -> Int32 {
        let fd = open("\(path)/\(name)", O_RDONLY)
        defer { close(fd) }
        var bytes = [UInt8](repeating: 0, count: 32)
        let count = read(fd, &bytes, bytes.count)
        return Int32(String(decoding: bytes.prefix(max(0, count)), as: UTF8.self).prefix { $0.isNumber }) ?? -1
    }
}

/// Waits for one value from another thread, at most a minute.
final class Answer<Value: Sendable>: Sendable {
    private let value = Mutex<Value?>(nil)

    func give(_ value: Value) { self.value.withLock { $0 = value } }

    var isThere: Bool { value.withLock { $0 != nil } }

    func wait() throws -> Value {
        _ = World.becomes(within: 60_000, every: 1) { isThere }
        return try #require(value.withLock { $0 }, "no answer within a minute")
    }
}

/// What a run has written, as a reader of the port sees it.
@Suite struct LogSessionTests {
    private static let run = RunID(uid: UID(high: 1, low: 2), ordinal: 0, attempt: 1)

    private func next(_ session: any LogSession, bytesMax: Int = 1 << 16) throws -> [LogRecord]? {
        let answer = Answer<[LogRecord]?>()
        session.next(bytesMax: bytesMax) { answer.give($0) }
        return try answer.wait()
    }

    /// All that is told, line by line, up to the end.
    private func all(_ directory: String, tail: Int? = nil, bytesMax: Int = 1 << 16) throws -> [String] {
        let session = LogHandle(directory: directory, LogRequest(run: Self.run, tail: tail))
        defer { session.close() }
        var lines: [String] = []
        while let records = try next(session, bytesMax: bytesMax) {
            #expect(!records.isEmpty)
            lines += records.map { String(decoding: $0.bytes, as: UTF8.self) }
        }
        return lines
    }

    private static func line(_ text: String, tag: String = "F", stream: String = "stdout") -> String {
        "2026-01-01T00:00:00.000000001Z \(stream) \(tag) \(text)\n"
    }

    @Test func recordsAreReadInPiecesAndInOrder() throws {
        let scratch = try Scratch()
        let lines = (0..<5000).map { "line \($0)" }
        scratch.write("log.1", lines[..<3000].map { Self.line($0) }.joined())
        scratch.write("log", lines[3000...].map { Self.line($0) }.joined())
        for bytesMax in [100, 65_536, 10_000_000] {
            #expect(try all(scratch.path, bytesMax: bytesMax) == lines, "\(bytesMax)")
        }
    }

    @Test(arguments: [0, 1, 2, 1999, 2000, 2001, 4999, 5000, 5001, .max])
    func theLastLinesAreFoundOverFilesAndBlocks(tail: Int) throws {
        let scratch = try Scratch()
        let lines = (0..<5000).map { "line \($0) \(String(repeating: "x", count: $0 % 97))" }
        scratch.write("log.2", lines[..<1000].map { Self.line($0) }.joined())
        scratch.write("log.1", lines[1000..<3000].map { Self.line($0) }.joined())
        scratch.write("log", lines[3000...].map { Self.line($0) }.joined())
        #expect(try all(scratch.path, tail: tail) == Array(lines.suffix(tail)))
    }

    @Test func aLongLineCountsOnceAndKeepsItsParts() throws {
        let scratch = try Scratch()
        scratch.write(
            "log",
            Self.line("first") + Self.line("second a", tag: "P") + Self.line("b", tag: "P") + Self.line("c")
                + Self.line("an end that is open", tag: "P"))
        #expect(try all(scratch.path, tail: 1) == ["an end that is open"])
        #expect(try all(scratch.path, tail: 2) == ["second a", "b", "c", "an end that is open"])
        #expect(try all(scratch.path, tail: 3).first == "first")
        let session = LogHandle(directory: scratch.path, LogRequest(run: Self.run))
        defer { session.close() }
        #expect(try next(session)?.map(\.isPartial) == [false, true, true, false, true])
    }

    @Test func recordsKeepTheirBytesAndWhatIsNoneIsLeftOut() throws {
        let scratch = try Scratch()
        scratch.write(
            "log", "no record\n\n" + Self.line("a  b \r", stream: "stderr") + Self.line("") + "2026 stdout F cut")
        let session = LogHandle(directory: scratch.path, LogRequest(run: Self.run))
        defer { session.close() }
        let time = "2026-01-01T00:00:00.000000001Z"
        #expect(
            try next(session) == [
                LogRecord(time: time, isError: true, isPartial: false, bytes: Array("a  b \r".utf8)),
                LogRecord(time: time, isError: false, isPartial: false, bytes: []),
            ])
        #expect(try next(session) == nil)
    }

    @Test func aFollowerSeesWhatComesThroughRotationUntilTheEnd() throws {
        let scratch = try Scratch()
        scratch.write("log", Self.line("0"))
        let session = LogHandle(directory: scratch.path, LogRequest(run: Self.run, follows: true))
        defer { session.close() }
        #expect(try next(session)?.count == 1)
        let answer = Answer<[LogRecord]?>()
        session.next(bytesMax: 100) { answer.give($0) }
        #expect(!World.becomes(within: 250) { answer.isThere }, "nothing was written")
        // Twice put aside between two looks: nothing is lost.
        scratch.write("log", Self.line("1"), appending: true)
        for number in 2...3 {
            rename("\(scratch.path)/log.1", "\(scratch.path)/log.2")
            rename("\(scratch.path)/log", "\(scratch.path)/log.1")
            scratch.write("log", Self.line(String(number)))
        }
        var seen = try (answer.wait() ?? []).map { String(decoding: $0.bytes, as: UTF8.self) }
        scratch.write("log", Self.line("4"), appending: true)
        scratch.write("exit", "format 1\nreason Completed\ncode 0\nat 1\n")
        while let records = try next(session) { seen += records.map { String(decoding: $0.bytes, as: UTF8.self) } }
        #expect(seen == ["1", "2", "3", "4"])
    }
}
