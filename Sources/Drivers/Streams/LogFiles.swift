import Glibc
import Machine
import Reconciler

/// The log files of one run, in the CRI format `TIME STREAM TAG TEXT`: read on from where reading has got to.
final class LogFiles {
    private let directory: RunDirectory
    private var fd: Int32 = -1
    private var inode: UInt64 = 0
    /// The beginning of a record whose end was not read yet.
    private var partial: [UInt8] = []

    init(_ directory: RunDirectory, tail: Int?) {
        self.directory = directory
        if let tail { seek(tail) }
    }

    deinit { if fd >= 0 { close(fd) } }

    /// What there is, of about `bytesMax` at most.
    func read(bytesMax: Int) -> (records: [LogRecord], isAtEnd: Bool) {
        var records: [LogRecord] = []
        var left = bytesMax
        while left > 0 {
            if fd < 0 {
                guard let first = directory.logs.first, open(first) else { return (records, true) }
            }
            var chunk = [UInt8](repeating: 0, count: min(left, 65_536))
            let count = Glibc.read(fd, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            if count > 0 {
                left -= count
                take(chunk[..<count], &records)
            } else if !advance() {
                return (records, true)
            }
        }
        return (records, false)
    }

    private func take(_ bytes: ArraySlice<UInt8>, _ records: inout [LogRecord]) {
        partial += bytes
        guard let end = partial.lastIndex(of: 0x0a) else { return }
        records += partial[..<end].split(separator: 0x0a).compactMap(LogRecord.init)
        partial = Array(partial[(end + 1)...])
    }

    /// Goes on with the file that was begun when this one was full. False when this is the one that grows.
    private func advance() -> Bool {
        let files = directory.logs
        let place = files.firstIndex { Self.inode($0) == inode }
        if place == files.count - 1 { return false }
        // Since the last look it may have grown and then been put aside.
        var rest = [UInt8](repeating: 0, count: 1)
        if pread(fd, &rest, 1, lseek(fd, 0, SEEK_CUR)) > 0 { return true }
        // One that is not there any more was older than all that are.
        let next = place.map { $0 + 1 } ?? 0
        return next < files.count && open(files[next])
    }

    private func open(_ path: String) -> Bool {
        let new = Glibc.open(path, O_RDONLY | O_CLOEXEC)
        var status = stat()
        guard new >= 0, fstat(new, &status) == 0 else { return false }
        if fd >= 0 { close(fd) }
        fd = new
        inode = UInt64(status.st_ino)
        return true
    }

    private static func inode(_ path: String) -> UInt64? {
        var status = stat()
        return stat(path, &status) == 0 ? UInt64(status.st_ino) : nil
    }

    // MARK: The last lines

    /// Goes to where the last so many lines begin, reading backwards, block by block.
    private func seek(_ tail: Int) {
        var counter = LineCounter(wanted: tail)
        for path in directory.logs.reversed() {
            guard open(path) else { continue }
            if let offset = counter.count(fd) {
                lseek(fd, off_t(offset), SEEK_SET)
                return
            }
            lseek(fd, 0, SEEK_SET)
        }
    }
}

/// Counts lines from the end of files: records that end one, and a last one that is not ended.
private struct LineCounter {
    private static let blockBytes = 65_536
    let wanted: Int
    private var found = 0
    private var isFirst = true

    init(wanted: Int) { self.wanted = wanted }

    /// Where the wanted lines begin; nil when more of them are in the file before.
    mutating func count(_ fd: Int32) -> Int? {
        var block = Int(lseek(fd, 0, SEEK_END))
        // From the start of the block to the first end of a record: its beginning is in the block before.
        var rest: [UInt8] = []
        while block > 0 {
            let start = max(0, block - Self.blockBytes)
            var bytes = [UInt8](repeating: 0, count: block - start)
            guard pread(fd, &bytes, bytes.count, off_t(start)) == bytes.count else { return 0 }
            bytes += rest
            var end = bytes.count
            // What follows the last line end is being written.
            if isFirst { end = bytes.lastIndex(of: 0x0a).map { $0 + 1 } ?? 0 }
            while end > 0 {
                let before = bytes[..<(end - 1)].lastIndex(of: 0x0a)
                if before == nil, start > 0 { break }
                let first = before.map { $0 + 1 } ?? 0
                if isFirst || LogRecord.endsLine(bytes[first..<end]) { found += 1 }
                isFirst = false
                if found > wanted { return start + end }
                end = first
            }
            rest = Array(bytes[..<end])
            block = start
        }
        return nil
    }
}

extension LogRecord {
    /// Nil when it is none.
    fileprivate init?(_ line: ArraySlice<UInt8>) {
        let parts = line.split(separator: 0x20, maxSplits: 3, omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        self.init(
            time: String(decoding: parts[0], as: UTF8.self), isError: parts[1].elementsEqual("stderr".utf8),
            isPartial: parts[2].first != UInt8(ascii: "F"), bytes: Array(parts[3]))
    }

    fileprivate static func endsLine(_ record: ArraySlice<UInt8>) -> Bool {
        let parts = record.prefix(100).split(separator: 0x20, maxSplits: 3, omittingEmptySubsequences: false)
        return parts.count > 2 && parts[2].first == UInt8(ascii: "F")
    }
}
