import CLinux
public import Machine
public import Manifests
import Planner
public import Reconciler
import Values

/// Gives the `Conductor` threads, timers and mailboxes. All of it runs on the thread of its event loop.
public final class Loop {
    var conductor: Conductor
    /// The committed state and what it knows of this moment; read in place, never copied.
    public var engine: Engine { _read { yield conductor.engine } }
    /// All roles and bindings; asked by every request.
    public var access: AccessIndex { conductor.engine.state.access }
    /// What is committed, for readers.
    public internal(set) var published: PublishedState
    public let events: EventLoop
    /// Called after each commit with the changes that it made visible.
    public var onCommit: ([PublishedChange]) -> Void = { _ in }
    /// Called when more events have reached the journal.
    public var onPublished: () -> Void = {}
    /// Called once when the store cannot be used any more.
    public var onFatal: (String) -> Void = { _ in }
    public var log = LogPort.none
    /// Nil: traces are told of nothing.
    public var spans: SpanPort?
    public internal(set) var counters = Counters()
    public internal(set) var measures = Measures()
    /// Why the last commit failed; nil when the store works.
    public var storeProblem: String? { conductor.storeProblem }

    /// The time of day, in milliseconds since 1970.
    public var nowMs: Int64 { clock.now().wallMs }

    /// What was done since the start.
    public struct Counters: Sendable {
        public var steps = 0
        public var commits = 0
        public var commitFailures = 0
        public var operations = 0
        public var published = 0
        /// Of the events that were looked at, what is not as their schemas say.
        public var schemaViolations = 0
    }

    let store: any Store
    let journal: any EventJournal
    /// The named sinks that are configured, by their names.
    var feeders: [String: Feeder] = [:]
    let drivers: [String: any Driver]
    let prober: (any Prober)?
    let sources: (any SourceReader)?
    let clock: any Clock
    /// Of so many events one is compared with its schema; 0: none.
    let checksEvents: Int
    let inbox: Inbox
    let storeThread = Worker(name: "store")
    private let journalThread = Worker(name: "journal")
    /// Decides what would come of something, for those who ask.
    let planThread = Worker(name: "plan")
    /// What waits for it or is under way there.
    let besideCount = BesideCount()

    // What effects need, in Loop+Effects.swift and Loop+Sources.swift.
    var inFlight: [Int: (operation: Operation, timer: EventLoop.TimerID, beganNs: Int64)] = [:]
    var awaited: [Int: Awaited] = [:]
    var probed: [UID: Set<RunID>] = [:]
    var watched: [UID: SourceRequest] = [:]
    /// What was measured outside of the engine, which it is not told of yet.
    var untold: [Measured: Counts] = [:]
    private var answers: [Int: (answer: (Answer) -> Void, beganNs: Int64)] = [:]
    var commitBeganNs: Int64 = 0
    /// When the step was decided that is committed next.
    var stepNs: (began: Int64, ended: Int64) = (0, 0)
    private var lastNumber = 0
    private var wake: (timer: EventLoop.TimerID, at: Int64)?
    private var onStopped: () -> Void = {}

