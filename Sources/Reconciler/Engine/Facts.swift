import Manifests
import Planner

/// What is known of the machine at this moment: never stored, observed again after a restart.
///
/// A fact stays until another takes its place or the state has caught up with it; a step takes none away. So a commit
/// that fails loses none.
struct Facts: Sendable {
    /// All about one run.
    struct OfRun: Sendable {
        var instance: Instance?
        var operation: OperationState?
        var probe: ProbeState?
        /// Before it, the journal holds all events that its readiness waits for; nil: not all of them, as far as is known.
        var gateOffset: Int64?

        var isEmpty: Bool { instance == nil && operation == nil && probe == nil && gateOffset == nil }
    }

    private var runs: [UID: [RunID: OfRun]] = [:]
    private(set) var observedDrivers: Set<String> = []
    private(set) var driverProblems: [String: String] = [:]
    /// Instances of this store without a committed intent, and their drivers.
    private(set) var orphans: [RunID: String] = [:]
    /// Those that live, whether they were asked to end or not, by their objects.
    private var strays: [UID: [RunID: String]] = [:]
    /// Attempts that exist on the machine and are newer than what is committed, as after a restored backup.
    private(set) var ahead: Set<RunID> = []
    private var lastOperation = 0

    subscript(run: RunID) -> OfRun {
        get { runs[run.uid]?[run] ?? OfRun() }
        set {
            runs[run.uid, default: [:]][run] = newValue.isEmpty ? nil : newValue
            if runs[run.uid]?.isEmpty == true { runs[run.uid] = nil }
        }
    }

    /// A number that no other operation of this life of the daemon has.
    mutating func nextOperation() -> Int {
        lastOperation += 1
        return lastOperation
    }

    // MARK: Drivers

    mutating func noteObserved(_ driver: String) { observedDrivers.insert(driver) }

    /// Those that have yet to tell all that they see.
    func unobserved(of drivers: Set<String>) -> [String] { drivers.subtracting(observedDrivers).sorted() }

    /// - Returns: whether that is new.
    mutating func note(_ problem: String?, of driver: String) -> Bool {
        guard driverProblems[driver] != problem else { return false }
        driverProblems[driver] = problem
        return true
    }

    /// An instance without a committed intent: it is ended.
    ///
    /// - Returns: it is news to its object whether there is one.
    mutating func noteStray(_ run: RunID, _ instance: Instance, driver: String) -> Bool {
        let had = hasStray(of: run.uid)
        switch instance {
        case .running, .starting, .ending:
            orphans[run] = driver
            strays[run.uid, default: [:]][run] = driver
        case .exited, .absent:
            orphans[run] = nil
            forgetStray(run)
        }
        return had != hasStray(of: run.uid)
    }

    /// Something of the object lives that no committed run explains: nothing of it is started beside that.
    func hasStray(of uid: UID) -> Bool { strays[uid] != nil }

    var hasStrays: Bool { !strays.isEmpty }

    /// All of a driver was seen: strays that were not are gone.
    mutating func forgetStrays(of driver: String, besides seen: [RunID: Instance]) {
        let gone = strays.values.flatMap { $0 }.filter { $0.value == driver && seen[$0.key] == nil }
        for (run, _) in gone { forgetStray(run) }
    }

    private mutating func forgetStray(_ run: RunID) {
        guard var others = strays[run.uid] else { return }
        others[run] = nil
        strays[run.uid] = others.isEmpty ? nil : others
    }

    /// The attempt of a stray is never used again.
    mutating func noteAhead(_ run: RunID) { ahead.insert(run) }

    // MARK: After a commit

    /// The operation is handed to its driver.
    mutating func begun(_ operation: Operation) {
        self[operation.run].operation = .inFlight(number: operation.number)
        orphans[operation.run] = nil
    }

    /// The state has caught up with some of the attempts that were ahead of it.
    mutating func forgetAhead(where isCaughtUp: (RunID) -> Bool) {
        if !ahead.isEmpty { ahead = ahead.filter { !isCaughtUp($0) } }
    }

    /// Keeps what is known of an agent's current runs and drops what is known of those just before them; what is under way
    /// for one of these is known until its driver has answered.
    mutating func keep(_ agent: AgentState, of uid: UID) {
        guard let known = runs[uid], !known.isEmpty else { return }
        let current = Set(agent.replicas.compactMap { $0.phase.run?.id })
        for replica in agent.replicas where replica.attempt > 0 {
            for attempt in max(1, replica.attempt - 1)...replica.attempt {
                let run = RunID(uid: uid, ordinal: replica.ordinal, attempt: attempt)
                if case .inFlight? = runs[uid]?[run]?.operation { continue }
                if !current.contains(run) { runs[uid]?[run] = nil }
            }
        }
    }

    /// The object is gone; what is under way for a run of it is known until its driver has answered.
    mutating func forget(_ uid: UID) {
        let left = runs[uid]?.compactMapValues { known -> OfRun? in
            if case .inFlight? = known.operation { OfRun(operation: known.operation) } else { nil }
        }
        runs[uid] = left?.isEmpty == false ? left : nil
    }
}
