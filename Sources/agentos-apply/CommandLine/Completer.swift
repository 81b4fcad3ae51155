package import Manifests

/// What may stand where the cursor is, from the description of the verbs alone.
package struct Completer {
    /// One word that fits, and what it is.
    package struct Candidate: Equatable, Sendable {
        package var word: String
        package var text: String

        package init(_ word: String, _ text: String = "") {
            self.word = word
            self.text = text
        }
    }

    package enum Wanted: Equatable, Sendable {
        case candidates([Candidate])
        /// Names of objects, which the daemon knows; each behind a prefix.
        case names(Kind, namespace: String?, prefix: String)
        case files
    }

    private let current: String
    private var verb: (any Verb.Type)?
    private var options: [OptionDescription]
    private var operands: [String] = []
    private var namespace: String?
    /// The option whose value is to come.
    private var pending: OptionDescription?

    /// - Parameter words: those behind the name of the program, up to the one in which the cursor is.
    package init(_ words: [String]) {
        current = words.last ?? ""
        let before = Array(words.dropLast())
        let place = Invocation.placeOfVerb(before)
        options = Invocation.leading
        var rest = before[...]
        if place < before.count {
            // Without a verb, options are those of apply.
            let isVerb = !before[place].hasPrefix("-")
            verb = isVerb ? Verbs.named(before[place]) : Apply.self
            if isVerb { rest = before[..<place] + before[(place + 1)...] }
            options = verb.flatMap { try? Invocation(verb: $0.init(), words: []) }?.options.map(\.description) ?? []
        }
        while let word = rest.popFirst() {
            guard word.hasPrefix("-"), word != "-", word != "--" else {
                operands.append(word)
                continue
            }
            let parts = word.split(separator: "=", maxSplits: 1).map(String.init)
            guard let option = option(parts.first ?? ""), option.value != nil else { continue }
            if parts.count == 1, rest.isEmpty {
                pending = option
                return
            }
            let value = parts.count == 2 ? parts[1] : rest.popFirst()
            if option.name == "namespace" { namespace = value }
        }
    }

    private func option(_ name: String) -> OptionDescription? {
        options.first { "--\($0.name)" == name || $0.short.map { "-\($0)" } == name }
    }

    package var wanted: Wanted {
        if let pending { return values(of: pending, prefix: "") }
        if current.hasPrefix("--"), let equals = current.firstIndex(of: "=") {
            guard let option = option(String(current[..<equals])) else { return .candidates([]) }
            return values(of: option, prefix: String(current[...equals]))
        }
        if current.hasPrefix("-") { return fitting(options.map { Candidate("--\($0.name)", $0.text) }) }
        guard let verb else { return fitting(Verbs.all.map { Candidate($0.name, $0.text) }) }
        if let count = verb.wordsBeforeCommand, operands.count >= count { return .files }
        return words(verb.operands, operands[...])
    }

    private func fitting(_ candidates: [Candidate]) -> Wanted {
        .candidates(candidates.filter { $0.word.hasPrefix(current) })
    }

    private func values(of option: OptionDescription, prefix: String) -> Wanted {
        if !option.choices.isEmpty { return fitting(option.choices.map { Candidate(prefix + $0) }) }
        switch option.value {
        case "PATH", "FILE", "DIR", "[KEY=]PATH": return .files
        case "NAME" where option.name == "namespace": return .names(.namespace, namespace: nil, prefix: prefix)
        default: return .candidates([])
        }
    }

    private func words(_ operands: Operands, _ given: ArraySlice<String>) -> Wanted {
        switch operands {
        case .nothing: return .candidates([])
        case .files: return .files
        case .verbs: return given.isEmpty ? fitting(Verbs.all.map { Candidate($0.name, $0.text) }) : .candidates([])
        case .kinds: return given.isEmpty ? fitting(Self.kinds) : .candidates([])
        case .words(let words, let next):
            return given.isEmpty ? fitting(words.map { Candidate($0) }) : self.words(next, given.dropFirst())
        case .names(let usual):
            return qualified ?? names(given.first.flatMap(Kind.named) ?? usual)
        case .objects:
            if let qualified { return qualified }
            guard let first = given.first else { return fitting(Self.kinds) }
            return Kind.named(first).map { names($0) } ?? .candidates([])
        }
    }

    private static let kinds = Kind.allCases.map { Candidate($0.singular, $0.definition.text) }

    /// `KIND/` is written already.
    private var qualified: Wanted? {
        guard let slash = current.firstIndex(of: "/"), let kind = Kind.named(String(current[..<slash])) else {
            return nil
        }
        return names(kind, prefix: String(current[...slash]))
    }

    private func names(_ kind: Kind, prefix: String = "") -> Wanted {
        .names(kind, namespace: kind.isNamespaced ? namespace ?? "default" : nil, prefix: prefix)
    }
}
