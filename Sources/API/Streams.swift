import CLinux
import Glibc
import HTTP
import Manifests
import Planner
import Reconciler
import Values

/// One client's watch of a collection.
final class Watch {
    private unowned let server: Server
    private let exchange: Exchange
    private let kind: Kind
    private let namespace: String?
    private let selector: Selector
    /// Names that the client believes to exist: needed to tell leaving the selector from never being in it.
    private var known: Set<UID> = []

    init(server: Server, exchange: Exchange, kind: Kind, namespace: String?, selector: Selector) {
        self.server = server
        self.exchange = exchange
        self.kind = kind
        self.namespace = namespace
        self.selector = selector
    }

    func start(from version: String?) {
        exchange.startStream("application/json")
        let state = server.loop.engine.state
        guard let version, let from = Int64(version), from > 0 else {
            for object in state.list(kind, namespace: namespace) where selector.matches(object) {
                send("ADDED", object)
            }
            return
        }
        guard from >= state.ringStart, from <= state.resourceVersion else { return expire() }
        // What matched then is what matches now, less what came and plus what went since.
        let since = state.ring.filter { $0.resourceVersion > from }
        let touched = Set(since.map(\.object.uid))
        known = Set(
            state.list(kind, namespace: namespace).filter { selector.matches($0) && !touched.contains($0.uid) }.map(
                \.uid))
        for event in since where event.change != .added { known.insert(event.object.uid) }
        push(since)
    }

    private func expire() {
        exchange.write(
            line(
                "ERROR",
                .map([
                    ("kind", "Status"), ("apiVersion", "v1"), ("metadata", .emptyMap), ("status", "Failure"),
                    ("message", "the resourceVersion is not held any more; list again"), ("reason", "Expired"),
                    ("code", 410),
                ])))
        exchange.end()
    }

    func push(_ events: [WatchEvent]) {
        for event in events where event.object.key.kind == kind {
            guard namespace == nil || event.object.key.namespace == namespace else { continue }
            let isIn = event.change != .deleted && selector.matches(event.object)
            let wasIn = known.contains(event.object.uid)
            if isIn {
                send(wasIn ? "MODIFIED" : "ADDED", event.object)
            } else if wasIn {
                known.remove(event.object.uid)
                exchange.write(line("DELETED", server.shown(event.object, secrets: false)))
            }
        }
        // A client that does not read is let go; it can list again.
        if exchange.queuedBytes > Limits.watchQueueBytesMax { exchange.end() }
    }

    private func send(_ type: String, _ object: StoredObject) {
        known.insert(object.uid)
        exchange.write(line(type, server.shown(object, secrets: false)))
    }

    private func line(_ type: String, _ object: Node) -> [UInt8] {
        JSONWriter.bytes(.map([("type", .text(type)), ("object", object)])) + [0x0a]
    }
}

/// One client's reading of the event journal.
final class EventFollower {
    private unowned let server: Server
    private let exchange: Exchange
    private var offset: Int64
    private let afterPosition: Int64
    private let follows: Bool
    private let namespace: String?
    private var isWaiting = false

    init(server: Server, exchange: Exchange, offset: Int64, afterPosition: Int64, follows: Bool, namespace: String?) {
        self.server = server
        self.exchange = exchange
        self.offset = offset
        self.afterPosition = afterPosition
        self.follows = follows
        self.namespace = namespace
    }

    /// Sends what there is, as `{"offset": N, "event": {…}}` lines.
    func pump() {
        // Back-pressure: a slow reader finds the rest in the journal later.
        while exchange.queuedBytes < Limits.watchQueueBytesMax {
            let lines = server.eventLog.read(from: offset, limit: 1000)
            for event in lines {
                offset = event.nextOffset
                if event.position <= afterPosition { continue }
                if let namespace, JSONReader.read(event.text)?["tenant_id"]?.string != namespace { continue }
                exchange.write(Array("{\"offset\":\(offset),\"event\":\(event.text)}\n".utf8))
            }
            if lines.isEmpty {
                if !follows { exchange.end() }
                return
            }
        }
        if isWaiting { return }
        isWaiting = true
        server.loop.events.after(ms: 50) { [weak self] in
            self?.isWaiting = false
            self?.pump()
        }
    }
}

