import CLinux
import GRPC
import Glibc
import Machine
import Manifests
import Values

/// Finds images in containerd, imports archives into it and unpacks layers.
///
/// Source: the OCI image specification (index, manifest, config, chain id), containerd's labels for its collector.
final class ContainerdImages {
    enum Problem: Error {
        case image(ImageProblem)
        case runtime(GRPCFailure)
    }

    typealias Descriptor = ContainerdClient.Descriptor

    /// Begins the names of snapshots that are being filled; one that is there at start was left by a crash.
    let unpackPrefix: String
    let client: ContainerdClient
    let namespace: String
    /// By digest of the manifest; content never changes under a digest.
    private var known: [String: ResolvedImage] = [:]
    /// Names of the images of archives, by what their file was.
    private var archives: [ImageArchive.Stamp: String] = [:]
    private var isBusy = false
    private var lease: String?
    private var waiting: [UnsafeContinuation<Void, Never>] = []

    init(client: ContainerdClient, namespace: String, storeID: String) {
        self.client = client
        unpackPrefix = "agentos-unpack-\(storeID.prefix(12))-"
        self.namespace = namespace
    }

    /// The image of a reference, unpacked.
    func resolve(_ reference: ImageReference) async throws(Problem) -> ResolvedImage {
        try await alone { () throws(Problem) in
            for name in reference.names {
                guard let target = try await self.descriptor(of: name) else { continue }
                if let wanted = reference.digest, wanted != target.digest { continue }
                return try await self.resolve(target)
            }
            return try await self.resolve(try await self.pull(reference))
        }
    }

    /// The image in an archive on this machine, imported when it is not there yet or was changed.
    func resolve(archive path: String) async throws(Problem) -> ResolvedImage {
        try await alone { () throws(Problem) in try await self.find(archive: path) }
    }

    private func find(archive path: String) async throws(Problem) -> ResolvedImage {
        let stamp: ImageArchive.Stamp
        do throws(ImageProblem) { stamp = try ImageArchive.stamp(path) } catch { throw .image(error) }
        // Forgotten until it resolves: what somebody removed from containerd is imported again.
        if let name = archives.removeValue(forKey: stamp), let target = try await descriptor(of: name) {
            let image = try await resolve(target)
            archives[stamp] = name
            return image
        }
        let archive: ImageArchive
        do throws(ImageProblem) { archive = try ImageArchive.open(path) } catch { throw .image(error) }
        let target = try await load(archive)
        let image = try await resolve(target)
        archives[stamp] = Self.archiveName(target.digest)
        return image
    }

    /// One at a time: two that import or unpack the same would get in each other's way.
    private func alone(
        _ body: () async throws(Problem) -> ResolvedImage
    ) async throws(Problem) -> ResolvedImage {
        if isBusy { await withUnsafeContinuation { waiting.append($0) } }
        isBusy = true
        let result: Result<ResolvedImage, Problem>
        do throws(Problem) { result = .success(try await body()) } catch { result = .failure(error) }
        if let lease {
            self.lease = nil
            try? await client.leases.delete(lease)  // else it expires
        }
        if waiting.isEmpty { isBusy = false } else { waiting.removeFirst().resume() }
        return try result.get()
    }

    /// Keeps containerd's collector, which runs at any time, from what is being made, until this import is over.
    func lease(_ type: String, _ resource: String) async throws(Problem) {
        try await runtime { () throws(GRPCFailure) in
            let lease = self.lease ?? "agentos-\(UInt64.random(in: 0 ... .max))"
            if self.lease == nil {
                let expires = Timestamp.seconds(agentos_wall_ms() + Self.leaseMs)
                try await self.client.leases.create(lease, expires: expires)
                self.lease = lease
            }
            try await self.client.leases.add(resource, type: type, to: lease)
        }
    }

    /// After a crash a lease ends by itself.
    private static let leaseMs: Int64 = 3_600_000

    static func archiveName(_ digest: String) -> String { "agentos.dev/archive@\(digest)" }

    func descriptor(of name: String) async throws(Problem) -> Descriptor? {
        try await runtime { () throws(GRPCFailure) in try await self.client.images.get(name) }
    }

    func runtime<Value>(_ body: () async throws(GRPCFailure) -> Value) async throws(Problem) -> Value {
        do throws(GRPCFailure) { return try await body() } catch { throw .runtime(error) }
    }

    // MARK: Manifests

    private func content(_ digest: String) async throws(Problem) -> Node {
        let bytes = try await runtime { () throws(GRPCFailure) in try await self.client.content.read(digest) }
        guard let bytes else {
            throw Self.unusable("content \(digest) is missing in containerd; import the image again")
        }
        guard bytes.count <= Limits.inputBytesMax, let node = JSONReader.read(String(decoding: bytes, as: UTF8.self))
        else { throw Self.unusable("content \(digest) is no JSON document") }
        return node
    }

    static func unusable(_ message: String) -> Problem { .image(.unusable(message)) }

    private func resolve(_ target: Descriptor) async throws(Problem) -> ResolvedImage {
        if let image = known[target.digest], try await hasSnapshot(image.chainID) { return image }
        var document = try await content(target.digest)
        if let manifests = document["manifests"]?.list {
            let machine = ImageArchive.machine
            let fitting = manifests.first {
                let platform = $0["platform"]
                return platform == nil
                    || (platform?["os"]?.string == "linux" && platform?["architecture"]?.string == machine)
            }
            guard let chosen = Descriptor(fitting) else {
                throw Self.unusable("image \(target.digest) has no manifest for linux/\(machine)")
            }
            document = try await content(chosen.digest)
        }
        guard let configDescriptor = Descriptor(document["config"]) else {
            throw Self.unusable("image \(target.digest) has no config")
        }
        let config = try await content(configDescriptor.digest)
        let layers = (document["layers"]?.list ?? []).compactMap { Descriptor($0) }
        let diffIDs = (config["rootfs"]?["diff_ids"]?.list ?? []).compactMap(\.string)
        guard !diffIDs.isEmpty, layers.count == diffIDs.count else {
            throw Self.unusable(
                "image \(target.digest): its config names \(diffIDs.count) layers, its manifest \(layers.count)")
        }
        let chain = try await unpack(Array(zip(layers, diffIDs)))
        try await runtime { () throws(GRPCFailure) in
            // The collector keeps the unpacked layers as long as the image is there.
            try await self.client.content.label(
                configDescriptor.digest, "containerd.io/gc.ref.snapshot.\(ContainerdClient.Snapshots.snapshotter)",
                chain)
        }
        let image = ResolvedImage(digest: target.digest, chainID: chain, config: config)
        known[target.digest] = image
        return image
    }
}

extension ContainerdClient.Descriptor {
    /// As manifests write it.
    fileprivate init?(_ node: Node?) {
        guard let digest = node?["digest"]?.string, let size = node?["size"]?.int, size >= 0 else { return nil }
        self.init(mediaType: node?["mediaType"]?.string ?? "", digest: digest, size: UInt64(size))
    }
}