    /// - Parameter inbox: what drivers, prober and sources report to; they are made first, so it is there before.
    public init(
        engine: Engine, store: any Store, journal: any EventJournal, inbox: Inbox, drivers: [any Driver],
        prober: (any Prober)? = nil, sources: (any SourceReader)? = nil, sinks: [NamedSink] = [],
        checksEvents: Int = 0, clock: any Clock, events: EventLoop
    ) {
        conductor = Conductor(engine: engine)
        published = PublishedState(engine.state)
        self.store = store
        self.journal = journal
        self.drivers = Dictionary(drivers.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        self.prober = prober
        self.sources = sources
        self.checksEvents = checksEvents
        self.clock = clock
        self.events = events
        self.inbox = inbox
        feeders = Dictionary(sinks.map { ($0.rule.name, Feeder($0)) }, uniquingKeysWith: { first, _ in first })
    }

    /// An object as it is committed, for one reader: the state is read in place and not copied.
    public func published(_ kind: Kind, _ namespace: String, _ name: String) -> PublishedObject? {
        published[kind, namespace, name]
    }

    /// Begins to take inputs, and what comes again and again.
    public func start() {
        events.receive(inbox.messages) { [unowned self] messages in take(messages) }
        for uid in engine.state.tombstones.sorted() { forget(uid) }
        for object in engine.state.objects.values { probe(object.uid, object.agent) }
        watchSources()
        report(.inputs([.sinks(feeders.values.map(\.rule))]))
        resync()
        trim()
        events.after(ms: Limits.scrubMs) { [unowned self] in scrub() }
        report(.inputs([]))
    }

    /// Takes a request; `answer` is called after the commit. Back-pressure: a full inbox refuses.
    ///
    /// - Parameter trace: what the change is part of, for its event and its audit entry.
    /// - Parameter once: by what the request is known when it comes again.
    public func submit(
        actor: Principal, trace: String? = nil, once: Request.Once? = nil, _ verb: Request.Verb,
        answer: @escaping (Answer) -> Void
    ) {
        guard conductor.takesRequests else { return answer(.failure(.unavailable)) }
        let number = nextNumber()
        answers[number] = (answer, agentos_monotonic_ns())
        report(.inputs([.request(Request(id: number, principal: actor, verb: verb, trace: trace, once: once))]))
    }

    /// It ends: what it refuses was not done.
    public var isStopping: Bool { !conductor.isRunning }

    /// The store may keep what it was given last, or not: nobody knows yet, or will.
    public var isCommitting: Bool { conductor.committing != nil }

    /// Takes nothing new, lets the running commit end, then calls `done`. Agents run on.
    ///
    /// - Parameter afterOperations: what drivers have begun ends, too, or has had `Limits.stopMs`.
    public func stop(afterOperations: Bool = false, _ done: @escaping () -> Void) {
        tellUnderWay()
        let untilBootMs = clock.now().bootMs + Limits.stopMs
        onStopped = { [unowned self] in afterOperations ? whenQuiet(untilBootMs, done) : done() }
        report(.stop)
    }

    private func whenQuiet(_ untilBootMs: Int64, _ done: @escaping () -> Void) {
        if inFlight.isEmpty || clock.now().bootMs >= untilBootMs { return done() }
        events.after(ms: 20) { [unowned self] in whenQuiet(untilBootMs, done) }
    }

    func nextNumber() -> Int {
        lastNumber += 1
        return lastNumber
    }

    // MARK: What happens

    private func take(_ messages: [Inbox.Message]) {
        var inputs: [Input] = []
        for message in messages {
            switch message {
            case .input(let input): inputs.append(input)
            case .finished(let operation, let result): inputs += finishOperation(operation, result)
            case .answer(let number, let value): answer(number, value)
            case .violated(let problems): noteViolations(problems)
            case .measured(let call):
                measures.take(call)
                log.debug(.sinks, call.line)
            case .ended(let sink, let number, let report):
                if !inputs.isEmpty { self.report(.inputs(inputs)) }
                inputs = []
                endCall(sink, number, report)
            case .report(let report):
                // Inputs that came first are in the inbox first.
                if !inputs.isEmpty { self.report(.inputs(inputs)) }
                inputs = []
                self.report(report)
            }
        }
        if !inputs.isEmpty { report(.inputs(inputs)) }
    }

    func report(_ report: Conductor.Report) {
        count(report)
        let problem = conductor.storeProblem
        var shown: [Set<ObjectKey>] = []
        let beganNs = spans == nil ? 0 : agentos_monotonic_ns()
        let actions = conductor.take(report, clock.now()) { step, state in
            shown.append(published.supersede(step, state))
        }
        if spans != nil, case .commit? = actions.last(where: { if case .commit = $0 { true } else { false } }) {
            stepNs = (beganNs, agentos_monotonic_ns())
        }
        if problem != nil, conductor.storeProblem == nil { log.write(LogLine(.store, .info, "store works again")) }
        if problem == nil, let why = conductor.storeProblem {
            log.write(LogLine(.store, .error, "commit failed; nothing was changed", [("error", why)]))
        }
        for action in actions {
            if case .release(let step) = action { release(step, shown.removeFirst()) } else { perform(action) }
        }
        if case .delivered(.success, _) = report { onPublished() }
        setWake()
    }

    private func count(_ report: Conductor.Report) {
        switch report {
        case .committed(nil):
            counters.commits += 1
            log.debug(.store, commitLine())
            tellCommit()
            measures.commits.observe(agentos_monotonic_ns() - commitBeganNs) {
                conductor.committing?.changes.events.first?.traceID
            }
        case .committed: counters.commitFailures += 1
        case .delivered(.success(let verdicts), _): counters.published += verdicts.count
        case .delivered(.failure(let failure), _):
            log.write(LogLine(.events, .error, "event journal unavailable", [("error", failure.words)]))
        case .fed(let report): noteFed(report)
        case .inputs, .fetched, .storeFailed, .woken, .stop, .closed: break
        }
    }

    private func commitLine() -> LogLine {
        let events = conductor.committing?.changes.events ?? []
        let us = (agentos_monotonic_ns() - commitBeganNs) / 1000
        return LogLine(
            .store, .debug, "transaction committed", [("events", String(events.count)), ("us", String(us))],
            trace: events.first?.traceID)
    }

    private func setWake() {
        let now = clock.now()
        let at = conductor.wakeAtBootMs(now)
        guard wake?.at != at else { return }
        if let wake { events.cancel(wake.timer) }
        wake = at.map { at in
            let timer = events.after(ms: at - now.bootMs) { [unowned self] in
                wake = nil
                report(.woken)
            }
            return (timer, at)
        }
    }

    // MARK: What is done

    private func perform(_ action: Conductor.Action) {
        switch action {
        case .commit(let changes):
            commitBeganNs = agentos_monotonic_ns()
            storeThread.run { [store, inbox] in
                do throws(StoreFailure) {
                    try store.commit(changes)
                    inbox.send(.report(.committed(nil)))
                } catch {
                    inbox.send(.report(.committed(error)))
                }
            }
        case .fetch(let parked):
            storeThread.run { [store, inbox] in
                do throws(StoreFailure) {
                    let batch = try store.unpublished(limit: Limits.publishBatchMax, excluding: parked)
                    inbox.send(.report(.fetched(.success(batch))))
                } catch {
                    inbox.send(.report(.fetched(.failure(error))))
                }
            }
        case .deliver(let batch):
            journalThread.run { [journal, inbox, checksEvents, spans] in
                let problems = EventDescription.problems(in: batch, every: checksEvents)
                if !problems.isEmpty { inbox.send(.violated(problems)) }
                var call = SinkCall("journal")
                do throws(SinkFailure) {
                    let verdicts = try journal.append(batch)
                    call.end(batch, verdicts, spans)
                    inbox.send(.measured(call))
                    inbox.send(.report(.delivered(.success(verdicts), end: journal.end)))
                } catch {
                    inbox.send(.report(.delivered(.failure(error))))
                }
            }
        case .feed(let request): feed(request)
        case .release: break  // by the caller, with what readers were shown before
        case .refuse(let step):
            published.refuse(step, engine.state)
            let refusal = conductor.storeProblem.map { Refusal.notStored($0) } ?? .unavailable
            for (id, _) in step.answers { answers.removeValue(forKey: id)?.answer(.failure(refusal)) }
        case .close:
            storeThread.run { [store, inbox] in
                store.finish()
                inbox.send(.report(.closed))
            }
        case .exit(.stopped): onStopped()
        case .exit(.storeFailed(let why)): onFatal(why)
        }
    }

    private func release(_ step: Step, _ shown: Set<ObjectKey>) {
        counters.steps += 1
        let changes = published.take(step, shown, engine.state)
        var accepted: [UID: Int64] = [:]
        for (id, answer) in step.answers {
            guard let waiting = answers.removeValue(forKey: id) else { continue }
            if case .applied(let applied) = answer { accepted[applied.object.uid] = waiting.beganNs }
            waiting.answer(answer)
        }
        for ended in measures.starts.take(step, accepted, engine) { tell(ended) }
        for number in step.refreshes { answer(number, ()) }
        for operation in step.operations { perform(operation) }
        for write in step.changes.objects { probe(write.object.uid, write.object.agent) }
        for removed in step.changes.removed { probe(removed.uid, nil) }
        for uid in step.changes.tombstones { forget(uid) }
        if step.watch.contains(where: { $0.object.key.kind.traits.feedsSources }) {
            watchSources()
        }
        if !changes.isEmpty { onCommit(changes) }
    }

    // MARK: What comes again and again

    private func resync() {
        for driver in drivers.values { driver.observe() }
        events.after(ms: Int64(Limits.resyncMs)) { [unowned self] in resync() }
    }

    private func trim() {
        expireEvents()
        let now = clock.now().wallMs
        storeThread.run { [store, inbox] in
            do throws(StoreFailure) { try store.trim(nowMs: now) } catch {
                inbox.send(.report(.storeFailed(error)))
            }
        }
        let offset = engine.leastWantedOffset ?? .max
        journalThread.run { [journal, inbox] in
            inbox.send(.input(.retained(from: journal.retain(from: offset, nowMs: now))))
        }
        events.after(ms: Int64(Limits.trimMs)) { [unowned self] in trim() }
    }
}
