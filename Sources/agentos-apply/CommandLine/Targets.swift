package import Manifests

/// One object that the words of a command line name.
package struct Target: Hashable, Sendable {
    package var kind: Kind
    package var name: String

    package init(_ kind: Kind, _ name: String) {
        self.kind = kind
        self.name = name
    }

    /// As the command line names it.
    var shown: String { "\(kind.qualifiedSingular)/\(name)" }
}

extension Invocation {
    /// What words name: `KIND NAME…` or `KIND/NAME…`; where one kind is usual, also `NAME…`.
    package func targets(_ words: [String], usual: Kind? = nil) throws -> [Target] {
        guard let first = words.first else { return [] }
        if words.contains(where: { $0.contains("/") }) {
            return try words.map { try target($0, usual) }
        }
        if usual == nil || words.count > 1, usual == nil || Kind.named(first) != nil {
            let kind = try kind(first, self)
            return words.dropFirst().map { Target(kind, $0) }
        }
        return words.compactMap { word in usual.map { Target($0, word) } }
    }

    private func target(_ word: String, _ usual: Kind?) throws -> Target {
        let parts = word.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        if parts.count == 1, let usual { return Target(usual, word) }
        guard parts.count == 2, !parts.contains("") else {
            throw usage("\"\(word)\": expected KIND/NAME, as the other words; or KIND NAME… for all of them")
        }
        return Target(try kind(parts[0], self), parts[1])
    }

    /// The one object that the words name.
    func target(usual: Kind? = nil) throws -> Target {
        let targets = try targets(words, usual: usual)
        guard targets.count == 1 else {
            throw usage("give one \(usual.map { $0.rawValue.uppercased() } ?? "KIND NAME, or KIND/NAME")")
        }
        return targets[0]
    }
}

/// Which objects a verb is for: those that words name, those with labels, or all of a kind.
package struct Selection: OptionGroup {
    @Option("namespace", short: "n", value: "NAME", "namespace (default: default)") private var given: String?
    @Option("selector", short: "l", value: "LABELS", "objects with these labels: a=b,c!=d") private var selector:
        String?
    @Flag("all", "all objects of the kind in the namespace") private var isAll

    var namespace: String { given ?? "default" }

    /// The objects that are there by choice, or that words name.
    ///
    /// - Parameters:
    ///   - kinds: what the verb can be done with, and `does` as in "cannot be scaled".
    func targets(
        _ words: [String], usual: Kind? = nil, among kinds: Set<Kind>? = nil, does: String = "",
        _ invocation: Invocation, _ session: Session
    ) throws -> [Target] {
        if isAll || selector != nil { return try chosen(words, usual, kinds, does, invocation, session) }
        let targets = try invocation.targets(words, usual: usual)
        if targets.isEmpty {
            let names = usual.map { "at least one \($0.rawValue.uppercased())" } ?? "KIND NAME…, or KIND/NAME…"
            throw invocation.usage("give \(names), or choose with -l LABELS or --all")
        }
        for target in targets { try check(target.kind, kinds, does, invocation) }
        return targets
    }

    private func chosen(
        _ words: [String], _ usual: Kind?, _ kinds: Set<Kind>?, _ does: String, _ invocation: Invocation,
        _ session: Session
    ) throws -> [Target] {
        guard words.count <= 1, let kind = words.first.map({ Kind.named($0) }) ?? usual else {
            throw invocation.usage(
                "give either names, or \(isAll ? "--all" : "-l LABELS")\(usual == nil ? " with a KIND" : "")")
        }
        try check(kind, kinds, does, invocation)
        let query = selector.map { [("labelSelector", $0)] } ?? []
        let found = try session.list(kind, namespace: namespace, query: query) { Target(kind, ObjectView($0).name) }
        if found.rows.isEmpty { Terminal.note("No such \(kind.resource) in namespace \(namespace).") }
        return found.rows
    }

    private func check(_ kind: Kind, _ kinds: Set<Kind>?, _ does: String, _ invocation: Invocation) throws {
        guard let kinds, !kinds.contains(kind) else { return }
        let able = kinds.sorted().map(\.singular).joined(separator: " or ")
        throw invocation.usage("a \(kind.rawValue) cannot be \(does): expected \(able)")
    }

    func path(_ target: Target) -> String {
        Session.path(target.kind, namespace: namespace, name: target.name)
    }

    func awaited(_ target: Target, generation: Int = 0) -> Awaited {
        Awaited(
            target.kind, namespace: target.kind.isNamespaced ? namespace : "", name: target.name,
            generation: generation, wasThere: true)
    }
}
