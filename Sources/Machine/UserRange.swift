import CLinux
import Glibc

/// The user ids that one daemon gives to its agents: a range that no other daemon of this machine has.
///
/// A claim is a file in a directory of the machine, `<directory>/<first id>`, which names the store it is for and its
/// state directory; there the range is written down too, so that it is the same after a restart of the machine. A claim
/// whose state directory does not speak of it any more is nobody's.
package struct UserRange: Sendable, Equatable {
    package enum Problem: Error {
        case unusable(Files.Failure)
        case noneLeft
    }

    package static let first: UInt32 = 200_000
    package static let count: UInt32 = 65_536
    private static let rangesMax: UInt32 = 1000

    package var users: ClosedRange<UInt32>
    /// Another daemon has the range that this one had: agents of earlier have user ids that it gives out, too.
    package var isShared = false

    /// Claims a range, the same as before if it can be had.
    ///
    /// - Parameter used: the least user id that an agent of this store has already.
    package static func claim(
        store: String, state: String, used: UInt32?, directory: String = "/run/agentos-users"
    ) throws(Problem) -> UserRange {
        do throws(Files.Failure) {
            try Files.makeDirectory(directory, mode: 0o755)
            let lock = open("\(directory)/lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
            guard lock >= 0 else { throw Files.Failure(code: errno, what: "\(directory)/lock") }
            defer { close(lock) }
            // Held for a moment only: others claim theirs.
            while agentos_flock_wait(lock) != 0 {
                guard errno == EINTR else { throw Files.Failure(code: errno, what: "\(directory)/lock") }
            }
            let own = Claims(directory: directory, store: store, state: state)
            let wanted = own.recorded ?? used.flatMap { $0 < first ? nil : ($0 - first) / count }
            if let wanted, wanted < rangesMax, own.isFree(wanted) { return try own.take(wanted, isShared: false) }
            let avoided = ForeignUsers()
            for index in 0..<rangesMax where own.isFree(index) && !avoided.overlaps(range(index)) {
                return try own.take(index, isShared: wanted != nil)
            }
        } catch { throw .unusable(error) }
        throw .noneLeft
    }

    fileprivate static func range(_ index: UInt32) -> ClosedRange<UInt32> {
        let begin = first + index * count
        return begin...begin + count - 1
    }

    private struct Claims {
        var directory: String
        var store: String
        var state: String

        private func path(_ index: UInt32) -> String { "\(directory)/\(UserRange.range(index).lowerBound)" }

        /// What this state directory says.
        var recorded: UInt32? { Self.index(in: state) }

        private static func index(in state: String) -> UInt32? {
            let text = Files.text("\(state)/users")?.split(separator: "\n").first
            guard let begin = text.flatMap({ UInt32($0) }), begin >= first else { return nil }
            return (begin - first) / count
        }

        func isFree(_ index: UInt32) -> Bool {
            guard let lines = Files.text(path(index))?.split(separator: "\n"), lines.count == 2 else { return true }
            if lines[0] == store || lines[1] == state { return true }
            return Self.index(in: String(lines[1])) != index
        }

        func take(_ index: UInt32, isShared: Bool) throws(Files.Failure) -> UserRange {
            let range = UserRange.range(index)
            try Files.replace("\(state)/users", Array("\(range.lowerBound)\n".utf8))
            try Files.replace(path(index), Array("\(store)\n\(state)\n".utf8), mode: 0o644)
            return UserRange(users: range, isShared: isShared)
        }
    }
}

/// User ids that somebody else has: processes that run, and ranges that are given to users for their namespaces.
private struct ForeignUsers {
    private var ranges: [ClosedRange<UInt32>] = []

    init() {
        for name in Files.names(in: "/proc") where Int32(name) != nil {
            var status = stat()
            if stat("/proc/\(name)", &status) == 0 { ranges.append(status.st_uid...status.st_uid) }
        }
        for line in (Files.text("/etc/subuid", limit: 1 << 20) ?? "").split(separator: "\n") {
            let numbers = line.split(separator: ":").dropFirst().compactMap { UInt32($0) }
            guard numbers.count == 2, numbers[1] > 0 else { continue }
            let (end, overflows) = numbers[0].addingReportingOverflow(numbers[1] - 1)
            ranges.append(numbers[0]...(overflows ? .max : end))
        }
    }

    func overlaps(_ range: ClosedRange<UInt32>) -> Bool { ranges.contains { $0.overlaps(range) } }
}
