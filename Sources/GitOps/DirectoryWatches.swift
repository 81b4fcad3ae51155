import CLinux
import Glibc
import Machine
import Planner

/// Tells which Sources have something new in their directories (inotify(7)).
final class DirectoryWatches {
    /// The names in a directory that a Source looks at; nil: all of them.
    private typealias Names = Set<String>?

    private let inotify = agentos_inotify()
    /// Who looks at a directory, by watch descriptor.
    private var watchers: [Int32: [UID: Names]] = [:]
    private var watches: [UID: Set<Int32>] = [:]

    /// - Parameter changed: called on the loop's thread; all are named when changes were lost.
    init(_ events: EventLoop, changed: @escaping (Set<UID>) -> Void) {
        if inotify >= 0 { events.watch(inotify) { [unowned self] _ in changed(read()) } }
    }

    /// Watches directories, and single names in others, in place of what was watched before.
    func set(_ uid: UID, _ directories: [String], names: [Place]) {
        guard inotify >= 0 else { return }
        var found: Set<Int32> = []
        for watch in directories.compactMap(add) {
            found.insert(watch)
            watchers[watch, default: [:]][uid] = .some(nil)
        }
        for place in names {
            guard let watch = add(place.directory) else { continue }
            // All its names are looked at already, or some more.
            switch found.insert(watch).inserted ? nil : watchers[watch]?[uid] {
            case nil: watchers[watch, default: [:]][uid] = .some([place.name])
            case .some(.some(let others)): watchers[watch]?[uid] = .some(others.union([place.name]))
            case .some(nil): break
            }
        }
        for watch in watches[uid, default: []].subtracting(found) { remove(watch, uid) }
        watches[uid] = found
    }

    func remove(_ uid: UID) {
        for watch in watches.removeValue(forKey: uid) ?? [] { remove(watch, uid) }
    }

    /// Nil: it cannot be watched; the interval finds what is not told.
    private func add(_ directory: String) -> Int32? {
        let watch = agentos_inotify_add(inotify, directory)
        return watch >= 0 ? watch : nil
    }

    private func remove(_ watch: Int32, _ uid: UID) {
        watchers[watch]?[uid] = nil
        guard watchers[watch]?.isEmpty == true else { return }
        watchers[watch] = nil
        agentos_inotify_remove(inotify, watch)
    }

    private func read() -> Set<UID> {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        var changed: Set<UID> = []
        while true {
            let count = Glibc.read(inotify, &buffer, buffer.count)
            guard count > 0 else { return changed }
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
                at += 16 + length
                // Some were lost: all is looked at again.
                if mask & 0x4000 != 0 { changed.formUnion(watches.keys) }
                for (uid, names) in watchers[watch] ?? [:] where names?.contains(name) != false { changed.insert(uid) }
                if mask & 0x8000 != 0 { watchers[watch] = nil }  // the directory is gone
            }
        }
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
