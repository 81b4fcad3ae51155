import Glibc
public import Reconciler

extension Journal {
    /// More than one event can have.
    private static let readBytesMax: Int64 = 64 << 20

    /// Reads events from an offset on; an offset before the first segment starts there.
    ///
    /// - Returns: at most `limit` events, of about 1 MiB together; empty at the end. Damaged ones are left out.
    public func read(from offset: Int64, limit: Int = 1000) -> [EventLine] {
        guard offset < end else { return [] }
        let starts = segments()
        // A segment that ends before the offset, as after a loss, or holds nothing whole, is followed by the next one.
        for start in starts[(starts.lastIndex { $0 <= offset } ?? 0)...] {
            var at = offset - start
            while let (lines, next) = read(start, from: at, limit: limit) {
                if !lines.isEmpty { return lines }
                at = next
            }
        }
        return []
    }

    /// Events of one segment, and where the next ones begin; nil at its end. Offsets count from its start.
    private func read(_ start: Int64, from offset: Int64, limit: Int) -> (lines: [EventLine], next: Int64)? {
        withIndex(start) { index, fd, count in
            let first = index.first(fd, among: count) { $0.end > offset }
            let begin = first == 0 ? 0 : index.read(fd, from: first - 1, count: 1).first?.end ?? 0
            let found = index.read(fd, from: first, count: min(limit, count - first))
            let fitting = found.prefix { $0.end - begin <= 1 << 20 }
            let entries = fitting.isEmpty ? found.prefix(1) : fitting
            guard let last = entries.last else { return nil }
            guard last.end - begin <= Self.readBytesMax, let bytes = readBytes(start, begin, last.end - begin) else {
                tell(start, "it ends before event \(last.position)")
                return nil
            }
            var lines: [EventLine] = []
            var at = 0
            for entry in entries {
                let end = Int(entry.end - begin)
                guard end > at, end <= bytes.count else { break }
                let line = bytes[at..<end - 1]
                at = end
                guard SegmentIndex.checksum(line) == entry.checksum else {
                    tell(start, "the event at position \(entry.position) is damaged")
                    continue
                }
                lines.append(
                    EventLine(
                        nextOffset: start + entry.end, position: entry.position,
                        text: String(decoding: line, as: UTF8.self)))
            }
            return (lines, last.end)
        } ?? nil
    }

    /// The offset of the first event after a position: all before it have that position or a lower one.
    public func offset(afterPosition position: Int64) -> Int64 {
        for start in segments() where (last(of: start)?.highest ?? 0) > position {
            let begin = withIndex(start) { index, fd, count in
                let first = index.first(fd, among: count) { $0.highest > position }
                return first == 0 ? 0 : index.read(fd, from: first - 1, count: 1).first?.end ?? 0
            }
            return start + (begin ?? 0)
        }
        return end
    }

    /// The last entry of a segment.
    func last(of start: Int64) -> SegmentIndex.Entry? {
        withIndex(start) { index, fd, count in
            count > 0 ? index.read(fd, from: count - 1, count: 1).first : nil
        } ?? nil
    }

    /// Calls `body` with the index of a segment and the number of its entries; nil when there is no such segment.
    private func withIndex<Result>(_ start: Int64, _ body: (SegmentIndex, Int32, Int) -> Result) -> Result? {
        let index = SegmentIndex(path: name(start, "index"))
        // Of the segment that is written to, only what is durable is there to be read.
        let durable = state.withLock { $0.segmentStart == start ? $0.count : nil }
        var fd = Glibc.open(index.path, O_RDONLY | O_CLOEXEC)
        if fd < 0 { noteUnread() }
        defer { if fd >= 0 { close(fd) } }
        if let durable { return fd >= 0 ? body(index, fd, durable) : nil }
        var status = stat()
        guard stat(name(start), &status) == 0 else {
            noteUnread()
            return nil
        }
        if let last = index.last(fd, segmentBytes: Int64(status.st_size)) { return body(index, fd, last.count) }
        let entries = verify(start)
        if fd < 0 {
            fd = Glibc.open(index.path, O_RDONLY | O_CLOEXEC)
            if fd < 0 { noteUnread() }
        }
        return fd >= 0 ? body(index, fd, entries.count) : nil
    }

    private func readBytes(_ start: Int64, _ at: Int64, _ count: Int64) -> [UInt8]? {
        let fd = Glibc.open(name(start), O_RDONLY | O_CLOEXEC)
        guard fd >= 0 else {
            noteUnread()
            return nil
        }
        defer { close(fd) }
        return readBytes(fd, at, count)
    }

    /// Exactly so many bytes, or nil.
    func readBytes(_ fd: Int32, _ at: Int64, _ count: Int64) -> [UInt8]? {
        guard count >= 0 else { return nil }
        var bytes = [UInt8](repeating: 0, count: Int(count))
        var got = 0
        while got < bytes.count {
            let more = bytes[got...].withUnsafeMutableBytes {
                pread(fd, $0.baseAddress, $0.count, off_t(at) + off_t(got))
            }
            if more < 0, errno == EINTR { continue }
            if more < 0 { noteUnread() }
            guard more > 0 else { return nil }
            got += more
        }
        return bytes
    }
}
