import GRPC

extension ContainerdClient {
    /// How a registry is reached.
    struct Registry: Sendable {
        /// Where administrators say how registries are reached, for all of containerd's clients; nil: nowhere.
        var hosts: String?
        var isPlain: Bool
    }

    /// `transfer.v1.Transfer` (containerd 2.0 and later): pulls an image and gives it its name.
    ///
    /// - Parameter machine: as image manifests call it.
    func pull(_ name: String, from registry: Registry, machine: String) async throws(GRPCFailure) {
        var source = ProtoWriter()
        source.put(1, name)
        source.put(2) {
            if let hosts = registry.hosts { $0.put(3, hosts) }
            if registry.isPlain { $0.put(4, "http") }
        }
        var store = ProtoWriter()
        store.put(1, name)
        store.put(3) {
            $0.put(1, "linux")
            $0.put(2, machine)
        }
        try await call("transfer.v1.Transfer/Transfer", deadlineMs: 600_000) {
            $0.put(1, any: "containerd.types.transfer.OCIRegistry", source.bytes)
            $0.put(2, any: "containerd.types.transfer.ImageStore", store.bytes)
        }
    }
}
