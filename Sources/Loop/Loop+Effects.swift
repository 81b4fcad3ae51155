import CLinux
import Machine
import Manifests
public import Planner
public import Reconciler
import Synchronization
public import Values

/// Work that the loop waits for beside the engine.
struct Awaited {
    /// Takes a result; true when it was the last.
    var take: (any Sendable) -> Bool
    var timer: EventLoop.TimerID
}

extension Loop {
    // MARK: Operations

    func perform(_ operation: Operation) {
        guard let driver = drivers[operation.driver] else {
            return inbox.send(.input(.finished(operation, .failed("no driver \(operation.driver)"))))
        }
        counters.operations += 1
        let number = operation.number
        let deadlineMs = operation.kind == .start ? Int64(Limits.startDeadlineMs) : Limits.operationMs
        let timer = events.after(ms: deadlineMs) { [unowned self] in
            report(.inputs(finishOperation(number, .failed("timed out after \(deadlineMs) ms"))))
        }
        log.debug(
            .drivers,
            LogLine(
                .drivers, .debug, "operation begins",
                [("operation", operation.kind.rawValue), ("run", operation.run.text), ("driver", operation.driver)]))
        inFlight[number] = (operation, timer, agentos_monotonic_ns())
        var context: StartContext?
        if case .start(let run) = operation.verb { context = engine.startContext(run) }
        driver.perform(operation, context) { [inbox] result in inbox.send(.finished(operation: number, result)) }
    }

    /// A report after the deadline finds nothing here: its facts arrive by observation.
    func finishOperation(_ number: Int, _ result: OperationResult) -> [Input] {
        guard let (operation, timer, beganNs) = inFlight.removeValue(forKey: number) else { return [] }
        events.cancel(timer)
        measures.note(operation, result, beganNs)
        tell(operation, result, beganNs: beganNs)
        if case .failed(let why) = result {
            log.write(
                LogLine(
                    .drivers, .error, "operation failed",
                    [("operation", operation.kind.rawValue), ("run", operation.run.text), ("error", why)]))
        } else {
            log.debug(
                .drivers,
                LogLine(
                    .drivers, .debug, "operation done",
                    [("operation", operation.kind.rawValue), ("run", operation.run.text)]))
        }
        return [.finished(operation, result)]
    }

    /// Probes the runs of an agent that are to be probed, and no others.
    func probe(_ uid: UID, _ agent: AgentState?) {
        let targets = agent?.replicas.compactMap { ProbeTarget($0) } ?? []
        let before = probed[uid] ?? []
        let now = Set(targets.map(\.run))
        for run in before.subtracting(now).sorted() { prober?.end(run) }
        for target in targets where !before.contains(target.run) { prober?.begin(target) }
        probed[uid] = now.isEmpty ? nil : now
    }

    func forget(_ uid: UID) {
        // The homes are shared: they are gone when every driver has let go.
        let left = Countdown(drivers.count)
        for driver in drivers.values {
            driver.forget(uid) { [inbox] in if left.isLast() { inbox.send(.input(.homesRemoved(uid))) } }
        }
    }

    // MARK: Work with a deadline

    /// Begins work whose results come back under the number that it is given; `late` is called when none has by then.
    func expect(
        ms: Int64, take: @escaping (any Sendable) -> Bool, late: @escaping () -> Void, begin: (Int) -> Void
    ) {
        let number = nextNumber()
        let timer = events.after(ms: ms) { [unowned self] in
            if awaited.removeValue(forKey: number) != nil { late() }
        }
        awaited[number] = Awaited(take: take, timer: timer)
        begin(number)
    }

    func answer(_ number: Int, _ value: any Sendable) {
        guard let waiting = awaited[number], waiting.take(value) else { return }
        awaited[number] = nil
        events.cancel(waiting.timer)
    }

    /// Runs a read on the store's thread and hands the result back on this loop.
    public func read<Value: Sendable>(
        _ body: @escaping @Sendable (any Store) throws(StoreFailure) -> Value,
        _ done: @escaping (Result<Value, StoreFailure>) -> Void
    ) {
        ask(on: { [storeThread] in storeThread.run($0) }, ms: Limits.storeReadMs, body, done)
    }

    /// Copies the store on a thread of its own: commits go on meanwhile.
    public func backup(to path: String, _ done: @escaping (Result<Void, StoreFailure>) -> Void) {
        ask(
            on: { startThread(name: "backup", $0) }, ms: Limits.backupMs,
            { store throws(StoreFailure) in
                do throws(StoreFailure) { try store.backup(to: path) } catch {
                    throw .retry(error.words)  // a copy that fails says nothing about the store
                }
            }, done)
    }

