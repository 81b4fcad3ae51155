import HTTP
import Manifests
import Planner
import Reconciler
import Values

extension Server {
    /// `GET …/agents/NAME/log` and `…/pods/NAME-ORDINAL/log`: the log of a replica.
    func log(_ call: Call) {
        let (range, wanted): (LogRange, ReplicaName)
        do throws(Failure) {
            (range, wanted) = (try LogRange(call), try ReplicaName(call))
        } catch {
            return call.fail(error)
        }
        let (key, ordinal) = (wanted.agent, wanted.ordinal)
        if call.route.kind == nil, find(call) == nil { return call.fail(.notFound(call)) }
        guard let object = loop.engine.state.objects[key], let agent = object.agent else {
            return call.fail(.notFound(key))
        }
        let parameters = call.parameters
        guard let replica = agent.replicas.first(where: { $0.ordinal == ordinal }), replica.attempt > 0 else {
            let message = "replica \(ordinal) of agent \"\(key.name)\" has not run yet"
            return call.fail(Failure(code: 404, reason: "NotFound", message: message, key: key))
        }
        let runs = KeptRuns(loop, object.uid, replica)
        let numbered = parameters[Query.attempt].map { Int(clamping: $0) }
        let isPrevious = parameters.has(Query.previous)
        guard let attempt = numbered ?? (isPrevious ? runs.newest(below: runs.last) : runs.last),
            (1...replica.attempt).contains(attempt)
        else {
            let which = numbered.map { "run \($0); the last is \(replica.attempt)" } ?? "previous run"
            let message = "replica \(ordinal) of agent \"\(key.name)\" has no \(which)"
            return call.fail(Failure(code: 404, reason: "NotFound", message: message, key: key))
        }
        guard attempt == runs.last || runs.driver(of: attempt) != nil else {
            let message = "the log of run \(attempt) of replica \(ordinal) is not kept any more; \(runs.words)"
            return call.fail(Failure(code: 404, reason: "NotFound", message: message, key: key))
        }
        let request = LogRequest(
            run: runs.run(attempt), tail: parameters[Query.tailLines].map { Int($0) },
            follows: parameters.has(Query.follow) && attempt == runs.last)
        let driver = runs.driver(of: attempt) ?? (replica.phase.run?.spec ?? agent.effective.spec).driver
        guard let session = loop.logs(request, driver: driver) else {
            let message = "no driver \"\(driver)\" serves here"
            return call.fail(Failure(code: 404, reason: "NotFound", message: message, key: key))
        }
        let follower = LogFollower(
            server: self, call: call, key: key, request: request, session: session, range: range)
        let id = follower.number
        logFollowers[id] = follower
        call.exchange.onClose = { [weak self] in self?.logFollowers.removeValue(forKey: id)?.close() }
        guard call.startStream("text/plain", asText: false) else { return }
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
    private var request: LogRequest
    private var session: any LogSession
    private var lines: LogLines
    private let timestamps: Bool
    private var range: LogRange
    private var isReading = false
    /// For more of the run, or for the next one.
    private var isWaiting = false
    /// Something of the run was read.
    private var hasRead = false
    /// The run is over, and what it wrote is read once more.
    private var isLastLook = false

    private static let unreadBytesMax = 512 << 10
    private static let pieceBytes = 256 << 10
    private static let lookMs: Int64 = 100

    init(
        server: Server, call: Call, key: ObjectKey, request: LogRequest, session: any LogSession, range: LogRange
    ) {
        self.server = server
        self.request = request
        self.session = session
        number = server.nextStream()
        exchange = call.exchange
        self.key = key
        self.range = range
        timestamps = call.parameters.has(Query.timestamps)
        lines = LogLines(timestamps: timestamps)
        exchange.onDrain = { [unowned self] in pump() }
    }

    func close() { session.close() }

    func pump() {
        guard !isReading, !isWaiting, exchange.queuedBytes < Self.unreadBytesMax else { return }
        isReading = true
        session.next(bytesMax: Self.pieceBytes) { [results = server.logPieces, number] in results.send((number, $0)) }
    }

    /// Takes what was read; nil when this run writes nothing more.
    func take(_ records: [LogRecord]?) {
        isReading = false
        guard let records else { return finish() }
        hasRead = true
        var text: [UInt8] = []
        var bytes = 0
        for record in records {
            bytes += record.bytes.count
            if range.takes(record.time) { lines.add(record, into: &text) }
        }
        // A small piece is all that there is now: a prompt is shown although its line has not ended.
        if bytes < Self.pieceBytes / 2 { lines.flush(into: &text) }
        let wanted = range.cut(text)
        if !wanted.isEmpty { exchange.write(wanted) }
        if range.bytesLeft == 0 { return exchange.end() }
        pump()
    }

    private func finish() {
        var text: [UInt8] = []
        lines.flush(into: &text)
        let wanted = range.cut(text)
        if !wanted.isEmpty { exchange.write(wanted) }
        if request.follows { goOn() } else { exchange.end() }
    }

    /// With the next run, once there is one; not at all when there will be none.
    private func goOn() {
        guard server.logFollowers[number] != nil else { return }
        guard let object = server.loop.engine.state.objects[key], object.uid == request.run.uid,
            let agent = object.agent, let replica = agent.replicas.first(where: { $0.ordinal == request.run.ordinal })
        else { return exchange.end() }
        let isFollowed = replica.attempt > request.run.attempt
        let isOver = isFollowed || isEnd(replica.phase)
        if hasRead || isLastLook, isOver {
            guard isFollowed else { return exchange.end() }
            // One after the other: also what a run wrote that began and ended meanwhile.
            let runs = KeptRuns(server.loop, object.uid, replica)
            request.run = runs.run(runs.next(after: request.run.attempt))
            request.tail = nil
            (hasRead, isLastLook) = (false, false)
            return read(runs.driver(of: request.run.attempt) ?? agent.effective.spec.driver)
        }
        // A run of which nothing was read may have been asked for before it had a place to write to.
        if isOver {
            isLastLook = true
            return pump()
        }
        isWaiting = true
        server.loop.events.after(ms: Self.lookMs) { [weak self] in
            guard let self else { return }
            isWaiting = false
            if hasRead { goOn() } else { pump() }
        }
    }

    private func read(_ driver: String) {
        guard let next = server.loop.logs(request, driver: driver) else { return exchange.end() }
        session.close()
        session = next
        // The stamp of the next run's first line would stand in the last of this one.
        if timestamps, lines.isOpen { exchange.write([0x0a]) }
        lines = LogLines(timestamps: timestamps)
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
