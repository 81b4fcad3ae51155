import Glibc
import HTTPClient
import Manifests
import Values

/// Shows what applying would change, as `diff -u` of the objects that are there and those that would be.
///
/// Exit codes as `diff` has them: 0 no difference, 1 differences, more: an error. `AGENTOS_EXTERNAL_DIFF` names
/// another program, as `KUBECTL_EXTERNAL_DIFF` does for kubectl; with `--word` none is asked.
struct Diff: Verb {
    static let name = "diff"
    static let usage = "diff -f PATH… | --source NAME"
    static let text = "Show what applying, or the next sync of a Source, would change; exit code 1 when it would."

    let manifests = ManifestOptions()
    @Option("source", value: "NAME", "what the next sync of this Source would change") var source: String?
    @Flag("word", "mark the words that differ, in place of whole lines") var isByWord

    func run(_ invocation: Invocation) throws -> ExitCode {
        if let word = invocation.words.first {
            throw invocation.usage("unexpected word \"\(word)\": give files with -f")
        }
        if source != nil, !manifests.paths.isEmpty { throw invocation.usage("give either -f or --source") }
        let manifests = try source == nil ? ManifestFiles.read(manifests, invocation) : []
        let session = try invocation.session()
        var comparison = Comparison()
        for manifest in manifests { try add(manifest, to: &comparison, session) }
        if let source { try add(source: source, to: &comparison, session) }
        return try isByWord ? comparison.showWords() : comparison.showLines()
    }

    private func add(_ manifest: Manifest, to comparison: inout Comparison, _ session: Session) throws {
        let path = Session.path(manifest.kind, namespace: manifest.namespace, name: manifest.name)
        let found = try session.answer(Client.Request("GET", path))
        if !found.isSuccess, found.status != 404 { throw session.problem(found) }
        let would = try session.answer(ApplyRequest.request(manifest, isDryRun: true))
        guard would.isSuccess else {
            for line in ApplyRequest.places(manifest, would) ?? [] { Terminal.printError(line) }
            let problem = session.problem(would)
            // Exit code 1 says that there are differences.
            throw problem.code == .failure ? CommandProblem(.invalid, problem.message) : problem
        }
        comparison.add(
            manifest.kind, live: found.isSuccess ? ObjectView(try session.node(found)) : nil,
            merged: ObjectView(try session.node(would)),
            hasSecretChanges: ApplyResult(would.headers).result == "configured")
    }

    private func add(source: String, to comparison: inout Comparison, _ session: Session) throws {
        let path = Session.path(.source, namespace: manifests.namespace ?? "default", name: source)
        let answer = try session.node("GET", "\(path)/preview")
        // What the sync does not do is told beside the differences.
        for line in PreviewView.notes(answer) { Terminal.note(line) }
        for node in try answer.items() {
            let item = PreviewView(node)
            comparison.add(
                (item.merged ?? item.live)?.kind ?? .agent, live: item.live, merged: item.merged,
                hasSecretChanges: true)
        }
    }
}

/// Objects in two states.
private struct Comparison {
    private var objects: [(name: String, live: String?, merged: String?)] = []

    /// - Parameter hasSecretChanges: the values of a Secret are hidden on both sides; that they differ is said all the
    ///   same.
    mutating func add(_ kind: Kind, live: ObjectView?, merged: ObjectView?, hasSecretChanges: Bool) {
        guard let object = merged ?? live else { return }
        let note = kind == .secret && hasSecretChanges ? "# values or metadata of this Secret change\n" : ""
        objects.append(
            (
                "\(kind.qualifiedSingular).\(object.namespace).\(object.name)",
                live.map { YAMLWriter.text($0.withoutValues.declared) },
                merged.map { YAMLWriter.text($0.withoutValues.declared) + note }
            ))
    }

    /// Word by word, without another program.
    func showWords() throws -> ExitCode {
        let diff = WordDiff(hasColor: Terminal.hasColor)
        var code = ExitCode.success
        for (name, live, merged) in objects {
            let hunks = diff.hunks(live ?? "", merged ?? "")
            if hunks.isEmpty { continue }
            try Terminal.print(Paint.words(hasColor: Terminal.hasColor).colored("diff \(name)", "1") + "\n\(hunks)")
            code = .failure
        }
        return code
    }

    /// Two directories of files, one a state, for a program that compares them.
    func showLines() throws -> ExitCode {
        var template = Array("\(Paths.environment("TMPDIR") ?? "/tmp")/agentos-diff.XXXXXX".utf8CString)
        guard let directory = mkdtemp(&template).map({ String(cString: $0) }) else {
            throw CommandProblem(.invalid, "cannot make a temporary directory: \(String(cString: strerror(errno)))")
        }
        let (live, merged) = ("\(directory)/LIVE", "\(directory)/MERGED")
        defer {
            for name in objects.map(\.name) { for side in [live, merged] { unlink("\(side)/\(name)") } }
            for path in [live, merged, directory] { rmdir(path) }
        }
        for side in [live, merged] { mkdir(side, 0o700) }
        for object in objects {
            try save(object.live, "\(live)/\(object.name)")
            try save(object.merged, "\(merged)/\(object.name)")
        }
        let program = Paths.environment("AGENTOS_EXTERNAL_DIFF") ?? "diff"
        var words = [program]
        if program == "diff" { words += ["-u", "-N", "-r", "--color=\(Terminal.hasColor ? "always" : "never")"] }
        switch try LocalProgram(words + [live, merged]).end() {
        case 0: return .success
        case 1: return .failure
        default: throw CommandProblem(.invalid, "\(program) failed")
        }
    }

    private func save(_ text: String?, _ path: String) throws {
        guard let text else { return }
        // A part of a file would be shown as a difference.
        do { try LocalFile.write(text, to: path) } catch let problem as CommandProblem {
            throw CommandProblem(.invalid, problem.message)
        }
    }
}
