import Glibc
import Values

/// An OCI image layout in a tar file (`image-layout`: `index.json`, `blobs/sha256/…`), read where it lies.
final class ImageArchive {
    struct Blob {
        var digest: String
        var mediaType: String
        var offset: Int
        var size: Int
        /// What it refers to, as labels for containerd's collector.
        var references: [String: String] = [:]
    }

    /// What an archive's file was like: another stamp, another content.
    struct Stamp: Hashable, Sendable {
        var path: String
        var size: Int
        var seconds: Int
        var nanoseconds: Int
    }

    let path: String
    private let fd: Int32
    /// Place of each regular file in the archive.
    private var files: [String: (offset: Int, size: Int)] = [:]

    /// This machine's name in image manifests.
    static var machine: String {
        #if arch(x86_64)
            "amd64"
        #elseif arch(arm64)
            "arm64"
        #else
            "unknown"
        #endif
    }

    static func stamp(_ path: String) throws(ImageProblem) -> Stamp {
        var status = stat()
        guard stat(path, &status) == 0 else {
            throw .missing("imageArchive \(path): \(String(cString: strerror(errno)))")
        }
        return Stamp(
            path: path, size: Int(status.st_size), seconds: status.st_mtim.tv_sec, nanoseconds: status.st_mtim.tv_nsec)
    }

    static func open(_ path: String) throws(ImageProblem) -> ImageArchive {
        // A FIFO has no content to wait for.
        let fd = Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard fd >= 0 else { throw .unusable("imageArchive \(path): \(String(cString: strerror(errno)))") }
        let archive = ImageArchive(path, fd)
        try archive.readDirectory()
        return archive
    }

    private init(_ path: String, _ fd: Int32) {
        self.path = path
        self.fd = fd
    }

    deinit { close(fd) }

    func problem(_ message: String) -> ImageProblem { .unusable("imageArchive \(path): \(message)") }

    private func readDirectory() throws(ImageProblem) {
        var at = 0
        while true {
            let header = try read(at: at, count: 512)
            if header.count < 512 || header.allSatisfy({ $0 == 0 }) { return }
            guard String(decoding: header[257..<262], as: UTF8.self) == "ustar" else {
                throw problem("is no tar archive (offset \(at)); a compressed one must be unpacked first")
            }
            func text(_ range: Range<Int>) -> String {
                String(decoding: header[range].prefix { $0 != 0 }, as: UTF8.self)
            }
            guard let size = Int(text(124..<136).filter { $0 != " " }, radix: 8), size >= 0 else {
                throw problem("has a malformed header at offset \(at)")
            }
            let prefix = text(345..<500)
            var name = prefix.isEmpty ? text(0..<100) : "\(prefix)/\(text(0..<100))"
            if name.hasPrefix("./") { name.removeFirst(2) }
            if header[156] == UInt8(ascii: "0") || header[156] == 0 { files[name] = (at + 512, size) }
            at += 512 + (size + 511) / 512 * 512
            guard files.count <= 10_000 else { throw problem("has more than 10,000 files") }
        }
    }

    private func read(at offset: Int, count: Int) throws(ImageProblem) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var done = 0
        while done < count {
            let got = bytes.withUnsafeMutableBytes {
                pread(fd, $0.baseAddress! + done, count - done, off_t(offset + done))
            }
            if got < 0 { throw problem(String(cString: strerror(errno))) }
            if got == 0 { break }
            done += got
        }
        return Array(bytes[..<done])
    }

    /// A part of a blob, at most `count` bytes.
    func read(_ blob: Blob, at offset: Int, count: Int) throws(ImageProblem) -> [UInt8] {
        let wanted = min(count, blob.size - offset)
        let bytes = try read(at: blob.offset + offset, count: wanted)
        guard bytes.count == wanted else { throw problem("is cut off") }
        return bytes
    }

    private func document(_ name: String) throws(ImageProblem) -> Node {
        guard let file = files[name] else { throw problem("has no \(name): it is no OCI image archive") }
        guard file.size <= Limits.inputBytesMax,
            let node = JSONReader.read(String(decoding: try read(at: file.offset, count: file.size), as: UTF8.self))
        else { throw problem("\(name) is no JSON document") }
        return node
    }

    /// All blobs of the first image for this machine, each before what refers to it; the manifest is the last.
    func blobs() throws(ImageProblem) -> [Blob] {
        let index = try document("index.json")
        let manifests = index["manifests"]?.list ?? []
        let fitting = manifests.first {
            let platform = $0["platform"]
            return platform == nil || platform?["architecture"]?.string == Self.machine
        }
        guard var manifestNode = fitting else { throw problem("has no image for linux/\(Self.machine)") }
        if manifestNode["mediaType"]?.string?.contains("index") == true, let digest = manifestNode["digest"]?.string {
            let inner = try document(Self.file(digest))["manifests"]?.list ?? []
            guard let first = inner.first(where: { $0["platform"]?["architecture"]?.string == Self.machine }) else {
                throw problem("has no image for linux/\(Self.machine)")
            }
            manifestNode = first
        }
        var manifest = try blob(manifestNode)
        let document = try document(Self.file(manifest.digest))
        let config = try blob(document["config"])
        manifest.references["containerd.io/gc.ref.content.config"] = config.digest
        var result = [config]
        for (number, node) in (document["layers"]?.list ?? []).enumerated() {
            let layer = try blob(node)
            manifest.references["containerd.io/gc.ref.content.l.\(number)"] = layer.digest
            result.append(layer)
        }
        return result + [manifest]
    }

    private static func file(_ digest: String) -> String { "blobs/" + digest.replacing(":", with: "/") }

    private func blob(_ node: Node?) throws(ImageProblem) -> Blob {
        guard let digest = node?["digest"]?.string else { throw problem("a descriptor has no digest") }
        // It becomes the name of a directory.
        guard digest.hasPrefix("sha256:"), digest.utf8.count == 71, digest.dropFirst(7).allSatisfy(\.isHexDigit) else {
            throw problem("\"\(digest)\" is no SHA-256 digest")
        }
        guard let file = files[Self.file(digest)] else { throw problem("lacks the blob \(digest)") }
        return Blob(
            digest: digest, mediaType: node?["mediaType"]?.string ?? "", offset: file.offset, size: file.size)
    }
}
