import Glibc
import Reconciler
import Values

/// Copies of the database that were kept when Secrets still stood in it in plain.
enum KeptCopies {
    /// Leaves no plain value in them: those from before an upgrade go, those that a restore has replaced are brought to
    /// this version. One that cannot be read is left as it is.
    static func seal(_ path: String, _ nowMs: Int64, _ keys: SecretKeys) {
        for copy in Directory.files(path, ".before-*") {
            let fd = open(copy, O_WRONLY | O_CLOEXEC)
            guard fd >= 0 else { continue }
            Pages.wipe(fd)
            close(fd)
            unlink(copy)
        }
        for copy in Directory.files(path, ".replaced-*") where !copy.hasSuffix("-wal") && !copy.hasSuffix("-journal") {
            guard !Pages.areChecked(copy) else { continue }
            do throws(StoreFailure) {
                try upgrade(copy, nowMs, keys)
                try Pages.renew(copy)
            } catch {
                // Damaged: it was replaced for that.
            }
        }
    }

    private static func upgrade(_ copy: String, _ nowMs: Int64, _ keys: SecretKeys) throws(StoreFailure) {
        var database = try Database.open(copy, .write)
        try Migrator.migrate(&database, copy, nowMs, keys)
    }
}
