import Values

/// What an agent may ask for that not every driver can honour.
public enum AgentFeature: Sendable, CaseIterable {
    case image, imageArchive, volumes, volumeMounts, readOnlyRoot, capabilities, fsGroup, fsGroupChangePolicy
    case noNetwork, hostNetwork, bridgeNetwork
    /// The file system of the machine, in parts.
    case filesystem

    /// The field by which a spec asks for it, with its place; nil: it does not.
    func request(in spec: Node) -> (field: String, mark: Mark)? {
        switch self {
        case .image: Self.present("image", spec["image"])
        case .imageArchive: Self.present("imageArchive", spec["imageArchive"])
        case .volumes: Self.present("volumes", spec["volumes"])
        case .volumeMounts: Self.present("volumeMounts", spec["volumeMounts"])
        case .readOnlyRoot:
            Self.present(
                "securityContext.readOnlyRootFilesystem", spec[path: "securityContext", "readOnlyRootFilesystem"])
        case .capabilities: Self.present("securityContext.capabilities", spec[path: "securityContext", "capabilities"])
        case .fsGroup: Self.present("securityContext.fsGroup", spec[path: "securityContext", "fsGroup"])
        case .fsGroupChangePolicy:
            Self.present(
                "securityContext.fsGroupChangePolicy", spec[path: "securityContext", "fsGroupChangePolicy"])
        case .noNetwork: Self.network(.none, spec)
        case .hostNetwork: Self.network(.host, spec)
        case .bridgeNetwork: Self.network(.bridge, spec)
        case .filesystem: Self.present("filesystem", spec["filesystem"])
        }
    }

    /// What is set to `false` asks for nothing.
    private static func present(_ field: String, _ node: Node?) -> (field: String, mark: Mark)? {
        guard let node, node.bool != false else { return nil }
        return ("spec.\(field)", node.mark)
    }

    private static func network(_ mode: AgentSpec.Network, _ spec: Node) -> (field: String, mark: Mark)? {
        guard let node = spec[path: "network", "mode"], node.string == mode.rawValue else { return nil }
        return ("spec.network.mode", node.mark)
    }
}
