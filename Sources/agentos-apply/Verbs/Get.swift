import CLinux
import Manifests
import Values

struct Get: Verb {
    static let name = "get"
    static let usage = "get KIND [NAME…]"
    static let text = "Show objects."

    let scope = ScopeOptions()
    let selector = SelectorOption()
    let output = OutputOption()
    let watch = WatchOption()
    @Flag("show-secrets", "show the values of Secrets") var showsSecrets

    func run(_ invocation: Invocation) throws -> ExitCode {
        guard let first = invocation.words.first else {
            throw invocation.usage("give a KIND: agents, sources, namespaces, secrets, configmaps")
        }
        var names = Array(invocation.words.dropFirst())
        var word = first
        // `kind/name`, as `-o name` prints it.
        if let slash = first.firstIndex(of: "/") {
            word = String(first[..<slash])
            names.insert(String(first[first.index(after: slash)...]), at: 0)
        }
        let kind = try kind(word, invocation)
        let show = Show(
            session: try invocation.session(), kind: kind, names: names,
            namespace: scope.isAll ? nil : scope.namespace ?? "default", format: output.format,
            withNamespace: scope.isAll, selector: selector.given, showsSecrets: showsSecrets)
        return try show.run(goesOn: watch.isOn)
    }
}

struct Status: Verb {
    static let name = "status"
    static let usage = "status [NAME…]"
    static let text = "Show agents, in all namespaces unless one is given."

    let scope = ScopeOptions()
    let selector = SelectorOption()
    let output = OutputOption()
    let watch = WatchOption()

    func run(_ invocation: Invocation) throws -> ExitCode {
        let show = Show(
            session: try invocation.session(), kind: .agent, names: invocation.words, namespace: scope.namespace,
            format: output.format, withNamespace: true, selector: selector.given, showsSecrets: false)
        return try show.run(goesOn: watch.isOn)
    }
}
