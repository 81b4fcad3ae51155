import CLinux
import Glibc
import Machine
import Manifests
import Planner
import Reconciler
import Values

/// Does the work of `SourceWatcher` on its thread.
final class SourceKeeper {
    /// Quiet for so long means that a change is complete; but nobody waits longer than the second number.
    private static let settleMs: (quiet: Int64, most: Int64) = (20, 500)
    /// How long Git may hold its lock before that is told, and before the files are read all the same.
    private static let busyMs: (told: Int64, most: Int64) = (2000, 30_000)
    /// How long what a Source no longer declares waits for the Sources that may declare it now.
    private static let handoverMs: Int64 = 15_000
    /// Until then all Sources of the store are known; clones of others are left from before.
    private static let sweepMs: Int64 = 60_000

    private static let nothing = SourceSnapshot(revision: "", declared: [], errors: ["not read"], isWhole: false)

    /// One Source and what is under way for it.
    final class Watched {
        var request: SourceRequest
        let reader: DirectoryReader
        let clone: GitClone?
        /// What the clone has checked out.
        var checkout: GitClone.Checkout?
        var reading: EventLoop.TimerID?
        var changedAtMs: Int64?
        /// Since when Git works on the directory.
        var busyAtMs: Int64?
        var again: EventLoop.TimerID?
        var poll: EventLoop.TimerID?
        var isPolling = false
        /// Called when the poll that is under way has ended.
        var afterPoll: [() -> Void] = []
        var refreshes: [Refresh] = []
        /// Directories of the last reading.
        var directories: Set<String> = []
        /// What it declared when it was last reported.
        var declared: Set<ObjectKey> = []
        /// A reading that waits for other Sources.
        var held: (snapshot: SourceSnapshot, deadline: EventLoop.TimerID)?

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
    private var sources: [UID: Watched] = [:]
    private var watches: DirectoryWatches?
    private var isReadingOthers = false

    init(_ settings: SourceWatcher.Settings, _ events: EventLoop, _ report: @escaping @Sendable (Input) -> Void) {
        self.settings = settings
        self.events = events
        self.report = report
        paths = AllowedPaths(prefixes: settings.paths, option: "--source-path")
        watches = DirectoryWatches(events) { [unowned self] changed in
            for uid in changed { if let source = sources[uid] { touch(source) } }
        }
        events.after(ms: Self.sweepMs) { [unowned self] in sweep() }
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
        let old = sources[request.uid]
        if let old {
            let isSamePlace = old.request.spec.path == request.spec.path && old.request.spec.git == request.spec.git
            if isSamePlace, old.request.credentials == request.credentials {
                old.request = request
                return
            }
            stop(old)
        }
        let clone = request.spec.git.map { git in
            if let clone = old?.clone, clone.serves(git) { return clone }
            return GitClone(
                git, in: "\(settings.state)/sources/\(request.uid.hex)", credentials: request.credentials,
                allowed: paths, supervisor: settings.supervisor, events: events)
        }
        clone?.use(request.credentials)
        if let before = old?.clone, before !== clone { before.remove() }
        let secrets = SecretValues(
            files: AllowedPaths(prefixes: settings.secretPaths, option: "--secret-path"),
            variables: settings.secretVariables)
        let source = Watched(request, DirectoryReader(secrets, drivers: settings.drivers, isOurs: clone != nil), clone)
        // Whoever waits for the one before gets what this one finds.
        source.refreshes = old?.refreshes ?? []
        source.declared = old?.declared ?? []
        sources[request.uid] = source
        if clone == nil { read(source) } else { poll(source) }
    }

    private func stop(_ source: Watched) {
        for timer in [source.reading, source.again, source.poll, source.held?.deadline] {
            if let timer { events.cancel(timer) }
        }
        source.held = nil
        watches?.remove(source.request.uid)
    }

    private func isCurrent(_ source: Watched) -> Bool { sources[source.request.uid] === source }

