import GRPC
import Machine
import Manifests
import Values

/// Layers become snapshots, each on the one below it; archives become content.
extension ContainerdImages {
    func hasSnapshot(_ name: String) async throws(Problem) -> Bool {
        try await runtime { () throws(GRPCFailure) in try await self.client.snapshots.exists(name) }
    }

    /// Unpacks what is not there yet. Returns the name of the uppermost snapshot.
    func unpack(_ layers: [(layer: Descriptor, diffID: String)]) async throws(Problem) -> String {
        var chain = ""
        var watch = UnpackingWatch(client.snapshots)
        for (layer, diffID) in layers {
            let parent = chain
            chain = parent.isEmpty ? diffID : "sha256:" + SHA256Digest.hex(Array("\(parent) \(diffID)".utf8))
            if try await hasSnapshot(chain) {
                let there = chain
                try await runtime { () throws(GRPCFailure) in try await watch.add(there) }
                continue
            }
            try await unpack(layer, diffID, parent: parent, chain: chain, &watch)
        }
        return chain
    }

    private func unpack(
        _ layer: Descriptor, _ diffID: String, parent: String, chain: String, _ watch: inout UnpackingWatch
    ) async throws(Problem) {
        let key = "\(self.unpackPrefix)\(chain)-\(UInt64.random(in: 0 ... .max))"
        let snapshots = client.snapshots
        try await lease("snapshots/\(ContainerdClient.Snapshots.snapshotter)", chain)
        let mounts = try await runtime { () throws(GRPCFailure) in
            try await snapshots.prepare(key, parent: parent, labels: ["containerd.io/gc.root": "unpacking"])
        }
        do throws(Problem) {
            let found = try await apply(layer, to: mounts, key, &watch)
            guard found == diffID else {
                throw Self.unusable("layer \(layer.digest) unpacks to \(found), its image says \(diffID)")
            }
            try await runtime { () throws(GRPCFailure) in try await snapshots.commit(key, as: chain) }
        } catch {
            try? await snapshots.remove(key)  // else the sweep at the next start finds it
            throw error
        }
    }

    /// Lets containerd unpack a layer, as long as there is room for it.
    private func apply(
        _ layer: Descriptor, to mounts: [ContainerdClient.Mount], _ key: String, _ watch: inout UnpackingWatch
    ) async throws(Problem) -> String {
        var excess: UnpackingBudget.Excess?
        var watching = watch
        watching.begin(key, in: mounts.first?.layers.first)
        do throws(GRPCFailure) {
            let found = try await client.diff.apply(layer, to: mounts) { () throws(GRPCFailure) in
                excess = await watching.look()
                if let excess { throw GRPCFailure(.cancelled, excess.words) }
            }
            excess = try await watching.finish()
            watch = watching
            if excess == nil { return found }
        } catch {
            if excess == nil { throw .runtime(error) }
        }
        throw Self.unusable("layer \(layer.digest): \(excess?.words ?? "")")
    }

    /// Copies an archive's image into containerd, under a name of its own.
    func load(_ archive: ImageArchive) async throws(Problem) -> Descriptor {
        let blobs: [ImageArchive.Blob]
        do throws(ImageProblem) { blobs = try archive.blobs() } catch { throw .image(error) }
        guard let root = blobs.last else { throw Self.unusable("imageArchive \(archive.path) holds no image") }
        for blob in blobs {
            try await lease("content", blob.digest)
            try await write(blob, of: archive)
        }
        let target = Descriptor(mediaType: root.mediaType, digest: root.digest, size: UInt64(root.size))
        try await runtime { () throws(GRPCFailure) in
            try await self.client.images.create(
                Self.archiveName(target.digest), labels: ["agentos.dev/archive": "true"], target: target)
        }
        return target
    }

    private func write(_ blob: ImageArchive.Blob, of archive: ImageArchive) async throws(Problem) {
        var problem: ImageProblem?
        let outcome: Result<Void, GRPCFailure>
        do throws(GRPCFailure) {
            try await client.content.write(blob.digest, size: blob.size, labels: blob.references) { offset in
                do throws(ImageProblem) { return try archive.read(blob, at: offset, count: 1 << 20) } catch {
                    problem = error
                    return nil
                }
            }
            outcome = .success(())
        } catch { outcome = .failure(error) }
        // What the archive lacks explains what containerd says of it.
        if let problem { throw .image(problem) }
        do throws(GRPCFailure) { try outcome.get() } catch { throw .runtime(error) }
    }
}
