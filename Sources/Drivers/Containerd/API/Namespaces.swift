import GRPC

extension ContainerdClient {
    /// `namespaces.v1.Namespaces`: makes one; one that is there is as good.
    func makeNamespace(_ name: String) async throws(GRPCFailure) {
        try await make("namespaces.v1.Namespaces/Create") { $0.put(1) { $0.put(1, name) } }
    }
}
