import Glibc
import Manifests
import Values

func applyVerb(_ invocation: Invocation) throws -> ExitCode {
    if let word = invocation.positionals.first {
        throw invocation.usage("unexpected word \"\(word)\": give files with -f")
    }
    let format = try invocation.choice("output", ["table", "name", "yaml", "json"], default: "table")
    let timeoutMs = try invocation.milliseconds("timeout", default: 300_000)
    let manifests = try readManifests(invocation)
    let session = try Session(invocation)
    try ensureDaemon(session, autostart: !invocation.flag("no-autostart"))

    let isDryRun = invocation.flag("dry-run")
    var worst = ExitCode.success
    var applied: [(manifest: Manifest, node: Node)] = []
    // Kinds that others need are done before those others are sent.
    for kind in Kind.allCases {
        let group = manifests.filter { $0.kind == kind }
        let responses = session.client.perform(group.map { request($0, isDryRun: isDryRun) })
        for (manifest, response) in zip(group, responses) {
            if response.isSuccess, let node = response.node {
                report(manifest, response, node, format, isDryRun)
                applied.append((manifest, node))
                continue
            }
            do { try session.check(response) } catch let problem as CommandProblem {
                if problem.code == .noDaemon { throw problem }
                for line in places(manifest, response) ?? ["\(manifest.file):\(manifest.mark.line): \(problem.message)"]
                {
                    Terminal.printError(line)
                }
                if worst == .success || problem.code == .invalid { worst = problem.code }
            }
        }
    }
    if invocation.flag("wait"), !isDryRun, worst == .success {
        let agents = applied.filter { $0.manifest.kind == .agent || $0.manifest.kind == .source }.map { item in
            Awaited(
                kind: item.manifest.kind, namespace: item.manifest.namespace, name: item.manifest.name,
                generation: item.node[path: "metadata", "generation"]?.int ?? 0)
        }
        return try awaitAll(agents, .readyOrCompleted, session, timeoutMs: timeoutMs)
    }
    return worst
}

/// What the daemon refused, field by field, each with its place in the file.
func places(_ manifest: Manifest, _ response: Client.Response) -> [String]? {
    let causes = response.node?[path: "details", "causes"]?.list ?? []
    guard response.status == 422, !causes.isEmpty else { return nil }
    return causes.map { cause in
        let field = cause["field"]?.string ?? ""
        let mark = manifest.applied.mark(of: field)
        return "\(manifest.file):\(mark.line):\(mark.column): \(field): \(cause["message"]?.string ?? "")"
    }
}

func request(_ manifest: Manifest, isDryRun: Bool) -> Client.Request {
    var request = Client.Request(
        method: "PATCH", path: Session.path(manifest.kind, namespace: manifest.namespace, name: manifest.name),
        query: [("fieldManager", "agentos-apply"), ("force", "true")],
        headers: [
            "Content-Type: application/apply-patch+yaml",
            "Agentos-Source: \(Percent.encode("\(manifest.file):\(manifest.mark.line)"))",
        ])
    if isDryRun { request.query.append(("dryRun", "All")) }
    var node = manifest.applied
    if manifest.kind.isNamespaced {
        var metadata = node["metadata"] ?? .emptyMap
        metadata["namespace"] = .text(manifest.namespace)
        // Written by the daemon; what was shown may be applied again.
        metadata["managedFields"] = nil
        node["metadata"] = metadata
    }
    request.body = JSONWriter.bytes(node)
    return request
}

private func report(_ manifest: Manifest, _ response: Client.Response, _ node: Node, _ format: String, _ isDryRun: Bool)
{
    switch format {
    case "yaml": return Terminal.print("---\n" + YAMLWriter.text(node))
    case "json": return Terminal.print(JSONWriter.text(node, pretty: true))
    default: break
    }
    let name = "\(manifest.kind.qualifiedSingular)/\(manifest.name)"
    if format == "name" { return Terminal.print(name) }
    var line = "\(name) \(response.headers["agentos-result"] ?? "configured")"
    if let restarts = response.headers["agentos-restarts"] {
        line += " (restarts its replicas: \(restarts.split(separator: ",").joined(separator: ", ")) changed)"
    }
    Terminal.print(line + (isDryRun ? " (dry run)" : ""))
}

private typealias Target = (kind: Kind, namespace: String, name: String)

