import Glibc
package import Planner

/// What was told lately of kills for want of memory, until their number has been written down.
package struct MemoryKills: Sendable {
    /// A kill belongs to an end of the container that is not further away.
    package static let nearMs: Int64 = 1000

    /// In milliseconds since boot.
    private var toldAtMs: [RunID: Int64] = [:]

    package init() {}

    package mutating func begin(_ run: RunID, atMs: Int64) { toldAtMs[run] = atMs }

    /// The container has outlived what was told then; what is told later is another kill.
    package mutating func settle(_ run: RunID, atMs: Int64) {
        if toldAtMs[run] == atMs { toldAtMs[run] = nil }
    }

    package mutating func forget(_ run: RunID) { toldAtMs[run] = nil }

    /// Some were told of that are not written down yet.
    package func areExpected(_ run: RunID) -> Bool { toldAtMs[run] != nil }

    /// What the end of a container has to do with memory.
    ///
    /// - Parameters:
    ///   - kills: all in its group.
    ///   - known: those that were written down as kills of children.
    package mutating func end(
        _ run: RunID, atMs: Int64, status: Int, kills: Int, known: Int
    ) -> (isReason: Bool, childKills: Int) {
        let toldAtMs = toldAtMs.removeValue(forKey: run)
        let isKilled = status == 128 + Int(SIGKILL)
        let isNear = toldAtMs.map { atMs - $0 <= Self.nearMs } ?? false
        // Those that no event was seen of are from a time that nobody knows.
        let isReason = status != 0 && (isNear || isKilled && kills > known)
        return (isReason, max(known, kills - (isReason && isKilled ? 1 : 0)))
    }
}
