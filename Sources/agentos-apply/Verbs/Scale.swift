import Manifests
import Values

struct Scale: Verb {
    static let name = "scale"
    static let usage = "scale AGENT… --replicas N"
    static let text = "Set how many replicas agents have."
    static let operands = Operands.names(.agent)

    let selection = Selection()
    @Option("replicas", value: "N", in: 0...Limits.replicasMax, "so many replicas") var replicas: Int?
    @Option("current-replicas", value: "N", in: 0...Limits.replicasMax, "only when it has so many now")
    var current: Int?
    @Flag("wait", "wait until all agents have so many ready replicas") var waits
    let timeout = TimeoutOption()

    func run(_ invocation: Invocation) throws -> ExitCode {
        guard let replicas else { throw invocation.usage("give --replicas N") }
        let session = try invocation.session()
        let targets = try selection.targets(
            invocation.words, usual: .agent, among: [.agent], does: "scaled", invocation, session)
        let code = try session.each(targets) { target in
            let (_, isChanged) = try session.change("\(selection.path(target))/scale", manager: "agentos-scale") {
                scale in
                let found = scale.node[path: "spec", "replicas"]?.int ?? 0
                if let current, current != found {
                    throw CommandProblem(.conflict, "expected \(current) replicas, found \(found); nothing was changed")
                }
                return found == replicas ? nil : .map([("spec", .map([("replicas", .number(replicas))]))])
            }
            let already = "has \(replicas) replica\(replicas == 1 ? "" : "s") already"
            try Terminal.print("\(target.shown) \(isChanged ? "scaled" : already)")
        }
        guard waits, code == .success else { return code }
        return try session.awaitAll(
            targets.map { selection.awaited($0) }, .scaled, timeoutMs: timeout.ms, crashesMax: Crashes.usualMax)
    }
}
