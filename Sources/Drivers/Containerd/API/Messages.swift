import GRPC

extension ContainerdClient {
    /// `types.Mount`, passed on as it came.
    struct Mount: Sendable {
        var bytes: [UInt8]

        /// As mount(8) takes them: type, source and options.
        var type: String { message.string(1) }
        var source: String { message.string(2) }
        var options: [String] { message.all(4).map { String(decoding: $0, as: UTF8.self) } }
        private var message: ProtoMessage { (try? ProtoMessage(bytes)) ?? ProtoMessage() }
    }

    /// `types.Descriptor`: a blob, and what is in it.
    struct Descriptor: Sendable {
        var mediaType: String
        var digest: String
        var size: UInt64

        init(mediaType: String, digest: String, size: UInt64) {
            self.mediaType = mediaType
            self.digest = digest
            self.size = size
        }

        init(_ message: ProtoMessage) {
            self.init(mediaType: message.string(1), digest: message.string(2), size: message.number(3))
        }
    }
}

extension ProtoWriter {
    mutating func put(_ field: Int, _ descriptor: ContainerdClient.Descriptor) {
        put(field) {
            $0.put(1, descriptor.mediaType)
            $0.put(2, descriptor.digest)
            $0.put(3, descriptor.size)
        }
    }

    /// A protobuf `Any`; containerd's type URLs have no host.
    mutating func put(_ field: Int, any type: String, _ value: [UInt8]) {
        put(field) {
            $0.put(1, type)
            $0.put(2, value)
        }
    }
}

extension ProtoMessage {
    /// The messages of a repeated field.
    func list(_ field: Int, of method: String) throws(GRPCFailure) -> [ProtoMessage] {
        do throws(Malformed) { return try messages(field) } catch {
            throw GRPCFailure(.internalError, "\(method) answered with malformed protobuf")
        }
    }
}
