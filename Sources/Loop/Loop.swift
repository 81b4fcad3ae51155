import CLinux
public import Machine
import Manifests
public import Planner
public import Reconciler
import Synchronization
public import Values

/// Drives the engine: inputs in, one transaction, effects out. All of it runs on the thread of its event loop.
public final class Loop {
    public private(set) var engine: Engine
    /// What is committed, for readers.
    public private(set) var published: PublishedState
    public let events: EventLoop
    /// Called after each commit with the changes that it made visible.
    public var onCommit: ([PublishedChange]) -> Void = { _ in }
    /// Called when more events have reached the sink.
    public var onPublished: () -> Void = {}
    /// Called once when the store cannot be used any more.
    public var onFatal: (String) -> Void = { _ in }
    public var log: (StaticString, [(String, String)]) -> Void = { _, _ in }
    public private(set) var counters = Counters()
    /// Why the last commit failed; nil when the store works.
    public private(set) var storeProblem: String?

    public struct Counters: Sendable {
        public var steps = 0
        public var commits = 0
        public var commitFailures = 0
        public var operations = 0
        public var published = 0
    }

    private let store: any Store
    private let sink: any EventSink
    private let drivers: [String: any Driver]
    private let prober: (any Prober)?
    private let sources: (any SourceReader)?
    private var watched: [UID: SourceRequest] = [:]
    private var refreshes: [Int: () -> Void] = [:]
    private var probed: [UID: Set<RunID>] = [:]
    private let clock: any Clock
    private let storeThread = Worker(name: "store")
    private let sinkThread = Worker(name: "sink")
    private let replies = Replies()
    private let inbox: Mailbox<Input>
    private let commits = Mailbox<CommitOutcome>()
    private let reports = Mailbox<(operation: Int, result: OperationResult)>()

    private var pending: [Input] = []
    private var committing: Step?
    /// From the fetching of a batch until its verdicts are committed: nothing is handed to the sink twice meanwhile.
    private var publishing = false
    private var answers: [Int: (Answer) -> Void] = [:]
    private var nextRequest = 0
    private var inFlight: [Int: (operation: Operation, timer: EventLoop.TimerID)] = [:]
    private var wake: (timer: EventLoop.TimerID, at: Int64)?
    private var stopped: (() -> Void)?

    private enum CommitOutcome: Sendable {
        case committed
        case failed(StoreFailure)
        case publishFailed(StoreFailure)
    }

