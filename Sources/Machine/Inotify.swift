import CLinux
import Glibc

/// What the kernel tells of changes in directories (inotify(7)).
package final class Inotify {
    package struct Event {
        package var watch: Int32
        package var name: String
        /// Some events were lost: anything may have changed.
        package var isOverflow: Bool
        /// Nothing more is told by this watch.
        package var isGone: Bool
    }

    /// Adds watches from another thread: to find a directory may take its time, or for ever.
    package struct Adder: Sendable {
        fileprivate let fd: Int32

        /// Watches all changes in a directory. Returns the watch, the same for the same directory; nil: it cannot be watched.
        package func add(_ directory: String) -> Int32? {
            let watch = agentos_inotify_add(fd, directory)
            return watch >= 0 ? watch : nil
        }
    }

    private let fd = agentos_inotify()
    package var adder: Adder { Adder(fd: fd) }

    /// - Parameter told: called on the loop's thread. Where the kernel has no more of these, nothing is ever told.
    package init(_ events: EventLoop, told: @escaping ([Event]) -> Void) {
        if fd >= 0 { events.watch(fd) { [unowned self] _ in told(read()) } }
    }

    package func add(_ directory: String) -> Int32? { adder.add(directory) }

    /// Watches only for what gets its name in a directory by a rename, as files do that are there whole or not at all.
    package func addRenames(_ directory: String) -> Int32? {
        let watch = inotify_add_watch(fd, directory, UInt32(IN_ONLYDIR) | UInt32(IN_MOVED_TO))
        return watch >= 0 ? watch : nil
    }

    package func remove(_ watch: Int32) { _ = agentos_inotify_remove(fd, watch) }

    private func read() -> [Event] {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        var events: [Event] = []
        while true {
            let count = Glibc.read(fd, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return events }
            var at = 0
            // struct inotify_event: descriptor, mask, cookie, length of the name, name.
            while at + 16 <= count {
                let (watch, mask, length) = buffer.withUnsafeBytes {
                    (
                        $0.loadUnaligned(fromByteOffset: at, as: Int32.self),
                        $0.loadUnaligned(fromByteOffset: at + 4, as: UInt32.self),
                        Int($0.loadUnaligned(fromByteOffset: at + 12, as: UInt32.self))
                    )
                }
                let name = String(decoding: buffer[at + 16..<at + 16 + length].prefix { $0 != 0 }, as: UTF8.self)
                events.append(
                    Event(
                        watch: watch, name: name, isOverflow: mask & UInt32(IN_Q_OVERFLOW) != 0,
                        isGone: mask & UInt32(IN_IGNORED) != 0))
                at += 16 + length
            }
        }
    }
}
