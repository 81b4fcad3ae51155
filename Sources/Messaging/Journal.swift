import CLinux
import Glibc
public import Manifests
public import Reconciler
import Synchronization
public import Values

/// The embedded sink: events as JSON lines in segment files of its own, with one fsync per batch.
///
/// A segment is named by the logical offset of its first byte; a reader's place is such an offset. A half-written
/// last line, as a crash leaves it, is cut off when the journal is opened.
public final class Journal: EventSink, EventLog, Sendable {
    private struct State {
        var fd: Int32 = -1
        var segmentStart: Int64 = 0
        var end: Int64 = 0
    }

    private let directory: String
    private let segmentBytes: Int64
    private let bytesKept: Int64
    private let bytesMax: Int64
    private let state = Mutex(State())

    private init(directory: String, segmentBytes: Int64, bytesKept: Int64, bytesMax: Int64) {
        self.directory = directory
        self.segmentBytes = segmentBytes
        self.bytesKept = bytesKept
        self.bytesMax = bytesMax
    }

    deinit { state.withLock { if $0.fd >= 0 { close($0.fd) } } }

    public static func open(
        _ directory: String, segmentBytes: Int = Limits.journalSegmentBytes, bytesKept: Int = Limits.journalBytesKept,
        bytesMax: Int = Limits.journalBytesMax
    ) throws(SinkFailure) -> Journal {
        mkdir(directory, 0o700)
        let journal = Journal(
            directory: directory, segmentBytes: Int64(segmentBytes), bytesKept: Int64(bytesKept),
            bytesMax: Int64(bytesMax))
        let last = journal.segments().last ?? 0
        try journal.openSegment(last, truncating: true)
        return journal
    }

    /// The offset after the last durable event.
    public var end: Int64 { state.withLock { $0.end } }

    public func append(_ events: [EventRecord]) throws(SinkFailure) -> [DeliveryVerdict] {
        var bytes: [UInt8] = []
        for event in events {
            bytes.append(contentsOf: event.payload.utf8)
            bytes.append(0x0a)
        }
        try write(bytes)
        return events.map { DeliveryVerdict(position: $0.position, uid: $0.uid, sequence: $0.sequence) }
    }

    private func write(_ bytes: [UInt8]) throws(SinkFailure) {
        let (fd, end, start) = state.withLock { ($0.fd, $0.end, $0.segmentStart) }
        if end - start >= segmentBytes {
            try openSegment(end, truncating: false)
            drop(before: end, whenTotalExceeds: bytesMax)
            return try write(bytes)
        }
        var written = 0
        while written < bytes.count {
            let count = bytes[written...].withUnsafeBytes {
                pwrite(fd, $0.baseAddress, $0.count, off_t(end - start) + off_t(written))
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                let why = String(cString: strerror(errno))
                ftruncate(fd, off_t(end - start))
                throw SinkFailure(message: "the event journal cannot be written: \(why)")
            }
            written += count
        }
        guard fdatasync(fd) == 0 else {
            throw SinkFailure(message: "the event journal cannot be synced: \(String(cString: strerror(errno)))")
        }
        state.withLock { $0.end = end + Int64(bytes.count) }
    }

    // MARK: Segments

    private func name(_ start: Int64) -> String {
        let digits = String(start)
        return "\(directory)/\(String(repeating: "0", count: 20 - digits.utf8.count))\(digits).jsonl"
    }

