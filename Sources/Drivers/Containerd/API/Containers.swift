import GRPC

extension ContainerdClient {
    var containers: Containers { Containers(client: self) }

    /// `containers.v1.Containers`: what a task is made from.
    struct Containers {
        struct Container: Sendable {
            var id: String
            var labels: [String: String]
            var image = ""
            /// The program in place of runc; nil: runc.
            var runtime: String?
            /// The OCI runtime specification, as JSON.
            var spec: [UInt8]
        }

        private static let service = "containers.v1.Containers"
        let client: ContainerdClient

        /// One of the same id that is there is as good.
        func create(_ container: Container) async throws(GRPCFailure) {
            try await client.make("\(Self.service)/Create") {
                $0.put(1) {
                    $0.put(1, container.id)
                    $0.put(2, map: container.labels)
                    $0.put(3, container.image)
                    $0.put(4) {
                        $0.put(1, "io.containerd.runc.v2")
                        if let program = container.runtime {
                            var options = ProtoWriter()
                            options.put(6, program)
                            $0.put(2, any: "containerd.runc.v1.Options", options.bytes)
                        }
                    }
                    $0.put(5, any: "types.containerd.io/opencontainers/runtime-spec/1/Spec", container.spec)
                    $0.put(6, Snapshots.snapshotter)
                    $0.put(7, container.id)
                }
            }
        }

        /// Nil when it is not there.
        func get(_ id: String) async throws(GRPCFailure) -> Container? {
            guard let container = try await client.find("\(Self.service)/Get", { $0.put(1, id) })?.message(1) else {
                return nil
            }
            return Container(
                id: container.string(1), labels: container.map(2), image: container.string(3),
                spec: Array(container.message(5).bytes(2)))
        }

        func delete(_ id: String) async throws(GRPCFailure) {
            _ = try await client.find("\(Self.service)/Delete") { $0.put(1, id) }
        }

        /// Ids of those with all the labels.
        func ids(labels: [String: String]) async throws(GRPCFailure) -> [String] {
            var request = ProtoWriter()
            let filter = labels.sorted { $0.key < $1.key }.map { "labels.\"\($0.key)\"==\($0.value)" }
            request.putAlways(1, filter.joined(separator: ",").utf8)
            return try await client.stream("\(Self.service)/ListStream", deadlineMs: 30_000, request).map {
                $0.message(1).string(1)
            }
        }
    }
}
