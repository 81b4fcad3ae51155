import CLinux
import Glibc
import Machine
import Manifests
public import Planner
public import Reconciler
import Values

/// Reads Sources on a thread of its own: at once when the kernel tells of a change, and at intervals whatever it tells.
public struct SourceWatcher: SourceReader {
    public struct Settings: Sendable {
        /// Directories below which a Source may name a path.
        public var paths: [String]
        /// Directories below which a Secret may name a file.
        public var secretPaths: [String]
        /// Variables of the daemon that a Secret may name.
        public var secretVariables: Set<String>
        /// The daemon's state directory: clones lie in `sources` below it.
        public var state: String
        /// Path of the program `agentos-supervise`.
        public var supervisor: String

        public init(
            paths: [String], secretPaths: [String], secretVariables: Set<String>, state: String, supervisor: String
        ) {
            self.paths = paths
            self.secretPaths = secretPaths
            self.secretVariables = secretVariables
            self.state = state
            self.supervisor = supervisor
        }
    }

    enum Message: Sendable {
        case watch(SourceRequest)
        case forget(UID)
        case refresh(UID, Refresh)
    }

    private let mailbox = Mailbox<Message>()

    /// Starts the thread. `report` gets what is declared.
    public init(_ settings: Settings, report: @escaping @Sendable (Input) -> Void) {
        let mailbox = mailbox
        startThread(name: "sources", stackBytes: 4 << 20) {
            let events = EventLoop()
            let keeper = SourceKeeper(settings, events, report)
            events.receive(mailbox) { messages in for message in messages { keeper.take(message) } }
            events.run()
        }
    }

    public func watch(_ request: SourceRequest) { mailbox.send(.watch(request)) }
    public func forget(_ uid: UID) { mailbox.send(.forget(uid)) }
    public func refresh(_ uid: UID, _ refresh: Refresh) { mailbox.send(.refresh(uid, refresh)) }
}

/// Does the work of `SourceWatcher` on its thread.
final class SourceKeeper {
    /// Quiet for so long means that a change is complete; but nobody waits longer than the second number.
    private static let settleMs: (quiet: Int64, most: Int64) = (20, 500)
    /// How long Git may hold its lock before the files are read all the same.
    private static let busyMs: Int64 = 30_000

    private static let nothing = SourceSnapshot(revision: "", declared: [], errors: ["not read"], isWhole: false)

    private final class Watched {
        var request: SourceRequest
        let reader: DirectoryReader
        let clone: GitClone?
        /// The commit that the clone has checked out.
        var commit: String?
        var reading: EventLoop.TimerID?
        var changedAtMs: Int64?
        var again: EventLoop.TimerID?
        var poll: EventLoop.TimerID?
        var isPolling = false
        var refreshes: [Refresh] = []
        var watches: Set<Int32> = []

        init(_ request: SourceRequest, _ reader: DirectoryReader, _ clone: GitClone?) {
            self.request = request
            self.reader = reader
            self.clone = clone
        }
    }

    private let settings: SourceWatcher.Settings
    private let paths: AllowedPaths
    private let events: EventLoop
    private let report: @Sendable (Input) -> Void
    private let inotify = agentos_inotify()
    private var sources: [UID: Watched] = [:]
    /// Sources by the watch descriptors of their directories.
    private var watchers: [Int32: Set<UID>] = [:]

    init(_ settings: SourceWatcher.Settings, _ events: EventLoop, _ report: @escaping @Sendable (Input) -> Void) {
        self.settings = settings
        self.events = events
        self.report = report
        paths = AllowedPaths(prefixes: settings.paths, option: "--source-path")
        if inotify >= 0 { events.watch(inotify) { [unowned self] _ in readEvents() } }
    }

