import Testing

@testable import API

/// The log of a run, as its readers see it.
@Suite struct LogLinesTests {
    private static func text(_ log: [String], timestamps: Bool = false, flush: Bool = true) -> String {
        var lines = LogLines(timestamps: timestamps)
        var out: [UInt8] = []
        for line in log { lines.add(Array(line.utf8)[...], into: &out) }
        if flush { lines.flush(into: &out) }
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
        lines.add(Array("T1 stdout P a".utf8)[...], into: &out)
        lines.flush(into: &out)
        lines.add(Array("T2 stdout F b".utf8)[...], into: &out)
        lines.add(Array("T3 stdout P c".utf8)[...], into: &out)
        lines.flush(into: &out)
        lines.add(Array("T4 stderr F d".utf8)[...], into: &out)
        #expect(String(decoding: out, as: UTF8.self) == "T1 ab\nT3 c\nT4 d\n")
    }

    @Test func bytesStayAsTheyWereWritten() {
        var lines = LogLines(timestamps: false)
        var out: [UInt8] = []
        lines.add(Array("T stdout F ".utf8)[...] + [0xff, 0x00, 0x20, 0x20, 0x0d], into: &out)
        #expect(out == [0xff, 0x00, 0x20, 0x20, 0x0d, 0x0a])
        #expect(Self.text(["", "T", "T stdout", "T stdout F", "T stdout F "]) == "\n")
    }
}