    private func segments() -> [Int64] {
        guard let handle = opendir(directory) else { return [] }
        defer { closedir(handle) }
        var starts: [Int64] = []
        while let entry = readdir(handle) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name.hasSuffix(".jsonl"), let start = Int64(name.dropLast(6)) { starts.append(start) }
        }
        return starts.sorted()
    }

    private func openSegment(_ start: Int64, truncating: Bool) throws(SinkFailure) {
        let fd = Glibc.open(name(start), O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard fd >= 0 else {
            throw SinkFailure(
                message: "the event journal \(name(start)) cannot be opened: \(String(cString: strerror(errno)))")
        }
        var size = Int64(lseek(fd, 0, SEEK_END))
        if truncating, size > 0 {
            let whole = lastLineEnd(fd, size)
            if whole < size {
                ftruncate(fd, off_t(whole))
                size = whole
            }
        }
        let directoryFD = Glibc.open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        if directoryFD >= 0 {
            fsync(directoryFD)
            close(directoryFD)
        }
        state.withLock { state in
            if state.fd >= 0 { close(state.fd) }
            state = State(fd: fd, segmentStart: start, end: start + size)
        }
    }

    private func lastLineEnd(_ fd: Int32, _ size: Int64) -> Int64 {
        var at = size
        var block = [UInt8](repeating: 0, count: 65_536)
        while at > 0 {
            let from = max(0, at - 65_536)
            let count = pread(fd, &block, Int(at - from), off_t(from))
            guard count > 0 else { return 0 }
            if let index = block[..<count].lastIndex(of: 0x0a) { return from + Int64(index) + 1 }
            at = from
        }
        return 0
    }

    public func retain(from offset: Int64, nowMs: Int64) -> Int64 {
        drop(before: offset, whenTotalExceeds: bytesKept)
        drop(before: end, whenTotalExceeds: bytesMax)
        var starts = segments()
        // A segment is as old as its last event; the one that is written to stays.
        while starts.count > 1, starts[1] <= offset {
            var status = stat()
            guard stat(name(starts[0]), &status) == 0,
                Int64(status.st_mtim.tv_sec) * 1000 < nowMs - Limits.retentionMs
            else { break }
            unlink(name(starts.removeFirst()))
        }
        return starts.first ?? end
    }

    /// Drops the oldest whole segments below an offset while there is more than allowed.
    private func drop(before offset: Int64, whenTotalExceeds bytes: Int64) {
        var starts = segments()
        let end = end
        while starts.count > 1, end - starts[0] > bytes, starts[1] <= offset { unlink(name(starts.removeFirst())) }
    }

    // MARK: Reading

    /// Reads lines from an offset on; an offset before the first segment starts there.
    ///
    /// - Returns: at most `limit` lines, of about 1 MiB together; empty at the end.
    public func read(from offset: Int64, limit: Int = 1000) -> [EventLine] {
        let starts = segments()
        let end = end
        guard let first = starts.first, offset < end else { return [] }
        var at = max(offset, first)
        var lines: [EventLine] = []
        while at < end, lines.count < limit {
            guard let start = starts.last(where: { $0 <= at }) else { break }
            let segmentEnd = starts.first { $0 > at } ?? end
            let chunk = readChunk(start, at, min(segmentEnd - at, 1 << 20))
            var lineStart = chunk.startIndex
            while lines.count < limit, let lineEnd = chunk[lineStart...].firstIndex(of: 0x0a) {
                let text = String(decoding: chunk[lineStart..<lineEnd], as: UTF8.self)
                at += Int64(lineEnd + 1 - lineStart)
                lines.append(EventLine(nextOffset: at, position: Self.position(text), text: text))
                lineStart = lineEnd + 1
            }
            if lineStart == chunk.startIndex || lines.count > 0 { break }
        }
        return lines
    }

    public func offset(afterPosition position: Int64) -> Int64 {
        let starts = segments()
        return starts.last { start in (read(from: start, limit: 1).first?.position ?? .max) <= position } ?? starts
            .first ?? 0
    }

    private func readChunk(_ start: Int64, _ at: Int64, _ count: Int64) -> [UInt8] {
        let fd = Glibc.open(name(start), O_RDONLY | O_CLOEXEC)
        guard fd >= 0 else { return [] }
        defer { close(fd) }
        var bytes = [UInt8](repeating: 0, count: Int(count))
        let got = pread(fd, &bytes, bytes.count, off_t(at - start))
        return got > 0 ? Array(bytes[..<got]) : []
    }

    /// The field `position` of an envelope, without reading the whole of it.
    private static func position(_ text: String) -> Int64 {
        let key = Array("\"position\":".utf8)
        let bytes = Array(text.utf8)
        guard bytes.count > key.count else { return 0 }
        // `data` stands after `position` and is the only part with free text before it is `object`: names have no quotes.
        for start in 0..<(bytes.count - key.count)
        where bytes[start] == key[0] && bytes[start..<start + key.count].elementsEqual(key) {
            return Int64(
                String(decoding: bytes[(start + key.count)...].prefix { $0 >= 0x30 && $0 <= 0x39 }, as: UTF8.self)) ?? 0
        }
        return 0
    }
}
