import Manifests
import Values

struct Rollout: Verb {
    static let name = "rollout"
    static let usage = "rollout status|restart AGENT…"
    static let text = "Follow the replacement of replicas to its end, or begin one."
    static let operands = Operands.words(["status", "restart"], then: .names(.agent))

    let selection = Selection()
    let timeout = TimeoutOption()

    func run(_ invocation: Invocation) throws -> ExitCode {
        guard let action = invocation.words.first else { throw invocation.usage("expected status or restart") }
        let unbuilt = ["history", "undo", "pause", "resume"]
        if unbuilt.contains(action) {
            throw invocation.usage("rollout \(action) is not built: the daemon keeps no former revisions")
        }
        guard ["status", "restart"].contains(action) else {
            let hint = Suggestion.text(for: action, among: ["status", "restart"])
            throw invocation.usage("unknown word \"\(action)\": expected status or restart\(hint)")
        }
        let session = try invocation.session()
        let targets = try selection.targets(
            Array(invocation.words.dropFirst()), usual: .agent, among: [.agent], does: "rolled out", invocation, session
        )
        if action == "restart" { return try Restart.run(targets, selection, session, waits: false, timeout.ms) }
        if targets.isEmpty { return .failure }
        return try session.awaitAll(
            targets.map { selection.awaited($0) }, .rolledOut, timeoutMs: timeout.ms, crashesMax: Crashes.usualMax)
    }
}