    /// Removes clones of Sources that went while no daemon ran.
    private func sweep() {
        let wanted = Set(sources.keys.map(\.hex))
        for name in Files.names(in: "\(settings.state)/sources") where !wanted.contains(name) {
            Files.removeTree("\(settings.state)/sources/\(name)")
        }
    }

    /// Waits until it is quiet, and not for ever.
    private func touch(_ source: Watched) {
        let now = agentos_boot_ms()
        let first = source.changedAtMs ?? now
        source.changedAtMs = first
        readAgain(source, after: min(Self.settleMs.quiet, max(0, first + Self.settleMs.most - now)))
    }

    private func readAgain(_ source: Watched, after ms: Int64) {
        if let timer = source.reading { events.cancel(timer) }
        source.reading = events.after(ms: ms) { [unowned self] in read(source) }
    }

    // MARK: Reading

    private func read(_ source: Watched) {
        guard isCurrent(source) else { return }
        for timer in [source.again, source.reading] { if let timer { events.cancel(timer) } }
        source.again = nil
        source.reading = nil
        let spec = source.request.spec
        let snapshot: SourceSnapshot
        if let git = spec.git, let clone = source.clone {
            guard let checkout = source.checkout else { return }
            snapshot = readClone(source, git, clone, checkout)
            source.changedAtMs = nil
        } else {
            guard let found = readDirectory(source, spec.path ?? "") else { return }
            snapshot = found
        }
        let wait = snapshot.isWhole || source.clone != nil ? spec.intervalMs : min(spec.intervalMs, 1000)
        source.again = events.after(ms: wait) { [unowned self] in read(source) }
        tell(source, snapshot)
    }

    private func readClone(_ source: Watched, _ git: SourceSpec.Git, _ clone: GitClone, _ checkout: GitClone.Checkout)
        -> SourceSnapshot
    {
        do throws(AllowedPaths.Problem) {
            let root = try clone.tree(git.path)
            let prefix = git.path == "." ? "" : "\(git.path.split(separator: "/").joined(separator: "/"))/"
            if checkout.submodules.contains(String(prefix.dropLast())) {
                throw AllowedPaths.Problem(message: "\(git.url)/\(git.path): it is a submodule, which is not followed")
            }
            let submodules = checkout.submodules.filter { $0.hasPrefix(prefix) }.map {
                String($0.dropFirst(prefix.count))
            }
            return source.reader.read(
                root: root, shown: git.path == "." ? git.url : "\(git.url)/\(git.path)",
                namespace: source.request.key.namespace, revision: "\(git.branch)@\(checkout.commit)",
                submodules: Set(submodules))
        } catch {
            return Self.failure(error.message)
        }
    }

    private static func failure(_ why: String) -> SourceSnapshot {
        SourceSnapshot(revision: "", declared: [], errors: [why], isWhole: false)
    }

    /// Nil while Git, or the writer of a file, works on it; then it is read a moment later.
    private func readDirectory(_ source: Watched, _ path: String) -> SourceSnapshot? {
        let uid = source.request.uid
        do throws(AllowedPaths.Problem) {
            let root = try paths.resolve(path)
            let workTree = GitWorkTree(containing: root)
            let now = agentos_boot_ms()
            var busy: String?
            if let workTree, workTree.isBusy {
                let since = source.busyAtMs ?? now
                source.busyAtMs = since
                if now - since < Self.busyMs.told {
                    readAgain(source, after: Self.settleMs.quiet)
                    return nil
                }
                busy =
                    "\(workTree.gitDirectory)/index.lock: a command of Git works on the files; if none runs, one has left the lock: remove it"
                if now - since < Self.busyMs.most, let busy { return Self.failure(busy) }
            } else {
                source.busyAtMs = nil
            }
            source.changedAtMs = nil
            // First the watches, then the look: what changes in between is told. New directories are watched and looked
            // into once more.
            let others = workTree.map { [$0.gitDirectory] } ?? []
            let turns = DirectoryWatches.turns(of: path)
            func look() -> SourceSnapshot {
                watches?.set(uid, [root] + source.reader.directories + others, names: turns)
                return source.reader.read(
                    root: root, shown: path, namespace: source.request.key.namespace, revision: workTree?.revision,
                    submodules: workTree?.emptySubmodules(below: root) ?? [])
            }
            var snapshot = look()
            let found = Set([root] + source.reader.directories)
            if !found.isSubset(of: source.directories) {
                source.directories = found
                snapshot = look()
            }
            source.directories = Set([root] + source.reader.directories)
            if source.reader.unsettledMs > 0 {
                readAgain(source, after: source.reader.unsettledMs)
                return nil
            }
            if let busy {
                snapshot.errors.append(busy)
                snapshot.isWhole = false
            }
            return snapshot
        } catch {
            source.directories = []
            source.changedAtMs = nil
            watches?.set(uid, [], names: DirectoryWatches.turns(of: path))
            return Self.failure(error.message)
        }
    }

