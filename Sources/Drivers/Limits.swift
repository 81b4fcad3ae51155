public import Values

extension Limits {
    /// Of one log file of a run.
    public static let logBytesMax = 10 << 20
    /// Log files that are kept of one run.
    public static let logFilesMax = 3
}
