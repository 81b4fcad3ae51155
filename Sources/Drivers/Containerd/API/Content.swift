import GRPC

extension ContainerdClient {
    var content: Content { Content(client: self) }

    /// `content.v1.Content`: blobs by digest.
    struct Content {
        private static let service = "content.v1.Content"
        private static let writeDeadlineMs: Int64 = 300_000
        let client: ContainerdClient

        /// Nil when it is not there.
        func read(_ digest: String) async throws(GRPCFailure) -> [UInt8]? {
            var request = ProtoWriter()
            request.put(1, digest)
            do throws(GRPCFailure) {
                return try await client.stream("\(Self.service)/Read", deadlineMs: 10_000, request).flatMap {
                    $0.bytes(2)
                }
            } catch {
                if error.code == .notFound { return nil }
                throw error
            }
        }

        /// Writes a blob part by part; one that is there is as good.
        ///
        /// - Parameters:
        ///   - labels: for the collector: what the blob refers to.
        ///   - part: the bytes from an offset on; nil ends the writing without a blob.
        func write(
            _ digest: String, size: Int, labels: [String: String], part: @escaping (_ offset: Int) -> [UInt8]?
        ) async throws(GRPCFailure) {
            var offset = 0
            var isDone = false
            func next() -> [UInt8]? {
                guard !isDone, let bytes = part(offset) else { return nil }
                isDone = offset + bytes.count >= size
                var message = ProtoWriter()
                // Actions: 1 writes, 2 writes and commits.
                message.put(1, (isDone ? 2 : 1) as UInt64)
                message.put(2, "agentos-\(digest)")
                message.put(3, UInt64(size))
                message.put(4, digest)
                message.put(5, UInt64(offset))
                message.put(6, bytes)
                if isDone { message.put(7, map: labels) }
                offset += bytes.count
                return message.bytes
            }
            do throws(GRPCFailure) {
                _ = try await client.stream("\(Self.service)/Write", deadlineMs: Self.writeDeadlineMs, next: next)
            } catch {
                if error.code != .alreadyExists { throw error }
            }
        }

        func label(_ digest: String, _ name: String, _ value: String) async throws(GRPCFailure) {
            try await client.call("\(Self.service)/Update") {
                $0.put(1) {
                    $0.put(1, digest)
                    $0.put(5, map: [name: value])
                }
                $0.put(2) { $0.put(1, "labels.\(name)") }
            }
        }
    }
}
