import Glibc
import Machine
import Planner
import Values

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

    /// Adds watches for one look.
    struct Adder: Sendable {
        fileprivate let look: Int
        fileprivate let inotify: Inotify.Adder?

        /// Watches directories, and single names in others. What cannot be watched is found by the interval.
        func add(_ directories: [String], names: [Place]) -> Watched {
            guard let inotify else { return Watched() }
            return Watched(
                directories: directories.prefix(Limits.watchedDirectoriesMax).compactMap(inotify.add),
                names: names.compactMap { place in inotify.add(place.directory).map { ($0, place.name) } })
        }
    }

    private var inotify: Inotify?
    /// Who looks at a directory, by watch descriptor.
    private var watchers: [Int32: [UID: Names]] = [:]
    private var watches: [UID: Set<Int32>] = [:]
    private var lastLook = 0
    /// The looks that are under way: what they are given becomes a Source's at their end.
    private var looks: Set<Int> = []
    /// The watches that told something, with the last look that had begun then.
    private var told: [Int32: Int] = [:]
    /// The watches that no Source has any more, with the last look that may have been given the same.
    private var unowned: [Int32: Int] = [:]

    /// - Parameter changed: called on the loop's thread; all are named when changes were lost.
    init(_ events: EventLoop, changed: @escaping (Set<UID>) -> Void) {
        inotify = Inotify(events) { [unowned self] told in changed(take(told)) }
    }

    /// For a look that begins; `endLook` follows, after its watches were given to its Source or dropped.
    func beginLook() -> Adder {
        lastLook += 1
        looks.insert(lastLook)
        return Adder(look: lastLook, inotify: inotify?.adder)
    }

    /// What was told during a look matters to nobody after it, and the kernel forgets the watches that nobody has.
    func endLook(_ adder: Adder) {
        looks.remove(adder.look)
        let oldest = looks.min() ?? .max
        told = told.filter { $0.value >= oldest }
        for (watch, last) in unowned where last < oldest {
            unowned[watch] = nil
            if watchers[watch] == nil { inotify?.remove(watch) }
        }
    }

    /// Gives the watches of a look to its Source, in place of those it had. True when one of them has told something since
    /// the look began.
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
        return found.subtracting(old).contains { told[$0] != nil }
    }

    /// Takes back the watches of a look whose Source has gone.
    func drop(_ new: Watched) {
        for watch in new.directories + new.names.map({ $0.watch }) where watchers[watch] == nil {
            unowned[watch] = lastLook
        }
    }

    func remove(_ uid: UID) {
        for watch in watches.removeValue(forKey: uid) ?? [] { remove(watch, uid) }
    }

    private func remove(_ watch: Int32, _ uid: UID) {
        watchers[watch]?[uid] = nil
        guard watchers[watch]?.isEmpty == true else { return }
        watchers[watch] = nil
        // A look that is under way may have been given the same one.
        if looks.isEmpty { inotify?.remove(watch) } else { unowned[watch] = lastLook }
    }

    private func take(_ events: [Inotify.Event]) -> Set<UID> {
        var changed: Set<UID> = []
        for event in events {
            // Some were lost: all is looked at again.
            if event.isOverflow { changed.formUnion(watches.keys) }
            for (uid, names) in watchers[event.watch] ?? [:] where names?.contains(event.name) != false {
                changed.insert(uid)
            }
            if !looks.isEmpty, !event.isGone { told[event.watch] = lastLook }
            if event.isGone {
                watchers[event.watch] = nil
                unowned[event.watch] = nil
            }
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
