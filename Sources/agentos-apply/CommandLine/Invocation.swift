import Manifests
import Values

/// One option of a verb.
struct Option: Sendable {
    var name: String
    var short: Character?
    /// The name of its value in help; nil for a flag.
    var value: String?
    var text: String

    init(_ name: String, _ short: Character?, value: String? = nil, _ text: String) {
        self.name = name
        self.short = short
        self.value = value
        self.text = text
    }

    init(_ name: String, value: String? = nil, _ text: String) {
        self.init(name, nil, value: value, text)
    }

    static let namespace = Option("namespace", "n", value: "NAME", "namespace (default: default)")
    static let allNamespaces = Option("all-namespaces", "A", "all namespaces")
    static let selector = Option("selector", "l", value: "LABELS", "only objects with these labels: a=b,c!=d")
    static let output = Option("output", "o", value: "FORMAT", "table, wide, yaml, json or name")
    static let files = Option(
        "filename", "f", value: "PATH", "file, directory or - for standard input; may be repeated")
    static let recursive = Option("recursive", "R", "also the directories below")
    static let timeout = Option("timeout", value: "TIME", "longest time to wait, such as 30s, 5m (default: 5m)")
    static let connection = [
        Option("state-dir", value: "DIR", "state directory of the daemon"),
        Option("socket", value: "PATH", "socket of the daemon"),
    ]
}

/// A parsed command line. Parsing is pure: it looks at nothing but the words.
struct Invocation {
    let verb: Verb
    private(set) var positionals: [String] = []
    private var values: [String: [String]] = [:]

    init(_ words: [String]) throws {
        guard let first = words.first else { throw CommandProblem(.usage, Verb.overview(nil)) }
        var rest = words[...]
        if first == "--help" || first == "-h" {
            verb = Verb.named("help")!
            return
        } else if first == "--version" {
            verb = Verb.named("version")!
            return
        } else if first.hasPrefix("-") {
            verb = Verb.named("apply")!  // `agentos-apply -f file` applies
        } else {
            guard let found = Verb.named(first) else {
                let hint = Suggestion.text(for: first, among: Verb.all.map(\.name))
                throw CommandProblem(.usage, "unknown command \"\(first)\"\(hint)\nSee 'agentos-apply --help'.")
            }
            verb = found
            rest = rest.dropFirst()
        }
        try parse(rest)
    }

    private mutating func parse(_ words: ArraySlice<String>) throws {
        var rest = words
        while let word = rest.popFirst() {
            if word == "--" {
                positionals += rest
                return
            }
            guard word.hasPrefix("-"), word != "-" else {
                positionals.append(word)
                continue
            }
            let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            let option = try find(parts[0], &rest, isShortGroup: parts.count == 1)
            guard let option else { continue }
            if option.value == nil {
                if parts.count == 2, parts[1] != "true" { throw usage("--\(option.name) takes no value") }
                values[option.name] = ["true"]
            } else if parts.count == 2 {
                values[option.name, default: []].append(parts[1])
            } else if let value = rest.popFirst() {
                values[option.name, default: []].append(value)
            } else {
                throw usage("\(word) needs a value: \(option.value ?? "")")
            }
        }
    }

    /// The option behind a word; nil when the word was a group like `-ojson` or `-Aw` and has been taken in whole.
    private mutating func find(_ word: String, _ rest: inout ArraySlice<String>, isShortGroup: Bool) throws -> Option? {
        let options = verb.allOptions
        if word.hasPrefix("--") {
            let name = String(word.dropFirst(2))
            if let option = options.first(where: { $0.name == name }) { return option }
            throw usage("unknown option --\(name)\(Suggestion.text(for: name, among: options.map(\.name)))")
        }
        let letters = Array(word.dropFirst())
        guard let first = letters.first, let option = options.first(where: { $0.short == first }) else {
            throw usage("unknown option \(word)")
        }
        if letters.count == 1 { return option }
        let tail = String(letters.dropFirst())
        if option.value == nil {
            values[option.name] = ["true"]
            rest.insert("-\(tail)", at: rest.startIndex)
        } else {
            values[option.name, default: []].append(tail)
        }
        return nil
    }

    func usage(_ message: String) -> CommandProblem {
        CommandProblem(.usage, "\(message)\nSee 'agentos-apply \(verb.name) --help'.")
    }

    /// An option as it was given, to pass it on.
    func words(_ option: Option) -> [String] { all(option.name).flatMap { ["--\(option.name)", $0] } }

    func flag(_ name: String) -> Bool { values[name] != nil }
    func value(_ name: String) -> String? { values[name]?.last }
    func all(_ name: String) -> [String] { values[name] ?? [] }

    func integer(_ name: String, _ range: ClosedRange<Int>) throws -> Int? {
        guard let text = value(name) else { return nil }
        guard let number = Int(text), range.contains(number) else {
            throw usage(
                "--\(name): expected a number from \(range.lowerBound) to \(range.upperBound), found \"\(text)\"")
        }
        return number
    }

    /// A time such as `500ms`, `30s`, `5m`, `1h` or a bare number of seconds; milliseconds.
    func milliseconds(_ name: String, default fallback: Int64) throws -> Int64 {
        guard let text = value(name) else { return fallback }
        guard let ms = Durations.milliseconds(Int64(text) == nil ? text : "\(text)s") else {
            throw usage("--\(name): expected a time such as 30s or 5m, found \"\(text)\"")
        }
        return ms
    }

    /// The chosen word among those allowed.
    func choice(_ name: String, _ words: [String], default fallback: String) throws -> String {
        guard let text = value(name) else { return fallback }
        guard words.contains(text) else {
            throw usage(
                "--\(name): expected \(words.joined(separator: ", ")); found \"\(text)\"\(Suggestion.text(for: text, among: words))"
            )
        }
        return text
    }
}
