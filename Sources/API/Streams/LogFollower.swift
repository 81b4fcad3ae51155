import HTTP
import Manifests
import Planner
import Reconciler
import Values

extension Server {
    func log(_ call: Call) {
        let key = call.key
        guard let object = loop.engine.state.objects[key], let agent = object.agent else {
            return call.fail(.notFound(key))
        }
        let parameters = call.parameters
        let ordinal = parameters[Query.ordinal].map { Int($0) } ?? 0
        guard let replica = agent.replicas.first(where: { $0.ordinal == ordinal }), replica.attempt > 0 else {
            let message = "replica \(ordinal) of agent \"\(key.name)\" has not run yet"
            return call.fail(Failure(code: 404, reason: "NotFound", message: message, key: key))
        }
        let isPrevious = parameters.has(Query.previous)
        let attempt = replica.attempt - (isPrevious ? 1 : 0)
        guard attempt > 0 else {
            let message = "replica \(ordinal) of agent \"\(key.name)\" has no previous run"
            return call.fail(Failure(code: 404, reason: "NotFound", message: message, key: key))
        }
        let run = RunID(uid: object.uid, ordinal: ordinal, attempt: attempt)
        let cursor = LogCursor(
            tail: parameters[Query.tailLines].map { Int($0) }, timestamps: parameters.has(Query.timestamps))
        let follower = LogFollower(
            server: self, call: call, run: run, cursor: cursor,
            follows: parameters.has(Query.follow) && !isPrevious)
        let id = follower.number
        logFollowers[id] = follower
        call.exchange.onClose = { [weak self] in self?.logFollowers[id] = nil }
        call.startStream("text/plain")
        follower.pump()
    }
}

/// One client's reading of a run's log; goes on with the next run when the agent is started again.
///
/// The log is pulled: a client that does not read stops the reading, and at most one piece is on its way.
final class LogFollower {
    let number: Int
    private unowned let server: Server
    private let exchange: Exchange
    private let key: ObjectKey
    private var run: RunID
    private var cursor: LogCursor
    private let follows: Bool
    private let timestamps: Bool
    private var isReading = false
    /// Nothing is added to the log of this run any more; the next end of it is the last.
    private var isOver = false

    private static let unreadBytesMax = 512 << 10
    private static let lookMs: Int64 = 100

    init(server: Server, call: Call, run: RunID, cursor: LogCursor, follows: Bool) {
        self.server = server
        number = server.nextStream()
        self.run = run
        self.cursor = cursor
        self.follows = follows
        exchange = call.exchange
        key = call.key
        timestamps = call.parameters.has(Query.timestamps)
        exchange.onDrain = { [unowned self] in pump() }
    }

    func pump() {
        guard !isReading, exchange.queuedBytes < Self.unreadBytesMax else { return }
        isReading = true
        let driver = server.loop.engine.state.objects[key]?.agent?.effective.spec.driver ?? "process"
        let id = number
        let (files, results) = (server.settings.logFiles, server.logPieces)
        server.files.run { [cursor, run] in results.send((id, cursor.next(files(driver, run)))) }
    }

    func take(_ piece: LogCursor.Piece) {
        isReading = false
        cursor = piece.cursor
        exchange.write(piece.bytes)
        if !piece.isAtEnd { return pump() }
        if !follows { return exchange.end() }
        if isOver { return goOn() }
        isOver = hasEnded
        if isOver { return pump() }
        server.loop.events.after(ms: Self.lookMs) { [weak self] in self?.pump() }
    }

    private var replica: Replica? {
        guard let object = server.loop.engine.state.objects[key], object.uid == run.uid else { return nil }
        return object.agent?.replicas.first { $0.ordinal == run.ordinal }
    }

    private var hasEnded: Bool {
        guard let replica else { return true }
        return replica.attempt > run.attempt || isEnd(replica.phase)
    }

    /// With the next run, or not at all.
    private func goOn() {
        guard let replica, replica.attempt > run.attempt else { return exchange.end() }
        run = RunID(uid: run.uid, ordinal: run.ordinal, attempt: replica.attempt)
        cursor = LogCursor(tail: nil, timestamps: timestamps)
        isOver = false
        pump()
    }

    private func isEnd(_ phase: Phase) -> Bool {
        switch phase {
        case .completed, .stopped: true
        case .failed(let run, let removed): removed && run.spec.restartPolicy == .never
        case .created, .scheduled, .starting, .ready, .backingOff, .stopping: false
        }
    }
}
