import Glibc
import HTTPClient
import Manifests
import Values

/// Shows what applying would change, as `diff -u` of the objects that are there and those that would be.
///
/// Exit codes as `diff` has them: 0 no difference, 1 differences, more: an error. `AGENTOS_EXTERNAL_DIFF` names
/// another program, as `KUBECTL_EXTERNAL_DIFF` does for kubectl.
struct Diff: Verb {
    static let name = "diff"
    static let usage = "diff -f PATH… | --source NAME"
    static let text = "Show what applying, or the next sync of a Source, would change; exit code 1 when it would."

    let manifests = ManifestOptions()
    @Option("source", value: "NAME", "what the next sync of this Source would change") var source: String?

    func run(_ invocation: Invocation) throws -> ExitCode {
        if source != nil, !manifests.paths.isEmpty { throw invocation.usage("give either -f or --source") }
        let manifests = try source == nil ? ManifestFiles.read(manifests, invocation) : []
        let session = try invocation.session()
        let sides = try Sides()
        defer { sides.remove() }
        for manifest in manifests { try add(manifest, to: sides, session) }
        if let source { try add(source: source, to: sides, session) }
        return try sides.compare()
    }

    private func add(_ manifest: Manifest, to sides: Sides, _ session: Session) throws {
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
        try sides.add(
            manifest.kind, live: found.isSuccess ? ObjectView(session.node(found)) : nil,
            merged: ObjectView(session.node(would)),
            hasSecretChanges: ApplyResult(would.headers).result == "configured")
    }

    private func add(source: String, to sides: Sides, _ session: Session) throws {
        let path = Session.path(.source, namespace: manifests.namespace ?? "default", name: source)
        let answer = try session.node("GET", "\(path)/preview")
        // What the sync does not do is told beside the differences.
        for line in PreviewView.notes(answer) { Terminal.note(line) }
        for node in try answer.items() {
            let item = PreviewView(node)
            try sides.add(
                (item.merged ?? item.live)?.kind ?? .agent, live: item.live, merged: item.merged,
                hasSecretChanges: true)
        }
    }
}

/// Two directories of files, one a state, for a program that compares them.
private final class Sides {
    private let directory: String
    private var written: [String] = []
    private var live: String { "\(directory)/LIVE" }
    private var merged: String { "\(directory)/MERGED" }

    init() throws {
        var template = Array("\(Paths.environment("TMPDIR") ?? "/tmp")/agentos-diff.XXXXXX".utf8CString)
        guard let made = mkdtemp(&template).map({ String(cString: $0) }) else {
            throw CommandProblem(.invalid, "cannot make a temporary directory: \(String(cString: strerror(errno)))")
        }
        directory = made
        mkdir(live, 0o700)
        mkdir(merged, 0o700)
    }

    func remove() {
        for path in written { unlink(path) }
        for path in [live, merged, directory] { rmdir(path) }
    }

    /// - Parameter hasSecretChanges: the values of a Secret are hidden on both sides; that they differ is said all the
    ///   same.
    func add(_ kind: Kind, live: ObjectView?, merged: ObjectView?, hasSecretChanges: Bool) throws {
        guard let object = merged ?? live else { return }
        let name = "\(kind.qualifiedSingular).\(object.namespace).\(object.name)"
        if let live { try save(YAMLWriter.text(live.withoutValues.declared), "\(self.live)/\(name)") }
        guard let merged else { return }
        let note =
            kind == .secret && hasSecretChanges ? "# values or metadata of this Secret change\n" : ""
        try save(YAMLWriter.text(merged.withoutValues.declared) + note, "\(self.merged)/\(name)")
    }

    private func save(_ text: String, _ path: String) throws {
        // A part of a file would be shown as a difference.
        do { try LocalFile.write(text, to: path) } catch let problem as CommandProblem {
            throw CommandProblem(.invalid, problem.message)
        }
        written.append(path)
    }

    func compare() throws -> ExitCode {
        let program = Paths.environment("AGENTOS_EXTERNAL_DIFF") ?? "diff"
        var words = [program]
        if program == "diff" { words += ["-u", "-N", "-r", "--color=\(Terminal.hasColor ? "always" : "never")"] }
        words += [live, merged]
        switch try LocalProgram(words).end() {
        case 0: return .success
        case 1: return .failure
        default: throw CommandProblem(.invalid, "\(program) failed")
        }
    }
}
