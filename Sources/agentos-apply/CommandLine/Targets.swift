package import Manifests

/// One object that a command line is for.
package struct Target: Hashable, Sendable {
    package var kind: Kind
    package var name: String
    /// Where it was found, or where its manifest puts it; nil: in the namespace that the command line says.
    package var namespace: String?

    package init(_ kind: Kind, _ name: String, in namespace: String? = nil) {
        self.kind = kind
        self.name = name
        self.namespace = namespace
    }

    /// As the command line names it.
    var shown: String { "\(kind.qualifiedSingular)/\(name)" }
}

extension Invocation {
    /// What words name: `KIND NAME…` or `KIND/NAME…`; where one kind is usual, also `NAME…`.
    ///
    /// - Parameters:
    ///   - kinds: what the verb can be done with, and `does` as in "cannot be scaled".
    package func targets(
        _ words: [String], usual: Kind? = nil, among kinds: Set<Kind>? = nil, does: String = ""
    ) throws -> [Target] {
        let targets = try named(words, usual)
        for target in targets {
            // A path is made of it: these would name what is around the object, or all of its kind.
            if ["", ".", ".."].contains(target.name) { throw usage("\"\(target.name)\": is no name of an object") }
            try check(target.kind, kinds, does)
        }
        return targets
    }

    private func named(_ words: [String], _ usual: Kind?) throws -> [Target] {
        guard let first = words.first else { return [] }
        if words.contains(where: { $0.contains("/") }) {
            return try words.map { try target($0, usual) }
        }
        if usual == nil || words.count > 1, usual == nil || Kind.named(first) != nil {
            let kinds = try kinds(first)
            return words.dropFirst().flatMap { name in kinds.map { Target($0, name) } }
        }
        return words.compactMap { word in usual.map { Target($0, word) } }
    }

    /// One kind, or several as in `agents,configmaps`; each once.
    func kinds(_ word: String) throws -> [Kind] {
        var kinds: [Kind] = []
        for name in word.split(separator: ",", omittingEmptySubsequences: false) {
            let kind = try kind(String(name), self)
            if !kinds.contains(kind) { kinds.append(kind) }
        }
        return kinds
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
    func target(usual: Kind? = nil, among kinds: Set<Kind>? = nil, does: String = "") throws -> Target {
        let targets = try targets(words, usual: usual, among: kinds, does: does)
        guard targets.count == 1 else {
            throw usage("give one \(usual.map { $0.rawValue.uppercased() } ?? "KIND NAME, or KIND/NAME")")
        }
        return targets[0]
    }

    fileprivate func check(_ kind: Kind, _ kinds: Set<Kind>?, _ does: String) throws {
        guard let kinds, !kinds.contains(kind) else { return }
        let able = kinds.sorted().map(\.singular).joined(separator: " or ")
        let article = "AEIOU".contains(kind.rawValue.prefix(1)) ? "an" : "a"
        throw usage("\(article) \(kind.rawValue) cannot be \(does): expected \(able)")
    }
}

/// Which objects a verb is for: those that words or files name, those with labels or fields, or all of a kind.
package struct Selection: OptionGroup {
    private let manifests = ManifestOptions()
    @Flag("all-namespaces", short: "A", "those of all namespaces") private var isEverywhere
    private let selector = SelectorOption()
    @Flag("all", "all objects of the kind in the namespace") private var isAll

    var namespace: String { manifests.namespace ?? "default" }

    /// The objects that are there by choice, or that words or files name.
    ///
    /// - Parameters:
    ///   - kinds: what the verb can be done with, and `does` as in "cannot be scaled".
    func targets(
        _ words: [String], usual: Kind? = nil, among kinds: Set<Kind>? = nil, does: String = "",
        _ invocation: Invocation, _ session: Session
    ) throws -> [Target] {
        let isChosen = isAll || selector.isGiven
        if selector.takesAll, !isAll {
            throw invocation.usage("the selector is empty and takes everything: say --all for that")
        }
        if !manifests.paths.isEmpty {
            if !words.isEmpty || isChosen || isEverywhere {
                throw invocation.usage("give either names, or -f PATH, or choose with -l LABELS or --all")
            }
            let targets = try ManifestFiles.read(manifests, invocation).map {
                Target($0.kind, $0.name, in: $0.namespace)
            }
            for target in targets { try invocation.check(target.kind, kinds, does) }
            return targets
        }
        if isChosen { return try chosen(words, usual, kinds, does, invocation, session) }
        if isEverywhere {
            throw invocation.usage("-A: names are of one namespace; choose with -l LABELS, --field-selector or --all")
        }
        let targets = try invocation.targets(words, usual: usual, among: kinds, does: does)
        if targets.isEmpty {
            let names = usual.map { "at least one \($0.rawValue.uppercased())" } ?? "KIND NAME…, or KIND/NAME…"
            throw invocation.usage("give \(names), or choose with -l LABELS or --all")
        }
        return targets
    }

    private func chosen(
        _ words: [String], _ usual: Kind?, _ kinds: Set<Kind>?, _ does: String, _ invocation: Invocation,
        _ session: Session
    ) throws -> [Target] {
        let way = isAll ? "--all" : "-l LABELS"
        if words.count > 1 { throw invocation.usage("give either names, or \(way)") }
        if let word = words.first, usual != nil, !word.contains(","), Kind.named(word) == nil {
            throw invocation.usage("give either names, or \(way)")
        }
        guard let chosen = try words.first.map(invocation.kinds) ?? usual.map({ [$0] }) else {
            throw invocation.usage("give a KIND with \(way)")
        }
        let place = isEverywhere ? nil : namespace
        return try chosen.flatMap { kind in
            try invocation.check(kind, kinds, does)
            let found = try session.list(kind, namespace: place, query: selector.query()) {
                let object = ObjectView($0)
                return Target(kind, object.name, in: kind.isNamespaced ? object.namespace : nil)
            }
            if found.rows.isEmpty {
                Terminal.note("No such \(kind.resource)\(place.map { " in namespace \($0)" } ?? "").")
            }
            return found.rows
        }
    }

    func path(_ target: Target) -> String {
        Session.path(target.kind, namespace: target.namespace ?? namespace, name: target.name)
    }

    func awaited(_ target: Target, generation: Int = 0) -> Awaited {
        Awaited(
            target.kind, namespace: target.kind.isNamespaced ? target.namespace ?? namespace : "", name: target.name,
            generation: generation, wasThere: true)
    }
}
