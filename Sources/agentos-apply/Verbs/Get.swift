import CLinux
import Manifests
import Values

struct Get: Verb {
    static let name = "get"
    static let usage = "get KIND [NAME…]"
    static let text = "Show objects."
    static let operands = Operands.objects

    let scope = ScopeOptions()
    let selector = SelectorOption()
    let output = OutputOption()
    let watch = WatchOption()
    @Flag("show-secrets", "show the values of Secrets") var showsSecrets

    func run(_ invocation: Invocation) throws -> ExitCode {
        guard let first = invocation.words.first else {
            throw invocation.usage("give a KIND: agents, sources, namespaces, secrets, configmaps")
        }
        let targets = try invocation.targets(invocation.words)
        let kinds = targets.isEmpty ? [try kind(first, invocation)] : Set(targets.map(\.kind)).sorted()
        if kinds.count > 1, watch.isOn || [.json, .yaml].contains(output.format) {
            throw invocation.usage("with -w, -o json and -o yaml: one kind at a time")
        }
        let session = try invocation.session()
        var worst = ExitCode.success
        for kind in kinds {
            if kind != kinds.first, [.table, .wide].contains(output.format) { try Terminal.print("") }
            let show = Show(
                session: session, kind: kind, names: targets.filter { $0.kind == kind }.map(\.name),
                namespace: scope.isAll ? nil : scope.namespace ?? "default", format: output.format,
                withNamespace: scope.isAll, selector: selector.given, showsSecrets: showsSecrets)
            let code = try show.run(goesOn: watch.isOn)
            if code != .success { worst = code }
        }
        return worst
    }
}
