import Glibc
import Reconciler

/// The numbers of the last commit, in a file of their own beside the database.
///
/// The store writes it after each commit and before anything is done about that. It is not synced: it outlives the
/// daemon, and after a power loss it is at most older than the database. A database behind it has lost commits.
struct CommitMark: ~Copyable {
    struct Numbers: Equatable {
        var storeID: String
        var position: Int64
        var resourceVersion: Int64
    }

    private static let length = 128
    private let fd: Int32

    deinit { if fd >= 0 { close(fd) } }

    /// A mark that cannot be opened is not kept: it is a second witness, the database is the first.
    static func open(_ path: String) -> CommitMark {
        CommitMark(fd: Glibc.open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600))
    }

    static func read(_ path: String) -> Numbers? {
        let fd = Glibc.open(path, O_RDONLY | O_CLOEXEC)
        guard fd >= 0 else { return nil }
        defer { close(fd) }
        var bytes = [UInt8](repeating: 0, count: length)
        guard pread(fd, &bytes, length, 0) == length else { return nil }
        let words = String(decoding: bytes, as: UTF8.self).split(whereSeparator: { $0 == " " || $0 == "\n" })
        guard words.count == 5, words[0] == "1", let position = Int64(words[2]), let version = Int64(words[3]) else {
            return nil
        }
        let numbers = Numbers(storeID: String(words[1]), position: position, resourceVersion: version)
        return text(numbers) == bytes ? numbers : nil
    }

    func write(_ numbers: Numbers) {
        let bytes = Self.text(numbers)
        _ = pwrite(fd, bytes, bytes.count, 0)
    }

    /// One line of a fixed length, with a checksum as its last word.
    private static func text(_ numbers: Numbers) -> [UInt8] {
        let words = "1 \(numbers.storeID) \(numbers.position) \(numbers.resourceVersion) "
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in words.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
        var bytes = Array((words + String(hash, radix: 16)).utf8)
        bytes += [UInt8](repeating: 0x20, count: max(0, length - 1 - bytes.count))
        return bytes + [0x0a]
    }
}
