import CCrypto
import CLinux
import GRPC
import Glibc
import Manifests
import Reconciler
import Values

/// What a run needs to know of its image.
struct ResolvedImage: Sendable {
    /// Of the manifest or index that the reference named.
    var digest: String
    /// Names the snapshot that holds the unpacked layers.
    var chainID: String
    var user: String
    var environment: [String]
    var workingDir: String
    var entrypoint: [String]
    var command: [String]

    init(digest: String, chainID: String, config: Node?) {
        let settings = config?["config"]
        func strings(_ name: String) -> [String] { (settings?[name]?.list ?? []).compactMap(\.string) }
        self.digest = digest
        self.chainID = chainID
        user = settings?["User"]?.string ?? ""
        environment = strings("Env")
        workingDir = settings?["WorkingDir"]?.string ?? ""
        entrypoint = strings("Entrypoint")
        command = strings("Cmd")
    }
}

/// Finds images in containerd, imports archives into it and unpacks layers.
///
/// Source: the OCI image specification (index, manifest, config, chain id), containerd's labels for its collector.
final class ContainerdImages {
    enum Problem: Error {
        case missing(String)
        case unusable(String)
        case runtime(GRPCFailure)
    }

    static let snapshotter = "overlayfs"
    /// Begins the names of snapshots that are being filled; one that is there at start was left by a crash.
    static let unpackPrefix = "agentos-unpack-"
    let client: ContainerdClient
    let namespace: String
    /// By digest of the manifest; content never changes under a digest.
    private var known: [String: ResolvedImage] = [:]
    private var archives: [String: String] = [:]
    private var isBusy = false
    private var lease: String?
    private var waiting: [UnsafeContinuation<Void, Never>] = []

    init(client: ContainerdClient, namespace: String) {
        self.client = client
        self.namespace = namespace
    }

    /// The image of a reference, unpacked.
    func resolve(_ reference: String) async throws(Problem) -> ResolvedImage {
        try await alone { () throws(Problem) in try await self.find(reference) }
    }

    private func find(_ reference: String) async throws(Problem) -> ResolvedImage {
        for name in Self.names(of: reference) {
            guard let target = try await descriptor(of: name.name) else { continue }
            if let wanted = name.digest, wanted != target.digest { continue }
            return try await resolve(target)
        }
        return try await resolve(try await pull(reference))
    }

    /// The image in an archive on this machine, imported when it is not there yet or was changed.
    func resolve(archive path: String) async throws(Problem) -> ResolvedImage {
        try await alone { () throws(Problem) in try await self.find(archive: path) }
    }