    /// - Parameter inbox: what drivers, prober and sources report to; they are made first, so it is there before.
    public init(
        engine: Engine, store: any Store, sink: any EventSink, inbox: Mailbox<Input>, drivers: [any Driver],
        prober: (any Prober)? = nil, sources: (any SourceReader)? = nil, clock: any Clock,
        events: EventLoop
    ) {
        self.engine = engine
        published = PublishedState(engine.state)
        self.store = store
        self.sink = sink
        self.inbox = inbox
        self.drivers = Dictionary(drivers.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        self.prober = prober
        self.sources = sources
        self.clock = clock
        self.events = events
    }

    public func start() {
        replies.start(on: events)
        events.receive(inbox) { [unowned self] inputs in
            pending += inputs
            pump()
        }
        events.receive(commits) { [unowned self] outcomes in outcomes.forEach(finish) }
        events.receive(reports) { [unowned self] reports in
            for report in reports { finishOperation(report.operation, report.result) }
            pump()
        }
        for uid in engine.state.tombstones.sorted() { forget(uid) }
        for object in engine.state.objects.values { probe(object.uid, object.agent) }
        watchSources()
        resync()
        trim()
    }

    /// Takes a request; `answer` is called after the commit. Back-pressure: a full inbox refuses.
    public func submit(actor: Principal, _ verb: Request.Verb, answer: @escaping (Answer) -> Void) {
        guard pending.count < Limits.inboxMax, stopped == nil else { return answer(.failure(.unavailable)) }
        nextRequest += 1
        answers[nextRequest] = answer
        pending.append(.request(Request(id: nextRequest, principal: actor, verb: verb)))
        pump()
    }

    /// Runs a command beside an agent; `report` is called once, on any thread.
    public func execute(
        _ execution: Execution, driver: String, report: @escaping @Sendable (ExecutionResult) -> Void
    ) {
        guard let driver = drivers[driver] else { return report(.failed("no driver \"\(driver)\" serves here")) }
        driver.execute(execution, report: report)
    }

    /// Runs a command beside an agent with the streams of a caller; nil when no such driver serves here.
    public func open(_ execution: Execution, driver: String) -> (any CommandSession)? {
        drivers[driver]?.open(execution)
    }

    /// What a run has written; nil when no such driver serves here.
    public func logs(_ request: LogRequest, driver: String) -> (any LogSession)? { drivers[driver]?.logs(request) }

    /// Measures all runs that are live, or those of a namespace; `done` is called once on this loop.
    public func measure(namespace: String?, _ done: @escaping ([(RunID, ObjectKey, RunUsage)]) -> Void) {
        var runs: [String: [RunID]] = [:]
        var keys: [RunID: ObjectKey] = [:]
        for object in engine.state.list(.agent, namespace: namespace) {
            for replica in object.agent?.replicas ?? [] where replica.phase.isLive {
                guard let run = replica.phase.run, run.pid != nil else { continue }
                runs[run.spec.driver, default: []].append(run.id)
                keys[run.id] = object.key
            }
        }
        let asked = runs.filter { drivers[$0.key] != nil }
        if asked.isEmpty { return done([]) }
        var (left, found) = (asked.count, [(RunID, ObjectKey, RunUsage)]())
        func finish() {
            left = 0
            done(found.sorted { ($0.1, $0.0) < ($1.1, $1.0) })
        }
        // A driver that does not answer in time is left out.
        let timer = events.after(ms: Self.measureMs) { if left > 0 { finish() } }
        let report = replies.ask { [events] (usages: [RunID: RunUsage]) in
            guard left > 0 else { return false }
            left -= 1
            for (run, usage) in usages { if let key = keys[run] { found.append((run, key, usage)) } }
            guard left == 0 else { return true }
            events.cancel(timer)
            finish()
            return false
        }
        for (driver, runs) in asked { drivers[driver]?.measure(runs, report: report) }
    }

    private static let measureMs: Int64 = 10_000

    /// Reads a Source now; `done` is called when what was found is committed.
    public func refresh(_ uid: UID, force: Bool, actor: Principal, done: @escaping () -> Void) {
        guard let sources, watched[uid] != nil else { return done() }
        nextRequest += 1
        refreshes[nextRequest] = done
        sources.refresh(uid, Refresh(number: nextRequest, principal: actor, force: force))
    }

    /// What the next sync of a Source does; nil while nothing was read yet.
    public func preview(_ key: ObjectKey) -> Preview? { engine.preview(key, clock.now()) }

    /// Tells the reader which Sources there are, and what has changed of them.
    private func watchSources() {
        guard let sources else { return }
        var requests: [UID: SourceRequest] = [:]
        for object in engine.state.list(.source, namespace: nil) where object.deletion == nil {
            let spec = SourceSpec(object.content["spec"] ?? .emptyMap)
            if spec.suspend { continue }
            let secret = spec.git?.secret.flatMap {
                engine.state.objects[ObjectKey(.secret, namespace: object.key.namespace, name: $0)]
            }
            let credentials = (secret?.content["data"]?.stringMap ?? [:]).mapValues { Base64.decode($0) ?? [] }
            requests[object.uid] = SourceRequest(
                uid: object.uid, key: object.key, spec: spec, credentials: credentials)
        }
        for uid in watched.keys where requests[uid] == nil { sources.forget(uid) }
        for (uid, request) in requests where watched[uid] != request { sources.watch(request) }
        watched = requests
    }

    /// Takes nothing new, lets the running commit end, then calls `done`. Agents run on.
    public func stop(_ done: @escaping () -> Void) {
        stopped = done
        if committing == nil { finishStop() }
    }

    private func finishStop() {
        guard let done = stopped else { return }
        read { store in
            store.finish()
        } _: { _ in
            done()
        }
    }

    private func resync() {
        for driver in drivers.values { driver.observe() }
        events.after(ms: Int64(Limits.resyncMs)) { [unowned self] in resync() }
    }

    private func trim() {
        let now = clock.now().wallMs
        storeThread.run { [store] in try? store.trim(nowMs: now) }  // tried again later
        let offset = engine.leastAcknowledgedOffset ?? .max
        sinkThread.run { [sink, inbox] in inbox.send(.retained(from: sink.retain(from: offset, nowMs: now))) }
        events.after(ms: Int64(Limits.trimMs)) { [unowned self] in trim() }
    }

    // MARK: Steps

    private func pump() {
        while committing == nil, stopped == nil {
            let now = clock.now()
            let isDue = engine.nextWakeBootMs().map { $0 <= now.bootMs } ?? false
            guard !pending.isEmpty || !engine.isIdle || isDue else { break }
            let inputs = Array(pending.prefix(Limits.stepInputsMax))
            pending.removeFirst(inputs.count)
            counters.steps += 1
            let step = engine.step(inputs, now)
            if step.changes.isEmpty {
                release(step)
            } else {
                committing = step
                let changes = step.changes
                storeThread.run { [store, commits] in
                    do throws(StoreFailure) {
                        try store.commit(changes)
                        commits.send(.committed)
                    } catch {
                        commits.send(.failed(error))
                    }
                }
            }
        }
        setWake()
    }

    private func finish(_ outcome: CommitOutcome) {
        switch outcome {
        case .committed:
            guard let step = committing else { return }
            committing = nil
            counters.commits += 1
            if storeProblem != nil { log("store works again", []) }
            storeProblem = nil
            release(step)
        case .failed(.fatal(let why)), .publishFailed(.fatal(let why)):
            onFatal(why)
        case .failed(.retry(let why)):
            guard let step = committing else { return }
            committing = nil
            counters.commitFailures += 1
            if storeProblem == nil { log("commit failed; nothing was changed", [("error", why)]) }
            storeProblem = why
            let again = engine.failed(step)
            for (id, _) in step.answers { answers.removeValue(forKey: id)?(.failure(.unavailable)) }
            if stopped != nil { return finishStop() }
            // The inputs wait a moment outside the inbox, so that a full disk does not spin.
            events.after(ms: 500) { [unowned self] in
                pending = again + pending
                pump()
            }
            return
        case .publishFailed(.retry):
            publishing = false
            events.after(ms: 500) { [unowned self] in publish(fresh: []) }
        }
        if stopped != nil { return finishStop() }
        pump()
    }

    private func release(_ step: Step) {
        let shown = published.supersede(step, engine.state)
        engine.committed(step)
        let changes = published.take(step, shown, engine.state)
        for (id, answer) in step.answers { answers.removeValue(forKey: id)?(answer) }
        for number in step.refreshes { refreshes.removeValue(forKey: number)?() }
        for operation in step.operations { perform(operation) }
        for write in step.changes.objects { probe(write.object.uid, write.object.agent) }
        for removed in step.changes.removed { probe(removed.uid, nil) }
        for uid in step.changes.tombstones { forget(uid) }
        if step.watch.contains(where: { $0.object.key.kind == .source || $0.object.key.kind == .secret }) {
            watchSources()
        }
        if !changes.isEmpty { onCommit(changes) }
        if step.tellsDelivery { publishing = false }
        publish(fresh: step.changes.events)
    }

    private func setWake() {
        guard committing == nil else { return }
        let retry = publishing ? nil : engine.nextRetryBootMs.map { max($0, agentos_boot_ms() + 10) }
        guard let at = [engine.nextWakeBootMs(), retry].compactMap(\.self).min() else { return }
        if let wake {
            if wake.at == at { return }
            events.cancel(wake.timer)
        }
        let timer = events.after(ms: at - agentos_boot_ms()) { [unowned self] in
            wake = nil
            publish(fresh: [])
            pump()
        }
        wake = (timer, at)
    }

    // MARK: Effects

    private func perform(_ operation: Operation) {
        guard let driver = drivers[operation.driver] else {
            return inbox.send(.finished(operation, .failed("no driver \(operation.driver)")))
        }
        counters.operations += 1
        let number = operation.number
        let deadlineMs: Int64 = operation.kind == .start ? Int64(Limits.startDeadlineMs) : 15_000
        let timer = events.after(ms: deadlineMs) { [unowned self] in
            finishOperation(number, .failed("timed out after \(deadlineMs) ms"))
            pump()
        }
        inFlight[number] = (operation, timer)
        var context: StartContext?
        if case .start(let run) = operation.verb { context = engine.startContext(run) }
        driver.perform(operation, context) { [reports] result in reports.send((number, result)) }
    }

    private func finishOperation(_ number: Int, _ result: OperationResult) {
        // A report after the deadline finds nothing here: its facts arrive by observation.
        guard let (operation, timer) = inFlight.removeValue(forKey: number) else { return }
        events.cancel(timer)
        if case .failed(let why) = result {
            log(
                "operation failed",
                [("operation", operation.kind.rawValue), ("run", operation.run.text), ("error", why)])
        }
        pending.append(.finished(operation, result))
    }

    /// Probes the runs of an agent that are to be probed, and no others.
    private func probe(_ uid: UID, _ agent: AgentState?) {
        let targets = agent?.replicas.compactMap { ProbeTarget($0) } ?? []
        let before = probed[uid] ?? []
        let now = Set(targets.map(\.run))
        for run in before.subtracting(now).sorted() { prober?.end(run) }
        for target in targets where !before.contains(target.run) { prober?.begin(target) }
        probed[uid] = now.isEmpty ? nil : now
    }

    private func forget(_ uid: UID) {
        // The homes are shared: they are gone when every driver has let go.
        let left = Countdown(drivers.count)
        for driver in drivers.values {
            driver.forget(uid) { [inbox] in if left.isLast() { inbox.send(.homesRemoved(uid)) } }
        }
    }

    // MARK: Outbox

    private func publish(fresh: [EventRecord]) {
        let now = clock.now()
        guard !publishing, stopped == nil, engine.wantsPublishing(now) else { return }
        publishing = true
        // What was just written is at hand when nothing else waits.
        if fresh.count == engine.state.backlog, fresh.count <= Limits.publishBatchMax { return deliver(fresh) }
        let parked = engine.parkedObjects(now)
        let (store, commits, published) = (store, commits, publishedMailbox)
        storeThread.run {
            do throws(StoreFailure) {
                published.send(.batch(try store.unpublished(limit: Limits.publishBatchMax, excluding: parked)))
            } catch {
                commits.send(.publishFailed(error))
            }
        }
    }

    private enum Published: Sendable {
        case batch([EventRecord])
        case verdicts([DeliveryVerdict])
        case unavailable(String)
    }

    private lazy var publishedMailbox: Mailbox<Published> = {
        let mailbox = Mailbox<Published>()
        events.receive(mailbox) { [unowned self] messages in messages.forEach(take) }
        return mailbox
    }()

    private func deliver(_ batch: [EventRecord]) {
        let (sink, published) = (sink, publishedMailbox)
        sinkThread.run {
            do throws(SinkFailure) {
                published.send(.verdicts(try sink.append(batch)))
            } catch {
                published.send(.unavailable(error.message))
            }
        }
    }

    private func take(_ message: Published) {
        switch message {
        case .batch(let events) where events.isEmpty:
            publishing = false  // all that waits is parked
            setWake()
        case .batch(let events):
            deliver(events)
        case .verdicts(let verdicts):
            counters.published += verdicts.count
            pending.append(.delivered(verdicts))
            pump()
            onPublished()
        case .unavailable(let why):
            log("event sink unavailable", [("error", why)])
            pending.append(.sinkUnavailable(why))
            pump()
        }
    }

    /// Runs a read on the store's thread and hands the result back on this loop.
    public func read<Value: Sendable>(
        _ body: @escaping @Sendable (any Store) throws(StoreFailure) -> Value,
        _ done: @escaping (Result<Value, StoreFailure>) -> Void
    ) {
        let report = replies.ask { (result: Result<Value, StoreFailure>) in
            done(result)
            return false
        }
        storeThread.run { [store] in
            do throws(StoreFailure) {
                report(.success(try body(store)))
            } catch {
                report(.failure(error))
            }
        }
    }
}

/// Tells the last of several reports.
private final class Countdown: Sendable {
    private let left: Mutex<Int>

    init(_ count: Int) { left = Mutex(count) }

    func isLast() -> Bool {
        left.withLock {
            $0 -= 1
            return $0 == 0
        }
    }
}