    // MARK: Telling

    /// Reports what was read. What a Source no longer declares may have moved to another one: the others are read first,
    /// so that an object is handed over and not deleted.
    private func tell(_ source: Watched, _ snapshot: SourceSnapshot) {
        let keys = Set(snapshot.declared.map(\.key))
        let hasLost = snapshot.isWhole && !source.declared.isSubset(of: keys)
        if let held = source.held {
            source.held = (snapshot, held.deadline)
            return
        }
        guard hasLost, !isReadingOthers, sources.count > 1 else { return send(source, snapshot) }
        isReadingOthers = true
        let others = sources.values.filter { $0 !== source }.sorted { $0.request.uid < $1.request.uid }
        for other in others where other.clone == nil { read(other) }
        isReadingOthers = false
        let clones = others.filter { other in
            other.clone != nil && other.request.spec.git?.url == source.request.spec.git?.url
        }
        if clones.isEmpty { return send(source, snapshot) }
        source.held = (snapshot, events.after(ms: Self.handoverMs) { [unowned self] in release(source) })
        var open = clones.count
        for other in clones {
            other.afterPoll.append { [unowned self] in
                open -= 1
                if open == 0 { release(source) }
            }
            poll(other)
        }
    }

    private func release(_ source: Watched) {
        guard let held = source.held else { return }
        events.cancel(held.deadline)
        source.held = nil
        if isCurrent(source) { send(source, held.snapshot) }
    }

    private func send(_ source: Watched, _ snapshot: SourceSnapshot) {
        if snapshot.isWhole { source.declared = Set(snapshot.declared.map(\.key)) }
        // Who asked waits for a reading that is complete.
        guard source.reader.hasSettled || !snapshot.errors.isEmpty else {
            return report(.sourceRead(source.request.uid, snapshot, nil))
        }
        let refreshes = source.refreshes
        source.refreshes = []
        for refresh in refreshes.isEmpty ? [nil] : refreshes.map(Optional.some) {
            report(.sourceRead(source.request.uid, snapshot, refresh))
        }
    }

    // MARK: Git

    private func poll(_ source: Watched) {
        guard isCurrent(source), let clone = source.clone, let git = source.request.spec.git, !source.isPolling else {
            return
        }
        if let timer = source.poll { events.cancel(timer) }
        // A poll of the specification before may still run.
        if clone.isUpdating {
            source.poll = events.after(ms: 200) { [unowned self] in poll(source) }
            return
        }
        source.isPolling = true
        clone.update(
            tell: { [unowned self] why in
                if isCurrent(source) { report(.sourceRead(source.request.uid, Self.failure(why), nil)) }
            },
            { [unowned self] result in
                source.isPolling = false
                let waiting = source.afterPoll
                source.afterPoll = []
                defer { for done in waiting { done() } }
                guard isCurrent(source) else { return }
                source.poll = events.after(ms: git.intervalMs) { [unowned self] in poll(source) }
                switch result {
                case .success(let checkout):
                    source.checkout = checkout
                    read(source)
                case .failure(let problem): send(source, Self.failure(problem.message))
                }
            })
    }
}