/// One client's reading of a run's log; follows into the next run when the agent is started again.
final class LogFollower {
    private unowned let server: Server
    private let exchange: Exchange
    private let key: ObjectKey
    private let ordinal: Int
    private var run: RunID
    private var fd: Int32 = -1
    private var inode: UInt64 = 0
    private var partial: [UInt8] = []
    private let timestamps: Bool

    init(server: Server, exchange: Exchange, key: ObjectKey, run: RunID, timestamps: Bool) {
        self.server = server
        self.exchange = exchange
        self.key = key
        self.run = run
        ordinal = run.ordinal
        self.timestamps = timestamps
    }

    deinit { if fd >= 0 { close(fd) } }

    private var files: [String] {
        server.settings.logFiles(server.loop.engine.state.objects[key]?.agent?.effective.spec.driver ?? "process", run)
    }

    /// Sends what there is, of the last `tail` lines if given; then ends, or goes on as the log grows.
    func start(tail: Int?, follows: Bool) {
        var lines: [ArraySlice<UInt8>] = []
        let all = files
        for file in all { lines += read(file).split(separator: 0x0a) }
        if let last = all.last {
            open(last)
            lseek(fd, 0, SEEK_END)
        }
        for line in lines.suffix(tail ?? lines.count) { write(line) }
        if follows { poll() } else { exchange.end() }
    }

    private func open(_ path: String) {
        if fd >= 0 { close(fd) }
        fd = Glibc.open(path, O_RDONLY | O_CLOEXEC)
        var status = stat()
        if fd >= 0, fstat(fd, &status) == 0 { inode = UInt64(status.st_ino) }
    }

    private func read(_ path: String) -> [UInt8] {
        let fd = Glibc.open(path, O_RDONLY | O_CLOEXEC)
        guard fd >= 0 else { return [] }
        defer { close(fd) }
        return readAll(fd)
    }

    private func readAll(_ fd: Int32) -> [UInt8] {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = Glibc.read(fd, &chunk, chunk.count)
            guard count > 0 else { return bytes }
            bytes += chunk[..<count]
        }
    }

    /// Looks for growth while somebody follows; a follower that is gone ends this.
    private func poll() {
        guard server.logFollowers[ObjectIdentifier(self)] != nil else { return }
        if exchange.isHungUp { return exchange.end() }
        if fd >= 0 { take(readAll(fd)) }
        if let last = files.last {
            var status = stat()
            if stat(last, &status) == 0, UInt64(status.st_ino) != inode || fd < 0 {
                open(last)
                take(readAll(fd))
            }
        }
        guard let agent = server.loop.engine.state.objects[key]?.agent else { return exchange.end() }
        if let replica = agent.replicas.first(where: { $0.ordinal == ordinal }) {
            if replica.attempt > run.attempt {
                run = RunID(uid: run.uid, ordinal: ordinal, attempt: replica.attempt)
            } else if !replica.phase.isLive, isOver(replica.phase) {
                return exchange.end()
            }
        }
        server.loop.events.after(ms: 100) { [weak self] in self?.poll() }
    }

    private func isOver(_ phase: Phase) -> Bool {
        switch phase {
        case .completed, .stopped: true
        case .failed(let run, let removed): removed && run.spec.restartPolicy == .never
        case .created, .scheduled, .starting, .ready, .backingOff, .stopping: false
        }
    }

    private func take(_ bytes: [UInt8]) {
        partial += bytes
        guard let end = partial.lastIndex(of: 0x0a) else { return }
        for line in partial[..<end].split(separator: 0x0a) { write(line) }
        partial = Array(partial[(end + 1)...])
    }

    /// `2026-… stdout F text`: the text alone unless timestamps are asked for; a partial line has no line end.
    private func write(_ line: ArraySlice<UInt8>) {
        let parts = line.split(separator: 0x20, maxSplits: 3, omittingEmptySubsequences: false)
        guard parts.count == 4 else { return }
        var out: [UInt8] = timestamps ? Array(parts[0]) + [0x20] : []
        out += parts[3]
        if parts[2].first == UInt8(ascii: "F") { out.append(0x0a) }
        exchange.write(out)
    }
}
