import Manifests
import Planner
import Values

/// One step under way: its draft, and the facts and the queue that it takes from.
///
/// Inputs become facts and dirty keys, and requests changes of the draft; then every dirty key is planned until nothing
/// follows from anything any more; then what was only asked about is tried on copies.
struct Work: Sendable {
    var draft: Draft
    var facts = Facts()
    var queue = WorkQueue()
    var sources = SourceFacts()
    var delivery = DeliveryFacts()
    var objectives = ObjectiveFacts()
    var taken = Taken()

    private var answers: [(id: Int, answer: Answer)] = []
    /// Requests that are only asked about, by the place of their answer.
    private var rehearsals: [(place: Int, request: Request)] = []
    private var operations: [Operation] = []
    /// Runs that this step asks an operation for: a key may be planned more than once in a step.
    private(set) var asked: [RunID: Int] = [:]
    /// What the starts of an agent wait for, as it was planned last in this step.
    var waits: [ObjectKey: Waiting] = [:]

    init(_ draft: Draft) { self.draft = draft }

    var base: EngineState { draft.base }
    var settings: EngineSettings { draft.settings }
    var now: Moment { draft.now }

    /// Takes over what the engine keeps from step to step, or hands it back; neither copies it.
    mutating func swapMemory(with engine: inout Engine) {
        swap(&facts, &engine.facts)
        swap(&queue, &engine.queue)
        swap(&sources, &engine.sources)
        swap(&delivery, &engine.delivery)
        swap(&objectives, &engine.objectives)
    }

    mutating func run(_ inputs: [Input]) -> Step {
        delivery.forgetRetry(now)
        delivery.noteClock(now, lastPosition: base.position)
        queue.begin(nowMs: now.bootMs)
        for input in inputs { take(input) }
        endRestore()
        planAll()
        finishAnswers()
        if !draft.overlay.measured.isEmpty { wakeObjectives() }
        writeMeasurements()
        draft.close()
        return Step(
            changes: draft.changes, answers: answers, operations: operations, watch: draft.watch,
            overlay: draft.overlay, taken: taken, inputs: inputs)
    }

    // MARK: Inputs

    private mutating func take(_ input: Input) {
        switch input {
        case .request(let request):
            if request.isDryRun {
                rehearsals.append((answers.count, request))
                answers.append((request.id, .done))
            } else {
                answers.append((request.id, once(request)))
            }
        case .observed(let driver, let seen, let complete): observe(driver, seen, complete: complete)
        case .finished(let operation, let result): finish(operation, result)
        case .probed(let run, let state):
            guard base.isCurrent(run), facts[run].probe != state else { return }
            facts[run].probe = state
            mark(run)
        case .driverState(let driver, let problem):
            guard facts.note(problem, of: driver) else { return }
            for object in base.objects.values where object.agent?.uses(driver) == true { queue.mark(object.key) }
        case .delivered(let verdicts, let end):
            delivery.noteReachable()
            draft.noteJournal(end: end)
            for verdict in verdicts { deliver(verdict) }
        case .sinkUnavailable(let why): delivery.noteUnreachable(why, now)
        case .homesRemoved(let uid): draft.homesRemoved(of: uid)
        case .sourceRead(let uid, let snapshot, let refresh):
            guard let key = base.keysByUID[uid] else { return }
            let wasWhole = sources.snapshots[uid]?.isWhole == true
            sources.note(snapshot, of: uid, refresh)
            // Only now is it sure that the Source has let go of what it does not declare.
            if snapshot.isWhole, !wasWhole { markWaitingSources() }
            queue.mark(key)
        case .retained(let offset):
            expireConsumers(before: offset)
            expireSinks(before: offset)
        case .sinks(let rules): use(rules)
        case .fed(let report): take(report)
        case .measured(let counts):
            for measured in Measured.allCases {
                if let counts = counts[measured] { draft.measure(measured, counts) }
            }
        }
    }

