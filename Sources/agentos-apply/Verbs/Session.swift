import CLinux
import Glibc
import Manifests
import Values

/// What the verbs share: the client, and what to say when nobody answers.
struct Session {
    let client: Client
    let paths: Paths

    init(_ invocation: Invocation) throws {
        paths = try Paths(invocation)
        client = Client(socket: paths.socket)
    }

    /// A daemon answers. That somebody listens is not enough: the socket of one that was killed is open a moment longer.
    var isAnswered: Bool {
        let fd = agentos_connect_unix(paths.socket)
        guard fd >= 0 else { return false }
        close(fd)
        return client.send(Client.Request(method: "GET", path: "/livez"), timeoutMs: 5000).isSuccess
    }

    func send(
        _ method: String, _ path: String, query: [(String, String)] = [], headers: [String] = [], body: [UInt8]? = nil
    ) throws -> Client.Response {
        let response = client.send(
            Client.Request(method: method, path: path, query: query, headers: headers, body: body))
        try check(response)
        return response
    }

    /// Throws what a response that is no success means for the command.
    func check(_ response: Client.Response) throws {
        if let failure = response.failure { throw problem(noAnswer: failure) }
        if response.status >= 300 { throw problem(response) }
    }

    func problem(noAnswer why: String) -> CommandProblem {
        CommandProblem(
            .noDaemon, "no daemon answers at \(paths.socket) (\(why))\nStart one with 'agentos-apply daemon start'.")
    }

    func problem(_ response: Client.Response) -> CommandProblem {
        let message = response.node?["message"]?.string ?? String(decoding: response.body, as: UTF8.self)
        let code: ExitCode =
            switch response.status {
            case 409: .conflict
            case 400, 403, 413, 415, 422: .invalid
            default: .failure
            }
        return CommandProblem(code, message)
    }

    static func path(_ kind: Kind, namespace: String?, name: String? = nil) -> String {
        let base = kind.group.isEmpty ? "/api/v1" : "/apis/\(kind.group)/\(kind.version)"
        let place = kind.isNamespaced ? namespace.map { "/namespaces/\(Percent.encode($0))" } ?? "" : ""
        return "\(base)\(place)/\(kind.resource)\(name.map { "/\(Percent.encode($0))" } ?? "")"
    }
}

/// The kind behind a word of the command line.
func kind(_ word: String, _ invocation: Invocation) throws -> Kind {
    if let kind = Kind.named(word) { return kind }
    let words = Kind.allCases.flatMap { [$0.singular, $0.resource] }
    throw invocation.usage(
        "unknown kind \"\(word)\": expected \(Kind.allCases.map(\.singular).joined(separator: ", "))\(Suggestion.text(for: word, among: words))"
    )
}

/// Reads all manifests that `-f` names; throws all their errors at once.
func readManifests(_ invocation: Invocation) throws -> [Manifest] {
    let names = invocation.all("filename") + invocation.positionals.filter { _ in invocation.verb.name == "validate" }
    if names.isEmpty { throw invocation.usage("no manifests: give -f PATH") }
    var manifests: [Manifest] = []
    var diagnostics = Diagnostics()
    var count = 0
    for name in names {
        for path in try files(name, recursive: invocation.flag("recursive"), invocation) {
            count += 1
            if count > Limits.filesMax { throw CommandProblem(.invalid, "more than \(Limits.filesMax) files") }
            let bytes = try LocalFile.read(path, limit: Limits.inputBytesMax)
            manifests += ManifestReader.read(
                bytes, file: path == "-" ? "<stdin>" : path, namespace: invocation.value("namespace") ?? "default",
                diagnostics: &diagnostics)
        }
    }
    var places: [String: Manifest] = [:]
    for manifest in manifests {
        let id = "\(manifest.kind.rawValue)/\(manifest.namespace)/\(manifest.name)"
        if let first = places[id] {
            diagnostics.add(
                Diagnostic(
                    file: manifest.file, mark: manifest.mark, path: "metadata.name",
                    message:
                        "\(manifest.kind.rawValue) \"\(manifest.name)\" is declared twice; first in \(first.file):\(first.mark.line)"
                ))
        } else {
            places[id] = manifest
        }
    }
    if !diagnostics.isEmpty {
        var order: [String: Int] = [:]
        for diagnostic in diagnostics.kept where order[diagnostic.file] == nil { order[diagnostic.file] = order.count }
        func place(_ diagnostic: Diagnostic) -> (Int, UInt32, UInt32) {
            (order[diagnostic.file] ?? 0, diagnostic.mark.line, diagnostic.mark.column)
        }
        var text = diagnostics.kept.sorted { place($0) < place($1) }.map { $0.description + "\n" }.joined()
        if diagnostics.total > diagnostics.kept.count {
            text += "… and \(diagnostics.total - diagnostics.kept.count) more\n"
        }
        Terminal.note(text + "\(diagnostics.total) error\(diagnostics.total == 1 ? "" : "s"); nothing was applied.")
        throw Silent(code: .invalid)
    }
    return manifests.enumerated().sorted { ($0.element.kind, $0.offset) < ($1.element.kind, $1.offset) }.map(\.element)
}

private func files(_ name: String, recursive: Bool, _ invocation: Invocation) throws -> [String] {
    guard LocalFile.isDirectory(name) else { return [name] }
    var result: [String] = []
    for entry in LocalFile.names(in: name) {
        let path = "\(name)/\(entry)"
        if LocalFile.isDirectory(path) {
            if recursive { result += try files(path, recursive: true, invocation) }
        } else if [".yaml", ".yml", ".json"].contains(where: entry.hasSuffix) {
            result.append(path)
        }
    }
    if result.isEmpty, !recursive {
        throw CommandProblem(
            .invalid, "\(name): no .yaml, .yml or .json file in this directory (use -R for the directories below)")
    }
    return result
}

/// Ends the command with a code when all has been said.
struct Silent: Error { var code: ExitCode }
