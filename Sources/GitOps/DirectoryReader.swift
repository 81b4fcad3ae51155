import CLinux
import Glibc
import Machine
import Manifests
import Planner
import Reconciler
import Values

/// Reads the manifests of one directory. What has not changed since the last time is not read again.
///
/// Guarantee: what it returns as whole was there at one moment: files and directories that changed while they were read
/// are read again.
final class DirectoryReader {
    struct Settings: Sendable {
        var secretFiles: AllowedPaths
        /// Variables of the daemon that Secrets may take their values from.
        var secretVariables: Set<String>
    }

    private struct Stamp: Equatable {
        var device: UInt
        var inode: UInt
        var size: Int
        var modified: Int64
        var changed: Int64

        init(_ status: stat) {
            device = UInt(status.st_dev)
            inode = UInt(status.st_ino)
            size = Int(status.st_size)
            modified = Int64(status.st_mtim.tv_sec) * 1_000_000_000 + Int64(status.st_mtim.tv_nsec)
            changed = Int64(status.st_ctim.tv_sec) * 1_000_000_000 + Int64(status.st_ctim.tv_nsec)
        }
    }

    private struct Kept {
        var stamp: Stamp
        var declared: [Declared] = []
        var errors: [String] = []
        var digest: UInt64 = 0
        /// Changed so lately that another change would not show, or made from other files too.
        var isFleeting = false
    }

    private struct Listing {
        var files: [(path: String, stamp: Stamp)] = []
        var directories: [(path: String, stamp: Stamp)] = []
        var errors: [String] = []
        var isWhole = true
    }

    private let settings: Settings
    private var kept: [String: Kept] = [:]
    /// Directories that were found, as absolute paths: what is to be watched.
    private(set) var directories: [String] = []
    /// How long to wait before what was read may be believed: a file that was just written declares less than before, and
    /// its writer may not be at its end. It is read again then.
    private(set) var unsettledMs: Int64 = 0

    init(_ settings: Settings) { self.settings = settings }

    /// - Parameters:
    ///   - root: without symbolic links.
    ///   - shown: what messages call it.
    ///   - revision: nil: a digest of the files.
    func read(root: String, shown: String, namespace: String, revision: String?) -> SourceSnapshot {
        for _ in 0..<5 {
            if let snapshot = readOnce(root, shown, namespace, revision) { return snapshot }
            usleep(20_000)  // this thread does nothing else, and a writer needs the moment
        }
        return SourceSnapshot(
            revision: revision ?? "", declared: [], errors: ["\(shown): its files keep changing while they are read"],
            isWhole: false)
    }

    private func readOnce(_ root: String, _ shown: String, _ namespace: String, _ revision: String?) -> SourceSnapshot?
    {
        var listing = Listing()
        let rules = IgnoreRules(Files.text("\(root)/.agentosignore") ?? "")
        list(root, "", shown, rules, &listing, depth: 0)
        directories = listing.directories.map { $0.path.isEmpty ? root : "\(root)/\($0.path)" }
        var new: [String: Kept] = [:]
        for (path, stamp) in listing.files {
            if let old = kept[path], old.stamp == stamp, !old.isFleeting {
                new[path] = old
            } else if let read = parse(root, path, shown, namespace, stamp) {
                new[path] = read
            } else {
                return nil
            }
        }
        // All is still as it was when the reading began.
        for (path, stamp) in listing.files + listing.directories {
            var status = stat()
            guard lstat("\(root)/\(path)", &status) == 0, Stamp(status) == stamp else { return nil }
        }
        unsettledMs = new.reduce(0) { max($0, unsettled($1.key, $1.value)) }
        let before = kept
        kept = new
        defer { if unsettledMs > 0 { kept = before } }
        return snapshot(listing, shown, revision)
    }

    private func unsettled(_ path: String, _ new: Kept) -> Int64 {
        guard let old = kept[path], old.digest != new.digest, new.errors.isEmpty,
            !Set(old.declared.map(\.key)).isSubset(of: new.declared.map(\.key))
        else { return 0 }
        return max(0, Self.settleMs - (agentos_wall_ms() - new.stamp.modified / 1_000_000))
    }

