import Manifests
public import Planner
public import Reconciler
public import Values

/// The order of things between step, commit, delivery and stop: what the loop does next, decided without threads and
/// clocks. The simulation drives this same value.
///
/// Flow: inputs gather in the inbox; when no commit is under way, one step takes them. Its changes are committed, then its
/// effects are released, then the next step begins. Beside that, one delivery to the journal is under way at a time: a batch
/// is fetched, handed to the journal, and the journal's answer is an input; the step that takes it ends the delivery. Each
/// named sink is fed from the journal in the same manner, and none waits for another.
/// Guarantee: nothing of a step is released before its commit; at most one commit, one delivery to the journal and one to
/// each named sink are under way; after `exit` nothing more is asked for.
/// Assumes: each commit, fetch, delivery and close that is asked for is reported once, in any order.
public struct Conductor: Sendable {
    /// What has happened.
    public enum Report: Sendable {
        case inputs([Input])
        case committed(StoreFailure?)
        case fetched(Result<[EventRecord], StoreFailure>)
        /// With the offset after all that the journal holds.
        case delivered(Result<[DeliveryVerdict], SinkFailure>, end: Int64 = 0)
        /// A named sink has answered, or did not in time.
        case fed(SinkReport)
        /// The store failed beside a commit.
        case storeFailed(StoreFailure)
        /// The time of `wakeAtBootMs` has come.
        case woken
        case stop
        case closed
    }

    /// What is to be done about it, in this order.
    public enum Action: Sendable {
        case commit(ChangeSet)
        /// The step is durable: its answers may be given and its effects begin.
        case release(Step)
        /// Nothing of the step was stored: its requests are to be told so.
        case refuse(Step)
        case fetch(excluding: [UID])
        case deliver([EventRecord])
        /// Reads the journal for a named sink, and hands it what it wants.
        case feed(SinkRequest)
        /// Puts all that was committed into the one file.
        case close
        case exit(Ending)
    }

    /// Why the loop has ended.
    public enum Ending: Sendable, Equatable {
        case stopped
        /// The store cannot be trusted or reached any more.
        case storeFailed(String)
    }

    private enum Work {
        case idle
        case committing(Step)
        /// The last commit failed: its inputs wait a moment, so that a full disk does not spin.
        case pausing([Input], untilBootMs: Int64)
    }

    private enum Delivery {
        case idle
        case fetching
        case sending
        /// The sink has answered; the step that takes its answer ends the delivery.
        case settling
        case pausing(untilBootMs: Int64)
    }

    /// What a named sink is busy with; one that is not here is idle.
    private enum Feeding {
        case sending(number: Int)
        /// The sink has answered; the step that takes its answer ends it.
        case settling(number: Int)
    }

    private enum Life: Equatable {
        case running
        /// Nothing new begins; the commit that is under way ends first.
        case stopping(byBootMs: Int64)
        case closing(byBootMs: Int64)
        case ended
    }

    public private(set) var engine: Engine
    /// Why the last commit failed; nil when the store works.
    public private(set) var storeProblem: String?
    private var inbox: [Input] = []
    private var work = Work.idle
    private var delivery = Delivery.idle
    private var feeding: [String: Feeding] = [:]
    private var lastFeeding = 0
    private var life = Life.running

    public init(engine: Engine) { self.engine = engine }

    /// The step whose commit is under way.
    public var committing: Step? { if case .committing(let step) = work { step } else { nil } }
    public var isRunning: Bool { life == .running }
    public var takesRequests: Bool { isRunning && inbox.count < Limits.inboxMax }

    // MARK: Reports

    /// Looks at a durable step and at the state that it is about to change.
    public typealias Look = (Step, EngineState) -> Void

    /// Takes a report; returns what is to be done now.
    ///
    /// - Parameter look: is called for each step that will be released, in that order.
    public mutating func take(_ report: Report, _ now: Moment, look: Look = { _, _ in }) -> [Action] {
        guard life != .ended else { return [] }
        var actions: [Action] = []
        switch report {
        case .inputs(let inputs): inbox += inputs
        case .committed(nil): commitSucceeded(&actions, now, look)
        case .committed(.retry(let why)?): commitFailed(why, &actions, now)
        case .committed(.fatal(let why)?), .storeFailed(.fatal(let why)), .fetched(.failure(.fatal(let why))):
            return end(.storeFailed(why))
        case .storeFailed(.retry): break  // asked for again in its time
        case .fetched(.failure(.retry)): delivery = .pausing(untilBootMs: now.bootMs + Limits.storeRetryMs)
        case .fetched(.success(let batch)): fetched(batch, &actions)
        case .delivered(.success(let verdicts), let end): settle(.delivered(verdicts, end: end))
        case .delivered(.failure(let failure), _): settle(.sinkUnavailable(failure.words))
        case .fed(let report): settle(report)
        case .woken: wake(&actions, now)
        case .stop: if life == .running { life = .stopping(byBootMs: now.bootMs + Limits.stopMs) }
        case .closed: return end(.stopped)
        }
        advance(&actions, now, look)
        return actions
    }

