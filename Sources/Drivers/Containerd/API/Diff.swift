import GRPC

extension ContainerdClient {
    var diff: Diff { Diff(client: self) }

    /// `diff.v1.Diff`: layers to file systems.
    struct Diff {
        private static let unpackDeadlineMs: Int64 = 300_000
        let client: ContainerdClient

        /// Unpacks a layer; the digest of what it is without compression.
        func apply(_ layer: Descriptor, to mounts: [Mount]) async throws(GRPCFailure) -> String {
            try await client.call("diff.v1.Diff/Apply", deadlineMs: Self.unpackDeadlineMs) {
                $0.put(1, layer)
                for mount in mounts { $0.putAlways(2, mount.bytes) }
            }.message(1).string(2)
        }
    }
}
