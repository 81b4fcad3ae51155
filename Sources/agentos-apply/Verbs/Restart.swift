import CLinux
import Manifests
import Values

struct Restart: Verb {
    static let name = "restart"
    static let usage = "restart AGENT…"
    static let text = "Start replicas anew, one after the other; they get the present values of Secrets and ConfigMaps."
    static let operands = Operands.names(.agent)

    let selection = Selection()
    @Flag("wait", "wait until all replicas are new and ready") var waits
    let timeout = TimeoutOption()

    func run(_ invocation: Invocation) throws -> ExitCode {
        let session = try invocation.session()
        let targets = try selection.targets(
            invocation.words, usual: .agent, among: [.agent], does: "restarted", invocation, session)
        return try Self.run(targets, selection, session, waits: waits, timeout.ms)
    }

    /// Asks for a new revision by an annotation, as kubectl does.
    static func run(
        _ targets: [Target], _ selection: Selection, _ session: Session, waits: Bool, _ timeoutMs: Int64
    ) throws -> ExitCode {
        let now = Timestamp.milliseconds(agentos_wall_ms())
        let code = try session.each(targets) { target in
            _ = try session.change(selection.path(target), manager: "agentos-restart") { object in
                if object.node[path: "spec", "suspend"]?.bool == true {
                    throw CommandProblem(
                        .invalid, "it is suspended: nothing runs that could be restarted; see 'agentos-apply resume'")
                }
                if object.node[path: "spec", "paused"]?.bool == true {
                    throw CommandProblem(
                        .invalid,
                        "it is paused: nothing is started anew; see 'agentos-apply rollout resume \(object.name)'")
                }
                return .map([("metadata", .map([("annotations", .map([(AgentSpec.restartAnnotation, .text(now))]))]))])
            }
            try Terminal.print("\(target.shown) restarted")
        }
        guard waits, code == .success else { return code }
        return try session.awaitAll(
            targets.map { selection.awaited($0) }, .rolledOut, timeoutMs: timeoutMs, crashesMax: Crashes.usualMax)
    }
}