    private func find(archive path: String) async throws(Problem) -> ResolvedImage {
        var status = stat()
        guard stat(path, &status) == 0 else {
            throw .missing("imageArchive \(path): \(String(cString: strerror(errno)))")
        }
        let stamp = "\(path):\(status.st_size):\(status.st_mtim.tv_sec).\(status.st_mtim.tv_nsec)"
        // Forgotten until it resolves: what somebody removed from containerd is imported again.
        if let name = archives.removeValue(forKey: stamp), let target = try await descriptor(of: name) {
            let image = try await resolve(target)
            archives[stamp] = name
            return image
        }
        let archive: ImageArchive
        do throws(ImageArchive.Problem) { archive = try ImageArchive.open(path) } catch {
            throw .unusable("imageArchive \(path): \(error.message)")
        }
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
            _ = try? await client.call("leases.v1.Leases/Delete") { $0.put(1, lease) }  // else it expires
        }
        if waiting.isEmpty { isBusy = false } else { waiting.removeFirst().resume() }
        return try result.get()
    }

    /// Keeps containerd's collector, which runs at any time, from what is being made, until this import is over.
    private func lease(_ type: String, _ id: String) async throws(Problem) {
        try await runtime { () throws(GRPCFailure) in
            let lease = self.lease ?? "agentos-\(UInt64.random(in: 0 ... .max))"
            if self.lease == nil {
                let expires = Timestamp.seconds(agentos_wall_ms() + Self.leaseMs)
                _ = try await self.client.call("leases.v1.Leases/Create") {
                    $0.put(1, lease)
                    $0.put(3, map: ["containerd.io/gc.expire": expires])
                }
                self.lease = lease
            }
            _ = try await self.client.call("leases.v1.Leases/AddResource") {
                $0.put(1, lease)
                $0.put(2) {
                    $0.put(1, id)
                    $0.put(2, type)
                }
            }
        }
    }

    /// After a crash a lease ends by itself.
    private static let leaseMs: Int64 = 3_600_000

    private static func archiveName(_ digest: String) -> String { "agentos.dev/archive@\(digest)" }

    // MARK: Names

    /// What a reference may be called in the image store: as written, then as the tools of registries spell it out.
    static func names(of reference: String) -> [(name: String, digest: String?)] {
        var name = reference
        var digest: String?
        if let at = reference.firstIndex(of: "@") {
            name = String(reference[..<at])
            digest = String(reference[reference.index(after: at)...])
        }
        let last = name.split(separator: "/", omittingEmptySubsequences: false).last ?? ""
        let tagged = last.contains(":") ? name : "\(name):latest"
        var full = tagged
        let first = tagged.split(separator: "/").first ?? ""
        if !tagged.contains("/") {
            full = "docker.io/library/\(tagged)"
        } else if !first.contains("."), !first.contains(":"), first != "localhost" {
            full = "docker.io/\(tagged)"
        }
        var seen: Set<String> = []
        let byDigest = digest.map { ["\(full.prefix(full.count - (tagged == name ? 0 : 7)))@\($0)"] } ?? []
        return ([reference, tagged, full] + byDigest).filter { seen.insert($0).inserted }.map { ($0, digest) }
    }

    /// With registry, path, and tag or digest: what a registry is asked for, and the image's name afterwards.
    static func fullName(of reference: String) -> String {
        let names = names(of: reference)
        return names.last { $0.digest == nil || $0.name.contains("@") }?.name ?? reference
    }

    // MARK: Manifests

    struct Descriptor: Sendable {
        var mediaType: String
        var digest: String
        var size: UInt64

        func put(_ writer: inout ProtoWriter, _ field: Int) {
            writer.put(field) {
                $0.put(1, mediaType)
                $0.put(2, digest)
                $0.put(3, size)
            }
        }

        init(mediaType: String, digest: String, size: UInt64) {
            self.mediaType = mediaType
            self.digest = digest
            self.size = size
        }

        init?(_ node: Node?) {
            guard let digest = node?["digest"]?.string, let size = node?["size"]?.int, size >= 0 else { return nil }
            self.init(mediaType: node?["mediaType"]?.string ?? "", digest: digest, size: UInt64(size))
        }
    }

    func descriptor(of name: String) async throws(Problem)
        -> Descriptor?
    {
        let answer = try await runtime { () throws(GRPCFailure) in
            try await self.client.found { () throws(GRPCFailure) in
                try await self.client.call("images.v1.Images/Get") { $0.put(1, name) }
            }
        }
        guard let target = answer?.message(1).message(3) else { return nil }
        return Descriptor(mediaType: target.string(1), digest: target.string(2), size: target.number(3))
    }

    func runtime<Value>(
        _ body: () async throws(GRPCFailure) -> Value
    ) async throws(Problem) -> Value {
        do throws(GRPCFailure) { return try await body() } catch { throw .runtime(error) }
    }

    private func content(_ digest: String) async throws(Problem) -> Node {
        var request = ProtoWriter()
        request.put(1, digest)
        var messages = [request.bytes][...]
        let parts = try await runtime { () throws(GRPCFailure) in
            try await self.client.found { () throws(GRPCFailure) in
                try await self.client.call("content.v1.Content/Read", deadlineMs: 10_000) { messages.popFirst() }
            }
        }
        guard let parts else { throw .unusable("content \(digest) is missing in containerd; import the image again") }
        let bytes = parts.flatMap { $0.bytes(2) }
        guard bytes.count <= Limits.inputBytesMax, let node = JSONReader.read(String(decoding: bytes, as: UTF8.self))
        else { throw .unusable("content \(digest) is no JSON document") }
        return node
    }

    private func resolve(_ target: Descriptor) async throws(Problem)
        -> ResolvedImage
    {
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
                throw .unusable("image \(target.digest) has no manifest for linux/\(machine)")
            }
            document = try await content(chosen.digest)
        }
        guard let configDescriptor = Descriptor(document["config"]) else {
            throw .unusable("image \(target.digest) has no config")
        }
        let config = try await content(configDescriptor.digest)
        let layers = (document["layers"]?.list ?? []).compactMap { Descriptor($0) }
        let diffIDs = (config["rootfs"]?["diff_ids"]?.list ?? []).compactMap(\.string)
        guard !diffIDs.isEmpty, layers.count == diffIDs.count else {
            throw .unusable(
                "image \(target.digest): its config names \(diffIDs.count) layers, its manifest \(layers.count)")
        }
        var chain = ""
        for (layer, diff) in zip(layers, diffIDs) {
            let parent = chain
            chain = parent.isEmpty ? diff : "sha256:" + Self.sha256("\(parent) \(diff)")
            if !(try await hasSnapshot(chain)) { try await unpack(layer, diff, parent: parent, chain: chain) }
        }
        try await runtime { () throws(GRPCFailure) in
            // The collector keeps the unpacked layers as long as the image is there.
            _ = try await self.client.call("content.v1.Content/Update") {
                $0.put(1) {
                    $0.put(1, configDescriptor.digest)
                    $0.put(5, map: ["containerd.io/gc.ref.snapshot.\(Self.snapshotter)": chain])
                }
                $0.put(2) { $0.put(1, "labels.containerd.io/gc.ref.snapshot.\(Self.snapshotter)") }
            }
        }
        let image = ResolvedImage(digest: target.digest, chainID: chain, config: config)
        known[target.digest] = image
        return image
    }

    static func sha256(_ text: String) -> String {
        var digest = [UInt8](repeating: 0, count: Int(SHA256_DIGEST_LENGTH))
        let bytes = Array(text.utf8)
        SHA256(bytes, bytes.count, &digest)
        return digest.map { byte in (byte < 16 ? "0" : "") + String(byte, radix: 16) }.joined()
    }

    // MARK: Layers

    private func hasSnapshot(_ name: String) async throws(Problem) -> Bool {
        try await runtime { () throws(GRPCFailure) in
            try await self.client.found { () throws(GRPCFailure) in
                try await self.client.call("snapshots.v1.Snapshots/Stat") {
                    $0.put(1, Self.snapshotter)
                    $0.put(2, name)
                }
            }
        } != nil
    }

    private func unpack(
        _ layer: Descriptor, _ diff: String, parent: String, chain: String
    ) async throws(Problem) {
        let key = "\(Self.unpackPrefix)\(chain)-\(UInt64.random(in: 0 ... .max))"
        let labels = ["containerd.io/gc.root": "unpacking"]
        try await lease("snapshots/\(Self.snapshotter)", chain)
        try await runtime { () throws(GRPCFailure) in
            let prepared = try await self.client.call("snapshots.v1.Snapshots/Prepare") {
                $0.put(1, Self.snapshotter)
                $0.put(2, key)
                $0.put(3, parent)
                $0.put(4, map: labels)
            }
            do throws(GRPCFailure) {
                let applied = try await self.client.call("diff.v1.Diff/Apply", deadlineMs: 300_000) {
                    layer.put(&$0, 1)
                    for mount in prepared.all(1) { $0.putAlways(2, mount) }
                }
                let found = applied.message(1).string(2)
                guard found == diff else {
                    throw GRPCFailure(.dataLoss, "layer \(layer.digest) unpacks to \(found), its image says \(diff)")
                }
                _ = try await self.client.created { () throws(GRPCFailure) in
                    _ = try await self.client.call("snapshots.v1.Snapshots/Commit") {
                        $0.put(1, Self.snapshotter)
                        $0.put(2, chain)
                        $0.put(3, key)
                    }
                }
            } catch {
                _ = try? await self.client.call("snapshots.v1.Snapshots/Remove") {
                    $0.put(1, Self.snapshotter)
                    $0.put(2, key)
                }
                throw error
            }
        }
    }

    // MARK: Archives

    private func load(_ archive: ImageArchive) async throws(Problem)
        -> Descriptor
    {
        let blobs: [ImageArchive.Blob]
        do throws(ImageArchive.Problem) { blobs = try archive.blobs() } catch {
            throw .unusable("imageArchive \(archive.path): \(error.message)")
        }
        guard let root = blobs.last else { throw .unusable("imageArchive \(archive.path) holds no image") }
        for blob in blobs {
            try await lease("content", blob.digest)
            try await write(blob, of: archive)
        }
        let target = Descriptor(mediaType: root.mediaType, digest: root.digest, size: UInt64(root.size))
        try await runtime { () throws(GRPCFailure) in
            _ = try await self.client.created { () throws(GRPCFailure) in
                _ = try await self.client.call("images.v1.Images/Create") {
                    $0.put(1) {
                        $0.put(1, Self.archiveName(target.digest))
                        $0.put(2, map: ["agentos.dev/archive": "true"])
                        target.put(&$0, 3)
                    }
                }
            }
        }
        return target
    }

    private func write(
        _ blob: ImageArchive.Blob, of archive: ImageArchive
    ) async throws(Problem) {
        var offset = 0
        var isDone = false
        var problem: ImageArchive.Problem?
        func next() -> [UInt8]? {
            if isDone { return nil }
            do throws(ImageArchive.Problem) {
                let bytes = try archive.read(blob, at: offset, count: 1 << 20)
                isDone = offset + bytes.count >= blob.size
                var message = ProtoWriter()
                message.put(1, (isDone ? 2 : 1) as UInt64)
                message.put(2, "agentos-\(blob.digest)")
                message.put(3, UInt64(blob.size))
                message.put(4, blob.digest)
                message.put(5, UInt64(offset))
                message.put(6, bytes)
                if isDone { message.put(7, map: blob.references) }
                offset += bytes.count
                return message.bytes
            } catch {
                problem = error
                return nil
            }
        }
        try await runtime { () throws(GRPCFailure) in
            _ = try await self.client.created { () throws(GRPCFailure) in
                _ = try await self.client.call("content.v1.Content/Write", deadlineMs: 300_000, next: next)
            }
        }
        if let problem { throw .unusable("imageArchive \(archive.path): \(problem.message)") }
    }
}
