import CLinux
import Glibc
import Manifests
public import Reconciler
import Synchronization
public import Values

/// The embedded sink: events as JSON lines in segment files of its own, with one fsync per batch.
///
/// A segment is named by the logical offset of its first byte; a reader's place is such an offset. Beside it lies an index
/// of its events. A half-written last line, as a crash leaves it, is cut off when the journal is opened.
/// Guarantee: what is missing or is not what was written is never read as an event, and is told once.
public final class Journal: EventJournal, Sendable {
    struct State {
        var fd: Int32 = -1
        var index: Int32 = -1
        var segmentStart: Int64 = 0
        /// Events of the segment.
        var count = 0
        var last: SegmentIndex.Entry?
        /// The highest position of all events.
        var highest: Int64 = 0
        /// Segments whose damage was told, and those that were compared with their index.
        var told: Set<Int64> = []
        var verified: Set<Int64> = []
        /// How often something that is there could not be read.
        var unread = 0

        /// The offset after the last durable event.
        var end: Int64 { segmentStart + (last?.end ?? 0) }
    }

    let directory: String
    private let segmentBytes: Int64
    private let bytesKept: Int64
    private let bytesMax: Int64
    private let report: @Sendable (String) -> Void
    let state = Mutex(State())

    private init(
        directory: String, segmentBytes: Int64, bytesKept: Int64, bytesMax: Int64,
        report: @escaping @Sendable (String) -> Void
    ) {
        self.directory = directory
        self.segmentBytes = segmentBytes
        self.bytesKept = bytesKept
        self.bytesMax = bytesMax
        self.report = report
    }

    deinit {
        state.withLock { state in
            for fd in [state.fd, state.index] where fd >= 0 { close(fd) }
        }
    }

    /// - Parameter report: is told, in words, what of the journal is missing or damaged; called on any thread.
    public static func open(
        _ directory: String, segmentBytes: Int = Limits.journalSegmentBytes, bytesKept: Int = Limits.journalBytesKept,
        bytesMax: Int = Limits.journalBytesMax, report: @escaping @Sendable (String) -> Void = { _ in }
    ) throws(SinkFailure) -> Journal {
        let journal = Journal(
            directory: directory, segmentBytes: Int64(segmentBytes), bytesKept: Int64(bytesKept),
            bytesMax: Int64(bytesMax), report: report)
        let starts = journal.segments()
        try journal.openSegment(starts.last ?? 0)
        for start in starts.dropLast() {
            let highest = journal.last(of: start)?.highest ?? 0
            journal.state.withLock { $0.highest = max($0.highest, highest) }
        }
        journal.tellGaps(starts)
        return journal
    }

    /// The offset after the last durable event.
    public var end: Int64 { state.withLock { $0.end } }

    /// The highest position of an event that was ever delivered here and is still kept; 0 without one.
    public var lastPosition: Int64 { state.withLock { $0.highest } }

    public var start: Int64 { segments().first ?? 0 }

    public var unread: Int { state.withLock { $0.unread } }

    /// Something that is there could not be opened or read: no descriptor is left, or the disk fails.
    func noteUnread() { if errno != ENOENT { state.withLock { $0.unread += 1 } } }

    // MARK: Writing

    public func append(_ events: [EventRecord]) throws(SinkFailure) -> [DeliveryVerdict] {
        try healSegment()
        let (fd, index, start, count, last) = state.withLock { ($0.fd, $0.index, $0.segmentStart, $0.count, $0.last) }
        let size = last?.end ?? 0
        if size >= segmentBytes {
            try openSegment(start + size)
            drop(before: start + size, whenTotalExceeds: bytesMax)
            return try append(events)
        }
        let lines = events.map { (position: $0.position, text: Array($0.payload.utf8)[...]) }
        let entries = SegmentIndex.entries(lines, after: last)
        do throws(SinkFailure) {
            try write(Self.joined(events), to: fd, at: size)
            try write(SegmentIndex.encode(entries), to: index, at: Int64(count * SegmentIndex.Entry.bytes))
            guard fdatasync(fd) == 0 else { throw Self.failure("synced") }
        } catch {
            // What is left of the batch is cut off; where that fails, too, the next batch is written over it.
            ftruncate(fd, off_t(size))
            ftruncate(index, off_t(count * SegmentIndex.Entry.bytes))
            throw error
        }
        state.withLock { state in
            state.count += entries.count
            state.last = entries.last ?? last
            state.highest = max(state.highest, entries.last?.highest ?? 0)
        }
        return events.map { DeliveryVerdict($0) }
    }

    private static func joined(_ events: [EventRecord]) -> [UInt8] {
        var bytes: [UInt8] = []
        for event in events {
            bytes.append(contentsOf: event.payload.utf8)
            bytes.append(0x0a)
        }
        return bytes
    }

    private func write(_ bytes: [UInt8], to fd: Int32, at offset: Int64) throws(SinkFailure) {
        var written = 0
        while written < bytes.count {
            let count = bytes[written...].withUnsafeBytes {
                pwrite(fd, $0.baseAddress, $0.count, off_t(offset) + off_t(written))
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw Self.failure("written") }
            written += count
        }
    }

    private static func failure(_ what: String) -> SinkFailure {
        .lost("the event journal cannot be \(what): \(String(cString: strerror(errno)))")
    }

