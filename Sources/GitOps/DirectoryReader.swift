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
/// are read again. What declares less than before was so for a second, by the daemon's own clock.
struct DirectoryReader {
    private let secrets: SecretValues
    private let drivers: DriverTable
    private var kept: [String: ManifestFile] = [:]
    /// When each file was first seen with its content of now, for files that changed.
    private var seen: [String: (digest: UInt64, atMs: Int64)] = [:]
    private var beganAtMs: Int64?
    /// Nobody was writing when all was read; nobody else writes to a clone of ours.
    private(set) var hasSettled: Bool
    /// Directories that were found, as absolute paths: what is to be watched.
    private(set) var directories: [String] = []
    /// How long to wait before what was read may be believed: a file that was just written declares less than before, and
    /// its writer may not be at its end. It is read again then.
    private(set) var unsettledMs: Int64 = 0

    /// - Parameter isOurs: a clone, to which nobody else writes.
    init(_ secrets: SecretValues, drivers: DriverTable, isOurs: Bool = false) {
        self.secrets = secrets
        self.drivers = drivers
        hasSettled = isOurs
    }

    private static let settleMs: Int64 = 1000
    /// A directory that is always written to is believed after so long.
    private static let firstSettleMsMax: Int64 = 10_000

    /// - Parameters:
    ///   - root: without symbolic links.
    ///   - shown: what messages call it.
    ///   - revision: nil: a digest of the files.
    mutating func read(
        root: String, shown: String, namespace: String, revision: String?, submodules: Set<String> = []
    ) -> SourceSnapshot {
        for _ in 0..<5 {
            if let snapshot = readOnce(root, shown, namespace, revision, submodules) { return snapshot }
            usleep(20_000)  // this thread does nothing else, and a writer needs the moment
        }
        return SourceSnapshot(
            revision: revision ?? "", declared: [], errors: ["\(shown): its files keep changing while they are read"],
            isWhole: false)
    }

    private mutating func readOnce(
        _ root: String, _ shown: String, _ namespace: String, _ revision: String?, _ submodules: Set<String>
    ) -> SourceSnapshot? {
        let listing = DirectoryListing(root, shown: shown, submodules: submodules)
        directories = listing.directories.map { $0.path.isEmpty ? root : "\(root)/\($0.path)" }
        var new: [String: ManifestFile] = [:]
        for (path, stamp) in listing.files {
            if let old = kept[path], old.stamp == stamp, !old.isFleeting {
                new[path] = old
            } else if let read = ManifestFile(
                root, path, shown: shown, namespace: namespace, stamp, secrets, drivers: drivers)
            {
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
        let now = agentos_boot_ms()
        unsettledMs = 0
        for (path, file) in new { unsettledMs = max(unsettledMs, unsettled(path, file, now)) }
        let isSettled = settles(listing, now)
        let snapshot = snapshot(listing, new, shown, revision, isWhole: isSettled)
        if unsettledMs == 0 {
            kept = new
            seen = [:]
        }
        return snapshot
    }

    /// A daemon that starts while somebody rewrites the directory has nothing to compare with: until the files have been
    /// at rest for a moment, what is missing may only not be written yet.
    private mutating func settles(_ listing: DirectoryListing, _ now: Int64) -> Bool {
        if hasSettled { return true }
        let began = beganAtMs ?? now
        beganAtMs = began
        let wall = agentos_wall_ms()
        let isFresh = (listing.files + listing.directories).contains { $0.stamp.isFresh(Self.settleMs, wall) }
        hasSettled = !isFresh || now - began >= Self.firstSettleMsMax
        return hasSettled
    }

    private mutating func unsettled(_ path: String, _ new: ManifestFile, _ now: Int64) -> Int64 {
        guard let old = kept[path], old.digest != new.digest, new.errors.isEmpty,
            !Set(old.declared.map(\.key)).isSubset(of: new.declared.map(\.key))
        else { return 0 }
        if seen[path]?.digest != new.digest { seen[path] = (new.digest, now) }
        return max(0, Self.settleMs - (now - (seen[path]?.atMs ?? now)))
    }

    private func snapshot(
        _ listing: DirectoryListing, _ read: [String: ManifestFile], _ shown: String, _ revision: String?, isWhole: Bool
    ) -> SourceSnapshot {
        var errors = listing.errors
        var declared: [Declared] = []
        var places: [ObjectKey: String] = [:]
        var hash = Hash()
        var random = SystemRandomNumberGenerator()
        for (path, _) in listing.files {
            guard let file = read[path] else { continue }
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
            isWhole: isWhole && listing.isWhole && errors.isEmpty)
    }
}
