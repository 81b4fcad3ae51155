import CLinux
import Glibc
import Machine
import Manifests
import Values

/// What tells whether a file or directory has changed.
struct Stamp: Equatable {
    var device: UInt
    var inode: UInt
    var size: Int
    var modified: Int64
    /// When the kernel last noted a change, in nanoseconds: nobody can write another time there.
    var changed: Int64

    init(_ status: stat) {
        device = UInt(status.st_dev)
        inode = UInt(status.st_ino)
        size = Int(status.st_size)
        modified = Int64(status.st_mtim.tv_sec) * 1_000_000_000 + Int64(status.st_mtim.tv_nsec)
        changed = Int64(status.st_ctim.tv_sec) * 1_000_000_000 + Int64(status.st_ctim.tv_nsec)
    }

    /// It changed within this time; a clock that was set back meanwhile says nothing.
    func isFresh(_ ms: Int64, _ wallMs: Int64) -> Bool { abs(wallMs - changed / 1_000_000) < ms }
}

/// The manifests and directories below a root, without what is ignored.
struct DirectoryListing {
    private(set) var files: [(path: String, stamp: Stamp)] = []
    /// Relative to the root; the root itself is "".
    private(set) var directories: [(path: String, stamp: Stamp)] = []
    private(set) var errors: [String] = []
    /// Nothing was out of sight.
    private(set) var isWhole = true

    private let root: String
    private let shown: String
    private var rules = IgnoreRules()
    /// Paths of submodules: what belongs there is in another repository.
    private let submodules: Set<String>

    init(_ root: String, shown: String, submodules: Set<String>) {
        self.root = root
        self.shown = shown
        self.submodules = submodules
        do throws(RegularFile.Problem) {
            let content = try RegularFile.read(Self.ignoreFile, below: root, limit: Limits.inputBytesMax)
            rules = IgnoreRules(String(decoding: content.bytes, as: UTF8.self))
        } catch {
            guard error == .failed(ENOENT) else {
                // Without it, files would be applied that it leaves out.
                fail(Self.ignoreFile, error.words)
                return
            }
        }
        list("", depth: 0)
    }

    private static let ignoreFile = ".agentosignore"

    private mutating func fail(_ path: String, _ why: String) {
        errors.append("\(shown)\(path.isEmpty ? "" : "/\(path)"): \(why)")
        isWhole = false
    }

    private mutating func list(_ path: String, depth: Int) {
        let found: (names: [DirectoryNames.Name], status: stat)
        do throws(RegularFile.Problem) {
            found = try DirectoryNames.list(path, below: root)
        } catch {
            return fail(path, error.words)
        }
        directories.append((path, Stamp(found.status)))
        if depth > Limits.sourceDepthMax || files.count > Limits.filesMax {
            return fail(path, "more than \(Limits.sourceDepthMax) levels or \(Limits.filesMax) files")
        }
        for name in found.names { take(name, path.isEmpty ? name.shown : "\(path)/\(name.shown)", depth) }
    }

    private mutating func take(_ name: DirectoryNames.Name, _ inner: String, _ depth: Int) {
        guard let status = name.status else {
            isWhole = false  // it went while the directory was read; the look at the end sees that, too
            return
        }
        let isDirectory = status.st_mode & S_IFMT == S_IFDIR
        let isManifest = [".yaml", ".yml", ".json"].contains(where: name.shown.hasSuffix)
        if !isDirectory, !isManifest || rules.ignores(inner, isDirectory: false) { return }
        if isDirectory, rules.ignores(inner, isDirectory: true) { return }
        guard name.text != nil else { return fail(inner, "its name is not UTF-8; rename it, or leave it out") }
        switch status.st_mode & S_IFMT {
        case S_IFDIR where submodules.contains(inner):
            fail(inner, "it is a submodule, and those are not followed; name its repository in a Source of its own")
        case S_IFDIR: list(inner, depth: depth + 1)
        case S_IFREG: files.append((inner, Stamp(status)))
        case S_IFLNK: follow(inner, Stamp(status))
        default: fail(inner, "it is \(RegularFile.kind(status.st_mode) ?? "unknown"), not a file")
        }
    }

    /// A link to a file of the same directory is read; one that leads out of it is an error.
    private mutating func follow(_ path: String, _ stamp: Stamp) {
        let fd = agentos_open_beneath(root, path)
        guard fd >= 0 else {
            let problem = errno == EXDEV ? RegularFile.Problem.leadsOut : .failed(errno)
            return fail(path, problem == .leadsOut ? "the symbolic link leads out of \(shown)" : problem.words)
        }
        close(fd)
        files.append((path, stamp))
    }
}
