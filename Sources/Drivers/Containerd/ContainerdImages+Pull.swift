import GRPC
import Machine
import Reconciler

/// Images from registries, by containerd's transfer service (2.0 and later).
extension ContainerdImages {
    /// Lets containerd pull, where it has a service for that.
    func pull(_ reference: String) async throws(Problem) -> Descriptor {
        let version = try await runtime { () throws(GRPCFailure) in
            try await self.client.call("version.v1.Version/Version").string(1)
        }
        let advice = "import it with 'ctr -n \(namespace) images import FILE' or name the file as imageArchive"
        guard let major = Int(version.drop { !$0.isNumber }.prefix { $0.isNumber }), major >= 2 else {
            throw .missing(
                "image \"\(reference)\" is not in containerd's namespace \"\(namespace)\", and containerd \(version) cannot pull it (2.0 and later can); \(advice)"
            )
        }
        let name = Self.fullName(of: reference)
        do throws(GRPCFailure) {
            _ = try await client.call("transfer.v1.Transfer/Transfer", deadlineMs: 600_000) {
                ContainerdClient.any(
                    &$0, 1, type: "containerd.types.transfer.OCIRegistry", Self.registry(for: name).bytes)
                ContainerdClient.any(&$0, 2, type: "containerd.types.transfer.ImageStore", Self.store(for: name).bytes)
            }
        } catch {
            if error.isOutage { throw .runtime(error) }
            throw .missing("image \"\(reference)\" cannot be pulled: \(error.message); \(advice)")
        }
        guard let target = try await descriptor(of: name) else {
            throw .missing("image \"\(reference)\" was pulled, but containerd does not have it")
        }
        return target
    }

    private static func registry(for name: String) -> ProtoWriter {
        var writer = ProtoWriter()
        writer.put(1, name)
        let host = name.prefix { $0 != "/" && $0 != ":" }
        writer.put(2) {
            // Where administrators say how registries are reached, for all of containerd's clients.
            let directory = "/etc/containerd/certs.d"
            if Files.exists(directory) { $0.put(3, directory) }
            if host == "localhost" || host == "127.0.0.1" { $0.put(4, "http") }
        }
        return writer
    }

    private static func store(for name: String) -> ProtoWriter {
        var writer = ProtoWriter()
        writer.put(1, name)
        writer.put(3) {
            $0.put(1, "linux")
            $0.put(2, ImageArchive.machine)
        }
        return writer
    }
}
