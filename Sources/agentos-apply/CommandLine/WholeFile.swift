import CLinux
import Glibc
import Machine

/// A file of this machine that is there whole or not at all, whatever ends this program before.
///
/// Guarantee: until `keep` the target is as it was, and what was written has no name; where the file system knows no
/// files without names, a signal that can be caught removes it. It is nobody else's (mode 0600) unless `fd` is changed.
final class WholeFile {
    let fd: Int32
    private let target: String
    /// Beside the target; the name that it has while it is not whole, or for a moment while it takes another's place.
    private var temporary: String { "\(target).part-\(getpid())" }
    private let isNamed: Bool

    init(_ target: String) throws {
        self.target = target
        let nameless = agentos_open_nameless(Files.directory(of: target))
        isNamed = nameless < 0
        if nameless >= 0 {
            fd = nameless
            return
        }
        Self.sweep(target)
        let temporary = "\(target).part-\(getpid())"
        agentos_remove_when_killed(temporary)
        fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard fd >= 0 else { throw Self.unwritable(target) }
    }

    /// Removes what programs that were killed have left beside the target. One of another machine, on a file system that
    /// both use, has a number that means nothing here: only what is a day old is taken for left.
    private static func sweep(_ target: String) {
        let directory = Files.directory(of: target)
        let prefix = "\(target.split(separator: "/").last.map(String.init) ?? target).part-"
        for name in Files.names(in: directory) {
            guard name.hasPrefix(prefix), let pid = pid_t(name.dropFirst(prefix.count)), pid > 1 else { continue }
            var status = stat()
            if kill(pid, 0) != 0, errno == ESRCH, stat("\(directory)/\(name)", &status) == 0,
                time(nil) - status.st_mtim.tv_sec > 86_400
            {
                unlink("\(directory)/\(name)")
            }
        }
    }

    deinit {
        if isNamed { unlink(temporary) }
        agentos_remove_when_killed(nil)
        close(fd)
    }

    /// Puts it in the place of what is there.
    func keep() throws {
        if !isNamed {
            if agentos_name_file(fd, target) == 0 { return }
            guard errno == EEXIST else { throw Self.unwritable(target) }
            agentos_remove_when_killed(temporary)
            guard agentos_name_file(fd, temporary) == 0 else { throw Self.unwritable(target) }
        }
        guard rename(temporary, target) == 0 else {
            let problem = Self.unwritable(target)
            unlink(temporary)
            throw problem
        }
    }

    static func unwritable(_ path: String) -> CommandProblem {
        CommandProblem(.failure, "\(path): cannot be written: \(String(cString: strerror(errno)))")
    }
}