/// Agents that depend on others are told first, so that the daemon stops them first.
private func deletionWaves(_ targets: [Target], _ session: Session) throws -> [[Target]] {
    guard targets.count(where: { $0.kind == .agent }) > 1 else { return [targets] }
    var dependencies: [String: [String]] = [:]
    for item in try session.send("GET", Session.path(.agent, namespace: nil)).node?["items"]?.list ?? [] {
        let namespace = item[path: "metadata", "namespace"]?.string ?? ""
        dependencies["\(namespace)/\(item[path: "metadata", "name"]?.string ?? "")"] =
            item[path: "spec", "dependsOn"]?.list?.compactMap { $0["name"]?.string.map { "\(namespace)/\($0)" } }
    }
    // The wave of an agent is one after that of its last dependent; the daemon refuses cycles.
    var waves: [String: Int] = [:]
    func settle(_ name: String, _ wave: Int) {
        guard waves[name] ?? -1 < wave, wave <= dependencies.count else { return }
        waves[name] = wave
        for dependency in dependencies[name] ?? [] { settle(dependency, wave + 1) }
    }
    for name in dependencies.keys.sorted() { settle(name, 0) }
    func wave(_ target: Target) -> Int {
        // What agents use goes after all of them.
        target.kind == .agent ? waves["\(target.namespace)/\(target.name)"] ?? 0 : Int.max
    }
    return Dictionary(grouping: targets, by: wave).sorted { $0.key < $1.key }.map(\.value)
}

func deleteVerb(_ invocation: Invocation) throws -> ExitCode {
    var targets: [Target] = []
    let session = try Session(invocation)
    let namespace = invocation.value("namespace") ?? "default"
    if !invocation.all("filename").isEmpty {
        targets = try readManifests(invocation).reversed().map { ($0.kind, $0.namespace, $0.name) }
    } else {
        guard let word = invocation.positionals.first else { throw invocation.usage("give KIND NAME…, or -f PATH") }
        let kind = try kind(word, invocation)
        var names = Array(invocation.positionals.dropFirst())
        if invocation.flag("all") {
            let list = try session.send("GET", Session.path(kind, namespace: namespace))
            names = list.node?["items"]?.list?.compactMap { $0[path: "metadata", "name"]?.string } ?? []
        } else if names.isEmpty {
            throw invocation.usage("give at least one NAME, or --all")
        }
        targets = names.map { (kind, kind.isNamespaced ? namespace : "", $0) }
    }
    let grace = try invocation.integer("grace-period", 0...86_400)
    let timeoutMs = try invocation.milliseconds("timeout", default: 300_000)
    let body = grace.map { JSONWriter.bytes(.map([("gracePeriodSeconds", .number($0))])) }
    var worst = ExitCode.success
    var awaited: [Awaited] = []
    var answered: [(Target, Client.Response)] = []
    for wave in try deletionWaves(targets, session) {
        let responses = session.client.perform(
            wave.map {
                Client.Request(
                    method: "DELETE", path: Session.path($0.kind, namespace: $0.namespace, name: $0.name), body: body)
            })
        answered += zip(wave, responses)
    }
    for (target, response) in answered {
        if response.status == 404, response.failure == nil, invocation.flag("ignore-not-found") { continue }
        do {
            try session.check(response)
            Terminal.print("\(target.kind.qualifiedSingular) \"\(target.name)\" deleted")
            awaited.append(Awaited(kind: target.kind, namespace: target.namespace, name: target.name, generation: 0))
        } catch let problem as CommandProblem {
            if problem.code == .noDaemon { throw problem }
            Terminal.printError(problem.message)
            worst = problem.code
        }
    }
    if invocation.flag("no-wait") || awaited.isEmpty { return worst }
    let code = try awaitAll(awaited, .deleted, session, timeoutMs: timeoutMs)
    return code == .success ? worst : code
}

func validateVerb(_ invocation: Invocation) throws -> ExitCode {
    let manifests = try readManifests(invocation)
    for manifest in manifests {
        Terminal.print(
            "\(manifest.file):\(manifest.mark.line): \(manifest.kind.qualifiedSingular)/\(manifest.name) is valid")
    }
    return .success
}

func schemaVerb(_ invocation: Invocation) throws -> ExitCode {
    let kind = try invocation.positionals.isEmpty ? nil : kind(invocation.positionals[0], invocation)
    Terminal.print(JSONWriter.text(JSONSchema.node(for: kind), pretty: true))
    return .success
}
