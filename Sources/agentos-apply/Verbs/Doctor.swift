import Values

/// Says what of the machine is missing or risky.
struct Doctor: Verb {
    static let name = "doctor"
    static let usage = "doctor"
    static let text = "Say what this machine lacks, what that means and how to mend it; exit code 1: risks, 2: faults."

    enum Format: String, Choice {
        case text, json
    }

    @Option("output", short: "o", value: "FORMAT", "text or json") var format = Format.text

    func run(_ invocation: Invocation) throws -> ExitCode {
        try invocation.takeNoWords()
        let findings = try Self.findings(invocation)
        switch format {
        case .text: try Terminal.print(findings.map { $0.text(Terminal.hasColor) }.joined())
        case .json: try Terminal.print(JSONWriter.text(findings.node))
        }
        return findings.exitCode
    }

    /// Settings that cannot be used are a finding; the rest is looked at with the usual ones.
    static func findings(_ invocation: Invocation) throws -> [Finding] {
        do {
            let settings = try invocation.settings().settings
            if let problem = settings.problem { throw CommandProblem(.invalid, problem) }
            let fine = Finding("settings", .fine, "can be used")
            return [fine] + Diagnosis(settings: settings, paths: try invocation.paths(settings)).findings
        } catch let problem as CommandProblem {
            let fault = Finding(
                "settings", .fault, problem.message, means: "A daemon with these does not start.",
                mend: "correct them; 'agentos-apply daemon --check-config' says when they are good")
            return [fault] + Diagnosis(settings: Settings(), paths: try invocation.paths(Settings())).findings
        }
    }
}
