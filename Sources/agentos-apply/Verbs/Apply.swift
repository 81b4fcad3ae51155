import HTTPClient
import Manifests
import Values

struct Apply: Verb {
    static let name = "apply"
    static let usage = "[apply] -f PATH… | --plan FILE [--wait]"
    static let text = "Create or change what the manifests declare."

    enum Format: String, OutputChoice {
        case table, name, yaml, json
    }

    let manifests = ManifestOptions()
    @Option("plan", value: "FILE", "do exactly what this plan says, or nothing when things have moved since")
    var plan: String?
    @Flag("dry-run", also: ["server"], "say what would happen, change nothing") var isDryRun
    @Flag("wait", "wait until all agents are Ready or have failed for good") var waits
    @Option(
        "fail-after", value: "N", in: 1...1_000_000, "with --wait: crashes of a replica that are enough (default: 3)")
    var crashesMax: Int?
    let timeout = TimeoutOption()
    @Option("output", short: "o", value: "FORMAT", "table, name, yaml or json") var format = Format.table
    @Flag("prune", "delete what was applied with the same --applyset before and is declared no more") var prunes
    @Option("applyset", value: "NAME", "remember what is applied, in a Secret of this name, as kubectl does")
    var setName: String?
    @Flag("no-autostart", "fail when no daemon answers instead of starting one") var hasNoAutostart

    func run(_ invocation: Invocation) throws -> ExitCode {
        if let word = invocation.words.first {
            throw invocation.usage("unexpected word \"\(word)\": give files with -f")
        }
        if let plan {
            if !manifests.paths.isEmpty { throw invocation.usage("give either -f or --plan") }
            if isDryRun { throw invocation.usage("--plan and --dry-run: a plan says already what would happen") }
            return try carryOut(plan, invocation)
        }
        if prunes, setName == nil {
            throw invocation.usage("--prune needs --applyset NAME, which says what was applied before")
        }
        let read = try ManifestFiles.read(self.manifests, invocation)
        var set = setName.map { ApplySet(name: $0, namespace: self.manifests.namespace ?? "default", manifests: read) }
        let manifests = set.map { read.map($0.marked) } ?? read
        let session = try invocation.session()
        try BackgroundDaemon.ensure(session, invocation, autostart: !hasNoAutostart)
        try set?.begin(read, session, isDryRun: isDryRun)

        var worst = ExitCode.success
        var applied: [Awaited] = []
        // Kinds that others need are done before those others are sent.
        for kind in Kind.allCases {
            let group = manifests.filter { $0.kind == kind }
            let answers = session.client.perform(group.map { ApplyRequest.request($0, isDryRun: isDryRun) })
            for (manifest, answer) in zip(group, answers) {
                let response: Client.Response
                switch answer {
                case .success(let answer): response = answer
                case .failure(let failure): throw session.problem(failure)
                }
                guard response.isSuccess else {
                    let code = refused(manifest, response, session)
                    if worst == .success || code == .invalid { worst = code }
                    continue
                }
                let object = ObjectView(try session.node(response))
                try show(manifest, response, object)
                guard kind == .agent || kind == .source else { continue }
                var awaited = Awaited(
                    kind, namespace: manifest.namespace, name: manifest.name, generation: object.generation,
                    wasThere: true)
                // How the runs of what was there before ended says nothing of those to come.
                if !ApplyResult(response.headers).restarts.isEmpty { awaited.endsBefore = Crashes.ends(object) }
                applied.append(awaited)
            }
        }
        // What could not be applied may be what another object was replaced by.
        if prunes, worst == .success, let set { worst = try set.prune(session, isDryRun: isDryRun) }
        guard waits, !isDryRun, worst == .success else { return worst }
        return try session.awaitAll(
            applied, .readyOrCompleted, timeoutMs: timeout.ms, crashesMax: crashesMax ?? Crashes.usualMax)
    }

    /// All of a plan in one step, when things still stand as it was made for.
    private func carryOut(_ path: String, _ invocation: Invocation) throws -> ExitCode {
        let file = try PlanFile.read(path)
        let session = try invocation.session()
        let body = try file.body(performs: true, from: path)
        let view = PlanView(
            try session.node("POST", PlanView.path, body: JSONWriter.bytes(body)))
        if view.refusals > 0 { return try view.refuse() }
        var applied: [Awaited] = []
        for change in view.changes where change.action != .follow {
            let object = "\(change.kind?.qualifiedSingular ?? "")/\(change.name)"
            try Terminal.print(format == .name ? object : change.result(object))
            guard let kind = change.kind, kind == .agent || kind == .source, change.action != .delete else { continue }
            applied.append(
                Awaited(
                    kind, namespace: change.namespace, name: change.name, generation: change.generation, wasThere: true)
            )
        }
        guard waits else { return .success }
        return try session.awaitAll(
            applied, .readyOrCompleted, timeoutMs: timeout.ms, crashesMax: crashesMax ?? Crashes.usualMax)
    }

    private func refused(_ manifest: Manifest, _ response: Client.Response, _ session: Session) -> ExitCode {
        let problem = session.problem(response)
        let whole = ["\(manifest.file):\(manifest.mark.line): \(problem.message)"]
        for line in ApplyRequest.places(manifest, response) ?? whole { Terminal.printError(line) }
        return problem.code
    }

    private func show(_ manifest: Manifest, _ response: Client.Response, _ object: ObjectView) throws {
        let name = "\(manifest.kind.qualifiedSingular)/\(manifest.name)"
        switch format {
        case .yaml: try Terminal.print("---\n" + YAMLWriter.text(object.withoutValues.node))
        case .json: try Terminal.print(JSONWriter.text(object.withoutValues.node, pretty: true))
        case .name: try Terminal.print(name)
        case .table: try Terminal.print(ApplyResult(response.headers).line(name, isDryRun: isDryRun))
        }
    }
}
