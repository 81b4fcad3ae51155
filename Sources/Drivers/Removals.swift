import Glibc
import Machine
import Values

/// Takes trees of files away at once; what is in them, which may be much, is removed on a thread beside.
final class Removals {
    private static let prefix = ".removed-"

    private let name: String
    private let events: EventLoop
    private let work: SideWork
    private var last = 0

    /// - Parameter name: of the driver: no two of a daemon have the same.
    init(name: String, events: EventLoop) {
        self.name = name
        self.events = events
        work = SideWork(name: "removals", events: events)
    }

    func discard(_ path: String) {
        guard let slash = path.lastIndex(of: "/") else { return }
        last += 1
        let aside = "\(path[..<slash])/\(Self.prefix)\(getpid())-\(name)-\(last)"
        let isAside = rename(path, aside) == 0
        if !isAside, errno == ENOENT { return }
        remove(isAside ? aside : path, triesLeft: Limits.removalTries)
    }

    /// What could not be removed, as for want of descriptors, is tried again later.
    private func remove(_ path: String, triesLeft: Int) {
        work.run { () -> Bool in
            do throws(Files.Failure) {
                try Tree.remove(path)
                return true
            } catch { return false }
        } then: { [self] (isGone: Bool) in
            guard !isGone, triesLeft > 0 else { return }
            events.after(ms: Limits.rereadMs) { [unowned self] in remove(path, triesLeft: triesLeft - 1) }
        }
    }

    /// Removes what a crash left of those that were taken away in directories.
    func sweep(_ directories: [String]) {
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
