import Values

struct Help: Verb {
    static let name = "help"
    static let usage = "help [COMMAND]"
    static let text = "Show this, or the help of a command."
    static let operands = Operands.verbs

    @Flag("man", "as a manual page, in roff") var isManual
    @Option("man-pages", value: "DIR", "write the manual pages of all commands into this directory")
    var directory: String?

    func run(_ invocation: Invocation) throws -> ExitCode {
        if let directory {
            for page in ManualPage.all { try LocalFile.write(page.text, to: "\(directory)/\(page.name)") }
            return .success
        }
        guard let name = invocation.words.first else {
            try Terminal.print(isManual ? ManualPage.overview : Verbs.overview(nil))
            return .success
        }
        guard let verb = Verbs.named(name) else {
            let hint = KubectlWords.hint(verb: name) ?? Verbs.suggestion(for: name)
            throw invocation.usage("unknown command \"\(name)\"\(hint)")
        }
        try Terminal.print(isManual ? ManualPage.page(verb) : Verbs.overview(name))
        return .success
    }
}
