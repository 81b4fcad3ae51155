import Glibc
import Manifests
import Values

/// Shows what applying would change, as `diff -u` of the objects that are there and those that would be.
///
/// Exit codes as `diff` has them: 0 no difference, 1 differences, more: an error. `AGENTOS_EXTERNAL_DIFF` names
/// another program, as `KUBECTL_EXTERNAL_DIFF` does for kubectl.
func diffVerb(_ invocation: Invocation) throws -> ExitCode {
    let source = invocation.value("source")
    if source != nil, !invocation.all("filename").isEmpty { throw invocation.usage("give either -f or --source") }
    let manifests = try source == nil ? readManifests(invocation) : []
    let session = try Session(invocation)
    var template = Array("\(Paths.environment("TMPDIR") ?? "/tmp")/agentos-diff.XXXXXX".utf8CString)
    guard let directory = mkdtemp(&template).map({ String(cString: $0) }) else {
        throw CommandProblem(.invalid, "cannot make a temporary directory: \(String(cString: strerror(errno)))")
    }
    let (live, merged) = ("\(directory)/LIVE", "\(directory)/MERGED")
    var written: [String] = []
    defer {
        for path in written { unlink(path) }
        for path in [live, merged, directory] { rmdir(path) }
    }
    mkdir(live, 0o700)
    mkdir(merged, 0o700)
    func save(_ text: String, _ path: String) throws {
        try LocalFile.write(text, to: path)
        written.append(path)
    }

    for manifest in manifests {
        let path = Session.path(manifest.kind, namespace: manifest.namespace, name: manifest.name)
        let name = "\(manifest.kind.qualifiedSingular).\(manifest.namespace).\(manifest.name)"
        let found = session.client.send(Client.Request(method: "GET", path: path))
        if found.failure != nil || found.status != 404 { try session.check(found) }
        let would = session.client.perform([request(manifest, isDryRun: true)])[0]
        if !would.isSuccess {
            for line in places(manifest, would) ?? [] { Terminal.printError(line) }
            // Exit code 1 says that there are differences.
            do { try session.check(would) } catch let problem as CommandProblem where problem.code == .failure {
                throw CommandProblem(.invalid, problem.message)
            }
        }
        let isChanged = would.headers["agentos-result"] == "configured"
        if found.isSuccess, let node = found.node { try save(YAMLWriter.text(declared(node)), "\(live)/\(name)") }
        if let node = would.node {
            var text = YAMLWriter.text(declared(node))
            if manifest.kind == .secret, isChanged { text += secretChanges }
            try save(text, "\(merged)/\(name)")
        }
    }
    if let source {
        let path = Session.path(.source, namespace: invocation.value("namespace") ?? "default", name: source)
        for item in try session.send("GET", "\(path)/preview").node?["items"]?.list ?? [] {
            let node = item["merged"] ?? item["live"] ?? .emptyMap
            let kind = node["kind"]?.string.flatMap(Kind.init) ?? .agent
            let namespace = node[path: "metadata", "namespace"]?.string ?? ""
            let name = "\(kind.qualifiedSingular).\(namespace).\(node[path: "metadata", "name"]?.string ?? "")"
            if let node = item["live"] { try save(YAMLWriter.text(declared(node)), "\(live)/\(name)") }
            guard let node = item["merged"] else { continue }
            var text = YAMLWriter.text(declared(node))
            if kind == .secret { text += secretChanges }
            try save(text, "\(merged)/\(name)")
        }
    }
    return try compare(live, merged)
}

/// The values of a Secret are hidden on both sides; that they differ is said all the same.
private let secretChanges = "# values or metadata of this Secret change\n"

/// An object without what the daemon writes.
private func declared(_ node: Node) -> Node {
    var result = node
    var metadata = node["metadata"] ?? .emptyMap
    for name in ["uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "declaredBy"] {
        metadata[name] = nil
    }
    result["metadata"] = metadata
    result["status"] = nil
    return result
}

private func compare(_ live: String, _ merged: String) throws -> ExitCode {
    let program = Paths.environment("AGENTOS_EXTERNAL_DIFF") ?? "diff"
    var words = [program]
    if program == "diff" { words += ["-u", "-N", "-r", "--color=\(Terminal.hasColor ? "always" : "never")"] }
    words += [live, merged]
    var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
    defer { for argument in arguments { free(argument) } }
    var pid: pid_t = 0
    let code = posix_spawnp(&pid, program, nil, nil, &arguments, environ)
    guard code == 0 else {
        throw CommandProblem(.invalid, "cannot run \(program): \(String(cString: strerror(code)))")
    }
    var status: Int32 = 0
    while waitpid(pid, &status, 0) < 0, errno == EINTR {}
    switch status & 0x7f == 0 ? (status >> 8) & 0xff : 2 {
    case 0: return .success
    case 1: return .failure
    default: throw CommandProblem(.invalid, "\(program) failed")
    }
}
