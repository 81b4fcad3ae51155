public import Manifests
import Planner

extension DriverTable {
    /// The machine's one driver, which can everything.
    public static let simulated = DriverTable([
        DriverCapabilities(
            name: "process", program: .command(why: "there are no images"), usualNetwork: .host, hasOwnUsers: false,
            features: Set(AgentFeature.allCases))
    ])

    /// The drivers of a life: agents go from one to the other.
    static let simulatedPair = DriverTable(
        ["process", "sandbox"].map { name in
            DriverCapabilities(
                name: name, program: .command(why: "there are no images"), usualNetwork: .host, hasOwnUsers: false,
                features: Set(AgentFeature.allCases))
        })
}

/// The processes of the simulated machine: what a driver could see, with claims as files would keep them.
struct SimulatedMachine {
    enum Claim { case none, supervisor, daemon }

    struct Entry {
        var driver: String
        var claim = Claim.none
        var instance: Instance?
        var ignoresSignals = false
        var endsAt: Int64?
        /// When the rest of its tree has ended, after its main process.
        var treeEndsAt: Int64?
    }

    private(set) var runs: [RunID: Entry] = [:]
    /// Runs whose supervisors are on their way, however often they are asked for.
    var late: Set<RunID> = []
    /// Runs whose program ends by itself when its work is done.
    var finishing: Set<RunID> = []
    /// The known-bad variant in which a start does not take the claim.
    var ignoresClaims = false

    var living: [RunID] {
        runs.filter {
            switch $0.value.instance {
            case .running, .ending: true
            case .starting, .exited, .absent, nil: false
            }
        }.map(\.key).sorted()
    }

    /// A supervisor gets to work, perhaps long after it was asked to.
    mutating func start(_ run: RunID, by driver: String, nowMs: Int64, _ random: inout SeededRandom) {
        late.remove(run)
        if let known = runs[run], known.claim != .none, !ignoresClaims { return }
        if case .running = runs[run]?.instance { return }
        if case .exited = runs[run]?.instance { return }
        if case .ending = runs[run]?.instance { return }
        runs[run, default: Entry(driver: driver)].claim = .supervisor
        if random.chance(7) {
            let exit = Exit(reason: .startError, message: "executing the command", atMs: nowMs)
            runs[run]?.instance = .exited(exit)
            return
        }
        runs[run]?.instance = .running(pid: Int32(random.below(30_000) + 2), startedAtMs: nowMs)
        runs[run]?.ignoresSignals = random.chance(15)
        if random.chance(25) { runs[run]?.treeEndsAt = Int64(random.below(15_000)) }
        if finishing.contains(run) || random.chance(35) { runs[run]?.endsAt = nowMs + Int64(random.below(20_000)) }
    }

    /// Frozen or thawed: an instance that is frozen hears nothing and ends only when it is killed.
    mutating func freeze(_ run: RunID, _ isFrozen: Bool) {
        guard case .running(let pid, let startedAtMs, let facts, _) = runs[run]?.instance else { return }
        runs[run]?.instance = .running(pid: pid, startedAtMs: startedAtMs, facts: facts, isFrozen: isFrozen)
    }

    var frozen: [RunID] {
        runs.filter {
            if case .running(_, _, _, isFrozen: true) = $0.value.instance { true } else { false }
        }.map(\.key).sorted()
    }

    /// The kernel kills a child of its main process for want of memory.
    mutating func killChild(_ run: RunID) {
        guard case .running(let pid, let startedAtMs, var facts, let isFrozen) = runs[run]?.instance else { return }
        facts.childOOMKills += 1
        runs[run]?.instance = .running(pid: pid, startedAtMs: startedAtMs, facts: facts, isFrozen: isFrozen)
    }

    mutating func signal(_ run: RunID, nowMs: Int64) {
        if case .running(_, _, _, isFrozen: true) = runs[run]?.instance { return }
        if runs[run]?.ignoresSignals != true { end(run, Exit(signal: 15, reason: .error, atMs: nowMs)) }
    }

    mutating func kill(_ run: RunID, nowMs: Int64) {
        runs[run]?.treeEndsAt = nil
        end(run, Exit(signal: 9, reason: .error, atMs: nowMs))
    }

    mutating func giveUp(_ run: RunID, by driver: String) {
        if runs[run].map({ $0.claim == .none }) ?? true {
            runs[run, default: Entry(driver: driver)].claim = .daemon
            runs[run]?.instance = .absent
        }
    }

    mutating func forget(_ uid: UID) { runs = runs.filter { $0.key.uid != uid } }

    mutating func end(_ run: RunID, _ exit: Exit) {
        var exit = exit
        switch runs[run]?.instance {
        case .running(_, _, let facts, _):
            exit.childOOMKills = facts.childOOMKills
            guard let restMs = runs[run]?.treeEndsAt else {
                runs[run]?.instance = .exited(exit)
                return
            }
            runs[run]?.instance = .ending(exit)
            runs[run]?.treeEndsAt = nil
            runs[run]?.endsAt = exit.atMs + restMs
        case .ending(let first): runs[run]?.instance = .exited(first)
        case .starting, .exited, .absent, nil: break
        }
    }

    /// Ends what is due by itself.
    mutating func advance(nowMs: Int64, _ random: inout SeededRandom) -> [RunID] {
        let due = runs.filter { $0.value.endsAt.map { $0 <= nowMs } ?? false }.keys.filter { !frozen.contains($0) }
            .sorted()
        for run in due {
            runs[run]?.endsAt = nil
            let code = finishing.contains(run) ? 0 : random.below(3)
            end(run, Exit(code: code, reason: code == 0 ? .completed : .error, atMs: nowMs))
        }
        return due
    }

    mutating func reboot(nowMs: Int64) {
        late = []
        for run in living {
            runs[run]?.treeEndsAt = nil
            end(run, Exit(reason: .machineRestarted, message: "the machine was restarted", atMs: nowMs))
        }
    }

    /// Some of the run directories are gone.
    mutating func loseRuns(_ random: inout SeededRandom) {
        for run in runs.keys.sorted() where random.chance(30) { runs[run] = nil }
    }

    /// Only what must end ends still, and soon: the wall clock that its time was read from may have jumped.
    mutating func becomeCalm(nowMs: Int64) {
        for run in runs.keys {
            var isEnding = finishing.contains(run)
            if case .ending = runs[run]?.instance { isEnding = true }
            runs[run]?.endsAt = isEnding ? nowMs + 1000 : nil
            if !isEnding { runs[run]?.treeEndsAt = nil }
        }
    }

    var seen: [RunID: Instance] { runs.compactMapValues(\.instance) }

    /// What a driver sees of its own.
    func seen(by driver: String) -> [RunID: Instance] {
        runs.compactMapValues { $0.driver == driver ? $0.instance : nil }
    }
}
