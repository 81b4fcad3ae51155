import GRPC

extension ContainerdClient {
    var images: Images { Images(client: self) }

    /// `images.v1.Images`: names of images.
    struct Images {
        private static let service = "images.v1.Images"
        let client: ContainerdClient

        /// What a name stands for; nil when it is not there.
        func get(_ name: String) async throws(GRPCFailure) -> Descriptor? {
            (try await client.find("\(Self.service)/Get") { $0.put(1, name) }).map {
                Descriptor($0.message(1).message(3))
            }
        }

        func create(_ name: String, labels: [String: String], target: Descriptor) async throws(GRPCFailure) {
            try await client.make("\(Self.service)/Create") {
                $0.put(1) {
                    $0.put(1, name)
                    $0.put(2, map: labels)
                    $0.put(3, target)
                }
            }
        }
    }
}
