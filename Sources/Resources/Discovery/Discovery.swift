import Manifests
public import Values

/// What clients learn of the table of resources. Source: Kubernetes' `meta/v1` and `apidiscovery.k8s.io`.
public enum Discovery {
    /// One version of one group; the core has a group without a name.
    public struct Version: Sendable, Hashable {
        public let group: String
        public let name: String

        public var text: String { group.isEmpty ? name : "\(group)/\(name)" }
        /// Where its resources lie.
        public var path: String { group.isEmpty ? "/api/\(name)" : "/apis/\(text)" }
    }

    /// All versions in the order of the table; the one that is to be preferred stands first in its group.
    public static let versions: [Version] = {
        var seen: Set<Version> = []
        return Resource.all.filter(\.isListed).map { Version(group: $0.group, name: $0.version) }.filter {
            seen.insert($0).inserted
        }
    }()

    /// Groups with a name, in the order of the table.
    public static let groups: [String] = {
        var seen: Set<String> = []
        return versions.map(\.group).filter { !$0.isEmpty && seen.insert($0).inserted }
    }()

    static func resources(_ version: Version) -> [Resource] {
        Resource.all.filter { $0.isListed && $0.group == version.group && $0.version == version.name }
    }

    // MARK: One document for each path

    /// `/api`
    public static let coreVersions = Node.map([
        ("kind", "APIVersions"), ("versions", .list(versions.filter(\.group.isEmpty).map { .text($0.name) })),
        ("serverAddressByClientCIDRs", []),
    ])

    /// `/apis`
    public static let groupList = Node.map([
        ("kind", "APIGroupList"), ("apiVersion", "v1"), ("groups", .list(groups.map { .map(group($0)) })),
    ])

    /// `/apis/GROUP`
    public static func group(_ name: String) -> Node {
        .map([("kind", "APIGroup"), ("apiVersion", "v1")] + group(name))
    }

    private static func group(_ name: String) -> [(String, Node?)] {
        let versions = versions.filter { $0.group == name }.map { version in
            Node.map([("groupVersion", .text(version.text)), ("version", .text(version.name))])
        }
        return [("name", .text(name)), ("versions", .list(versions)), ("preferredVersion", versions.first)]
    }

    /// `/apis/GROUP/VERSION` and `/api/v1`
    public static func resourceList(_ version: Version) -> Node {
        .map([
            ("kind", "APIResourceList"), ("apiVersion", "v1"), ("groupVersion", .text(version.text)),
            ("resources", .list(resources(version).flatMap(entries))),
        ])
    }

    private static func entries(_ resource: Resource) -> [Node] {
        let own = Node.map([
            ("name", .text(resource.name)), ("singularName", .text(resource.singular)),
            ("namespaced", Node(.bool(resource.isNamespaced))), ("kind", .text(resource.kind)),
            ("verbs", words(resource.verbs)), ("shortNames", texts(resource.shortNames)),
            ("categories", texts(resource.categories)), ("storageVersionHash", storageHash(resource)),
        ])
        return [own]
            + resource.subresources.map { subresource in
                .map([
                    ("name", .text("\(resource.name)/\(subresource.name)")), ("singularName", ""),
                    ("namespaced", Node(.bool(resource.isNamespaced))), ("group", .text(subresource.group)),
                    ("version", .text(subresource.version)), ("kind", .text(subresource.kind)),
                    ("verbs", words(subresource.verbs)),
                ])
            }
    }

    // MARK: All in one document

    /// A version of the aggregated form, as clients ask for it.
    public enum Aggregation: String, Sendable, CaseIterable {
        case v2, v2beta1

        public var mediaType: String {
            "application/json;g=apidiscovery.k8s.io;v=\(rawValue);as=APIGroupDiscoveryList"
        }
    }

    /// `/api` or `/apis` with all that is below it.
    public static func aggregated(core: Bool, _ version: Aggregation) -> Node {
        .map([
            ("kind", "APIGroupDiscoveryList"), ("apiVersion", .text("apidiscovery.k8s.io/\(version.rawValue)")),
            ("metadata", .emptyMap), ("items", .list((core ? [""] : groups).map(item))),
        ])
    }

    private static func item(_ group: String) -> Node {
        .map([
            ("metadata", .map([("name", .text(group)), ("creationTimestamp", Node(.null))])),
            (
                "versions",
                .list(
                    versions.filter { $0.group == group }.map { version in
                        .map([
                            ("version", .text(version.name)), ("freshness", "Current"),
                            ("resources", .list(resources(version).map(entry))),
                        ])
                    })
            ),
        ])
    }

    private static func entry(_ resource: Resource) -> Node {
        let subresources = resource.subresources.map { subresource in
            Node.map([
                ("subresource", .text(subresource.name)),
                ("responseKind", kind(subresource.group, subresource.version, subresource.kind)),
                ("verbs", words(subresource.verbs)),
            ])
        }
        return .map([
            ("resource", .text(resource.name)),
            ("responseKind", kind(resource.group, resource.version, resource.kind)),
            ("scope", resource.isNamespaced ? "Namespaced" : "Cluster"),
            ("singularResource", .text(resource.singular)), ("verbs", words(resource.verbs)),
            ("shortNames", texts(resource.shortNames)), ("categories", texts(resource.categories)),
            ("subresources", subresources.isEmpty ? nil : .list(subresources)),
        ])
    }

    private static func kind(_ group: String, _ version: String, _ kind: String) -> Node {
        .map([("group", .text(group)), ("version", .text(version)), ("kind", .text(kind))])
    }

    private static func words(_ verbs: [Resource.Verb]) -> Node { .list(verbs.map(\.rawValue).sorted().map(Node.text)) }

    private static func texts(_ words: [String]) -> Node? { words.isEmpty ? nil : .list(words.map(Node.text)) }

    /// Says to clients when objects are stored as another kind; here they never are.
    private static func storageHash(_ resource: Resource) -> Node? {
        guard case .objects = resource.home else { return nil }
        let digest = SHA256Digest.bytes(Array("\(resource.group)/\(resource.version)/\(resource.kind)".utf8))
        return .text(Base64.encode(Array(digest.prefix(8))))
    }
}
