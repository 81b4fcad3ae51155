import API
import Manifests
import Values

/// Shows what the daemon would do, decided by the same function that does it.
struct Plan: Verb {
    static let name = "plan"
    static let usage = "plan -f PATH… | --source NAME [--out FILE]"
    static let text =
        "Show what applying, or the next sync of a Source, would do, and why; exit code 2 when it would do something."

    enum Format: String, OutputChoice {
        case text, json
    }

    let manifests = ManifestOptions()
    @Option("source", value: "NAME", "what the next sync of this Source would do") var source: String?
    @Flag("force", "with --source: what is no longer declared is deleted, however much it is") var isForced
    @Option("out", value: "FILE", "keep the plan, for 'apply --plan FILE'") var out: String?
    @Flag("word", "mark the words that differ within a value") var isByWord
    @Option("output", short: "o", value: "FORMAT", "text or json") var format = Format.text

    func run(_ invocation: Invocation) throws -> ExitCode {
        if let word = invocation.words.first {
            throw invocation.usage("unexpected word \"\(word)\": give files with -f")
        }
        if source != nil, !manifests.paths.isEmpty { throw invocation.usage("give either -f or --source") }
        if isForced, source == nil { throw invocation.usage("--force goes with --source") }
        let file = try asked(invocation)
        let session = try invocation.session()
        let answer = try session.node(
            "POST", PlanView.path, body: JSONWriter.bytes(file.body(performs: false, from: "")))
        let view = PlanView(answer)
        if view.refusals > 0 { return try view.refuse() }
        if let out { try file.sealed(by: answer).write(to: out) }
        switch format {
        case .json: try Terminal.print(JSONWriter.text(answer, pretty: true))
        case .text:
            let text = PlanText(columns: Terminal.columns, hasColor: Terminal.hasColor, isByWord: isByWord)
            try Terminal.print(text.text(view))
        }
        return view.isEmpty ? .success : .changes
    }

    private func asked(_ invocation: Invocation) throws -> PlanFile {
        if let source {
            return PlanFile(.source(namespace: manifests.namespace ?? "default", name: source, isForced: isForced))
        }
        let manifests = try ManifestFiles.read(manifests, invocation)
        if out != nil, manifests.count > Limits.performedObjectsMax {
            throw CommandProblem(
                .invalid,
                "--out: \(manifests.count) objects are more than the \(Limits.performedObjectsMax) that a plan is carried "
                    + "out with; plan parts of it, such as a directory each, or leave --out away")
        }
        if out != nil, let piped = manifests.first(where: { $0.kind == .secret && $0.file == "<stdin>" }) {
            throw CommandProblem(
                .invalid,
                "--out: the plan keeps no values of Secrets, and standard input cannot be read again for Secret "
                    + "\"\(piped.name)\"; give it as a file with -f")
        }
        return PlanFile(.objects(manifests.map { PlanFile.Item($0) }))
    }
}
