import Manifests
import Values

struct Apply: Verb {
    static let name = "apply"
    static let usage = "[apply] -f PATH… [--wait]"
    static let text = "Create or change what the manifests declare."

    enum Format: String, OutputChoice {
        case table, name, yaml, json
    }

    let manifests = ManifestOptions()
    @Flag("dry-run", "say what would happen, change nothing") var isDryRun
    @Flag("wait", "wait until all agents are Ready or have failed for good") var waits
    let timeout = TimeoutOption()
    @Option("output", short: "o", value: "FORMAT", "table, name, yaml or json") var format = Format.table
    @Flag("no-autostart", "fail when no daemon answers instead of starting one") var hasNoAutostart

    func run(_ invocation: Invocation) throws -> ExitCode {
        if let word = invocation.words.first {
            throw invocation.usage("unexpected word \"\(word)\": give files with -f")
        }
        let manifests = try ManifestFiles.read(manifests, invocation)
        let session = try invocation.session()
        try BackgroundDaemon.ensure(session, autostart: !hasNoAutostart)

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
                applied.append(
                    Awaited(
                        kind, namespace: manifest.namespace, name: manifest.name, generation: object.generation,
                        wasThere: true))
            }
        }
        guard waits, !isDryRun, worst == .success else { return worst }
        return try session.awaitAll(applied, .readyOrCompleted, timeoutMs: timeout.ms)
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
