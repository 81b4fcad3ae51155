import CPages
import CSQLite
import Glibc
import Reconciler

/// Checksums of the pages of a database.
enum Pages {
    static let system = AGENTOS_PAGES

    private static let code = agentos_pages_register()

    /// Makes the file system of checked pages known to SQLite.
    static func register() throws(StoreFailure) {
        guard code == SQLITE_OK else { throw .fatal("SQLite takes no file system of checked pages (code \(code))") }
    }

    /// The page that was found damaged on this thread since the last question.
    static func takeDamaged() -> Int64? {
        let page = agentos_pages_damaged()
        return page > 0 ? page : nil
    }

    /// Whether the pages of a file have checksums.
    ///
    /// Assumes: this process does not have it open in SQLite, whose locks would be gone afterwards.
    static func areChecked(_ path: String) -> Bool {
        let fd = open(path, O_RDONLY | O_CLOEXEC)
        guard fd >= 0 else { return false }
        defer { close(fd) }
        var reserved: UInt8 = 0
        return pread(fd, &reserved, 1, 20) == 1 && Int32(reserved) == AGENTOS_PAGES_RESERVED
    }

    /// Writes a database anew, with checksums, under its own name. Nothing of the old file is left on the disk.
    ///
    /// Assumes: nobody else has it open. A crash leaves the old one or the new one.
    static func renew(_ path: String) throws(StoreFailure) {
        let fresh = "\(path).checked"
        unlink(fresh)
        do {
            let database = try Database.open(path, .write)
            try database.execute("PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode=DELETE")
            try database.copy(to: fresh)
        }
        let old = open(path, O_WRONLY | O_CLOEXEC)
        let new = open(fresh, O_RDONLY | O_CLOEXEC)
        defer { for fd in [old, new] where fd >= 0 { close(fd) } }
        guard old >= 0, new >= 0, fsync(new) == 0, rename(fresh, path) == 0 else {
            throw .fatal("\(path) cannot be written anew: \(String(cString: strerror(errno)))")
        }
        Directory.sync(of: path)
        wipe(old)
    }

    /// Overwrites what was in a file.
    static func wipe(_ fd: Int32) {
        var status = stat()
        guard fstat(fd, &status) == 0 else { return }
        let nothing = [UInt8](repeating: 0, count: 1 << 20)
        var offset: off_t = 0
        while offset < status.st_size {
            let count = pwrite(fd, nothing, min(nothing.count, Int(status.st_size - offset)), offset)
            guard count > 0 else { break }
            offset += off_t(count)
        }
        fsync(fd)
    }
}