    private mutating func end(_ ending: Ending) -> [Action] {
        life = .ended
        return [.exit(ending)]
    }

    private mutating func commitSucceeded(_ actions: inout [Action], _ now: Moment, _ look: Look) {
        guard case .committing(let step) = work else { return }
        work = .idle
        storeProblem = nil
        release(step, &actions, now, look)
    }

    private mutating func commitFailed(_ why: String, _ actions: inout [Action], _ now: Moment) {
        guard case .committing(let step) = work else { return }
        storeProblem = why
        work = .pausing(engine.failed(step), untilBootMs: now.bootMs + Limits.storeRetryMs)
        actions.append(.refuse(step))
    }

    private mutating func fetched(_ batch: [EventRecord], _ actions: inout [Action]) {
        guard case .fetching = delivery else { return }
        // Without a batch all that waits is parked.
        delivery = batch.isEmpty ? .idle : .sending
        if !batch.isEmpty { actions.append(.deliver(batch)) }
    }

    private mutating func settle(_ answer: Input) {
        guard case .sending = delivery else { return }
        delivery = .settling
        inbox.append(answer)
    }

    private mutating func settle(_ report: SinkReport) {
        // What comes late, or for the second time, was given up.
        guard case .sending(let number) = feeding[report.request.sink], number == report.request.number else { return }
        feeding[report.request.sink] = .settling(number: number)
        inbox.append(.fed(report))
    }

    private mutating func wake(_ actions: inout [Action], _ now: Moment) {
        if case .pausing(let inputs, let until) = work, until <= now.bootMs {
            inbox = inputs + inbox
            work = .idle
        }
        if case .pausing(let until) = delivery, until <= now.bootMs { delivery = .idle }
        deliver(fresh: [], &actions, now)
        feed(&actions, now)
    }

    // MARK: What follows

    private mutating func advance(_ actions: inout [Action], _ now: Moment, _ look: Look) {
        switch life {
        case .running: step(&actions, now, look)
        case .stopping(let by):
            if case .committing = work, by > now.bootMs { return }
            life = .closing(byBootMs: by)
            actions.append(.close)
        case .closing(let by): if by <= now.bootMs { actions += end(.stopped) }
        case .ended: break
        }
    }

    private mutating func step(_ actions: inout [Action], _ now: Moment, _ look: Look) {
        while case .idle = work {
            let isDue = engine.nextWakeBootMs().map { $0 <= now.bootMs } ?? false
            guard !inbox.isEmpty || !engine.isIdle || isDue else { return }
            let inputs = Array(inbox.prefix(Limits.stepInputsMax))
            inbox.removeFirst(inputs.count)
            let step = engine.step(inputs, now)
            if step.changes.isEmpty {
                release(step, &actions, now, look)
            } else {
                work = .committing(step)
                actions.append(.commit(step.changes))
            }
        }
    }

    private mutating func release(_ step: Step, _ actions: inout [Action], _ now: Moment, _ look: Look) {
        look(step, engine.state)
        engine.committed(step)
        actions.append(.release(step))
        if step.tellsDelivery { delivery = .idle }
        deliver(fresh: step.changes.events, &actions, now)
        for request in step.sinkRequests {
            if case .settling(let number) = feeding[request.sink], number == request.number {
                feeding[request.sink] = nil
            }
        }
        feed(&actions, now)
    }

    private mutating func feed(_ actions: inout [Action], _ now: Moment) {
        guard life == .running else { return }
        for var request in engine.sinkRequests(now, besides: { feeding[$0] != nil }) {
            lastFeeding += 1
            request.number = lastFeeding
            feeding[request.sink] = .sending(number: lastFeeding)
            actions.append(.feed(request))
        }
    }

    /// - Parameter fresh: events that were just written: at hand when nothing else waits.
    private mutating func deliver(fresh: [EventRecord], _ actions: inout [Action], _ now: Moment) {
        guard case .idle = delivery, life == .running, engine.wantsPublishing(now) else { return }
        if fresh.count == engine.state.backlog, fresh.count <= Limits.publishBatchMax {
            delivery = .sending
            actions.append(.deliver(fresh))
        } else {
            delivery = .fetching
            actions.append(.fetch(excluding: engine.parkedObjects(now)))
        }
    }

    // MARK: Time

    /// When `woken` is to be reported, in milliseconds since boot.
    public mutating func wakeAtBootMs(_ now: Moment) -> Int64? {
        switch life {
        case .ended: return nil
        case .stopping(let by), .closing(let by): return by
        case .running: break
        }
        var times: [Int64] = []
        switch work {
        case .idle: times += [engine.nextWakeBootMs()].compactMap(\.self)
        case .committing: break
        case .pausing(_, let until): times.append(until)
        }
        switch delivery {
        case .idle: times += [engine.nextRetryBootMs.map { max($0, now.bootMs + 10) }].compactMap(\.self)
        case .fetching, .sending, .settling: break
        case .pausing(let until): times.append(until)
        }
        if let at = engine.nextSinkBootMs(besides: { feeding[$0] != nil }) { times.append(max(at, now.bootMs + 1)) }
        return times.min()
    }
}
