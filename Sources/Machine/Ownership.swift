import CLinux
import Glibc

/// Whom a directory of an agent belongs to, with all that is in it: what a former user of the agent left there belongs to
/// the new one.
///
/// All steps go from one open directory to the next, never over a link or onto another mount.
/// Source: `fsGroup` and `fsGroupChangePolicy` of Kubernetes' security contexts.
package struct Ownership: Sendable {
    package var user: UInt32
    package var group: UInt32
    /// The group may read and write all, and what is made later has it too.
    package var isShared: Bool
    /// The whole tree is looked at even when the directory itself is as it should be.
    package var isAlwaysChecked: Bool

    package init(user: UInt32, group: UInt32, isShared: Bool = false, isAlwaysChecked: Bool = false) {
        self.user = user
        self.group = group
        self.isShared = isShared
        self.isAlwaysChecked = isAlwaysChecked
    }

    private typealias Name = FileName.Bytes

    /// A directory that is being given away; how it is found again when its descriptor was closed meanwhile.
    private struct Level {
        var fd: Int32
        let device: dev_t
        let inode: ino_t
        /// The directories in it that are still to come.
        var rest: [Name]
    }

    /// Directories that are open at the same time; those further up are opened again from below.
    private static let openMax = 64

    /// Guarantee: when it is cut off, the next call does it again, since the directory itself comes last. What belongs to
    /// others stays theirs; links are given away themselves, never what they lead to.
    /// Caveat: takes its time; not for a loop's thread.
    package func apply(to path: String) throws(Files.Failure) {
        let top = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard top >= 0 else { throw Files.Failure(code: errno, what: path) }
        var levels: [Level] = []
        defer { for level in levels where level.fd >= 0 { close(level.fd) } }
        let status = try begin(top, &levels, path)
        if !isAlwaysChecked, isRight(status) { return }
        let former = (user: status.st_uid, group: status.st_gid)
        levels[0].rest = try giveFiles(in: top, former, path)
        while let level = levels.last {
            if let name = level.rest.last {
                levels[levels.count - 1].rest.removeLast()
                let inner = agentos_open_inside(level.fd, name)
                // It has gone, is a link now, or another mount, which is somebody else's.
                if inner < 0, [ENOENT, ELOOP, EXDEV, ENOTDIR].contains(errno) { continue }
                guard inner >= 0 else { throw Files.Failure(code: errno, what: "\(path): \(FileName.text(name))") }
                _ = try begin(inner, &levels, path)
                levels[levels.count - 1].rest = try giveFiles(in: inner, former, path)
                continue
            }
            try give(level.fd, try Self.status(level.fd, path), former, path)
            if levels.count > 1, levels[levels.count - 2].fd < 0 {
                levels[levels.count - 2].fd = try Self.reopen(levels[levels.count - 2], above: level.fd, path)
            }
            levels.removeLast()
            close(level.fd)
        }
    }

    /// Takes a directory's descriptor among the levels; one that has been open for long is closed for it.
    private func begin(_ fd: Int32, _ levels: inout [Level], _ path: String) throws(Files.Failure) -> stat {
        var status = stat()
        guard fstat(fd, &status) == 0 else {
            let code = errno
            close(fd)
            throw Files.Failure(code: code, what: path)
        }
        levels.append(Level(fd: fd, device: status.st_dev, inode: status.st_ino, rest: []))
        let old = levels.count - 1 - Self.openMax
        if old >= 0, levels[old].fd >= 0 {
            close(levels[old].fd)
            levels[old].fd = -1
        }
        return status
    }

    /// The directory above another, if it is still the one from which that was entered.
    private static func reopen(_ level: Level, above fd: Int32, _ path: String) throws(Files.Failure) -> Int32 {
        let parent = openat(fd, "..", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard parent >= 0 else { throw Files.Failure(code: errno, what: path) }
        var status = stat()
        guard fstat(parent, &status) == 0, status.st_dev == level.device, status.st_ino == level.inode else {
            close(parent)
            throw Files.Failure(code: EAGAIN, what: "\(path): directories were moved meanwhile")
        }
        return parent
    }

    /// Gives all in a directory that is no directory; the names of those that are.
    private func giveFiles(
        in directory: Int32, _ former: (user: UInt32, group: UInt32), _ path: String
    ) throws(Files.Failure) -> [Name] {
        var directories: [Name] = []
        try FileName.each(in: directory, path) { name throws(Files.Failure) in
            // What is looked at is what is changed.
            let child = openat(directory, name, AGENTOS_O_PATH | O_NOFOLLOW | O_CLOEXEC)
            if child < 0, errno == ENOENT { return true }
            guard child >= 0 else { throw Files.Failure(code: errno, what: "\(path): \(FileName.text(name))") }
            defer { close(child) }
            let status = try Self.status(child, path)
            if status.st_mode & S_IFMT == S_IFDIR {
                directories.append(name)
            } else {
                try give(child, status, former, "\(path): \(FileName.text(name))")
            }
            return true
        }
        return directories
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

    private func give(
        _ fd: Int32, _ status: stat, _ former: (user: UInt32, group: UInt32), _ path: String
    ) throws(Files.Failure) {
        let type = status.st_mode & S_IFMT
        // A second name of a file of root's may be that of a file elsewhere.
        if former.user == 0, status.st_uid == 0, type != S_IFDIR, status.st_nlink > 1 { return }
        let newUser = status.st_uid == former.user ? user : status.st_uid
        let newGroup = isShared || status.st_gid == former.group ? group : status.st_gid
        if newUser != status.st_uid || newGroup != status.st_gid,
            fchownat(fd, "", newUser, newGroup, AGENTOS_AT_EMPTY_PATH) != 0
        {
            throw Files.Failure(code: errno, what: "giving \(path) to user \(user)")
        }
        guard isShared, type == S_IFDIR || type == S_IFREG else { return }
        let wanted = status.st_mode | (type == S_IFDIR ? Self.shared : 0o060)
        // Taking it away from its user has taken its special bits.
        if chmod("/proc/self/fd/\(fd)", wanted & 0o7777) != 0 {
            throw Files.Failure(code: errno, what: "the mode of \(path)")
        }
    }
}
