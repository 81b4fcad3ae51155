import Glibc
import Reconciler

/// The write-ahead log of a database in use: whether what was committed to it is still as it was written.
///
/// Source: SQLite's file format, 4. The frames of a log carry a running checksum, which SQLite itself looks at only when it
/// opens the log.
enum WriteAheadLog {
    private static let headBytes = 32
    private static let frameHeadBytes = 24

    /// The number of the first damaged frame; nil when all are sound, or the log has begun anew meanwhile.
    ///
    /// - Parameter count: frames that are committed.
    static func damagedFrame(_ path: String, among count: Int) -> Int? {
        let fd = open("\(path)-wal", O_RDONLY | O_CLOEXEC)
        guard fd >= 0, count > 0 else { return nil }
        defer { close(fd) }
        guard let head = read(fd, 0, headBytes) else { return nil }
        let isBig = head[3] & 1 == 1
        let page = Int(big(head, 8))
        guard page >= 512, page <= 65_536 else { return 0 }
        var sums: (UInt32, UInt32) = (0, 0)
        add(head[..<24], isBig, to: &sums)
        guard sums == (big(head, 24), big(head, 28)) else { return isSame(fd, head) ? 0 : nil }
        for number in 1...count {
            let offset = headBytes + (number - 1) * (frameHeadBytes + page)
            guard let frame = read(fd, offset, frameHeadBytes + page) else { return isSame(fd, head) ? number : nil }
            add(frame[..<8], isBig, to: &sums)
            add(frame[frameHeadBytes...], isBig, to: &sums)
            guard frame[8..<16].elementsEqual(head[16..<24]), sums == (big(frame, 16), big(frame, 20)) else {
                return isSame(fd, head) ? number : nil
            }
        }
        return nil
    }

    private static func isSame(_ fd: Int32, _ head: [UInt8]) -> Bool { read(fd, 0, headBytes) == head }

    private static func read(_ fd: Int32, _ offset: Int, _ count: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        return pread(fd, &bytes, count, off_t(offset)) == count ? bytes : nil
    }

    private static func big(_ bytes: [UInt8], _ at: Int) -> UInt32 {
        bytes[at..<at + 4].reduce(0) { $0 << 8 | UInt32($1) }
    }

    private static func add(_ bytes: ArraySlice<UInt8>, _ isBig: Bool, to sums: inout (UInt32, UInt32)) {
        bytes.withUnsafeBytes { raw in
            for at in stride(from: 0, to: raw.count, by: 8) {
                let first = raw.loadUnaligned(fromByteOffset: at, as: UInt32.self)
                let second = raw.loadUnaligned(fromByteOffset: at + 4, as: UInt32.self)
                sums.0 &+= (isBig ? first.bigEndian : first.littleEndian) &+ sums.1
                sums.1 &+= (isBig ? second.bigEndian : second.littleEndian) &+ sums.0
            }
        }
    }
}
