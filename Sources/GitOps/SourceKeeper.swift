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
    /// How long what a Source no longer declares waits for the Sources that may declare it now.
    private static let handoverMs: Int64 = 15_000
    /// Until then all Sources of the store are known; clones of others are left from before.
    private static let sweepMs: Int64 = 5000

    private static let nothing = Look.failure("not read")

    /// All who are read because one of them has lost something that another may have now. What they have found is told
    /// together, so that an object is handed over and not deleted.
    private final class Round {
        /// Whose reading is not there yet.
        var open: Set<UID>
        /// Whose reading waits; the one that has lost something comes last.
        var held: [UID] = []
        var deadline: EventLoop.TimerID?

        init(_ open: Set<UID>) { self.open = open }
    }

    private let settings: SourceWatcher.Settings
    let paths: AllowedPaths
    let events: EventLoop
    let report: @Sendable (Input) -> Void
    private var sources: [UID: Watched] = [:]
    private var watches: DirectoryWatches?
    let looks: Looks
    private let removals: Removals
    private var round: Round?

    init(_ settings: SourceWatcher.Settings, _ events: EventLoop, _ report: @escaping @Sendable (Input) -> Void) {
        self.settings = settings
        self.events = events
        self.report = report
        paths = AllowedPaths(prefixes: settings.paths, option: "--source-path")
        looks = Looks(events)
        removals = Removals(name: "clones", events: events)
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
            if case .stuck = source.look { return send(source, Look.failure(lateness(of: source))) }
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
                supervisor: settings.supervisor, events: events
            ) { [unowned self] in discard($0) }
        }
        clone?.use(request.credentials)
        if let before = old?.clone, before !== clone { before.remove() }
        let source = Watched(
            request, DirectoryReader(settings.secrets, drivers: settings.drivers, isOurs: clone != nil), clone)
        // Whoever waits for the one before gets what this one finds.
        source.refreshes = old?.refreshes ?? []
        source.declared = old?.declared ?? []
        sources[request.uid] = source
        if clone == nil { read(source) } else { poll(source) }
    }

    private func stop(_ source: Watched) {
        for timer in [source.reading, source.again, source.poll] { if let timer { events.cancel(timer) } }
        source.held = nil
        watches?.remove(source.request.uid)
        for done in source.afterPoll { done() }
        source.afterPoll = []
        finishLook(source)
    }

    func isCurrent(_ source: Watched) -> Bool { sources[source.request.uid] === source }

    /// Removes clones of Sources that went while no daemon ran, and what of others was not removed to its end.
    private func sweep() {
        let wanted = Set(sources.keys.map(\.hex))
        for name in Files.names(in: clones) where !wanted.contains(name) { removals.remove("\(clones)/\(name)") }
    }

    private var clones: String { "\(settings.state)/sources" }

    /// Takes a clone away at once; its files are removed beside, however many they are.
    private func discard(_ directory: String) {
        removals.discard(directory, into: clones)
        rmdir(String(directory[..<(directory.lastIndex(of: "/") ?? directory.endIndex)]))  // another clone may be there
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

    func read(_ source: Watched) {
        guard isCurrent(source) else { return }
        for timer in [source.again, source.reading] { if let timer { events.cancel(timer) } }
        source.again = nil
        source.reading = nil
        let place: Look.Place
        if let git = source.request.spec.git, let clone = source.clone {
            guard let checkout = source.checkout else { return finishLook(source) }
            place = .clone(clone.tree, git, checkout)
        } else {
            place = .directory(source.request.spec.path ?? "", paths)
        }
        switch source.look {
        case .running: source.look = .running(again: true)
        case .stuck: finishLook(source)
        case nil: begin(source, place)
        }
    }

    private func begin(_ source: Watched, _ place: Look.Place) {
        guard let watches else { return }
        source.look = .running(again: false)
        source.changedAtMs = nil
        let adder = watches.beginLook()
        let look = Look(
            place: place, namespace: source.request.key.namespace, reader: source.reader, watches: adder,
            busySinceMs: source.busyAtMs, directories: source.directories)
        let path = source.clone == nil ? source.root ?? source.request.spec.path ?? "/" : clones
        looks.take(at: path) {
            look.take()
        } late: { [self] found in
            take(found, of: source)
            // What has changed since its deadline was told to nobody.
            if isCurrent(source) { touch(source) }
        } then: { [self] result in
            switch result {
            case .success(let found): take(found, of: source)
            case .failure(let failure): giveUp(source, failure)
            }
            watches.endLook(adder)
        }
    }

    private func take(_ found: Look.Found, of source: Watched) {
        let isAgain = if case .running(again: true) = source.look { true } else { false }
        source.look = nil
        guard isCurrent(source) else {
            if let watched = found.watched { watches?.drop(watched) }
            return finishLook(source)
        }
        source.reader = found.reader
        source.busyAtMs = found.busySinceMs
        source.directories = found.directories
        source.root = found.root ?? source.root
        let isNew = found.watched.map { watches?.set(source.request.uid, $0) == true } ?? false
        if let snapshot = found.snapshot {
            lookAgainLater(source, isWhole: snapshot.isWhole)
            tell(source, snapshot)
        } else {
            readAgain(source, after: found.againMs)
        }
        if isAgain || isNew { touch(source) }
        finishLook(source)
    }

    /// Its files do not answer: it says so, and the others go on.
    private func giveUp(_ source: Watched, _ failure: Looks.Failure) {
        switch failure {
        case .late: source.look = .stuck
        case .tooMany:
            source.look = nil
            lookAgainLater(source, isWhole: false)
        }
        if isCurrent(source) { tell(source, Look.failure(words(for: failure, source))) }
        finishLook(source)
    }

    func words(for failure: Looks.Failure, _ source: Watched) -> String {
        switch failure {
        case .late: lateness(of: source)
        case .tooMany:
            "\(source.place): its file system did not answer others within \(Limits.lookMsMax / 1000) s; is it on a "
                + "network that is gone? It is read when that answers"
        }
    }

    func lateness(of source: Watched) -> String {
        "\(source.place): its files did not answer within "
            + "\(Limits.lookMsMax / 1000) s; is it on a network that is gone? It is read again when they do"
    }

    private func lookAgainLater(_ source: Watched, isWhole: Bool) {
        let spec = source.request.spec
        let wait = isWhole || source.clone != nil ? spec.intervalMs : min(spec.intervalMs, 1000)
        source.again = events.after(ms: wait) { [unowned self] in read(source) }
    }

    private func finishLook(_ source: Watched) {
        let waiting = source.afterLook
        source.afterLook = []
        for done in waiting { done() }
    }

    // MARK: Telling

    /// Reports what was read. What a Source no longer declares may have moved to another one: the others are read first.
    func tell(_ source: Watched, _ snapshot: SourceSnapshot) {
        let uid = source.request.uid
        let keys = Set(snapshot.declared.map(\.key))
        let hasLost = snapshot.isWhole && !source.declared.isSubset(of: keys)
        if let round {
            guard hasLost || round.open.contains(uid) || source.held != nil else { return send(source, snapshot) }
            if source.held == nil { round.held.append(uid) }
            source.held = snapshot
            return
        }
        guard hasLost, sources.count > 1 else { return send(source, snapshot) }
        let others = sources.values.filter { other in
            other !== source && (other.clone == nil || other.request.spec.git?.url == source.request.spec.git?.url)
        }
        if others.isEmpty { return send(source, snapshot) }
        // It is held before the others are asked: they may answer at once, and that ends the round.
        source.held = snapshot
        let round = Round(Set(others.map(\.request.uid)))
        round.held.append(uid)
        begin(round, others.sorted { $0.request.uid < $1.request.uid })
    }

    private func begin(_ round: Round, _ others: [Watched]) {
        self.round = round
        round.deadline = events.after(ms: Self.handoverMs) { [unowned self] in end(round) }
        for other in others {
            let uid = other.request.uid
            let done = { [unowned self] in
                round.open.remove(uid)
                if round.open.isEmpty { end(round) }
            }
            if other.clone != nil {
                other.afterPoll.append {
                    if case .running = other.look { other.afterLook.append(done) } else { done() }
                }
                poll(other)
                continue
            }
            let again = { [unowned self] in
                other.afterLook.append(done)
                read(other)
            }
            // Whoever is being read may have passed the place that matters.
            if case .running = other.look { other.afterLook.append(again) } else { events.after(ms: 0, again) }
        }
    }

    private func end(_ round: Round) {
        guard self.round === round else { return }
        self.round = nil
        if let deadline = round.deadline { events.cancel(deadline) }
        // The one that has lost something first is the last to be told.
        for uid in round.held.dropFirst() + round.held.prefix(1) {
            guard let source = sources[uid], let held = source.held else { continue }
            source.held = nil
            send(source, held)
        }
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
}
