import HTTPClient
import Values

/// A parsed command line. Parsing is pure: it looks at nothing but the words.
package struct Invocation {
    package let verb: any Verb
    /// What is no option.
    package private(set) var words: [String] = []
    let connection = ConnectionOptions()
    /// The names of the options that were given.
    private var given: Set<String> = []
    /// The daemon that listens for others, where one is meant.
    private(set) var server: RemoteDaemon?
    private let help = Flag("help", short: "h", "this help")

    var wantsHelp: Bool { help.wrappedValue }
    package var options: [any AnyOption] { declaredOptions(of: verb) + connection.options + [help] }

    package init(_ words: [String]) throws {
        guard let first = words.first else { throw CommandProblem(.usage, Verbs.overview(nil)) }
        switch first {
        case "--help", "-h":
            verb = Help()
            return
        case "--version":
            verb = Version()
            return
        default:
            let place = Self.placeOfVerb(words)
            guard place < words.count, !words[place].hasPrefix("-") else {
                verb = Apply()  // `agentos-apply -f file` applies
                try parse(words[...])
                return
            }
            guard let type = Verbs.named(words[place]) else {
                let hint = KubectlWords.hint(verb: words[place]) ?? Verbs.suggestion(for: words[place])
                throw CommandProblem(
                    .usage, "unknown command \"\(words[place])\"\(hint)\nSee 'agentos-apply --help'.")
            }
            verb = type.init()
            try parse((words[..<place] + words[(place + 1)...])[...])
        }
    }

    /// Options that may stand before the verb: which daemon is meant, and where.
    static let leading: [OptionDescription] =
        (ConnectionOptions().options + ScopeOptions().options).map(\.description)

    /// Where the verb stands: behind leading options and their values.
    static func placeOfVerb(_ words: [String]) -> Int {
        var place = 0
        while place < words.count, words[place].hasPrefix("-") {
            let parts = words[place].split(separator: "=", maxSplits: 1)
            let name = parts.first.map(String.init) ?? ""
            guard let option = leading.first(where: { "--\($0.name)" == name || $0.short.map { "-\($0)" } == name })
            else { break }
            place += option.value == nil || parts.count == 2 ? 1 : 2
        }
        return place
    }

    /// The words after the verb's name.
    package init(verb: any Verb, words: [String]) throws {
        self.verb = verb
        try parse(words[...])
    }

    private mutating func parse(_ given: ArraySlice<String>) throws {
        var rest = given
        while let word = rest.popFirst() {
            if word == "--" {
                words += rest
                return
            }
            guard word.hasPrefix("-"), word != "-" else {
                words.append(word)
                if words.count == type(of: verb).wordsBeforeCommand.map({ $0 + 1 }) {
                    words += rest
                    return
                }
                continue
            }
            let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard let option = try find(parts[0], &rest) else { continue }
            if option.description.value == nil {
                let name = option.description.name
                if parts.count == 2, parts[1] != "true", !option.description.flagWords.contains(parts[1]) {
                    let words = option.description.flagWords.joined(separator: " or ")
                    throw usage(
                        words.isEmpty
                            ? "--\(name) takes no value"
                            : "--\(name): expected \(words), or no value; found \"\(parts[1])\"")
                }
                try take("true", option)
            } else if parts.count == 2 {
                try take(parts[1], option)
            } else if let value = rest.popFirst() {
                try take(value, option)
            } else {
                throw usage("\(word) needs a value: \(option.description.value ?? "")")
            }
        }
    }

    /// The option behind a word; nil when the word was a group like `-ojson` or `-Aw` and has been taken in whole.
    private mutating func find(_ word: String, _ rest: inout ArraySlice<String>) throws -> (any AnyOption)? {
        let options = self.options
        if word.hasPrefix("--") {
            let name = String(word.dropFirst(2))
            if let option = options.first(where: { $0.description.name == name }) { return option }
            let known = options.map(\.description.name)
            let hint =
                KubectlWords.hint(option: name, of: type(of: verb).name) ?? Suggestion.text(for: name, among: known)
            throw usage("unknown option --\(name)\(hint)\(commandHint)")
        }
        let letters = Array(word.dropFirst())
        guard let first = letters.first, let option = options.first(where: { $0.description.short == first }) else {
            throw usage("unknown option \(word)\(commandHint)")
        }
        if letters.count == 1 { return option }
        let tail = String(letters.dropFirst())
        if option.description.value == nil {
            try take("true", option)
            rest.insert("-\(tail)", at: rest.startIndex)
        } else {
            try take(tail, option)
        }
        return nil
    }

    /// An option before the command of `exec` that is not known may have been meant for the command.
    private var commandHint: String {
        type(of: verb).wordsBeforeCommand == nil ? "" : "; options of the command itself stand after it, or after --"
    }

    /// Reads what `--kubeconfig` and `--context` mean. Without them, no environment and no file leads to another daemon
    /// than this machine's.
    mutating func findServer() throws {
        guard connection.isRemote else { return }
        if connection.socket != nil || connection.stateDirectory != nil {
            throw usage("give either --socket and --state-dir, or --kubeconfig and --context")
        }
        let files = try KubeconfigFiles(connection.kubeconfig, environment: Paths.environment)
        let context = try files.context(connection.context)
        server = context.server
        // The context's namespace is what the option says, unless that is said.
        if let namespace = context.namespace, !given.contains("namespace"),
            let option = options.first(where: { $0.description.name == "namespace" })
        {
            try take(namespace, option)
        }
    }

    private mutating func take(_ word: String, _ option: any AnyOption) throws {
        given.insert(option.description.name)
        do throws(Mistake) { try option.take(word) } catch {
            throw usage("--\(option.description.name): \(error.message)")
        }
    }

    func takeNoWords() throws {
        guard let word = words.first else { return }
        throw usage("unexpected word \"\(word)\": \(type(of: verb).name) takes options only")
    }

    func usage(_ message: String) -> CommandProblem {
        CommandProblem(.usage, "\(message)\nSee 'agentos-apply \(type(of: verb).name) --help'.")
    }

    /// The usage, the text and the options of the verb.
    package var helpText: String {
        var out = "usage: agentos-apply \(type(of: verb).usage)\n\n\(type(of: verb).text)\n\noptions:\n"
        for option in options.map(\.description) {
            let short = option.short.map { "-\($0), " } ?? "    "
            let head = "  \(short)--\(option.name)\(option.value.map { " \($0)" } ?? "")"
            out += head + String(repeating: " ", count: max(2, 34 - head.count)) + option.text + "\n"
        }
        return out
    }
}
