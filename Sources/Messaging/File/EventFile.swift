import CLinux
import Glibc
import Machine
import Reconciler
import Values

/// One file of events that is written to by this process alone.
final class EventFile {
    private let fd: Int32
    private let path: String
    /// Its length, up to the last event that was synced.
    private(set) var bytes: Int64 = 0
    /// When it was begun; nil while it is empty.
    private(set) var beganMs: Int64?

    private init(fd: Int32, path: String) {
        self.fd = fd
        self.path = path
    }

    deinit {
        // A program that is being started may have the descriptor a moment longer.
        flock(fd, LOCK_UN)
        close(fd)
    }

    private static func failure(_ path: String, _ code: Int32 = errno) -> Files.Failure {
        Files.Failure(code: code, what: path)
    }

    // MARK: Opening

    /// Opens or makes a file, and makes its end whole.
    ///
    /// - Parameter notBeforeMs: when the file before it was written last: it was begun later.
    /// - Returns: with it, the ids of the events that stand last in it.
    static func open(
        _ path: String, mode: UInt32, notBeforeMs: Int64, _ report: (String) -> Void
    ) throws(Files.Failure) -> (EventFile, ids: [String]) {
        let fd = Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW, mode)
        guard fd >= 0 else { throw failure(path) }
        let file = EventFile(fd: fd, path: path)
        var status = stat()
        guard fstat(fd, &status) == 0 else { throw failure(path) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw failure("\(path) is no regular file", EINVAL) }
        guard flock(fd, LOCK_EX | LOCK_NB) == 0 else { throw failure("\(path) is written by another process") }
        if status.st_size == 0 {
            fchmod(fd, mode)  // whatever the umask
            try Files.sync(Files.directory(of: path))
        }
        return (file, try file.recover(Int64(status.st_size), notBeforeMs, report))
    }

    /// What is read of the end of a file, to know its last events; more than one batch has.
    private static let tailBytesMax: Int64 = 16 << 20

    /// Cuts off what a crash has left unfinished; what is no file of events is left alone.
    private func recover(
        _ size: Int64, _ notBeforeMs: Int64, _ report: (String) -> Void
    ) throws(Files.Failure) -> [String] {
        let from = max(0, size - Self.tailBytesMax)
        let tail = try read(from: from, count: size - from)
        // Blocks that were never written are zeros; an event has none.
        let written = tail.prefix { $0 != 0 }
        let whole = written.lastIndex(of: 0x0a).map { $0 + 1 } ?? 0
        guard from == 0 || whole > 0 else { throw Self.failure("\(path) holds a line of more than 16 MiB", EFBIG) }
        let torn = written[whole...]
        let beginning = Array(CloudEvent.beginning.utf8)
        guard torn.starts(with: beginning) || beginning.starts(with: torn) else {
            throw Self.failure("\(path) ends with what is no event; move it away", EINVAL)
        }
        if whole < tail.count {
            guard ftruncate(fd, off_t(from) + off_t(whole)) == 0 else { throw Self.failure(path) }
            report("\(path): \(tail.count - whole) bytes of a batch that was never confirmed were cut off")
        }
        // What stands there may be from a process that was killed before it could sync.
        guard fsync(fd) == 0 else { throw Self.failure(path) }
        bytes = from + Int64(whole)
        beganMs = try firstTimeMs().map { max($0, notBeforeMs) }
        return tail[..<whole].split(separator: 0x0a).suffix(RecentEvents.countMax).compactMap { line in
            guard line.starts(with: beginning) else { return nil }
            return String(decoding: line.dropFirst(beginning.count).prefix { $0 != 0x22 }, as: UTF8.self)
        }
    }

    /// When the first event happened, which the file is younger than; nil when it is empty. What cannot be told counts as now.
    private func firstTimeMs() throws(Files.Failure) -> Int64? {
        if bytes == 0 { return nil }
        let start = try read(from: 0, count: min(bytes, 4096))
        let mark = Array(#","time":""#.utf8)
        guard let place = start.firstRange(of: mark) else { return agentos_wall_ms() }
        let text = String(decoding: start[place.upperBound...].prefix { $0 != 0x22 }, as: UTF8.self)
        return Timestamp.parse(text) ?? agentos_wall_ms()
    }

    private func read(from offset: Int64, count: Int64) throws(Files.Failure) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Int(count))
        var got = 0
        while got < bytes.count {
            let more = bytes[got...].withUnsafeMutableBytes {
                pread(fd, $0.baseAddress, $0.count, off_t(offset) + off_t(got))
            }
            if more < 0, errno == EINTR { continue }
            guard more > 0 else { throw Self.failure(path, more < 0 ? errno : EIO) }
            got += more
        }
        return bytes
    }

    // MARK: Writing

    /// The name still leads to this file, and nobody has cut it.
    func isStill(at path: String) -> Bool {
        var (named, open) = (stat(), stat())
        return fstat(fd, &open) == 0 && stat(path, &named) == 0 && named.st_ino == open.st_ino
            && named.st_dev == open.st_dev && Int64(open.st_size) >= bytes
    }

    /// Guarantee: all of it is on the disk when this returns, and none of it counts when this throws.
    func append(_ more: [UInt8]) throws(Files.Failure) {
        var written = 0
        while written < more.count {
            let count = more[written...].withUnsafeBytes {
                pwrite(fd, $0.baseAddress, $0.count, off_t(bytes) + off_t(written))
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw undone(count < 0 ? errno : EIO) }
            written += count
        }
        guard fdatasync(fd) == 0 else { throw undone(errno) }
        if bytes == 0 { beganMs = agentos_wall_ms() }
        bytes += Int64(more.count)
    }

    private func undone(_ code: Int32) -> Files.Failure {
        ftruncate(fd, off_t(bytes))
        return Self.failure(path, code)
    }

    /// Gives the file another name, under which it stays; nothing is written to it any more.
    func retire(as name: String) throws(Files.Failure) {
        guard rename(path, name) == 0 else { throw Self.failure(name) }
        try Files.sync(Files.directory(of: path))
    }
}

/// The ids of the events that were written last: more than can come again after a crash.
struct RecentEvents {
    /// Several batches.
    static let countMax = 4096

    private var known: Set<String> = []
    private var order: [String] = []
    private var oldest = 0

    func contains(_ event: EventRecord) -> Bool { known.contains(CloudEvent.id(event)) }

    mutating func insert(_ event: EventRecord) { insert(CloudEvent.id(event)) }

    mutating func insert(_ id: String) {
        guard known.insert(id).inserted else { return }
        if order.count < Self.countMax {
            order.append(id)
        } else {
            known.remove(order[oldest])
            order[oldest] = id
            oldest = (oldest + 1) % Self.countMax
        }
    }
}
