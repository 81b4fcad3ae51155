import Glibc
import Values

/// A place in the log of one run, and how reading goes on from there. Used on the thread that reads files.
struct LogCursor: Sendable {
    private enum Place {
        /// Before the last lines, if so many are asked for; before all of them otherwise.
        case start(tail: Int?)
        case inside(LogFile, offset: Int)
    }

    private var place: Place
    private var lines: LogLines

    init(tail: Int?, timestamps: Bool) {
        place = .start(tail: tail)
        lines = LogLines(timestamps: timestamps)
    }

    /// Some text that follows, and whether it was all that is there now.
    struct Piece: Sendable {
        var cursor: LogCursor
        var bytes: [UInt8]
        var isAtEnd: Bool
    }

    /// Reads on; `paths` are the files of the log, oldest first.
    func next(_ paths: [String]) -> Piece {
        var piece = Piece(cursor: self, bytes: [], isAtEnd: false)
        piece.isAtEnd = !piece.cursor.read(paths, into: &piece.bytes)
        if piece.isAtEnd { piece.cursor.lines.flush(into: &piece.bytes) }
        return piece
    }

    /// False at the end.
    private mutating func read(_ paths: [String], into out: inout [UInt8]) -> Bool {
        guard let (file, offset) = open(paths) else { return false }
        let bytes = file.read(at: offset)
        guard let end = bytes.lastIndex(of: 0x0a) else {
            // A file that is not the newest any more is not written to any more: it is read once again before it is left.
            guard let next = file.successor(in: paths) else { return false }
            let rest = file.read(at: offset)
            place = rest.contains(0x0a) ? .inside(file, offset: offset) : .inside(next, offset: 0)
            return true
        }
        for line in bytes[...end].split(separator: 0x0a) { lines.add(line, into: &out) }
        place = .inside(file, offset: offset + end + 1)
        return true
    }

    private mutating func open(_ paths: [String]) -> (LogFile, Int)? {
        switch place {
        case .inside(let file, let offset): return (file, offset)
        case .start(let tail):
            let files = paths.compactMap(LogFile.open)
            guard let first = files.first else { return nil }
            let begin = tail.map { Self.begin(ofLast: $0, files) } ?? (first, 0)
            place = .inside(begin.0, offset: begin.1)
            return begin
        }
    }

    /// Where the last lines begin. Parts of a line that was split count as one, also when it has no end yet.
    private static func begin(ofLast count: Int, _ files: [LogFile]) -> (LogFile, Int) {
        if count == 0, let last = files.last { return (last, last.size) }
        var left = count
        var isNewest = true
        for file in files.reversed() {
            var end = file.size
            while end > 0 {
                let start = max(0, end - LogFile.blockBytes)
                let bytes = file.read(at: start, count: end - start)
                if bytes.isEmpty { break }
                // The part of a line before the first end of a line belongs to the block before.
                let first = start == 0 ? 0 : bytes.firstIndex(of: 0x0a).map { $0 + 1 } ?? 0
                var lineEnd = bytes.count
                while lineEnd > first {
                    let lineStart = bytes[first..<lineEnd - 1].lastIndex(of: 0x0a).map { $0 + 1 } ?? first
                    if LogLines.isWhole(bytes[lineStart..<lineEnd]) {
                        if left == 0 { return (file, start + lineEnd) }
                        left -= 1
                    } else if isNewest {
                        left -= 1
                    }
                    isNewest = false
                    lineEnd = lineStart
                }
                end = start + first
            }
        }
        return (files[0], 0)
    }
}

/// An open log file; closed when nobody reads it any more.
final class LogFile: Sendable {
    private let fd: Int32
    private let inode: UInt64

    static let blockBytes = 256 << 10

    private init(fd: Int32, inode: UInt64) {
        self.fd = fd
        self.inode = inode
    }

    deinit { close(fd) }

    static func open(_ path: String) -> LogFile? {
        let fd = Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard fd >= 0 else { return nil }
        var status = stat()
        guard fstat(fd, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            close(fd)
            return nil
        }
        return LogFile(fd: fd, inode: UInt64(status.st_ino))
    }

    var size: Int {
        var status = stat()
        return fstat(fd, &status) == 0 ? Int(status.st_size) : 0
    }

    func read(at offset: Int, count: Int = LogFile.blockBytes) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            filled = max(0, pread(fd, buffer.baseAddress, count, off_t(offset)))
        }
    }

    /// The file that goes on where this one ends, when this one is not the newest.
    func successor(in paths: [String]) -> LogFile? {
        let files = paths.compactMap(LogFile.open)
        guard let index = files.firstIndex(where: { $0.inode == inode }) else { return files.first }
        return index + 1 < files.count ? files[index + 1] : nil
    }
}
