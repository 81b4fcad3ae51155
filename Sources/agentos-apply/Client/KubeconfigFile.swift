import API
package import HTTPClient
import Machine
import Values

/// A context of a kubeconfig: the daemon that is meant, and who asks.
package struct KubeContext: Equatable, Sendable {
    package var server: RemoteDaemon
    /// Of objects for which the command line names none.
    package var namespace: String?
}

/// The kubeconfig files that a command line means, as kubectl reads them.
///
/// What would change whom we trust or who we are, and is not built, is refused by its name and never passed over.
/// Source: Kubernetes' client-go, `clientcmd/api/v1`.
package struct KubeconfigFiles {
    private static let bytesMax = 1 << 20

    private struct File {
        var path: String
        var root: Node
    }

    private var files: [File] = []

    /// - Parameters:
    ///   - given: `--kubeconfig`; nil: those of the variable KUBECONFIG, or `~/.kube/config`.
    package init(_ given: String?, environment: (String) -> String?) throws {
        if let given {
            files = [try Self.file(given)]
            return
        }
        // As kubectl does, files of the list that are not there are passed over.
        let listed = environment("KUBECONFIG")?.split(separator: ":").map(String.init)
        let paths = listed ?? environment("HOME").map { ["\($0)/.kube/config"] } ?? []
        files = try paths.filter(LocalFile.exists).map(Self.file)
        if files.isEmpty {
            throw CommandProblem(
                .usage, "there is no kubeconfig (\(paths.joined(separator: ", "))): give --kubeconfig FILE")
        }
    }

    private static func file(_ path: String) throws -> File {
        let bytes = try LocalFile.read(path, limit: bytesMax)
        if bytes.count > bytesMax {
            throw CommandProblem(.invalid, "\(path): is larger than \(bytesMax) bytes, and no kubeconfig")
        }
        return File(path: path, root: try root(bytes, path))
    }

    private static func root(_ bytes: [UInt8], _ path: String) throws(CommandProblem) -> Node {
        var diagnostics = Diagnostics()
        let documents = YAMLReader.read(bytes, file: path, diagnostics: &diagnostics)
        if let first = diagnostics.kept.first { throw CommandProblem(.invalid, first.description) }
        guard documents.count == 1, documents[0].map != nil, documents[0]["kind"]?.string ?? "Config" == "Config" else {
            throw CommandProblem(
                .invalid, "\(path): is no kubeconfig; 'agentos-apply kubeconfig' on the daemon's machine prints one")
        }
        return documents[0]
    }

    // MARK: Finding

    /// What a context means; nil: the current one.
    package func context(_ name: String?) throws -> KubeContext {
        let current = files.lazy.compactMap { $0.root["current-context"]?.string }.first { !$0.isEmpty }
        guard let wanted = name ?? current else {
            throw CommandProblem(
                .invalid,
                "\(files[0].path): current-context: is not set; choose one with --context NAME\(known("contexts"))")
        }
        let context = try entry("contexts", "context", wanted)
        let cluster = try entry("clusters", "cluster", try context.required("cluster"))
        let user = try context.text("user").map { try entry("users", "user", $0) }
        return KubeContext(
            server: try Self.server(cluster, user, "context \"\(wanted)\" of \(context.file)"),
            namespace: try context.text("namespace"))
    }

    /// The entry of a list with a name: the first of all files.
    private func entry(_ list: String, _ field: String, _ name: String) throws(CommandProblem) -> Fields {
        for file in files {
            guard let found = file.root[list], !found.isNull else { continue }
            guard let items = found.list else {
                throw Fields(file: file.path, node: file.root, path: "").problem(list, "expected a list")
            }
            for (index, item) in items.enumerated() where item["name"]?.string == name {
                let path = "\(list)[\(index)]"
                guard let node = item[field], node.map != nil else {
                    throw Fields(file: file.path, node: item, path: path).problem(field, "expected a map")
                }
                return Fields(file: file.path, node: node, path: "\(path).\(field)")
            }
        }
        let near = Suggestion.text(for: name, among: names(list))
        let hint = near.isEmpty ? known(list) : near
        throw CommandProblem(
            .invalid,
            "\(files.map(\.path).joined(separator: ", ")): \(list): there is none named \"\(name)\"\(hint)"
        )
    }

    private func names(_ list: String) -> [String] {
        files.flatMap { $0.root[list]?.list ?? [] }.compactMap { $0["name"]?.string }
    }

    private func known(_ list: String) -> String {
        let names = names(list)
        return names.isEmpty ? "" : "; there are \(names.joined(separator: ", "))"
    }

    // MARK: Reading

    private static func server(_ cluster: Fields, _ user: Fields?, _ place: String) throws -> RemoteDaemon {
        for (field, why) in [
            ("tls-server-name", "is not built"), ("proxy-url", "is not built"),
        ] where try cluster.text(field) != nil { throw cluster.problem(field, why) }
        if cluster.node["insecure-skip-tls-verify"]?.bool == true {
            throw cluster.problem(
                "insecure-skip-tls-verify",
                "is refused: whoever answers at that address would get this user's rights; say whom to trust with certificate-authority-data, which 'agentos-apply kubeconfig' prints"
            )
        }
        let url = try cluster.required("server")
        guard let server = RemoteDaemon(url, place: place) else {
            throw cluster.problem("server", "expected https://HOST:PORT, found \"\(url)\"")
        }
        var result = server
        result.trusted = try cluster.certificate("certificate-authority")
        guard let user else { return result }
        try refuseOthers(user)
        result.certificate = try user.certificate("client-certificate")
        result.key = try user.pem("client-key", "PRIVATE KEY-----")
        if (result.certificate == nil) != (result.key == nil) {
            throw user.problem(
                result.key == nil ? "client-certificate" : "client-key", "client-certificate and client-key go together"
            )
        }
        result.token = try user.token()
        return result
    }

    private static let unbuilt = [
        "exec": "programs that make tokens", "auth-provider": "programs that make tokens", "username": "passwords",
        "password": "passwords", "as": "acting as another", "as-uid": "acting as another",
        "as-groups": "acting as another", "as-user-extra": "acting as another",
    ]

    private static func refuseOthers(_ user: Fields) throws(CommandProblem) {
        for (field, what) in unbuilt.sorted(by: { $0.key < $1.key }) {
            guard let value = user.node[field], !value.isNull else { continue }
            throw user.problem(
                field, "\(what): is not built; give client-certificate-data and client-key-data, a token or a tokenFile"
            )
        }
    }
}