    func take(_ message: SourceWatcher.Message) {
        switch message {
        case .watch(let request): watch(request)
        case .forget(let uid):
            guard let old = sources.removeValue(forKey: uid) else { return }
            stop(old)
            old.clone?.remove()
            for refresh in old.refreshes { report(.sourceRead(uid, Self.nothing, refresh)) }
        case .refresh(let uid, let refresh):
            guard let source = sources[uid] else { return report(.sourceRead(uid, Self.nothing, refresh)) }
            source.refreshes.append(refresh)
            if source.clone == nil { read(source) } else { poll(source) }
        }
    }

    private func watch(_ request: SourceRequest) {
        if let old = sources[request.uid] {
            let isSamePlace = old.request.spec.path == request.spec.path && old.request.spec.git == request.spec.git
            if isSamePlace, old.request.credentials == request.credentials {
                old.request = request
                return
            }
            stop(old)
        }
        let reader = DirectoryReader(
            DirectoryReader.Settings(
                secretFiles: AllowedPaths(prefixes: settings.secretPaths, option: "--secret-path"),
                secretVariables: settings.secretVariables))
        let clone = request.spec.git.map { git in
            // Another branch is another clone: a command of Git for the one before may still run.
            var hash = Hash()
            hash.add("\(git.url) \(git.branch)".utf8)
            return GitClone(
                git, directory: "\(settings.state)/sources/\(request.uid.hex)/\(hash.text)",
                credentials: request.credentials,
                allowed: paths, supervisor: settings.supervisor, events: events)
        }
        let source = Watched(request, reader, clone)
        // Whoever waits for the one before gets what this one finds.
        source.refreshes = sources[request.uid]?.refreshes ?? []
        sources[request.uid] = source
        if clone == nil { read(source) } else { poll(source) }
    }

    private func stop(_ source: Watched) {
        for timer in [source.reading, source.again, source.poll] { if let timer { events.cancel(timer) } }
        for watch in source.watches { unwatch(watch, source.request.uid) }
        source.watches = []
    }

    private func isCurrent(_ source: Watched) -> Bool { sources[source.request.uid] === source }

    // MARK: Changes

