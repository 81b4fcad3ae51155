import CArchive
import Glibc
import Machine
import Values

/// Unpacks the layers of an image, one over the other, into a directory.
///
/// Source: the OCI image specification, "Image Layer Filesystem Changeset"; `.wh.NAME` removes what lower layers have.
struct LayerUnpacker {
    let archive: ImageArchive
    let root: String
    private var budget: UnpackingBudget

    init(_ archive: ImageArchive, root: String) {
        self.archive = archive
        self.root = root
        budget = UnpackingBudget(directory: root)
    }

    mutating func unpack(_ layer: ImageArchive.Blob) throws(ImageProblem) {
        try check(layer)
        let writer: TreeWriter
        do throws(Files.Failure) { writer = try TreeWriter.open(root) } catch { throw problem(layer, error.words) }
        // Only what lower layers have is removed, so that comes first.
        try each(layer) { (_, _, path) throws(ImageProblem) in
            guard let removed = Self.whiteout(path) else { return }
            do throws(Files.Failure) { try writer.remove(removed, in: Array(path.dropLast())) } catch {
                throw problem(layer, error.words)
            }
        }
        var budget = budget
        defer { self.budget = budget }
        var excess: UnpackingBudget.Excess?
        let take = { (bytes: Int) throws(Files.Failure) -> Void in
            do throws(UnpackingBudget.Excess) { try budget.take(bytes) } catch {
                excess = error
                throw Files.Failure(code: EFBIG, what: error.words)
            }
        }
        try each(layer) { (reader, entry, path) throws(ImageProblem) in
            if Self.whiteout(path) != nil { return }
            do throws(UnpackingBudget.Excess) { try budget.takeEntry() } catch { throw problem(layer, error.words) }
            do throws(Files.Failure) {
                guard let content = try content(of: entry, reader, take) else { return }
                try writer.put(path, content, Self.attributes(of: entry))
            } catch { throw problem(layer, excess?.words ?? "\(path.joined(separator: "/")): \(error.words)") }
        }
        do throws(Files.Failure) { try writer.finish() } catch { throw problem(layer, error.words) }
    }

    private func problem(_ layer: ImageArchive.Blob, _ words: String) -> ImageProblem {
        archive.problem("layer \(layer.digest): \(words)")
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

    /// Nil for what is left out: devices are the sandbox's own.
    private func content(
        of entry: OpaquePointer, _ reader: OpaquePointer, _ take: @escaping (Int) throws(Files.Failure) -> Void
    ) throws(Files.Failure) -> TreeWriter.Content? {
        if let target = agentos_archive_entry_hardlink(entry) {
            return .hardLink(to: Self.parts(of: try Self.text(target)))
        }
        switch mode_t(agentos_archive_entry_filetype(entry)) {
        case S_IFDIR: return .directory
        case S_IFLNK:
            return .link(
                to: try agentos_archive_entry_symlink(entry).map { (text) throws(Files.Failure) in
                    try Self.text(text)
                } ?? "")
        case S_IFIFO: return .fifo
        case S_IFREG:
            return .file { (fd) throws(Files.Failure) in
                var buffer = [UInt8](repeating: 0, count: 1 << 17)
                while true {
                    let count = agentos_archive_read_data(reader, &buffer, buffer.count)
                    if count == 0 { return }
                    guard count > 0 else { throw Files.Failure(code: EIO, what: Self.words(reader)) }
                    try take(count)
                    try Self.write(fd, buffer[..<count])
                }
            }
        case let type:
            if type == S_IFCHR || type == S_IFBLK || type == S_IFSOCK { return nil }
            throw Files.Failure(code: EINVAL, what: "an entry of unknown type")
        }
    }

    private static func write(_ fd: Int32, _ bytes: ArraySlice<UInt8>) throws(Files.Failure) {
        var rest = bytes
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(fd, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw Files.Failure(code: errno, what: "writing") }
            rest = rest.dropFirst(count)
        }
    }

    private static func attributes(of entry: OpaquePointer) -> TreeWriter.Attributes {
        var attributes = TreeWriter.Attributes(
            mode: agentos_archive_entry_perm(entry), user: UInt32(clamping: agentos_archive_entry_uid(entry)),
            group: UInt32(clamping: agentos_archive_entry_gid(entry)),
            modified: timespec(
                tv_sec: agentos_archive_entry_mtime(entry), tv_nsec: agentos_archive_entry_mtime_nsec(entry)))
        agentos_archive_entry_xattr_reset(entry)
        var name: UnsafePointer<CChar>?
        var value: UnsafeRawPointer?
        var size = 0
        while agentos_archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK {
            guard let name else { continue }
            attributes.extended.append(
                (String(cString: name), Array(UnsafeRawBufferPointer(start: value, count: value == nil ? 0 : size))))
        }
        return attributes
    }

    private static func text(_ bytes: UnsafePointer<CChar>) throws(Files.Failure) -> String {
        guard let text = String(validatingCString: bytes) else {
            throw Files.Failure(code: EILSEQ, what: "a name that is not UTF-8")
        }
        return text
    }

    private static func parts(of path: String) -> [String] {
        path.split(separator: "/").filter { $0 != "." }.map(String.init)
    }

    /// The name that an entry removes; empty for all that is in its directory.
    private static func whiteout(_ path: [String]) -> String? {
        guard let last = path.last, last.hasPrefix(".wh.") else { return nil }
        return last == ".wh..wh..opq" ? "" : String(last.dropFirst(4))
    }

    // MARK: Reading

    private func each(
        _ layer: ImageArchive.Blob, _ body: (OpaquePointer, OpaquePointer, [String]) throws(ImageProblem) -> Void
    ) throws(ImageProblem) {
        if let why = agentos_archive_problem() { throw archive.problem("cannot unpack: \(String(cString: why))") }
        guard let reader = agentos_archive_read_new() else { throw archive.problem("no memory") }
        defer { agentos_archive_read_free(reader) }
        // Names are UTF-8 whatever the machine's language is.
        let language = newlocale(LC_CTYPE_MASK, "C.UTF-8", nil)
        let before = language.map { uselocale($0) }
        defer {
            if let before { uselocale(before) }
            if let language { freelocale(language) }
        }
        agentos_archive_read_support_filter_all(reader)
        agentos_archive_read_support_format_tar(reader)
        let source = LayerSource(archive, layer)
        let opened = agentos_archive_read_open(
            reader, Unmanaged.passUnretained(source).toOpaque(), nil,
            { _, source, buffer in
                Unmanaged<LayerSource>.fromOpaque(source!).takeUnretainedValue().next(buffer)
            }, nil)
        guard opened == ARCHIVE_OK else { throw problem(layer, Self.words(reader)) }
        var entry: OpaquePointer?
        while true {
            let code = agentos_archive_read_next_header(reader, &entry)
            if code == ARCHIVE_EOF { break }
            guard code >= ARCHIVE_WARN, let entry else { throw source.problem ?? problem(layer, Self.words(reader)) }
            guard let bytes = agentos_archive_entry_pathname(entry), let path = String(validatingCString: bytes) else {
                throw problem(layer, "a name that is not UTF-8")
            }
            let parts = Self.parts(of: path)
            guard !parts.contains("..") else { throw problem(layer, "\(path) leaves the root") }
            if !parts.isEmpty { try body(reader, entry, parts) }
        }
        withExtendedLifetime(source) {}
    }

    private static func words(_ archive: OpaquePointer) -> String {
        agentos_archive_error_string(archive).map { String(cString: $0) } ?? "cannot be unpacked"
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
