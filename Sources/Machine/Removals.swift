import Glibc
import Values

/// Takes trees of files away at once; what is in them, which may be much, is removed on a thread beside.
package final class Removals {
    private static let prefix = ".removed-"

    private let name: String
    private let events: EventLoop
    private let work: SideWork
    private var last = 0

    /// - Parameter name: of its owner: no two of a daemon have the same.
    package init(name: String, events: EventLoop) {
        self.name = name
        self.events = events
        work = SideWork(name: "removals", events: events)
    }

    /// Nothing has this name any more when it returns, unless the file system refuses that.
    ///
    /// - Parameter directory: on the same file system, where it is meanwhile; nil: beside its place.
    package func discard(_ path: String, into directory: String? = nil) {
        guard let slash = path.lastIndex(of: "/") else { return }
        last += 1
        let aside = "\(directory ?? String(path[..<slash]))/\(Self.prefix)\(getpid())-\(name)-\(last)"
        let isAside = rename(path, aside) == 0
        if !isAside, errno == ENOENT { return }
        remove(isAside ? aside : path)
    }

    /// Removes a tree that nobody looks for any more. What could not be removed, as for want of descriptors, is tried again.
    package func remove(_ path: String, triesLeft: Int = Limits.removalTries) {
        work.run { () -> Bool in
            do throws(Files.Failure) {
                try Tree.remove(path)
                return true
            } catch { return false }
        } then: { [self] (isGone: Bool) in
            guard !isGone, triesLeft > 0 else { return }
            events.after(ms: Limits.removalPauseMs) { [unowned self] in remove(path, triesLeft: triesLeft - 1) }
        }
    }

    /// Removes what a crash left of those that were taken away in directories.
    package func sweep(_ directories: [String]) {
        for directory in directories {
            work.run {
                for name in Files.names(in: directory) where name.hasPrefix(Self.prefix) {
                    Files.removeTree("\(directory)/\(name)")
                }
            } then: { _ in
            }
        }
    }
}
