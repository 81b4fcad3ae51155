import Values

struct Label: Verb {
    static let name = "label"
    static let usage = "label KIND NAME… KEY=VALUE… KEY-…"
    static let text = "Set and remove labels of objects."
    static let operands = Operands.objects

    let selection = Selection()
    let options = MetadataOptions()

    func run(_ invocation: Invocation) throws -> ExitCode {
        try options.run(.labels, selection, invocation)
    }
}
