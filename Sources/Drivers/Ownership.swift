import CLinux
import Glibc
import Machine

/// Whom a directory of an agent belongs to, with all that is in it: what a former user of the agent left there belongs to
/// the new one.
///
/// Source: `fsGroup` and `fsGroupChangePolicy` of Kubernetes' security contexts.
struct Ownership: Sendable {
    var user: UInt32
    var group: UInt32
    /// The group may read and write all, and what is made later has it too.
    var isShared = false
    /// The whole tree is looked at even when the directory itself is as it should be.
    var isAlwaysChecked = false

    /// Directories in directories that are looked at.
    private static let depthMax = 1000

    /// Guarantee: when it is cut off, the next call does it again, since the directory itself comes last.
    /// Links are given away themselves, never what they lead to.
    func apply(to path: String) throws(Files.Failure) {
        let fd = open(path, AGENTOS_O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard fd >= 0 else { throw Files.Failure(code: errno, what: path) }
        defer { close(fd) }
        let status = try Self.status(fd, path)
        if !isAlwaysChecked, isRight(status) { return }
        try apply(fd, status, former: (status.st_uid, status.st_gid), depth: 0, path)
    }

    private func isRight(_ status: stat) -> Bool {
        status.st_uid == user && status.st_gid == group && (!isShared || status.st_mode & Self.shared == Self.shared)
    }

    private static let shared = mode_t(S_ISGID) | 0o070

    private static func status(_ fd: Int32, _ path: String) throws(Files.Failure) -> stat {
        var status = stat()
        guard fstat(fd, &status) == 0 else { throw Files.Failure(code: errno, what: path) }
        return status
    }

    /// - Parameter fd: opened with O_PATH: what is looked at is what is changed.
    private func apply(
        _ fd: Int32, _ status: stat, former: (user: UInt32, group: UInt32), depth: Int, _ path: String
    ) throws(Files.Failure) {
        if status.st_mode & S_IFMT == S_IFDIR {
            guard depth < Self.depthMax else { throw Files.Failure(code: ENAMETOOLONG, what: path) }
            for name in Files.names(in: "/proc/self/fd/\(fd)") {
                let child = openat(fd, name, AGENTOS_O_PATH | O_NOFOLLOW | O_CLOEXEC)
                if child < 0, errno == ENOENT { continue }
                guard child >= 0 else { throw Files.Failure(code: errno, what: "\(path)/\(name)") }
                defer { close(child) }
                let status = try Self.status(child, path)
                try apply(child, status, former: former, depth: depth + 1, "\(path)/\(name)")
            }
        }
        try give(fd, status, former, path)
    }

    private func give(
        _ fd: Int32, _ status: stat, _ former: (user: UInt32, group: UInt32), _ path: String
    ) throws(Files.Failure) {
        let newUser = status.st_uid == former.user ? user : status.st_uid
        let newGroup = isShared || status.st_gid == former.group ? group : status.st_gid
        if newUser != status.st_uid || newGroup != status.st_gid,
            fchownat(fd, "", newUser, newGroup, AGENTOS_AT_EMPTY_PATH) != 0
        {
            throw Files.Failure(code: errno, what: "giving \(path) to user \(user)")
        }
        let type = status.st_mode & S_IFMT
        guard isShared, type == S_IFDIR || type == S_IFREG else { return }
        let wanted = status.st_mode | (type == S_IFDIR ? Self.shared : 0o060)
        // Taking it away from its user has taken its special bits.
        if chmod("/proc/self/fd/\(fd)", wanted & 0o7777) != 0 {
            throw Files.Failure(code: errno, what: "the mode of \(path)")
        }
    }
}
