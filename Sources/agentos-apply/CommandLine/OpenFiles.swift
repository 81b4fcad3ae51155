import Glibc

/// How many files this process may have open.
enum OpenFiles {
    /// As many as the system allows.
    ///
    /// - Returns: how many it might before.
    @discardableResult static func raise() -> Int64 {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(7), &limit)  // RLIMIT_NOFILE
        let before = limit.rlim_cur
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(7), &limit)
        return Int64(clamping: min(before, 1 << 20))
    }
}
