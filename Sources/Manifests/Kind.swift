/// The kinds that the program knows, in the order in which they are applied. What is known of one stands in its
/// `definition`.
public enum Kind: String, Sendable, Hashable, CaseIterable, Comparable {
    case namespace = "Namespace"
    case secret = "Secret"
    case configMap = "ConfigMap"
    case serviceAccount = "ServiceAccount"
    case clusterRole = "ClusterRole"
    case role = "Role"
    case clusterRoleBinding = "ClusterRoleBinding"
    case roleBinding = "RoleBinding"
    case event = "Event"
    case lease = "Lease"
    case resourceQuota = "ResourceQuota"
    case objective = "Objective"
    case source = "Source"
    case agent = "Agent"

    /// The definitions of all kinds: the one place that tells them apart.
    public var definition: KindDescription {
        switch self {
        case .namespace: NamespaceKind.definition
        case .secret: SecretKind.definition
        case .configMap: ConfigMapKind.definition
        case .serviceAccount: ServiceAccountKind.definition
        case .clusterRole: RoleKinds.clusterRole
        case .role: RoleKinds.role
        case .clusterRoleBinding: BindingKinds.clusterRoleBinding
        case .roleBinding: BindingKinds.roleBinding
        case .event: EventKind.definition
        case .lease: LeaseKind.definition
        case .resourceQuota: ResourceQuotaKind.definition
        case .objective: ObjectiveKind.definition
        case .source: SourceKind.definition
        case .agent: AgentKind.definition
        }
    }

    public var apiVersion: String { group.isEmpty ? version : "\(group)/\(version)" }
    public var group: String { definition.group }
    public var version: String { definition.version }
    public var isNamespaced: Bool { definition.isNamespaced }
    /// The plural in URLs.
    public var resource: String { definition.resource }
    public var singular: String { rawValue.lowercased() }
    public var shortNames: [String] { definition.shortNames }
    /// All fields of the kind, the root of its description.
    public var fields: [Field] { definition.fields }

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

    /// By its number: its text takes longer, and every look-up of an object asks for it.
    public func hash(into hasher: inout Hasher) { withUnsafeBytes(of: self) { hasher.combine(bytes: $0) } }

    private var order: Int { Self.allCases.firstIndex(of: self) ?? 0 }
    public static func < (a: Kind, b: Kind) -> Bool { a.order < b.order }
}
