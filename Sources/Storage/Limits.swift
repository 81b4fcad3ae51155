public import Values

extension Limits {
    /// Events in the database that are published already.
    public static let outboxRowsMax = 200_000
    /// Entries of the audit in the database.
    public static let auditRowsMax = 200_000
    /// Databases that were replaced by a restore and are kept.
    public static let backupsMax = 3
    /// Of a file with keys.
    static let keyFileBytesMax = 64 << 10
}
