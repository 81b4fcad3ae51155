import Reconciler
import Testing

@testable import API

/// The log of a run, as its readers see it.
@Suite struct LogLinesTests {
    /// Records from lines of the CRI format.
    private static func records(_ log: [String]) -> [LogRecord] {
        log.map { line in
            let parts = line.split(separator: " ", maxSplits: 3, omittingEmptySubsequences: false)
            return LogRecord(
                time: String(parts[0]), isError: parts[1] == "stderr", isPartial: parts[2] == "P",
                bytes: Array(parts[3].utf8))
        }
    }

    private static func text(_ log: [String], timestamps: Bool = false) -> String {
        var lines = LogLines(timestamps: timestamps)
        var out: [UInt8] = []
        for record in records(log) { lines.add(record, into: &out) }
        lines.flush(into: &out)
        return String(decoding: out, as: UTF8.self)
    }

    @Test func partsOfALineAreOneLineWithOneStamp() {
        let log = [
            "T1 stdout P one ", "T2 stderr F between", "T3 stdout P two ", "T4 stdout F three", "T5 stdout F next",
        ]
        #expect(Self.text(log) == "between\none two three\nnext\n")
        #expect(Self.text(log, timestamps: true) == "T2 between\nT1 one two three\nT5 next\n")
    }

    @Test func aLineThatHasNotEndedIsShownAndGoesOn() {
        #expect(Self.text(["T stdout F a", "T stdout P prompt> "]) == "a\nprompt> ")
        var lines = LogLines(timestamps: true)
        var out: [UInt8] = []
        let log = Self.records(["T1 stdout P a", "T2 stdout F b", "T3 stdout P c", "T4 stderr F d"])
        lines.add(log[0], into: &out)
        lines.flush(into: &out)
        lines.add(log[1], into: &out)
        lines.add(log[2], into: &out)
        lines.flush(into: &out)
        lines.add(log[3], into: &out)
        #expect(String(decoding: out, as: UTF8.self) == "T1 ab\nT3 c\nT4 d\n")
    }

    @Test func bytesStayAsTheyWereWritten() {
        var lines = LogLines(timestamps: false)
        var out: [UInt8] = []
        lines.add(
            LogRecord(time: "T", isError: false, isPartial: false, bytes: [0xff, 0x00, 0x20, 0x20, 0x0d]), into: &out)
        #expect(out == [0xff, 0x00, 0x20, 0x20, 0x0d, 0x0a])
    }
}
