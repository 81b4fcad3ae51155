import HTTPClient
import Values

struct ApiResources: Verb {
    static let name = "api-resources"
    static let usage = "api-resources"
    static let text = "Show what the daemon serves, with short names and verbs."

    enum Format: String, OutputChoice {
        case table, wide, name
    }

    @Option("output", short: "o", value: "FORMAT", "table, wide or name") var format = Format.table
    @Flag("namespaced", "only what is in a namespace") var isNamespaced

    func run(_ invocation: Invocation) throws -> ExitCode {
        try invocation.takeNoWords()
        let session = try invocation.session()
        let resources = try (Self.discovered("/api", session) + Self.discovered("/apis", session))
            .filter { !isNamespaced || $0.isNamespaced }
        if format == .name {
            for resource in resources { try Terminal.print(resource.qualified) }
            return .success
        }
        let isWide = format == .wide
        let header = ["NAME", "SHORTNAMES", "APIVERSION", "NAMESPACED", "KIND"] + (isWide ? ["VERBS"] : [])
        let rows = resources.map { resource in
            [
                resource.name, resource.shortNames, resource.apiVersion, String(resource.isNamespaced), resource.kind,
            ] + (isWide ? [resource.verbs] : [])
        }
        try Terminal.print(Table(header, rows, hasColor: false).text())
        return .success
    }

    /// All groups, versions and resources below one of the two roots, in one answer.
    private static func discovered(_ path: String, _ session: Session) throws -> [ResourceView] {
        var request = Client.Request("GET", path)
        request.headers = ["Accept: application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"]
        return try session.node(session.send(request)).items().flatMap { group in
            (group["versions"]?.list ?? []).flatMap { version in
                (version["resources"]?.list ?? []).map {
                    ResourceView(
                        node: $0, group: group[path: "metadata", "name"]?.string ?? "",
                        version: version["version"]?.string ?? "")
                }
            }
        }
    }
}

/// One resource, as the daemon makes it known.
private struct ResourceView {
    let node: Node
    let group: String
    let version: String

    var name: String { node["resource"]?.string ?? "" }
    var kind: String { node[path: "responseKind", "kind"]?.string ?? "" }
    var isNamespaced: Bool { node["scope"]?.string == "Namespaced" }
    var shortNames: String { words("shortNames") }
    var verbs: String { words("verbs") }
    var apiVersion: String { group.isEmpty ? version : "\(group)/\(version)" }
    var qualified: String { group.isEmpty ? name : "\(name).\(group)" }

    private func words(_ field: String) -> String {
        (node[field]?.list ?? []).compactMap(\.string).joined(separator: ",")
    }
}