    /// A segment whose file was removed or cut by somebody is given up: events go on in a new one, at the same offset.
    private func healSegment() throws(SinkFailure) {
        let (fd, index, start, size) = state.withLock { ($0.fd, $0.index, $0.segmentStart, $0.last?.end ?? 0) }
        var (segment, entries) = (stat(), stat())
        guard fstat(fd, &segment) == 0, fstat(index, &entries) == 0 else { throw Self.failure("written") }
        guard segment.st_nlink == 0 || entries.st_nlink == 0 || Int64(segment.st_size) < size else { return }
        report("the segment \(name(start)) was removed or cut; its events are lost to those who had not read them")
        try openSegment(start + size)
    }

    // MARK: Segments

    func name(_ start: Int64, _ suffix: String = "jsonl") -> String {
        let digits = String(start)
        return "\(directory)/\(String(repeating: "0", count: 20 - digits.utf8.count))\(digits).\(suffix)"
    }

    func segments() -> [Int64] {
        guard let handle = opendir(directory) else {
            noteUnread()
            return []
        }
        defer { closedir(handle) }
        var starts: [Int64] = []
        while let entry = readdir(handle) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name.hasSuffix(".jsonl"), let start = Int64(name.dropLast(6)), start >= 0 { starts.append(start) }
        }
        return starts.sorted()
    }

    private func openSegment(_ start: Int64) throws(SinkFailure) {
        mkdir(directory, 0o700)
        let fd = Glibc.open(name(start), O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard fd >= 0 else { throw Self.failure("opened") }
        let index = Glibc.open(name(start, "index"), O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard index >= 0 else {
            let failure = Self.failure("opened")
            close(fd)
            throw failure
        }
        let entries: [SegmentIndex.Entry]
        do throws(SinkFailure) {
            entries = try recover(start, fd)
        } catch {
            close(fd)
            close(index)
            throw error
        }
        let directoryFD = Glibc.open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        if directoryFD >= 0 {
            fsync(directoryFD)
            close(directoryFD)
        }
        state.withLock { state in
            for old in [state.fd, state.index] where old >= 0 { close(old) }
            state.fd = fd
            state.index = index
            state.segmentStart = start
            state.count = entries.count
            state.last = entries.last
            state.highest = max(state.highest, entries.last?.highest ?? 0)
        }
    }

    /// Cuts off a half-written last line.
    private func recover(_ start: Int64, _ fd: Int32) throws(SinkFailure) -> [SegmentIndex.Entry] {
        let size = lseek(fd, 0, SEEK_END)
        guard size >= 0 else { throw Self.failure("read") }
        if size == 0 { return fit(start, []) }
        guard let bytes = readBytes(fd, 0, Int64(size)) else { throw Self.failure("read") }
        let whole = bytes.lastIndex(of: 0x0a).map { $0 + 1 } ?? 0
        if whole < bytes.count, ftruncate(fd, off_t(whole)) != 0 { throw Self.failure("cut") }
        return fit(start, Array(bytes[..<whole]))
    }

    /// Compares a whole segment with its index, which is made where there is none.
    @discardableResult
    func verify(_ start: Int64) -> [SegmentIndex.Entry] {
        let fd = Glibc.open(name(start), O_RDONLY | O_CLOEXEC)
        guard fd >= 0 else {
            noteUnread()
            return []
        }
        defer { close(fd) }
        let size = Int64(lseek(fd, 0, SEEK_END))
        guard size > 0, let bytes = readBytes(fd, 0, size) else { return [] }
        return fit(start, bytes)
    }

    private func fit(_ start: Int64, _ bytes: [UInt8]) -> [SegmentIndex.Entry] {
        let (entries, damaged) = SegmentIndex(path: name(start, "index")).fit(bytes)
        if let first = damaged.first {
            tell(start, "\(damaged.count) events are damaged, the first at position \(first)")
        }
        return entries
    }

    func tell(_ start: Int64, _ damage: String) {
        if state.withLock({ $0.told.insert(start).inserted }) { report("\(name(start)): \(damage)") }
    }

    /// Segments follow one another without a gap.
    private func tellGaps(_ starts: [Int64]) {
        for (start, next) in zip(starts, starts.dropFirst()) {
            let end = start + (last(of: start)?.end ?? 0)
            if end < next { tell(start, "the \(next - end) bytes after it are missing") }
        }
    }

    /// Goes on at an offset that a reader has reached already, as after the loss of the last segments.
    public func goOn(at offset: Int64) throws(SinkFailure) {
        let end = end
        guard end < offset else { return }
        report("the journal ends at offset \(end), but was read up to \(offset): its last events were removed")
        try openSegment(offset)
    }

    public func retain(from offset: Int64, nowMs: Int64) -> Int64 {
        drop(before: offset, whenTotalExceeds: bytesKept)
        drop(before: end, whenTotalExceeds: bytesMax)
        var starts = segments()
        for start in starts.dropLast() where state.withLock({ $0.verified.insert(start).inserted }) { verify(start) }
        // A segment is as old as its last event; the one that is written to stays.
        while starts.count > 1, starts[1] <= offset {
            var status = stat()
            guard stat(name(starts[0]), &status) == 0,
                Int64(status.st_mtim.tv_sec) * 1000 < nowMs - Limits.retentionMs
            else { break }
            remove(starts.removeFirst())
        }
        return starts.first ?? 0
    }

    /// Drops the oldest whole segments below an offset while there is more than allowed.
    private func drop(before offset: Int64, whenTotalExceeds bytes: Int64) {
        var starts = segments()
        let end = end
        while starts.count > 1, end - starts[0] > bytes, starts[1] <= offset { remove(starts.removeFirst()) }
    }

    private func remove(_ start: Int64) {
        unlink(name(start))
        unlink(name(start, "index"))
    }
}
