import Glibc
public import Reconciler
public import Values

/// Where the keys come from that Secrets are sealed with in the database.
public protocol SecretKeyring: Sendable {
    /// In words, for errors.
    var place: String { get }
    /// The keys that are there now; nil where there is none yet and one may be made.
    func read() throws(StoreFailure) -> SecretKeys?
    /// Makes a new first key, or takes one that others have put there; older ones stay beside it.
    ///
    /// - Parameter current: the first key until now; nil when there was none.
    func renew(after current: SealingKey?) throws(StoreFailure) -> SecretKeys
}

/// A key file of the daemon's own: one key in it, older ones in files beside it that are named by the key.
///
/// Guarantee: a key that was ever in it is in one of the files until somebody deletes it; a crash leaves the old or the
/// new state.
public struct SecretKeyFile: SecretKeyring {
    public let path: String

    public init(_ path: String) { self.path = path }

    public var place: String { path }

    public func read() throws(StoreFailure) -> SecretKeys? {
        guard access(path, F_OK) == 0 || errno != ENOENT else { return nil }
        let keys = try Self.keys(in: path)
        var older: [SealingKey] = keys.older
        for name in Directory.files(path, ".????????????????") {
            let found = try Self.keys(in: name)
            older += [found.current] + found.older
        }
        return SecretKeys(keys.current, older: older)
    }

    public func renew(after current: SealingKey?) throws(StoreFailure) -> SecretKeys {
        let old = try read()
        let fresh = SealingKey.fresh()
        if let old { try Self.write(old.current, to: "\(path).\(old.current.id)") }
        try Self.write(fresh, to: path)
        return SecretKeys(fresh, older: old.map { [$0.current] + $0.older } ?? [])
    }

    /// Reads a file that only its owner can read.
    public static func keys(in path: String) throws(StoreFailure) -> SecretKeys {
        let fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard fd >= 0 else { throw .fatal("the key file \(path) cannot be read: \(String(cString: strerror(errno)))") }
        defer { close(fd) }
        var status = stat()
        guard fstat(fd, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw .fatal("the key file \(path) is no regular file")
        }
        guard status.st_mode & 0o077 == 0 else {
            throw .fatal("the key file \(path) can be read by others: run 'chmod 600 \(path)'")
        }
        var bytes = [UInt8](repeating: 0, count: Limits.keyFileBytesMax + 1)
        let count = Glibc.read(fd, &bytes, bytes.count)
        guard count >= 0, count <= Limits.keyFileBytesMax,
            let keys = SecretKeys(text: String(decoding: bytes.prefix(max(0, count)), as: UTF8.self))
        else {
            throw .fatal("the key file \(path) does not hold keys: expected lines of 64 hex digits, the newest first")
        }
        return keys
    }

    private static func write(_ key: SealingKey, to path: String) throws(StoreFailure) {
        let text = "# Seals the Secrets of agentos-apply; keep a copy with your backups, apart from them.\n\(key.hex)\n"
        let temporary = "\(path).tmp"
        func failure(_ what: String) -> StoreFailure {
            .fatal("the key file \(path) cannot be \(what): \(String(cString: strerror(errno)))")
        }
        let fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard fd >= 0 else { throw failure("made") }
        defer { close(fd) }
        let bytes = Array(text.utf8)
        guard Glibc.write(fd, bytes, bytes.count) == bytes.count, fsync(fd) == 0 else {
            let problem = failure("written")
            unlink(temporary)
            throw problem
        }
        guard rename(temporary, path) == 0 else { throw failure("put in place") }
        Directory.sync(of: path)
    }
}
