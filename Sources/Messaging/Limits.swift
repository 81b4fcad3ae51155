public import Values

extension Limits {
    /// Of one file of the journal.
    public static let journalSegmentBytes = 16 << 20
    /// What is kept for readers that ask late; more only for registered consumers that have not acknowledged it.
    public static let journalBytesKept = 128 << 20
    /// The hard cap: beyond it a consumer that is behind expires.
    public static let journalBytesMax = 512 << 20
}