/// A map of a kubeconfig, and where it stands.
private struct Fields {
    let file: String
    let node: Node
    let path: String

    func problem(_ field: String, _ message: String) -> CommandProblem {
        let mark = node[field]?.mark ?? node.mark
        let path = path.isEmpty ? field : "\(path).\(field)"
        return CommandProblem(
            .invalid, Diagnostic(file: file, mark: mark, path: path, message: message).description)
    }

    /// Nil when it is not there, or empty.
    func text(_ field: String) throws(CommandProblem) -> String? {
        guard let value = node[field], !value.isNull else { return nil }
        guard let text = value.string else {
            throw problem(field, "expected a string, found \(value.kindOfValue); put it in quotes")
        }
        return text.isEmpty ? nil : text
    }

    func required(_ field: String) throws(CommandProblem) -> String {
        if let text = try text(field) { return text }
        throw problem(field, "is required")
    }

    func certificate(_ field: String) throws(CommandProblem) -> [UInt8]? { try pem(field, "BEGIN CERTIFICATE-----") }

    /// What stands in `FIELD-data` as base64, or in the file that `FIELD` names, from the place of the kubeconfig.
    func pem(_ field: String, _ mark: String) throws(CommandProblem) -> [UInt8]? {
        let name = "\(field)-data"
        let (found, bytes): (String, [UInt8])
        if let text = try text(name) {
            guard let decoded = Base64.decode(text.filter { !$0.isWhitespace }) else {
                throw problem(name, "expected base64")
            }
            (found, bytes) = (name, decoded)
        } else if let path = try text(field) {
            (found, bytes) = (field, try content(field, path))
        } else {
            return nil
        }
        guard String(decoding: bytes, as: UTF8.self).contains(mark) else {
            let what = mark.hasPrefix("BEGIN") ? "a certificate" : "a key without a password"
            throw problem(found, "expected \(what) in PEM")
        }
        return bytes
    }

    func token() throws(CommandProblem) -> String? {
        var found = try text("token").map { ("token", $0) }
        // As in client-go, the file is the newer of both.
        if let path = try text("tokenFile") {
            let text = String(decoding: try content("tokenFile", path), as: UTF8.self)
            found = ("tokenFile", String(text.filter { !$0.isWhitespace }))
        }
        guard let (field, token) = found else { return nil }
        guard !token.isEmpty, token.utf8.allSatisfy({ (0x21...0x7e).contains($0) }) else {
            throw problem(field, "expected a token: letters, digits and signs without blanks")
        }
        return token
    }

    private func content(_ field: String, _ path: String) throws(CommandProblem) -> [UInt8] {
        let whole = path.hasPrefix("/") ? path : "\(Files.directory(of: file))/\(path)"
        do throws(CommandProblem) {
            return try LocalFile.readRegular(whole, limit: Limits.pemBytesMax).bytes
        } catch { throw problem(field, error.message) }
    }
}
