import GRPC

extension ContainerdClient {
    var diff: Diff { Diff(client: self) }

    /// `diff.v1.Diff`: layers to file systems.
    struct Diff {
        private static let unpackDeadlineMs: Int64 = 300_000
        private static let watchMs: Int64 = 250
        let client: ContainerdClient

        /// Unpacks a layer; the digest of what it is without compression.
        ///
        /// - Parameter watch: is called again and again meanwhile, and once afterwards; what it throws ends the unpacking.
        func apply(
            _ layer: Descriptor, to mounts: [Mount], _ watch: () async throws(GRPCFailure) -> Void
        ) async throws(GRPCFailure) -> String {
            let applying = client.begin("diff.v1.Diff/Apply", deadlineMs: Self.unpackDeadlineMs) {
                $0.put(1, layer)
                for mount in mounts { $0.putAlways(2, mount.bytes) }
            }
            while true {
                let answer = try await applying.value(withinMs: Self.watchMs)
                do throws(GRPCFailure) { try await watch() } catch {
                    applying.cancel()
                    throw error
                }
                if let answer { return answer.message(1).string(2) }
            }
        }
    }
}
