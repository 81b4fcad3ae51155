import HTTPClient
import Manifests
import Values

struct Delete: Verb {
    static let name = "delete"
    static let usage = "delete KIND[,KIND…] NAME… | KIND[,KIND…] -l LABELS | -f PATH…"
    static let text = "Delete objects and wait until they are gone."
    static let operands = Operands.objects
    static let doesHarm = true

    let selection = Selection()
    let timeout = TimeoutOption()
    @Option("grace-period", value: "SECONDS", in: 0...86_400, "instead of the agent's own; 0 kills at once")
    var graceSeconds: Int?
    @Flag("dry-run", also: ["server"], "say what would be deleted, delete nothing") var isDryRun
    @Flag("no-wait", "return when the deletion is accepted") var hasNoWait
    @Flag("ignore-not-found", "a missing object is no error") var ignoresMissing

    func run(_ invocation: Invocation) throws -> ExitCode {
        let session = try invocation.session()
        // What others need goes last.
        let targets = try selection.targets(invocation.words, invocation, session).enumerated()
            .sorted { ($1.element.kind, $0.offset) < ($0.element.kind, $1.offset) }.map { selection.awaited($1) }
        let body = graceSeconds.map { JSONWriter.bytes(.map([("gracePeriodSeconds", .number($0))])) }
        var worst = ExitCode.success
        var awaited: [Awaited] = []
        for wave in try deletionWaves(targets, session) {
            let answers = session.client.perform(
                wave.map {
                    Client.Request(
                        "DELETE", Session.path($0.kind, namespace: $0.namespace, name: $0.name),
                        query: isDryRun ? [("dryRun", "All")] : [], body: body)
                })
            for (target, answer) in zip(wave, answers) {
                let response: Client.Response
                switch answer {
                case .success(let answer): response = answer
                case .failure(let failure): throw session.problem(failure)
                }
                if response.isSuccess {
                    let note = isDryRun ? " (dry run)" : ""
                    try Terminal.print("\(target.kind.qualifiedSingular) \"\(target.name)\" deleted\(note)")
                    if !isDryRun { awaited.append(target) }
                } else if response.status != 404 || !ignoresMissing {
                    let problem = session.problem(response)
                    Terminal.printError(problem.message)
                    worst = problem.code
                }
            }
        }
        if hasNoWait || awaited.isEmpty { return worst }
        let code = try session.awaitAll(awaited, .deleted, timeoutMs: timeout.ms)
        return code == .success ? worst : code
    }

    /// Agents that depend on others are told first, so that the daemon stops them first.
    private func deletionWaves(_ targets: [Awaited], _ session: Session) throws -> [[Awaited]] {
        guard targets.count(where: { $0.kind == .agent }) > 1 else { return [targets] }
        let namespaces = Set(targets.filter { $0.kind == .agent }.map(\.namespace))
        let rows = try session.list(.agent, namespace: namespaces.count == 1 ? namespaces.first : nil) { node in
            let agent = AgentView(ObjectView(node))
            let namespace = agent.object.namespace
            return (
                Awaited.key(namespace, agent.object.name), agent.dependencies.map { Awaited.key(namespace, $0) }
            )
        }.rows
        let waves = DeletionOrder.waves(Dictionary(rows, uniquingKeysWith: { first, _ in first }))
        func wave(_ target: Awaited) -> Int {
            // What agents use goes after all of them.
            target.kind == .agent ? waves[target.key] ?? 0 : Int.max
        }
        return Dictionary(grouping: targets, by: wave).sorted { $0.key < $1.key }.map(\.value)
    }
}

package enum DeletionOrder {
    /// The wave of an agent is one after that of its last dependent; the daemon refuses cycles.
    package static func waves(_ dependencies: [String: [String]]) -> [String: Int] {
        var waves: [String: Int] = [:]
        func settle(_ name: String, _ wave: Int) {
            guard waves[name] ?? -1 < wave, wave <= dependencies.count else { return }
            waves[name] = wave
            for dependency in dependencies[name] ?? [] { settle(dependency, wave + 1) }
        }
        for name in dependencies.keys.sorted() { settle(name, 0) }
        return waves
    }
}
