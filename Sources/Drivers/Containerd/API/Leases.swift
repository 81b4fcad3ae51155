import GRPC

extension ContainerdClient {
    var leases: Leases { Leases(client: self) }

    /// `leases.v1.Leases`: what the collector has to leave alone for a time.
    struct Leases {
        private static let service = "leases.v1.Leases"
        let client: ContainerdClient

        /// - Parameter expires: RFC 3339; then it goes by itself.
        func create(_ id: String, expires: String) async throws(GRPCFailure) {
            try await client.call("\(Self.service)/Create") {
                $0.put(1, id)
                $0.put(3, map: ["containerd.io/gc.expire": expires])
            }
        }

        /// - Parameter type: `content`, or `snapshots/` and the snapshotter.
        func add(_ resource: String, type: String, to id: String) async throws(GRPCFailure) {
            try await client.call("\(Self.service)/AddResource") {
                $0.put(1, id)
                $0.put(2) {
                    $0.put(1, resource)
                    $0.put(2, type)
                }
            }
        }

        func delete(_ id: String) async throws(GRPCFailure) {
            try await client.call("\(Self.service)/Delete") { $0.put(1, id) }
        }
    }
}
