import HTTPClient
import Manifests
import Values

/// Server-side apply of one manifest: the request, and what its answer says.
enum ApplyRequest {
    static func request(_ manifest: Manifest, isDryRun: Bool) -> Client.Request {
        var request = Client.Request(
            "PATCH", Session.path(manifest.kind, namespace: manifest.namespace, name: manifest.name),
            query: [("fieldManager", "agentos-apply"), ("force", "true"), ("fieldValidation", "Strict")])
        request.headers = [
            "Content-Type: application/apply-patch+yaml",
            "Agentos-Source: \(Percent.encode("\(manifest.file):\(manifest.mark.line)"))",
        ]
        if isDryRun { request.query.append(("dryRun", "All")) }
        request.body = JSONWriter.bytes(object(manifest))
        return request
    }

    /// What is sent of a manifest.
    static func object(_ manifest: Manifest) -> Node {
        var node = manifest.applied
        var metadata = node["metadata"] ?? .emptyMap
        if manifest.kind.isNamespaced { metadata["namespace"] = .text(manifest.namespace) }
        // Written by the daemon; what was shown may be applied again.
        for name in ["managedFields", "resourceVersion", "uid"] { metadata[name] = nil }
        node["metadata"] = metadata
        return node
    }

    /// What the daemon refused, field by field, each with its place in the file.
    static func places(_ manifest: Manifest, _ response: Client.Response) -> [String]? {
        guard response.status == 422 || response.status == 400, let node = try? Answer.node(response.body) else {
            return nil
        }
        let causes = CauseView.all(in: node)
        if causes.isEmpty { return nil }
        return causes.map { cause in
            let mark = manifest.applied.mark(of: cause.field)
            return "\(manifest.file):\(mark.line):\(mark.column): \(cause.field): \(cause.message)"
        }
    }
}

/// What became of an applied manifest, or would become of it.
package struct ApplyResult {
    package var result: String
    /// Fields whose change restarts replicas.
    package var restarts: [String]
    /// What the agent waits for before it starts.
    package var waits: [String]

    init(result: String, restarts: [String], waits: [String]) {
        self.result = result
        self.restarts = restarts
        self.waits = waits
    }

    package init(_ headers: [String: String]) {
        func words(_ name: String) -> [String] {
            (headers[name] ?? "").split(separator: ",").map { word in
                Percent.decode(String(word.drop { $0 == " " }))
            }
        }
        result = headers["agentos-result"] ?? "configured"
        restarts = words("agentos-restarts")
        waits = words("agentos-waits")
    }

    package func line(_ name: String, isDryRun: Bool) -> String {
        var line = "\(name) \(result)"
        if !restarts.isEmpty { line += " (restarts its replicas: \(restarts.joined(separator: ", ")) changed)" }
        if !waits.isEmpty { line += " (waits: \(waits.joined(separator: "; ")))" }
        return line.printable + (isDryRun ? " (dry run)" : "")
    }
}
