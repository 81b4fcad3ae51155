public import Values

extension Limits {
    /// Of one log file of a run.
    public static let logBytesMax = 10 << 20
    /// Log files that are kept of one run.
    public static let logFilesMax = 3
    /// The most processes that a group of the kernel can be limited to (PID_MAX_LIMIT).
    public static let pidsMax: Int64 = 4 << 20
    /// Bytes that an image may unpack to, and files.
    public static let unpackedBytesMax: Int64 = 64 << 30
    public static let unpackedEntriesMax = 4_000_000
    /// What unpacking an image leaves free on the disk that the store is on, too.
    public static let unpackedFreeBytesMin: Int64 = 256 << 20
    /// After which a directory that could not be read is looked at again.
    static let rereadMs: Int64 = 1000
}
