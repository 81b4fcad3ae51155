import Glibc
import Machine
import Synchronization
import Values

/// Root file systems unpacked from image archives, for sandboxes without containerd: `<directory>/<digest>/rootfs`.
///
/// Sandboxes share them and write elsewhere. What no run uses is removed when the daemon starts.
final class UnpackedImages: Sendable {
    struct Root: Sendable {
        var image: ResolvedImage
        var path: String
    }

    private let directory: String
    /// One at a time: two would unpack the same.
    private let worker = Worker(name: "images")
    private let known = Mutex<[ImageArchive.Stamp: Root]>([:])

    init(directory: String) { self.directory = directory }

    /// Finds or unpacks; `done` is called once, on another thread.
    func resolve(archive path: String, done: @escaping @Sendable (Result<Root, ImageProblem>) -> Void) {
        worker.run { [self] in
            do throws(ImageProblem) { done(.success(try find(path))) } catch { done(.failure(error)) }
        }
    }

    private func find(_ path: String) throws(ImageProblem) -> Root {
        let stamp = try ImageArchive.stamp(path)
        if let root = known.withLock({ $0[stamp] }), Files.exists(root.path) { return root }
        let root = try unpacked(try ImageArchive.open(path))
        known.withLock { $0[stamp] = root }
        return root
    }

    private func unpacked(_ archive: ImageArchive) throws(ImageProblem) -> Root {
        let blobs = try archive.blobs()
        guard let manifest = blobs.last, let config = blobs.first, blobs.count > 2 else {
            throw archive.problem("holds no image")
        }
        let bytes = try archive.read(config, at: 0, count: min(config.size, Limits.inputBytesMax))
        let image = ResolvedImage(
            digest: manifest.digest, chainID: "", config: JSONReader.read(String(decoding: bytes, as: UTF8.self)))
        let place = "\(directory)/\(manifest.digest.replacing("sha256:", with: ""))"
        let root = Root(image: image, path: "\(place)/rootfs")
        if Files.exists(root.path) { return root }
        let new = "\(directory)/.new"
        Files.removeTree(new)
        do throws(Files.Failure) {
            try Files.makeDirectory(directory, mode: 0o711)
            try Files.makeDirectory(new, mode: 0o711)
            try Files.makeDirectory("\(new)/rootfs", mode: 0o755)
        } catch { throw archive.problem(error.words) }
        var unpacker = LayerUnpacker(archive, root: "\(new)/rootfs")
        try unpacker.check(manifest)
        try unpacker.check(config)
        do throws(ImageProblem) {
            for layer in blobs.dropFirst().dropLast() { try unpacker.unpack(layer) }
        } catch {
            // Half of it is of no use, and its room may be needed.
            Files.removeTree(new)
            throw error
        }
        guard rename(new, place) == 0 else { throw archive.problem(String(cString: strerror(errno))) }
        return root
    }

    /// Removes what is not among the root file systems in use, and what a crash left half-made.
    func sweep(inUse: Set<String>) {
        worker.run { [directory] in
            for name in Files.names(in: directory) where !inUse.contains("\(directory)/\(name)/rootfs") {
                Files.removeTree("\(directory)/\(name)")
            }
        }
    }
}
