public import Values

extension Limits {
    /// Of one log file of a run.
    public static let logBytesMax = 10 << 20
    /// Log files that are kept of one run.
    public static let logFilesMax = 3
    /// After which a directory that could not be read or removed is looked at again, and how often it is removed.
    static let rereadMs: Int64 = 1000
    static let removalTries = 30
}