    private mutating func finish(_ operation: Operation, _ result: OperationResult) {
        let run = operation.run
        // A double, or late: what it did is observed.
        guard facts[run].operation == .inFlight(number: operation.number) else { return }
        let again = Deadline(now, afterMs: Int64(Limits.operationPauseMs))
        facts[run].operation =
            switch result {
            case _ where !base.isCurrent(run): nil
            case .done: .done(operation.kind, again: again)
            case .failed(let message): .failed(operation.kind, message: message, again: again)
            }
        mark(run)
    }

    private mutating func observe(_ driver: String, _ seen: [RunID: Instance], complete: Bool) {
        if complete {
            facts.noteObserved(driver)
            facts.forgetStrays(of: driver, besides: seen)
            for object in base.objects.values {
                guard let agent = object.agent else { continue }
                for replica in agent.replicas {
                    guard let run = replica.phase.run, run.spec.driver == driver, seen[run.id] == nil else { continue }
                    facts[run.id].instance = nil
                }
                queue.mark(object.key)
            }
        }
        for (run, instance) in seen {
            if base.isCurrent(run) {
                if facts[run].instance != instance {
                    facts[run].instance = instance
                    mark(run)
                }
            } else {
                if facts.noteStray(run, instance, driver: driver) { mark(run) }
                if base.isBehind(run) { facts.noteAhead(run) }
            }
        }
    }

    /// After a restore: once all drivers were seen and nothing strange lives, the store explains all that does.
    private mutating func endRestore() {
        guard base.isRestored, facts.unobserved(of: settings.observers).isEmpty, !facts.hasStrays else { return }
        draft.endRestore()
    }

    private mutating func mark(_ run: RunID) {
        if let key = base.keysByUID[run.uid] { queue.mark(key) }
    }

    // MARK: Answers

    /// The step that accepts a spec also plans it: answers show what follows.
    private mutating func finishAnswers() {
        for place in answers.indices {
            switch answers[place].answer {
            case .applied(var applied):
                guard let object = draft[applied.object.key] else { continue }
                applied.object = object
                applied.waits = waits[object.key]
                answers[place].answer = .applied(applied)
            case .deleted(let object?):
                let left = draft[object.key].flatMap { $0.uid == object.uid ? $0 : nil }
                answers[place].answer = .deleted(left)
            case .deleted(nil), .execution, .forecast, .done, .kept, .failure: break
            }
        }
        for (place, request) in rehearsals { answers[place].answer = rehearse(request) }
    }

    /// What would become of a request if it came next: decided as always, on a copy.
    private func rehearse(_ request: Request) -> Answer {
        var trial = self
        trial.waits = [:]
        var answer = trial.answer(request)
        if case .applied(var applied) = answer {
            trial.planAll()
            applied.waits = trial.waits[applied.object.key]
            applied.object.resourceVersion = draft[applied.object.key]?.resourceVersion ?? 0
            answer = .applied(applied)
        }
        if case .deleted(let object) = answer { answer = .deleted(object.flatMap { draft[$0.key] }) }
        return answer
    }

    // MARK: Operations

    /// Hands an operation out, once per run and step.
    mutating func ask(_ operation: Operation) {
        var operation = operation
        operation.number = facts.nextOperation()
        asked[operation.run] = operation.number
        operations.append(operation)
    }
}

extension Request {
    var isDryRun: Bool {
        switch verb {
        case .write(let write): write.dryRun
        case .delete(let delete): delete.dryRun
        case .batch, .replay, .skip, .acknowledge, .removeConsumer, .execute, .forward, .resolve, .forgetSink: false
        }
    }
}

extension EngineState {
    /// The run is the one that its replica has now.
    func isCurrent(_ run: RunID) -> Bool {
        guard let key = keysByUID[run.uid] else { return false }
        return objects[key]?.agent?.replicas.contains { $0.phase.run?.id == run } == true
    }

    /// The agent is there, and its replica has no attempt yet of this number.
    func isBehind(_ run: RunID) -> Bool {
        guard let key = keysByUID[run.uid], let agent = objects[key]?.agent else { return false }
        return agent.replicas.first { $0.ordinal == run.ordinal }?.attempt ?? 0 < run.attempt
    }
}

extension AgentState {
    fileprivate func uses(_ driver: String) -> Bool {
        effective.spec.driver == driver || replicas.contains { $0.phase.run?.spec.driver == driver }
    }
}
