import Loop
import Planner
import Reconciler
import Values

/// The runs of a replica of which something is kept. Their numbers have gaps where a backup was restored.
struct KeptRuns {
    private let loop: Loop
    private let uid: UID
    private let replica: Replica

    init(_ loop: Loop, _ uid: UID, _ replica: Replica) {
        self.loop = loop
        self.uid = uid
        self.replica = replica
    }

    /// The run that the replica has now, or had last.
    var last: Int { replica.phase.run?.id.attempt ?? newest(below: replica.attempt + 1) ?? replica.attempt }

    func run(_ attempt: Int) -> RunID { RunID(uid: uid, ordinal: replica.ordinal, attempt: attempt) }

    /// The driver that keeps something of a run; nil: nothing of it is kept.
    func driver(of attempt: Int) -> String? { loop.keeper(of: run(attempt)) }

    func newest(below attempt: Int) -> Int? { numbers(below: attempt).reversed().first { driver(of: $0) != nil } }

    /// The run after another: one that is kept, or the one that the replica has now.
    func next(after attempt: Int) -> Int {
        let following = attempt + 1..<replica.attempt + 1
        return following.prefix(Limits.runsLookedFor).first { driver(of: $0) != nil }
            ?? max(attempt + 1, replica.phase.run?.id.attempt ?? replica.attempt)
    }

    /// Which are kept, for people.
    var words: String {
        let kept = numbers(below: replica.attempt + 1).filter { driver(of: $0) != nil }
        return kept.isEmpty ? "none is" : "kept are those of \(kept.map(String.init).joined(separator: ", "))"
    }

    private func numbers(below attempt: Int) -> Range<Int> {
        max(1, attempt - Limits.runsLookedFor)..<max(1, attempt)
    }
}
