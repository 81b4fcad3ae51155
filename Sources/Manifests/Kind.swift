/// The kinds that the program knows.
public enum Kind: String, Sendable, Hashable, CaseIterable, Comparable {
    // In the order in which they are applied.
    case namespace = "Namespace"
    case secret = "Secret"
    case configMap = "ConfigMap"
    case source = "Source"
    case agent = "Agent"

    public var apiVersion: String { group.isEmpty ? version : "\(group)/\(version)" }
    public var group: String {
        switch self {
        case .agent, .source: "agentos.dev"
        case .namespace, .secret, .configMap: ""
        }
    }
    public var version: String { "v1" }
    public var isNamespaced: Bool { self != .namespace }

    /// The plural in URLs.
    public var resource: String {
        switch self {
        case .namespace: "namespaces"
        case .secret: "secrets"
        case .configMap: "configmaps"
        case .source: "sources"
        case .agent: "agents"
        }
    }

    public var singular: String { rawValue.lowercased() }

    public var shortNames: [String] {
        switch self {
        case .namespace: ["ns"]
        case .secret: []
        case .configMap: ["cm"]
        case .source: ["src"]
        case .agent: ["ag"]
        }
    }

    /// `agents.agentos.dev`, as error messages name it.
    public var qualifiedResource: String { group.isEmpty ? resource : "\(resource).\(group)" }
    /// `agent.agentos.dev`, as the command line prints it.
    public var qualifiedSingular: String { group.isEmpty ? singular : "\(singular).\(group)" }

    public static func named(_ word: String) -> Kind? {
        let lower = word.lowercased()
        return allCases.first {
            $0.resource == lower || $0.singular == lower || $0.shortNames.contains(lower)
                || $0.qualifiedResource == lower || $0.qualifiedSingular == lower
        }
    }

    private var order: Int { Self.allCases.firstIndex(of: self) ?? 0 }
    public static func < (a: Kind, b: Kind) -> Bool { a.order < b.order }

    /// All fields of the kind, the root of its description.
    public var fields: [Field] {
        switch self {
        case .agent: AgentFields.root
        case .namespace: CoreFields.namespace
        case .secret: CoreFields.secret
        case .configMap: CoreFields.configMap
        case .source: SourceFields.root
        }
    }
}

enum CoreFields {
    static func root(_ kind: Kind, nameRule: StringRule, _ more: [Field]) -> [Field] {
        [
            Field(
                "apiVersion", .enumeration([kind.apiVersion]), required: true,
                text: "Version of the schema of this kind."),
            Field("kind", .enumeration([kind.rawValue]), required: true, text: "The kind of the object."),
            Field(
                "metadata", .object(metadata(nameRule, namespaced: kind.isNamespaced)), required: true,
                text: "Standard object metadata, as in Kubernetes."),
        ] + more
    }

    static func metadata(_ nameRule: StringRule, namespaced: Bool) -> [Field] {
        var fields = [
            Field(
                "name", .string(nameRule), required: true,
                text: "Name, unique within kind and namespace."),
            Field("labels", .strings(.labelKey, values: .labelValue), text: "Labels to select objects by."),
            Field(
                "annotations", .strings(.labelKey, values: .any),
                text: "Free notes for people and tools; the program does not interpret them."),
            Field(
                "finalizers", .list(.string(.labelKey), max: 32, nonEmpty: false),
                text: "Names of controllers that must let go before a deletion ends."),
        ]
        if namespaced {
            fields.insert(
                Field("namespace", .string(.label(63)), text: "The tenant; `default` when absent."),
                at: 1)
        }
        // Written by the daemon. Accepted in what is applied, so that what was shown can be applied again; no effect.
        for name in [
            "uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp",
            "deletionGracePeriodSeconds", "managedFields", "declaredBy",
        ] {
            fields.append(Field(name, .anything, text: "Written by the daemon."))
        }
        return fields
    }

    static let status = Field("status", .anything, text: "Observed state, written by the daemon alone.")

    static let namespace = root(
        .namespace, nameRule: .label(63),
        [
            Field("spec", .anything, text: "Empty; accepted for Kubernetes clients."), status,
        ])

    static let secret = root(
        .secret, nameRule: .subdomain,
        [
            Field("type", .string(.any), fallback: "Opaque", text: "Free type of the secret."),
            Field("data", .strings(.configKey, values: .base64), text: "Values in base64."),
            Field("stringData", .strings(.configKey, values: .any), text: "Values as plain text; stored in `data`."),
            Field(
                "dataFrom",
                .list(
                    .object([
                        Field("key", .string(.configKey), required: true, text: "Key in data."),
                        Field(
                            "file", .string(.absolutePath),
                            text: "A file of the machine, below one that the daemon's option --secret-path allows."),
                        Field(
                            "environment", .string(.environmentName),
                            text: "A variable of the daemon, which its option --secret-environment allows."),
                    ]), max: 256, nonEmpty: true),
                text: "In the directory of a Source: values that are not beside it; stored in `data`."),
        ])

    static let configMap = root(
        .configMap, nameRule: .subdomain,
        [
            Field("data", .strings(.configKey, values: .any), text: "Values as text.")
        ])
}
