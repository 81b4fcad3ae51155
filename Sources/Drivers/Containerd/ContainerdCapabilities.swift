import Manifests

extension DriverCapabilities {
    /// What agents can have that are containers, whoever runs them.
    static func container(_ name: String) -> DriverCapabilities {
        DriverCapabilities(
            name: name, program: .image, usualNetwork: .none, hasOwnUsers: true,
            features: [
                .image, .imageArchive, .volumes, .volumeMounts, .readOnlyRoot, .capabilities, .fsGroup,
                .fsGroupChangePolicy, .noNetwork, .hostNetwork,
                .bridgeNetwork,
            ],
            reasons: [.filesystem: "a container has a file system of its own"])
    }

    static let containerd = container("containerd")
}
