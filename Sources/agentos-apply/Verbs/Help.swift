struct Help: Verb {
    static let name = "help"
    static let usage = "help [COMMAND]"
    static let operands = Operands.verbs
    static let text = "Show this, or the help of a command."

    func run(_ invocation: Invocation) throws -> ExitCode {
        try Terminal.print(Verbs.overview(invocation.words.first))
        return .success
    }
}
