import CLinux
import Glibc

/// Trees below directories that agents own. All steps go from one open directory to the next, never over a link, out of
/// the tree or onto another mount: what agents change meanwhile leads nowhere else.
package enum Tree {
    /// Directories that are open at the same time; what lies deeper is moved up before it is removed.
    private static let depthMax = 64
    /// Names that are read at once.
    private static let namesMax = 4096

    /// Removes a file or directory with all that is in it. Nothing is there afterwards, or it throws what is left.
    ///
    /// Assumes: only we write to the directory that it lies in. Caveat: takes its time; not for a loop's thread.
    package static func remove(_ path: String) throws(Files.Failure) {
        let (parent, name) = try open(directoryOf: path)
        defer { close(parent) }
        if unlinkat(parent, name, 0) == 0 || errno == ENOENT { return }
        guard errno == EISDIR || errno == EPERM else { throw Files.Failure(code: errno, what: path) }
        if unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT { return }
        let top = openInside(parent, name)
        guard top >= 0 else { throw Files.Failure(code: errno, what: path) }
        let failure = empty(top, path)
        close(top)
        if unlinkat(parent, name, AT_REMOVEDIR) != 0, errno != ENOENT {
            throw failure ?? Files.Failure(code: errno, what: path)
        }
    }

    private typealias Name = FileName.Bytes

    private struct Level {
        var fd: Int32
        var name: Name
        /// What cannot be removed, and is not tried again.
        var stuck: Set<Name> = []
    }

    /// Removes what is in a directory; the first thing that could not be.
    private static func empty(_ top: Int32, _ path: String) -> Files.Failure? {
        var levels = [Level(fd: top, name: [0])]
        var failure: Files.Failure?
        var moved = 0
        func stick(_ name: Name) {
            failure = failure ?? Files.Failure(code: errno, what: "\(path): \(FileName.text(name))")
            levels[levels.count - 1].stuck.insert(name)
        }
        while let level = levels.last {
            let names = names(level.fd, without: level.stuck)
            var descends = false
            for name in names {
                if unlinkat(level.fd, name, 0) == 0 || errno == ENOENT { continue }
                guard errno == EISDIR || errno == EPERM else {
                    stick(name)
                    continue
                }
                if unlinkat(level.fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT { continue }
                if levels.count == depthMax {
                    moved += 1
                    if renameat(level.fd, name, top, ".agentos-deep-\(moved)") != 0 { stick(name) }
                    continue
                }
                let fd = openInside(level.fd, name)
                guard fd >= 0 else {
                    stick(name)
                    continue
                }
                levels.append(Level(fd: fd, name: name))
                descends = true
                break
            }
            if descends || !names.isEmpty { continue }
            levels.removeLast()
            guard let parent = levels.last else { return failure }
            close(level.fd)
            if unlinkat(parent.fd, level.name, AT_REMOVEDIR) != 0, errno != ENOENT { stick(level.name) }
        }
        return failure
    }

    /// The directory that a path lies in, and its last name.
    private static func open(directoryOf path: String) throws(Files.Failure) -> (Int32, Name) {
        let parts = path.split(separator: "/")
        guard let name = parts.last, name != ".", name != ".." else { throw Files.Failure(code: EINVAL, what: path) }
        let start = path.hasPrefix("/") ? "/" : "."
        let parent = parts.count == 1 ? start : String(path[..<name.startIndex])
        let fd = Glibc.open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard fd >= 0 else { throw Files.Failure(code: errno, what: path) }
        return (fd, Array(String(name).utf8CString))
    }

    /// A directory in another, or -1. Those that their owner may not read are opened for that, where it is us.
    private static func openInside(_ parent: Int32, _ name: Name) -> Int32 {
        let fd = agentos_open_inside(parent, name)
        guard fd < 0, errno == EACCES, getuid() != 0 else { return fd }
        return fchmodat(parent, name, 0o700, 0) == 0 ? agentos_open_inside(parent, name) : -1
    }

    private static func names(_ directory: Int32, without stuck: Set<Name>) -> [Name] {
        var names: [Name] = []
        do throws(Files.Failure) {
            try FileName.each(in: directory) { name throws(Files.Failure) in
                if !stuck.contains(name) { names.append(name) }
                return names.count < namesMax
            }
        } catch {
            // What was read is removed; the directory that holds the rest then cannot be.
        }
        return names
    }
}
