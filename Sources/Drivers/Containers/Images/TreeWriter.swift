import CLinux
import Glibc
import Machine

/// Writes one layer below a directory as if that directory were the root: links in paths lead nowhere else, and what
/// replaces something of another type removes it.
///
/// Source: what containerd does where the OCI image specification leaves a choice: directories without an entry of their
/// own have mode 0755, and such a directory replaces a link of a lower layer; one of the same layer is followed.
final class TreeWriter {
    struct Attributes {
        var mode: mode_t
        var user: UInt32
        var group: UInt32
        var modified: timespec
        var extended: [(name: String, value: [UInt8])] = []
    }

    enum Content {
        case directory
        /// `write` gets the descriptor of the new file.
        case file(write: (Int32) throws(Files.Failure) -> Void)
        case link(to: String)
        /// Another name for what is there already.
        case hardLink(to: [String])
        case fifo
    }

    private let root: Int32
    /// Set at the end: what is written into a directory changes its time.
    private var directoryTimes: [(path: [String], modified: timespec)] = []

    /// Links of this layer.
    private var links: Set<[String]> = []

    private init(_ root: Int32) { self.root = root }

    deinit { close(root) }

    static func open(_ directory: String) throws(Files.Failure) -> TreeWriter {
        let fd = Glibc.open(directory, AGENTOS_O_PATH | O_DIRECTORY | O_CLOEXEC)
        guard fd >= 0 else { throw Files.Failure(code: errno, what: directory) }
        return TreeWriter(fd)
    }

    // MARK: Entries

    /// - Parameter path: its parts, at least one.
    func put(
        _ path: [String], _ content: Content, _ attributes: Attributes
    ) throws(Files.Failure) {
        let name = path[path.count - 1]
        let parent = try directory(path.dropLast(), isMade: true)
        defer { close(parent) }
        var isThere = false
        var status = stat()
        if fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) == 0 {
            isThere = status.st_mode & S_IFMT == S_IFDIR && content.isDirectory
            if !isThere { Files.removeTree("/proc/self/fd/\(parent)/\(name)") }
        }
        switch content {
        case .directory: if !isThere { try check(mkdirat(parent, name, 0o700), name) }
        case .file(let write):
            let fd = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
            guard fd >= 0 else { throw Files.Failure(code: errno, what: name) }
            defer { close(fd) }
            try write(fd)
        case .link(let target):
            try check(symlinkat(target, parent, name), name)
            links.insert(path)
        case .hardLink(let target):
            let other = try directory(target.dropLast(), isMade: false)
            defer { close(other) }
            // It has its attributes already.
            return try check(linkat(other, target.last ?? "", parent, name, 0), name)
        case .fifo: try check(mkfifoat(parent, name, 0o600), name)
        }
        try set(attributes, parent, name, isLink: content.isLink)
        if content.isDirectory { directoryTimes.append((path, attributes.modified)) }
    }

    private func set(_ attributes: Attributes, _ parent: Int32, _ name: String, isLink: Bool) throws(Files.Failure) {
        // Giving a file away takes its special bits and capabilities: those come afterwards.
        try check(fchownat(parent, name, attributes.user, attributes.group, AT_SYMLINK_NOFOLLOW), name)
        if !isLink { try check(fchmodat(parent, name, attributes.mode & 0o7777, 0), name) }
        for attribute in attributes.extended {
            let result = agentos_set_attribute(
                "/proc/self/fd/\(parent)/\(name)", attribute.name, attribute.value, attribute.value.count)
            try check(result, "\(name): \(attribute.name)")
        }
        try setTime(attributes.modified, parent, name)
    }

    private func setTime(_ time: timespec, _ parent: Int32, _ name: String) throws(Files.Failure) {
        let times = [time, time]
        try check(utimensat(parent, name, times, AT_SYMLINK_NOFOLLOW), name)
    }

    /// Removes an entry, or all that a directory holds when the name is empty; what is not there is removed.
    func remove(_ name: String, in path: [String]) throws(Files.Failure) {
        let fd = agentos_open_in_root(root, Self.text(path), AGENTOS_O_PATH | O_DIRECTORY)
        if fd < 0, errno == ENOENT || errno == ENOTDIR { return }
        guard fd >= 0 else { throw Files.Failure(code: errno, what: Self.text(path)) }
        defer { close(fd) }
        let place = "/proc/self/fd/\(fd)"
        for victim in name.isEmpty ? Files.names(in: place) : [name] { Files.removeTree("\(place)/\(victim)") }
    }

    /// Call when all is written.
    func finish() throws(Files.Failure) {
        for (path, time) in directoryTimes {
            let parent = try directory(path.dropLast(), isMade: false)
            defer { close(parent) }
            // What came later may have replaced it.
            if utimensat(parent, path[path.count - 1], [time, time], AT_SYMLINK_NOFOLLOW) != 0, errno != ENOENT {
                throw Files.Failure(code: errno, what: Self.text(path))
            }
        }
    }

    // MARK: Paths

    private func directory(_ path: ArraySlice<String>, isMade: Bool) throws(Files.Failure) -> Int32 {
        if isMade, let name = path.last {
            let parent = try directory(path.dropLast(), isMade: true)
            defer { close(parent) }
            try make(name, in: parent, path)
        }
        let fd = agentos_open_in_root(root, Self.text(path), AGENTOS_O_PATH | O_DIRECTORY)
        guard fd >= 0 else { throw Files.Failure(code: errno, what: Self.text(path)) }
        return fd
    }

    /// A directory that the layer implies.
    private func make(_ name: String, in parent: Int32, _ path: ArraySlice<String>) throws(Files.Failure) {
        var status = stat()
        if fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) == 0 {
            guard status.st_mode & S_IFMT == S_IFLNK, !links.contains(Array(path)) else { return }
            try check(unlinkat(parent, name, 0), name)
        }
        try check(mkdirat(parent, name, 0o755), name)
        try check(fchmodat(parent, name, 0o755, 0), name)  // whatever the umask
    }

    private static func text(_ path: some Collection<String>) -> String {
        path.isEmpty ? "." : path.joined(separator: "/")
    }

    private func check(_ result: Int32, _ what: String) throws(Files.Failure) {
        if result != 0 { throw Files.Failure(code: errno, what: what) }
    }
}

extension TreeWriter.Content {
    var isDirectory: Bool { if case .directory = self { true } else { false } }
    var isLink: Bool { if case .link = self { true } else { false } }
}
