import Glibc
import Machine
import Planner

/// Tells which Sources have something new in their directories.
///
/// Watches are added where a Source is looked at, on another thread, and belong to it only afterwards: what is told of a
/// watch meanwhile is kept for those that come to have it.
final class DirectoryWatches {
    /// The names in a directory that a Source looks at; nil: all of them.
    private typealias Names = Set<String>?

    /// Watches that were added for one Source.
    struct Watched: Sendable {
        fileprivate var directories: [Int32] = []
        fileprivate var names: [(watch: Int32, name: String)] = []
    }

    struct Adder: Sendable {
        fileprivate let inotify: Inotify.Adder?

        /// Watches directories, and single names in others. What cannot be watched is found by the interval.
        func add(_ directories: [String], names: [Place]) -> Watched {
            guard let inotify else { return Watched() }
            return Watched(
                directories: directories.compactMap(inotify.add),
                names: names.compactMap { place in inotify.add(place.directory).map { ($0, place.name) } })
        }
    }

    private var inotify: Inotify?
    /// Who looks at a directory, by watch descriptor.
    private var watchers: [Int32: [UID: Names]] = [:]
    private var watches: [UID: Set<Int32>] = [:]
    private var looks = 0
    /// The watches that were told of since a look began.
    private var told: Set<Int32> = []

    /// - Parameter changed: called on the loop's thread; all are named when changes were lost.
    init(_ events: EventLoop, changed: @escaping (Set<UID>) -> Void) {
        inotify = Inotify(events) { [unowned self] told in changed(take(told)) }
    }

    /// For a look that begins; `endLook` follows.
    func beginLook() -> Adder {
        looks += 1
        return Adder(inotify: inotify?.adder)
    }

    func endLook() {
        looks -= 1
        if looks == 0 { told = [] }
    }

    /// Gives the watches of a look to its Source, in place of those it had. True when one of them has told something since.
    func set(_ uid: UID, _ new: Watched) -> Bool {
        let old = watches[uid, default: []]
        var found = Set(new.directories)
        for watch in found { watchers[watch, default: [:]][uid] = .some(nil) }
        for (watch, name) in new.names {
            // All its names are looked at already, or some more.
            switch found.insert(watch).inserted ? nil : watchers[watch]?[uid] {
            case nil: watchers[watch, default: [:]][uid] = .some([name])
            case .some(.some(let others)): watchers[watch]?[uid] = .some(others.union([name]))
            case .some(nil): break
            }
        }
        for watch in old.subtracting(found) { remove(watch, uid) }
        watches[uid] = found
        return !told.isDisjoint(with: found.subtracting(old))
    }

    func remove(_ uid: UID) {
        for watch in watches.removeValue(forKey: uid) ?? [] { remove(watch, uid) }
    }

    private func remove(_ watch: Int32, _ uid: UID) {
        watchers[watch]?[uid] = nil
        guard watchers[watch]?.isEmpty == true else { return }
        watchers[watch] = nil
        // A look that is under way may have been given the same one.
        if looks == 0 { inotify?.remove(watch) }
    }

    private func take(_ events: [Inotify.Event]) -> Set<UID> {
        var changed: Set<UID> = []
        for event in events {
            // Some were lost: all is looked at again.
            if event.isOverflow { changed.formUnion(watches.keys) }
            for (uid, names) in watchers[event.watch] ?? [:] where names?.contains(event.name) != false {
                changed.insert(uid)
            }
            if looks > 0, !event.isGone { told.insert(event.watch) }
            if event.isGone { watchers[event.watch] = nil }
        }
        return changed
    }

    /// A name in a directory.
    struct Place: Equatable {
        var directory: String
        var name: String
    }

    /// The links that a path goes through, and its last name: when one of them is another, the path leads elsewhere.
    static func turns(of path: String) -> [Place] {
        var found: [Place] = []
        var place = ""
        var rest = Array(path.split(separator: "/").reversed())
        while let name = rest.popLast(), found.count < 40 {
            if name == "." { continue }
            if name == ".." {
                place = place.lastIndex(of: "/").map { String(place[..<$0]) } ?? ""
                continue
            }
            let directory = place.isEmpty ? "/" : place
            var buffer = [UInt8](repeating: 0, count: Int(PATH_MAX))
            let count = buffer.withUnsafeMutableBytes {
                readlink("\(place)/\(name)", $0.baseAddress!.assumingMemoryBound(to: CChar.self), $0.count)
            }
            if count > 0 {
                found.append(Place(directory: directory, name: String(name)))
                let target = String(decoding: buffer[..<count], as: UTF8.self)
                if target.hasPrefix("/") { place = "" }
                rest += target.split(separator: "/").reversed()
            } else {
                if rest.isEmpty { found.append(Place(directory: directory, name: String(name))) }
                place += "/\(name)"
            }
        }
        return found
    }
}
