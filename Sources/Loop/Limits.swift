public import Values

extension Limits {
    /// How long a store that has refused a commit is left alone.
    public static let storeRetryMs: Int64 = 500
    /// How long a daemon that is told to stop waits for its store.
    public static let stopMs: Int64 = 10_000
    /// Of an operation other than a start; and what a command may take beyond its own limit.
    public static let operationMs: Int64 = 15_000
    public static let storeReadMs: Int64 = 10_000
    public static let backupMs: Int64 = 600_000
    public static let measureMs: Int64 = 5_000
    /// Of reading a Source now, its fetching included.
    public static let refreshMs: Int64 = 300_000
}
