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
        let targets = try invocation.targets(
            invocation.words, usual: .agent, among: [.agent], does: "shown by status, but by get")
        let isText = output.format == .table || output.format == .wide
        if isTree, !isText { throw invocation.usage("--tree is text: leave -o away") }
        let session = try invocation.session()
        let namespace = scope.isAll ? nil : scope.namespace
        // Away from a terminal, changes are lines of their own.
        if !isText || (watch.isOn && !Terminal.isInteractive) {
            let show = Show(
                session: session, kind: .agent, names: targets.map(\.name), namespace: namespace,
                selector: selector, format: output.format, withNamespace: true)
            return try show.run(goesOn: watch.isOn)
        }
        let board = StatusBoard(
            session, namespace: namespace, query: selector.query(), names: Set(targets.map(\.name)),
            isWide: output.format == .wide, isTree: isTree)
        return watch.isOn ? try board.follow() : try board.show()
    }
}
