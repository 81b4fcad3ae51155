import Values

/// Counts how often the replicas of one agent have crashed since somebody began to wait for them.
package struct Crashes {
    package struct Crash: Equatable {
        package var ordinal: Int
        package var message: String
    }

    /// Of one replica, after which nobody waits for it who has said nothing else.
    package static let usualMax = 3

    /// Ends of which no retry makes anything else, unless somebody changes something.
    private static let final: Set<String> = ["StartError", "ImageNotFound"]

    /// When each replica was last seen to have ended.
    private var ends: [Int: String]
    private var counts: [Int: Int] = [:]
    /// Replicas that were seen to run what is declared now.
    private var current: Set<Int> = []

    package init(endsBefore ends: [Int: String] = [:]) { self.ends = ends }

    /// When the replicas ended last.
    package static func ends(_ object: ObjectView) -> [Int: String] {
        Dictionary(
            AgentView(object).runs.compactMap { run in run.exit.map { (run.ordinal, $0.at) } },
            uniquingKeysWith: { first, _ in first })
    }

    /// How often they have crashed, all together.
    var count: Int { counts.values.reduce(0, +) }

    /// Why it is of no use to wait any longer; nil: it is.
    package mutating func observe(_ object: ObjectView, _ generation: Int, crashesMax: Int) -> Crash? {
        guard object.observedGeneration ?? 0 >= generation else { return nil }
        let agent = AgentView(object)
        for run in agent.runs {
            let isOfNow = isOfNow(run, agent)
            guard let exit = run.exit, exit.at != ends[run.ordinal] else { continue }
            ends[run.ordinal] = exit.at
            guard isOfNow else { continue }
            if Self.final.contains(exit.reason) {
                return Crash(ordinal: run.ordinal, message: Self.words(run.ordinal, exit, agent.command.first))
            }
            guard Self.isCrash(run, exit) else { continue }
            counts[run.ordinal, default: 0] += 1
            let count = counts[run.ordinal] ?? 0
            guard count >= crashesMax else { continue }
            let times = count == 1 ? "once" : count == 2 ? "twice" : "\(count) times"
            return Crash(
                ordinal: run.ordinal, message: "replica \(run.ordinal) crashed \(times), at last with \(exit.text)")
        }
        return nil
    }

    /// Whether the last end of a replica is one of what is declared now. What ran before may end at any time until then.
    private mutating func isOfNow(_ run: RunView, _ agent: AgentView) -> Bool {
        guard run.revision == agent.revision else {
            current.remove(run.ordinal)
            return false
        }
        // The end that a run shows is that of the one before it.
        let isEnded = run.phase == "BackingOff" || run.phase == "Failed"
        return !current.insert(run.ordinal).inserted || isEnded
    }

    /// A replica that was asked to stop has ended, too, and has not crashed.
    private static func isCrash(_ run: RunView, _ exit: ExitView) -> Bool {
        if exit.reason == "Completed" { return false }
        return ["BackingOff", "Failed"].contains(run.phase) || (exit.code ?? 0) != 0
    }

    private static func words(_ ordinal: Int, _ exit: ExitView, _ program: String?) -> String {
        let what = exit.message.isEmpty ? exit.reason : exit.message
        let named = program.map { what.contains($0) ? "" : " (program \"\($0)\")" } ?? ""
        let hint =
            exit.reason == "ImageNotFound"
            ? "get the image, or correct spec.image" : "make it right on this machine, or correct the manifest"
        return "replica \(ordinal) cannot start: \(what)\(named); no retry mends that: \(hint), and apply again"
    }
}