    private static let settleMs: Int64 = 1000

    private func snapshot(_ listing: Listing, _ shown: String, _ revision: String?) -> SourceSnapshot {
        var errors = listing.errors
        var declared: [Declared] = []
        var places: [ObjectKey: String] = [:]
        var hash = Hash()
        var random = SystemRandomNumberGenerator()
        for (path, _) in listing.files {
            guard let file = kept[path] else { continue }
            hash.add(path.utf8)
            hash.add(file.digest)
            errors += file.errors
            for var item in file.declared {
                if let first = places[item.key] {
                    errors.append(
                        "\(item.file):\(item.line):\(item.column): \(item.key.kind.rawValue) \"\(item.key.name)\" is declared twice; first in \(first)"
                    )
                    continue
                }
                places[item.key] = "\(item.file):\(item.line)"
                item.freshUID = UID(high: random.next(), low: random.next())
                declared.append(item)
            }
        }
        declared.sort { ($0.key.kind, $0.file, $0.line) < ($1.key.kind, $1.file, $1.line) }
        return SourceSnapshot(
            revision: revision ?? "files:\(hash.text)", declared: declared, errors: errors,
            isWhole: listing.isWhole && errors.isEmpty)
    }

    // MARK: Listing

    private func list(
        _ root: String, _ path: String, _ shown: String, _ rules: IgnoreRules, _ listing: inout Listing, depth: Int
    ) {
        let directory = path.isEmpty ? root : "\(root)/\(path)"
        var status = stat()
        guard lstat(directory, &status) == 0, let handle = opendir(directory) else {
            listing.errors.append("\(shown)/\(path): \(String(cString: strerror(errno)))")
            listing.isWhole = false
            return
        }
        closedir(handle)
        listing.directories.append((path, Stamp(status)))
        if depth > Limits.sourceDepthMax || listing.files.count > Limits.filesMax {
            listing.errors.append(
                "\(shown)/\(path): more than \(Limits.sourceDepthMax) levels or \(Limits.filesMax) files")
            listing.isWhole = false
            return
        }
        for name in Files.names(in: directory).sorted() where !name.hasPrefix(".") {
            let inner = path.isEmpty ? name : "\(path)/\(name)"
            guard lstat("\(root)/\(inner)", &status) == 0 else {
                listing.isWhole = false  // it went while the directory was read; the look at the end sees that too
                continue
            }
            let isDirectory = status.st_mode & S_IFMT == S_IFDIR
            if rules.ignores(inner, isDirectory: isDirectory) { continue }
            let isManifest = [".yaml", ".yml", ".json"].contains(where: name.hasSuffix)
            switch status.st_mode & S_IFMT {
            case S_IFDIR: list(root, inner, shown, rules, &listing, depth: depth + 1)
            case S_IFREG where isManifest: listing.files.append((inner, Stamp(status)))
            case S_IFLNK where isManifest: follow(root, inner, shown, Stamp(status), &listing)
            default: break
            }
        }
    }

    /// A link to a file of the same directory is read; one that leads out of it is an error.
    private func follow(_ root: String, _ path: String, _ shown: String, _ stamp: Stamp, _ listing: inout Listing) {
        let fd = agentos_open_beneath(root, path)
        guard fd >= 0 else {
            let why = errno == EXDEV ? "the symbolic link leads out of \(shown)" : String(cString: strerror(errno))
            listing.errors.append("\(shown)/\(path): \(why)")
            listing.isWhole = false
            return
        }
        close(fd)
        listing.files.append((path, stamp))
    }

    // MARK: Reading

