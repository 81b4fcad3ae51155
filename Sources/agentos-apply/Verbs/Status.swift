import Manifests
import Values

struct Status: Verb {
    static let name = "status"
    static let usage = "status [AGENT…]"
    static let text = "Show agents, those with problems first, in all namespaces unless one is given."
    static let operands = Operands.names(.agent)

    let scope = ScopeOptions()
    let selector = SelectorOption()
    let output = OutputOption()
    let watch = WatchOption()
    @Flag("tree", "by namespace, agents below those that they depend on") var isTree

    func run(_ invocation: Invocation) throws -> ExitCode {
        let targets = try invocation.targets(invocation.words, usual: .agent)
        if let other = targets.first(where: { $0.kind != .agent }) {
            throw invocation.usage("status shows agents; see 'agentos-apply get \(other.kind.singular)'")
        }
        let isText = output.format == .table || output.format == .wide
        if isTree, !isText { throw invocation.usage("--tree is text: leave -o away") }
        let session = try invocation.session()
        // Away from a terminal, changes are lines of their own.
        if !isText || (watch.isOn && !Terminal.isInteractive) {
            let show = Show(
                session: session, kind: .agent, names: targets.map(\.name), namespace: scope.namespace,
                format: output.format, withNamespace: true, selector: selector.given, showsSecrets: false)
            return try show.run(goesOn: watch.isOn)
        }
        let board = StatusBoard(
            session, namespace: scope.namespace, selector: selector.given, names: Set(targets.map(\.name)),
            isWide: output.format == .wide, isTree: isTree)
        return watch.isOn ? try board.follow() : try board.show()
    }
}
