import Glibc

/// Tells when somebody reads a file or lists a directory.
package final class Readers {
    private let fd: Int32

    package init(of path: String) {
        fd = inotify_init1(Int32(IN_NONBLOCK) | Int32(IN_CLOEXEC))
        inotify_add_watch(fd, path, UInt32(IN_ACCESS))
    }

    deinit { close(fd) }

    /// Somebody has read it since this was asked last.
    package var haveRead: Bool {
        var isRead = false
        var buffer = [UInt8](repeating: 0, count: 4096)
        while read(fd, &buffer, buffer.count) > 0 { isRead = true }
        return isRead
    }
}
