/// How much of a log was shown, so that following it goes on right there under another daemon.
///
/// Takes the time stamps off the lines when nobody wants to see them.
package struct LogPlace {
    private let keepsTimes: Bool
    /// The beginning of a line whose stamp is not whole yet; nil: in the midst of a line.
    private var head: [UInt8]? = []
    /// Of the last line that has one.
    package private(set) var time = ""
    /// Lines with that time that have ended, and bytes of one that has not; nil: all have.
    private var lines = 0
    private var bytes: Int?
    private var hasStamp = false
    private var mark: Mark?
    /// The line was shown before, up to here; nil: it is not shown.
    private var skipped: Int? = 0

    /// What was shown before: lines of an earlier time, so many of this one, and so much of the one after them.
    private struct Mark {
        var time: String
        var lines: Int
        var bytes: Int?
    }

    private enum Judgement {
        case isNew, wasShown
        case goesOn(afterBytes: Int)
    }

    private static let stampBytesMax = 40

    package init(keepsTimes: Bool) { self.keepsTimes = keepsTimes }

    /// What comes next begins with lines of that time, or a little before.
    package mutating func resume() {
        // The stamp of a line that was not shown comes again.
        head = []
        mark = Mark(time: time, lines: lines, bytes: bytes)
    }

    /// What is to be shown of what came.
    package mutating func take(_ piece: some Collection<UInt8>) -> [UInt8] {
        var out: [UInt8] = []
        var rest = piece[...]
        while !rest.isEmpty {
            if head != nil {
                let end = rest.firstIndex { $0 == 0x20 || $0 == 0x0a } ?? rest.endIndex
                head?.append(contentsOf: rest[..<end])
                rest = rest[end...]
                guard let found = head, !rest.isEmpty || !Self.mayBecomeStamp(found) else { continue }
                begin(found, endsWithBlank: rest.first == 0x20, &out)
                if hasStamp { rest = rest.dropFirst() }
                continue
            }
            let end = rest.firstIndex(of: 0x0a)
            show(rest[..<(end ?? rest.endIndex)], &out)
            guard let end else { break }
            self.end(&out)
            rest = rest[rest.index(after: end)...]
        }
        return out
    }

    /// What was held back, when nothing more comes.
    package mutating func end() -> [UInt8] {
        guard let found = head, !found.isEmpty else { return [] }
        var out: [UInt8] = []
        begin(found, endsWithBlank: false, &out)
        return out
    }

    private mutating func begin(_ text: [UInt8], endsWithBlank: Bool, _ out: inout [UInt8]) {
        head = nil
        hasStamp = endsWithBlank && Self.isStamp(text)
        guard hasStamp else {
            // The rest of a line that one of the other stream stands in.
            skipped = mark == nil ? 0 : nil
            return show(text[...], &out)
        }
        let stamp = String(decoding: text, as: UTF8.self)
        switch judge(stamp) {
        case .wasShown: skipped = nil
        case .goesOn(let count): skipped = count
        case .isNew:
            // The end of the line before was never written.
            if bytes != nil { out.append(0x0a) }
            if stamp != time { (time, lines) = (stamp, 0) }
            (bytes, skipped) = (0, 0)
            if keepsTimes { out += text + [0x20] }
        }
    }

    private mutating func judge(_ stamp: String) -> Judgement {
        guard let before = mark else { return .isNew }
        if stamp < before.time { return .wasShown }
        if stamp == before.time, before.lines > 0 {
            mark?.lines -= 1
            return .wasShown
        }
        mark = nil
        guard stamp == before.time, let bytes = before.bytes else { return .isNew }
        return .goesOn(afterBytes: bytes)
    }

    private mutating func show(_ text: some Collection<UInt8>, _ out: inout [UInt8]) {
        guard let before = skipped else { return }
        out += text.dropFirst(before)
        skipped = max(0, before - text.count)
        if hasStamp { bytes = (bytes ?? 0) + max(0, text.count - before) }
    }

    private mutating func end(_ out: inout [UInt8]) {
        head = []
        guard skipped != nil else { return }
        out.append(0x0a)
        bytes = nil
        if hasStamp { lines += 1 }
    }

    private static func mayBecomeStamp(_ text: [UInt8]) -> Bool {
        text.count <= stampBytesMax && text.prefix(4).allSatisfy { (0x30...0x39).contains($0) }
    }

    /// As the daemon writes the time of a record.
    private static func isStamp(_ text: [UInt8]) -> Bool {
        (20...stampBytesMax).contains(text.count) && text[10] == UInt8(ascii: "T") && text.last == UInt8(ascii: "Z")
    }
}
