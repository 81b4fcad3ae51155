import Glibc
import Values

/// The index of one segment: an entry of fixed size for each event.
///
/// The segment is what counts; an index that is missing, too short or too long is made to fit it. It is not synced.
struct SegmentIndex {
    struct Entry: Equatable {
        static let bytes = 32

        /// Offset after the event's line, counted from the start of the segment.
        var end: Int64
        var position: Int64
        /// The highest position up to here: it never falls, also where events were delivered out of their order.
        var highest: Int64
        /// Of the line, without its end.
        var checksum: UInt64
    }

    /// No segment grows to this: an entry beyond it is damaged.
    static let segmentBytesMax: Int64 = 1 << 40

    let path: String

    // MARK: Writing

    /// The entries of lines that follow a place in the segment.
    static func entries(
        _ lines: some Sequence<(position: Int64, text: ArraySlice<UInt8>)>, after last: Entry?
    ) -> [Entry] {
        var (end, highest) = (last?.end ?? 0, last?.highest ?? 0)
        return lines.map { line in
            end += Int64(line.text.count + 1)
            highest = max(highest, line.position)
            return Entry(end: end, position: line.position, highest: highest, checksum: checksum(line.text))
        }
    }

    static func encode(_ entries: [Entry]) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(entries.count * Entry.bytes)
        for entry in entries {
            for number in [
                UInt64(bitPattern: entry.end), UInt64(bitPattern: entry.position), UInt64(bitPattern: entry.highest),
                entry.checksum,
            ] { withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) } }
        }
        return bytes
    }

    static func checksum(_ bytes: some Sequence<UInt8>) -> UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
        return hash
    }

    // MARK: Reading

    /// Entries from a number on.
    func read(_ fd: Int32, from index: Int, count: Int) -> [Entry] {
        var bytes = [UInt8](repeating: 0, count: max(0, count) * Entry.bytes)
        let got = pread(fd, &bytes, bytes.count, off_t(index * Entry.bytes))
        return Self.decode(bytes.prefix(max(0, got)))
    }

    /// Entries up to the first that cannot be one.
    private static func decode(_ bytes: ArraySlice<UInt8>) -> [Entry] {
        var entries: [Entry] = []
        for at in stride(from: 0, to: bytes.count - bytes.count % Entry.bytes, by: Entry.bytes) {
            func number(_ index: Int) -> UInt64 {
                (0..<8).reduce(0) { $0 | UInt64(bytes[bytes.startIndex + at + index * 8 + $1]) << UInt64($1 * 8) }
            }
            let end = Int64(bitPattern: number(0))
            guard end > 0, end <= segmentBytesMax else { break }
            entries.append(
                Entry(
                    end: end, position: Int64(bitPattern: number(1)), highest: Int64(bitPattern: number(2)),
                    checksum: number(3)))
        }
        return entries
    }

    /// The last entry, when the index fits a segment of this size.
    func last(_ fd: Int32, segmentBytes: Int64) -> (entry: Entry, count: Int)? {
        var status = stat()
        guard fd >= 0, fstat(fd, &status) == 0 else { return nil }
        let count = Int(status.st_size) / Entry.bytes
        guard count > 0, let entry = read(fd, from: count - 1, count: 1).first, entry.end == segmentBytes else {
            return nil
        }
        return (entry, count)
    }

    /// The number of the first entry for which a condition holds that stays true once it is.
    func first(_ fd: Int32, among count: Int, where holds: (Entry) -> Bool) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            guard let entry = read(fd, from: middle, count: 1).first else { return low }
            if holds(entry) { high = middle } else { low = middle + 1 }
        }
        return low
    }

    /// All entries of a segment, after the index was made to fit it; and the positions of events that are not as written.
    func fit(_ segment: [UInt8]) -> (entries: [Entry], damaged: [Int64]) {
        let fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        defer { if fd >= 0 { close(fd) } }
        let size = fd >= 0 ? Int(max(0, lseek(fd, 0, SEEK_END))) : 0
        let stored = fd >= 0 ? read(fd, from: 0, count: size / Entry.bytes) : []
        var kept: [Entry] = []
        var damaged: [Int64] = []
        var at = 0
        for entry in whole(stored, in: segment) {
            let line = segment[at..<Int(entry.end) - 1]
            if Self.checksum(line) != entry.checksum { damaged.append(entry.position) }
            kept.append(entry)
            at = Int(entry.end)
        }
        let rest = segment[at...].split(separator: 0x0a, omittingEmptySubsequences: false).dropLast().map { line in
            (position: Self.position(line), text: line)
        }
        let entries = kept + Self.entries(rest, after: kept.last)
        if fd >= 0, entries.count != stored.count {
            let bytes = Self.encode(Array(entries[kept.count...]))
            _ = pwrite(fd, bytes, bytes.count, off_t(kept.count * Entry.bytes))
            ftruncate(fd, off_t(entries.count * Entry.bytes))
        }
        return (entries, damaged)
    }

    /// The entries up to the last that ends where a line of the segment ends: before it, a line that has lost its end is one
    /// all the same.
    private func whole(_ stored: [Entry], in segment: [UInt8]) -> ArraySlice<Entry> {
        var (count, last, end) = (0, 0, Int64(0))
        for entry in stored {
            guard entry.end > end, entry.end <= Int64(segment.count) else { break }
            (count, end) = (count + 1, entry.end)
            if segment[Int(entry.end) - 1] == 0x0a { last = count }
        }
        return stored.prefix(last)
    }

    /// The field `position` of an envelope that has no entry yet.
    private static func position(_ line: ArraySlice<UInt8>) -> Int64 {
        let event = JSONReader.read(String(decoding: line, as: UTF8.self))
        return Int64(event?["position"]?.int ?? 0)
    }
}
