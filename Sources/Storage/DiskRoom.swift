import Glibc

/// The file system that a file is on, and what of it is free for us.
struct DiskRoom {
    private let mount: String
    private let freeBytes: Int64
    private let bytes: Int64
    private let freeFiles: Int64

    /// Nil when the file is not there.
    init?(_ path: String) {
        var (status, space) = (stat(), statvfs())
        guard lstat(path, &status) == 0, statvfs(path, &space) == 0 else { return nil }
        mount = Self.mount(of: path, device: status.st_dev)
        func size(_ blocks: fsblkcnt_t) -> Int64 {
            let (bytes, overflow) = UInt64(blocks).multipliedReportingOverflow(by: UInt64(space.f_frsize))
            return overflow ? .max : Int64(clamping: bytes)
        }
        (freeBytes, bytes) = (size(space.f_bavail), size(space.f_blocks))
        freeFiles = space.f_files == 0 ? .max : Int64(clamping: space.f_favail)
    }

    /// The highest directory above a file that is of the same device.
    private static func mount(of path: String, device: dev_t) -> String {
        var (found, rest) = (path, path[...])
        while let slash = rest.lastIndex(of: "/") {
            rest = rest[..<slash]
            var status = stat()
            let directory = rest.isEmpty ? "/" : String(rest)
            guard lstat(directory, &status) == 0, status.st_dev == device else { break }
            found = directory
        }
        return found
    }

    var words: String {
        if freeFiles == 0 { return "the file system \(mount) has no room for another file" }
        // Where there is room for all that a step writes, it is not given to us.
        let why = freeBytes > 16 << 20 ? "refuses more, by a quota perhaps" : "is full"
        return "the file system \(mount) \(why): \(freeBytes >> 10) KiB of \(bytes >> 20) MiB are free"
    }
}
