import GRPC
import Machine

/// Images from registries, by containerd's transfer service (2.0 and later).
extension ContainerdImages {
    /// Lets containerd pull, where it has a service for that.
    func pull(_ reference: ImageReference) async throws(Problem) -> Descriptor {
        let version = try await runtime { () throws(GRPCFailure) in try await self.client.version() }
        let advice = "import it with 'ctr -n \(namespace) images import FILE' or name the file as imageArchive"
        guard let major = Int(version.drop { !$0.isNumber }.prefix { $0.isNumber }), major >= 2 else {
            throw .image(
                .missing(
                    "image \"\(reference.written)\" is not in containerd's namespace \"\(namespace)\", and containerd \(version) cannot pull it (2.0 and later can); \(advice)"
                ))
        }
        let directory = "/etc/containerd/certs.d"
        let registry = ContainerdClient.Registry(
            hosts: Files.exists(directory) ? directory : nil,
            isPlain: reference.host == "localhost" || reference.host == "127.0.0.1")
        do throws(GRPCFailure) {
            try await client.pull(reference.full, from: registry, machine: ImageArchive.machine)
        } catch {
            if error.isOutage { throw .runtime(error) }
            throw .image(
                .missing("image \"\(reference.written)\" cannot be pulled: \(error.message); \(advice)"))
        }
        guard let target = try await descriptor(of: reference.full) else {
            throw .image(.missing("image \"\(reference.written)\" was pulled, but containerd does not have it"))
        }
        return target
    }
}