    /// Nil: it changed meanwhile.
    private func parse(_ root: String, _ path: String, _ shown: String, _ namespace: String, _ stamp: Stamp) -> Kept? {
        let file = "\(shown)/\(path)"
        var result = Kept(stamp: stamp)
        let place = agentos_open_beneath(root, path)
        guard place >= 0 else { return nil }
        defer { close(place) }
        let fd = open("/proc/self/fd/\(place)", O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        var status = stat()
        guard fd >= 0, fstat(fd, &status) == 0 else {
            if fd >= 0 { close(fd) }
            result.errors.append("\(file): \(String(cString: strerror(errno)))")
            result.isFleeting = true
            return result
        }
        defer { close(fd) }
        if status.st_mode & S_IFMT != S_IFREG { return result }  // a link to a directory: that is read where it lies
        guard status.st_size <= Limits.inputBytesMax else {
            result.errors.append("\(file): larger than \(Limits.inputBytesMax >> 20) MiB")
            return result
        }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while bytes.count <= Limits.inputBytesMax {
            let count = Glibc.read(fd, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { return nil }
            if count == 0 { break }
            bytes += chunk[..<count]
        }
        // A link's target may change without the link; and what changed just now may change again within the same tick.
        let isLink = Stamp(status) != stamp
        result.isFleeting = isLink || agentos_wall_ms() - Stamp(status).modified / 1_000_000 < 100
        var hash = Hash()
        hash.add(bytes)
        result.digest = hash.value
        var diagnostics = Diagnostics()
        for manifest in ManifestReader.read(bytes, file: file, namespace: namespace, diagnostics: &diagnostics) {
            take(manifest, &result)
        }
        result.errors += diagnostics.kept.map(\.description)
        if diagnostics.total > diagnostics.kept.count {
            result.errors.append("\(file): … and \(diagnostics.total - diagnostics.kept.count) more errors")
        }
        return result
    }

    private func take(_ manifest: Manifest, _ result: inout Kept) {
        var node = manifest.applied
        if manifest.kind == .secret, let references = node["dataFrom"]?.list {
            result.isFleeting = true
            var data = node["data"] ?? .emptyMap
            for (index, item) in references.enumerated() {
                do throws(AllowedPaths.Problem) {
                    data[item["key"]?.string ?? ""] = .text(Base64.encode(try value(item)))
                } catch {
                    result.errors.append(
                        "\(manifest.file):\(item.mark.line):\(item.mark.column): dataFrom[\(index)]: \(error.message)")
                }
            }
            node["data"] = data
            node["dataFrom"] = nil
        }
        var hash = Hash()
        hash.add(JSONWriter.bytes(node))
        result.declared.append(
            Declared(
                key: ObjectKey(manifest.kind, namespace: manifest.namespace, name: manifest.name), node: node,
                file: manifest.file, line: Int(manifest.mark.line), column: Int(manifest.mark.column),
                digest: hash.value, freshUID: UID(high: 0, low: 0)))
    }

    /// The value that a Secret refers to. Never told in an error.
    private func value(_ item: Node) throws(AllowedPaths.Problem) -> [UInt8] {
        if let name = item["environment"]?.string {
            guard settings.secretVariables.contains(name) else {
                throw AllowedPaths.Problem(
                    message:
                        "the variable \(name) is not allowed; the daemon's option --secret-environment \(name) allows it"
                )
            }
            guard let value = getenv(name) else {
                throw AllowedPaths.Problem(message: "the daemon has no variable \(name)")
            }
            return Array(String(cString: value).utf8)
        }
        let path = item["file"]?.string ?? ""
        guard let text = Files.text(try settings.secretFiles.resolve(path), limit: Limits.objectBytesMax) else {
            throw AllowedPaths.Problem(message: "\(path): \(String(cString: strerror(errno)))")
        }
        // As a line of a file is written; a value with a line end of its own has two.
        return Array((text.hasSuffix("\n") ? String(text.dropLast()) : text).utf8)
    }
}

/// FNV-1a, 64 bits: tells contents apart; no protection against somebody who looks for two that are equal.
struct Hash {
    private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325

    mutating func add(_ bytes: some Sequence<UInt8>) {
        for byte in bytes { value = (value ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
    }

    mutating func add(_ number: UInt64) {
        for shift in 0..<8 { add(CollectionOfOne(UInt8(truncatingIfNeeded: number >> UInt64(shift * 8)))) }
    }

    var text: String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
