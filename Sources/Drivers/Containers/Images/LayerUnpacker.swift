import CArchive
import CLinux
import Glibc
import Machine
import Values

/// Unpacks the layers of an image, one over the other, into a directory.
///
/// Source: the OCI image specification, "Image Layer Filesystem Changeset"; `.wh.NAME` removes what lower layers have.
struct LayerUnpacker {
    let archive: ImageArchive
    /// Without symbolic links in its path.
    let root: String

    func unpack(_ layer: ImageArchive.Blob) throws(ImageProblem) {
        try check(layer)
        try each(layer) { (_, entry, name) throws(ImageProblem) in
            if let removed = Self.whiteout(name) { try remove(removed, in: Self.parent(of: name)) }
        }
        guard let writer = archive_write_disk_new() else { throw archive.problem("cannot be unpacked") }
        defer { archive_write_free(writer) }
        archive_write_disk_set_options(
            writer,
            ARCHIVE_EXTRACT_OWNER | ARCHIVE_EXTRACT_PERM | ARCHIVE_EXTRACT_TIME | ARCHIVE_EXTRACT_XATTR
                | ARCHIVE_EXTRACT_UNLINK | ARCHIVE_EXTRACT_SECURE_SYMLINKS | ARCHIVE_EXTRACT_SECURE_NODOTDOT)
        try each(layer) { (reader, entry, name) throws(ImageProblem) in
            // Devices are the sandbox's own.
            let type = mode_t(archive_entry_filetype(entry))
            if Self.whiteout(name) != nil || type == S_IFCHR || type == S_IFBLK { return }
            archive_entry_set_pathname(entry, "\(root)/\(name)")
            if let target = archive_entry_hardlink(entry) {
                archive_entry_set_hardlink(entry, "\(root)/\(Self.plain(String(cString: target)))")
            }
            guard archive_read_extract2(reader, entry, writer) >= ARCHIVE_WARN else {
                throw archive.problem("layer \(layer.digest): \(name): \(Self.words(writer))")
            }
        }
    }

    /// Checks that a blob has the digest that it is named by.
    func check(_ blob: ImageArchive.Blob) throws(ImageProblem) {
        var digest = SHA256Digest()
        var offset = 0
        while offset < blob.size {
            let bytes = try archive.read(blob, at: offset, count: 1 << 20)
            digest.add(bytes)
            offset += bytes.count
        }
        let found = "sha256:" + digest.hex()
        if found != blob.digest { throw archive.problem("the blob \(blob.digest) is damaged: it has \(found)") }
    }

    // MARK: Entries

    private func each(
        _ layer: ImageArchive.Blob, _ body: (OpaquePointer, OpaquePointer, String) throws(ImageProblem) -> Void
    ) throws(ImageProblem) {
        guard let reader = archive_read_new() else { throw archive.problem("cannot be unpacked") }
        defer { archive_read_free(reader) }
        archive_read_support_filter_all(reader)
        archive_read_support_format_tar(reader)
        let source = LayerSource(archive, layer)
        let opened = archive_read_open(
            reader, Unmanaged.passUnretained(source).toOpaque(), nil,
            { _, source, buffer in
                Unmanaged<LayerSource>.fromOpaque(source!).takeUnretainedValue().next(buffer)
            }, nil)
        guard opened == ARCHIVE_OK else { throw archive.problem("layer \(layer.digest): \(Self.words(reader))") }
        var entry: OpaquePointer?
        while true {
            let code = archive_read_next_header(reader, &entry)
            if code == ARCHIVE_EOF { break }
            guard code >= ARCHIVE_WARN, let entry, let path = archive_entry_pathname(entry) else {
                throw source.problem ?? archive.problem("layer \(layer.digest): \(Self.words(reader))")
            }
            let name = Self.plain(String(cString: path))
            if !name.isEmpty { try body(reader, entry, name) }
        }
        withExtendedLifetime(source) {}
    }

    private static func words(_ archive: OpaquePointer) -> String {
        archive_error_string(archive).map { String(cString: $0) } ?? "cannot be unpacked"
    }

    private static func plain(_ path: String) -> String {
        path.split(separator: "/").filter { $0 != "." }.joined(separator: "/")
    }

    private static func parent(of name: String) -> String {
        name.lastIndex(of: "/").map { String(name[..<$0]) } ?? "."
    }

    /// The name that an entry removes; empty for all that is in its directory.
    private static func whiteout(_ name: String) -> String? {
        let last = name.split(separator: "/").last ?? ""
        guard last.hasPrefix(".wh.") else { return nil }
        return last == ".wh..wh..opq" ? "" : String(last.dropFirst(4))
    }

    private func remove(_ name: String, in directory: String) throws(ImageProblem) {
        let fd = agentos_open_beneath(root, directory)
        if fd < 0, errno == ENOENT || errno == ENOTDIR { return }
        guard fd >= 0, name != "..", name != "." else { throw archive.problem("\(directory)/.wh.\(name) leaves it") }
        defer { close(fd) }
        let place = "/proc/self/fd/\(fd)"
        for victim in name.isEmpty ? Files.names(in: place) : [name] { Files.removeTree("\(place)/\(victim)") }
    }
}

/// The bytes of a layer, as libarchive asks for them.
private final class LayerSource {
    private let archive: ImageArchive
    private let blob: ImageArchive.Blob
    private var offset = 0
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 16)
    private(set) var problem: ImageProblem?

    init(_ archive: ImageArchive, _ blob: ImageArchive.Blob) {
        self.archive = archive
        self.blob = blob
    }

    deinit { buffer.deallocate() }

    func next(_ place: UnsafeMutablePointer<UnsafeRawPointer?>?) -> Int {
        guard offset < blob.size else { return 0 }
        do throws(ImageProblem) {
            let bytes = try archive.read(blob, at: offset, count: buffer.count)
            buffer.copyBytes(from: bytes)
            place?.pointee = UnsafeRawPointer(buffer.baseAddress)
            offset += bytes.count
            return bytes.count
        } catch {
            problem = error
            return -1
        }
    }
}
