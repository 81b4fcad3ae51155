import CLinux
import Manifests
import Values

struct Get: Verb {
    static let name = "get"
    static let usage = "get KIND[,KIND…] [NAME…] | all | -f PATH…"
    static let text = "Show objects; all is agents and Sources."
    static let operands = Operands.objects

    let manifests = ManifestOptions()
    @Flag("all-namespaces", short: "A", "all namespaces") var isEverywhere
    let selector = SelectorOption()
    let output = OutputOption()
    let watch = WatchOption()
    @Flag("ignore-not-found", "a missing object is no error") var ignoresMissing
    @Flag("show-secrets", "show the values of Secrets") var showsSecrets

    func run(_ invocation: Invocation) throws -> ExitCode {
        let groups = try groups(invocation)
        if groups.count > 1, watch.isOn || [.json, .yaml].contains(output.format) {
            throw invocation.usage("with -w, -o json and -o yaml: one kind and namespace at a time")
        }
        let session = try invocation.session()
        var worst = ExitCode.success
        for (index, group) in groups.enumerated() {
            if index > 0, [.table, .wide].contains(output.format) { try Terminal.print("") }
            let show = Show(
                session: session, kind: group.kind, names: group.names, namespace: group.namespace,
                selector: selector, format: output.format, withNamespace: isEverywhere,
                ignoresMissing: ignoresMissing, showsSecrets: showsSecrets)
            let code = try show.run(goesOn: watch.isOn)
            if code != .success { worst = code }
        }
        return worst
    }

    /// Objects that are shown together.
    private struct Group {
        var kind: Kind
        var names: [String]
        var namespace: String?
    }

    /// The kinds that are shown whole; nil when objects are named.
    private func kinds(_ first: String, _ invocation: Invocation) throws -> [Kind]? {
        if first == "all", invocation.words.count > 1 { throw invocation.usage("all: give no names with it") }
        guard invocation.words.count == 1, !first.contains("/") else { return nil }
        return first == "all" ? [.agent, .source] : try invocation.kinds(first)
    }

    private func groups(_ invocation: Invocation) throws -> [Group] {
        let namespace = isEverywhere ? nil : manifests.namespace ?? "default"
        let targets: [Target]
        if manifests.paths.isEmpty {
            guard let first = invocation.words.first else {
                throw invocation.usage("give a KIND: agents, sources, namespaces, secrets, configmaps; or -f PATH")
            }
            if let kinds = try kinds(first, invocation) {
                return kinds.map { Group(kind: $0, names: [], namespace: namespace) }
            }
            targets = try invocation.targets(invocation.words)
        } else {
            if !invocation.words.isEmpty || selector.isGiven || isEverywhere {
                throw invocation.usage("give either words, or -f PATH")
            }
            targets = try ManifestFiles.read(manifests, invocation).map { Target($0.kind, $0.name, in: $0.namespace) }
        }
        let places = Dictionary(grouping: targets) { $0.namespace ?? namespace ?? "" }.sorted { $0.key < $1.key }
        return Set(targets.map(\.kind)).sorted().flatMap { kind in
            places.compactMap { place, targets in
                let names = targets.filter { $0.kind == kind }.map(\.name)
                return names.isEmpty
                    ? nil : Group(kind: kind, names: names, namespace: targets[0].namespace ?? namespace)
            }
        }
    }
}
