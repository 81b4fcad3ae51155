import GRPC

extension ContainerdClient {
    /// `version.v1.Version`: as `1.6.20` or `v2.1.4`.
    func version() async throws(GRPCFailure) -> String { try await call("version.v1.Version/Version").string(1) }
}
