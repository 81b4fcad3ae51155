import Support

/// One mention of the program in a document.
struct Mention {
    var place: String
    /// What stands after the name of the program, up to the end of the command.
    var words: [String]

    /// Every mention in code: in `code`, in fenced blocks and in indented ones; all commands of a line.
    static func all(in file: House.File) -> [Mention] {
        var found: [Mention] = []
        var isFenced = false
        for (number, line) in file.lines.enumerated() {
            if line.hasPrefix("```") {
                isFenced.toggle()
                continue
            }
            let pieces =
                isFenced || line.hasPrefix("    ")
                ? [line]
                : line.split(separator: "`", omittingEmptySubsequences: false).enumerated()
                    .filter { $0.offset % 2 == 1 }.map(\.element)
            for piece in pieces {
                for command in commands(of: piece) {
                    found.append(Mention(place: "\(file.path):\(number + 1)", words: command))
                }
            }
        }
        return found
    }

    /// The words after `agentos-apply` of each command of a line of shell.
    private static func commands(of line: Substring) -> [[String]] {
        let code = line.firstRange(of: " # ").map { line[..<$0.lowerBound] } ?? line
        return code.split(whereSeparator: { "|;&()<>$".contains($0) }).compactMap { command in
            let words = command.split(separator: " ").map(String.init)
            guard let index = words.firstIndex(of: "agentos-apply") else { return nil }
            // Another program's argument is no command, but a variable before it is none either.
            guard words[..<index].allSatisfy({ $0.contains("=") || $0 == "sudo" }) else { return nil }
            return Array(words[(index + 1)...])
        }
    }

    /// What is wrong with it: nil when the program has the verb and the options, and each option its value.
    func complaint(_ grammar: Grammar) -> String? {
        var rest = words[...]
        var verb = "apply"
        if let first = rest.first, !first.hasPrefix("-") {
            verb = first
            rest = rest.dropFirst()
        }
        if ["--help", "--version", "-h"].contains(words.first) { return nil }
        guard let options = grammar.options(of: verb) else { return "no verb \"\(verb)\"" }
        while let word = rest.popFirst() {
            if word == "--" { return nil }
            guard word.hasPrefix("-"), word != "-", word != "…" else { continue }
            let name = String(word.prefix { $0 != "=" })
            var letters = name.hasPrefix("--") ? [name] : name.dropFirst().map { "-\($0)" }
            while !letters.isEmpty {
                let letter = letters.removeFirst()
                guard let takesValue = options[letter] else { return "\(verb) has no option \(letter)" }
                guard takesValue else { continue }
                if letters.isEmpty, !word.contains("="), rest.popFirst() == nil { return "\(letter) needs a value" }
                letters = []
            }
        }
        return nil
    }
}

/// The verbs and options of the program, as its own help shows them.
final class Grammar {
    private var known: [String: [String: Bool]] = [:]
    private let world: World

    init(_ world: World) { self.world = world }

    /// Options with their dashes, and whether each takes a value; nil: there is no such verb.
    func options(of verb: String) -> [String: Bool]? {
        if let found = known[verb] { return found }
        let help = world.run(verb, "--help")
        guard help.code == 0 else { return nil }
        var options: [String: Bool] = [:]
        for line in help.output.split(separator: "\n") where line.hasPrefix("  ") {
            // "  -n, --namespace NAME   namespace (default: default)"
            var words = line.split(separator: " ")[...]
            var names: [String] = []
            while let word = words.first, word.hasPrefix("-") {
                names.append(String(word.filter { $0 != "," }))
                words = words.dropFirst()
            }
            let takesValue = words.first.map { $0.allSatisfy { $0.isUppercase || $0 == "-" || $0 == "=" || $0 == ":" } }
            for name in names { options[name] = takesValue ?? false }
        }
        known[verb] = options
        return options
    }
}