    /// Compares all that is stored with what was written, on a thread of its own; damage ends the loop.
    func scrub() {
        ask(
            on: { startThread(name: "scrub", $0) }, ms: Limits.backupMs,
            { store throws(StoreFailure) in try store.scrub() }, { _ in })
        events.after(ms: Limits.scrubMs) { [unowned self] in scrub() }
    }

    /// Seals all Secrets with the first of some keys, a few between two commits; `done` is called when none is left that
    /// another key has sealed.
    ///
    /// - Parameter keys: is asked for them once, on a thread of its own.
    public func reseal(
        _ keys: @escaping @Sendable () throws(StoreFailure) -> SecretKeys,
        _ done: @escaping (Result<SecretKeys, StoreFailure>) -> Void
    ) {
        ask(
            on: { startThread(name: "keys", $0) }, ms: Limits.keysMs,
            { _ throws(StoreFailure) in
                do throws(StoreFailure) { return try keys() } catch {
                    throw .retry(error.words)  // keys that cannot be had say nothing about the store
                }
            },
            { [unowned self] result in
                switch result {
                case .success(let keys): resealSome(keys, done)
                case .failure: done(result)
                }
            })
    }

    private func resealSome(_ keys: SecretKeys, _ done: @escaping (Result<SecretKeys, StoreFailure>) -> Void) {
        read { store throws(StoreFailure) in
            try store.reseal(with: keys, limit: Limits.resealedMax)
        } _: { [unowned self] result in
            switch result {
            case .success(0): done(.success(keys))
            case .success: resealSome(keys, done)
            case .failure(let failure): done(.failure(failure))
            }
        }
    }

    func ask<Value: Sendable>(
        on run: (@escaping @Sendable () -> Void) -> Void, ms: Int64,
        _ body: @escaping @Sendable (any Store) throws(StoreFailure) -> Value,
        _ done: @escaping (Result<Value, StoreFailure>) -> Void
    ) {
        expect(
            ms: ms,
            take: { [unowned self] value in
                guard let result = value as? Result<Value, StoreFailure> else { return true }
                done(result)
                if case .failure(let failure) = result { report(.storeFailed(failure)) }
                return true
            }, late: { done(.failure(.retry("the store did not answer within \(ms) ms"))) },
            begin: { number in
                run { [store, inbox] in
                    do throws(StoreFailure) {
                        inbox.send(.answer(number, Result<Value, StoreFailure>.success(try body(store))))
                    } catch {
                        inbox.send(.answer(number, Result<Value, StoreFailure>.failure(error)))
                    }
                }
            })
    }

    /// Runs a command beside an agent with the streams of a caller; nil when no such driver serves here.
    public func open(_ execution: Execution, driver: String) -> (any CommandSession)? {
        drivers[driver]?.open(execution)
    }

    /// Connects to a port of a run; `report` is called once, on any thread.
    public func dial(_ run: Run, driver: String, port: UInt16, report: @escaping @Sendable (DialResult) -> Void) {
        guard let driver = drivers[driver] else { return report(.refused("no driver \"\(driver)\" serves here")) }
        driver.dial(run, port: port, report: report)
    }

    /// The driver that keeps something of a run; nil when none does.
    public func keeper(of run: RunID) -> String? {
        drivers.values.filter { $0.keeps(run) }.map(\.name).min()
    }

    /// What a run has written; nil when no such driver serves here.
    public func logs(_ request: LogRequest, driver: String) -> (any LogSession)? { drivers[driver]?.logs(request) }

    /// Measures all runs that are live, or those of a namespace; `done` is called once on this loop.
    ///
    /// A driver that does not answer in time is left out.
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
        var (answers, found) = (0, [(RunID, ObjectKey, RunUsage)]())
        func sorted() -> [(RunID, ObjectKey, RunUsage)] { found.sorted { ($0.1, $0.0) < ($1.1, $1.0) } }
        expect(
            ms: Limits.measureMs,
            take: { value in
                answers += 1
                for (run, usage) in value as? [RunID: RunUsage] ?? [:] {
                    if let key = keys[run] { found.append((run, key, usage)) }
                }
                guard answers == asked.count else { return false }
                done(sorted())
                return true
            }, late: { done(sorted()) },
            begin: { number in
                for (driver, runs) in asked {
                    drivers[driver]?.measure(runs) { [inbox] usage in inbox.send(.answer(number, usage)) }
                }
            })
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