    private func readEvents() {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        var changed: Set<UID> = []
        while true {
            let count = Glibc.read(inotify, &buffer, buffer.count)
            guard count > 0 else { break }
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
                at += 16 + length
                // Some were lost: all is looked at again.
                if mask & 0x4000 != 0 { changed.formUnion(sources.keys) }
                changed.formUnion(watchers[watch] ?? [])
                if mask & 0x8000 != 0 { watchers[watch] = nil }  // the directory is gone
            }
        }
        for uid in changed { if let source = sources[uid] { touch(source) } }
    }

    /// Waits until it is quiet, and not for ever.
    private func touch(_ source: Watched) {
        let now = agentos_boot_ms()
        let first = source.changedAtMs ?? now
        source.changedAtMs = first
        if let timer = source.reading { events.cancel(timer) }
        let delay = min(Self.settleMs.quiet, max(0, first + Self.settleMs.most - now))
        source.reading = events.after(ms: delay) { [unowned self] in read(source) }
    }

    private func watchDirectories(_ source: Watched, _ directories: [String]) {
        guard inotify >= 0 else { return }
        var found: Set<Int32> = []
        for directory in directories {
            let watch = agentos_inotify_add(inotify, directory)
            guard watch >= 0 else { continue }  // the interval finds what is not told
            found.insert(watch)
            watchers[watch, default: []].insert(source.request.uid)
        }
        for watch in source.watches.subtracting(found) { unwatch(watch, source.request.uid) }
        source.watches = found
    }

    private func unwatch(_ watch: Int32, _ uid: UID) {
        watchers[watch]?.remove(uid)
        guard watchers[watch]?.isEmpty == true else { return }
        watchers[watch] = nil
        agentos_inotify_remove(inotify, watch)
    }

    // MARK: Reading

    private func read(_ source: Watched) {
        guard isCurrent(source) else { return }
        let uid = source.request.uid
        let spec = source.request.spec
        let namespace = source.request.key.namespace
        if let timer = source.again { events.cancel(timer) }
        source.again = nil
        source.reading = nil
        let snapshot: SourceSnapshot
        if let git = spec.git, let clone = source.clone {
            guard let commit = source.commit else { return }
            snapshot = source.reader.read(
                root: clone.tree(git.path), shown: git.path == "." ? git.url : "\(git.url)/\(git.path)",
                namespace: namespace, revision: "\(git.branch)@\(commit)")
            source.changedAtMs = nil
        } else {
            guard let found = readDirectory(source, spec.path ?? "", namespace) else { return }
            snapshot = found
        }
        let refreshes = source.refreshes
        source.refreshes = []
        for refresh in refreshes.isEmpty ? [nil] : refreshes.map(Optional.some) {
            report(.sourceRead(uid, snapshot, refresh))
        }
        let wait = snapshot.isWhole || source.clone != nil ? spec.intervalMs : min(spec.intervalMs, 1000)
        source.again = events.after(ms: wait) { [unowned self] in read(source) }
    }

    /// Nil while Git, or the writer of a file, works on it; then it is read a moment later.
    private func readDirectory(_ source: Watched, _ path: String, _ namespace: String) -> SourceSnapshot? {
        do throws(AllowedPaths.Problem) {
            let root = try paths.resolve(path)
            let workTree = GitWorkTree(containing: root)
            let now = agentos_boot_ms()
            if let workTree, workTree.isBusy, now - (source.changedAtMs ?? now) < Self.busyMs {
                source.changedAtMs = source.changedAtMs ?? now
                source.reading = events.after(ms: Self.settleMs.quiet) { [unowned self] in read(source) }
                return nil
            }
            source.changedAtMs = nil
            // First the watches, then the look: what changes in between is told. New directories are watched and looked
            // into once more.
            watchDirectories(source, [root] + source.reader.directories + (workTree.map { [$0.gitDirectory] } ?? []))
            var snapshot = source.reader.read(
                root: root, shown: path, namespace: namespace, revision: workTree?.revision)
            let found = [root] + source.reader.directories
            if !Set(found).isSubset(of: watchedPaths[source.request.uid] ?? []) {
                watchDirectories(source, found + (workTree.map { [$0.gitDirectory] } ?? []))
                snapshot = source.reader.read(
                    root: root, shown: path, namespace: namespace, revision: workTree?.revision)
            }
            watchedPaths[source.request.uid] = Set(found)
            if source.reader.unsettledMs > 0 {
                source.reading = events.after(ms: source.reader.unsettledMs) { [unowned self] in read(source) }
                return nil
            }
            return snapshot
        } catch {
            watchedPaths[source.request.uid] = nil
            source.changedAtMs = nil
            return SourceSnapshot(revision: "", declared: [], errors: [error.message], isWhole: false)
        }
    }

    private var watchedPaths: [UID: Set<String>] = [:]

    // MARK: Git

    private func poll(_ source: Watched) {
        guard isCurrent(source), let clone = source.clone, let git = source.request.spec.git, !source.isPolling else {
            return
        }
        source.isPolling = true
        if let timer = source.poll { events.cancel(timer) }
        clone.update { [unowned self] result in
            source.isPolling = false
            guard isCurrent(source) else { return }
            source.poll = events.after(ms: git.intervalMs) { [unowned self] in poll(source) }
            switch result {
            case .success(let commit):
                source.commit = commit
                read(source)
            case .failure(let problem):
                let snapshot = SourceSnapshot(revision: "", declared: [], errors: [problem.message], isWhole: false)
                let refreshes = source.refreshes
                source.refreshes = []
                for refresh in refreshes.isEmpty ? [nil] : refreshes.map(Optional.some) {
                    report(.sourceRead(source.request.uid, snapshot, refresh))
                }
            }
        }
    }
}
