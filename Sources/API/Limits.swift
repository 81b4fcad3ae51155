import Values

extension Limits {
    /// That wait for one watcher to read them.
    static let watchQueueBytesMax = 8 << 20
    /// Objects in one page of a list.
    static let listLimitMax = 5000
    /// Versions of collections that are kept for lists in pages.
    static let heldListsMax = 8
    /// How long a version of a collection is kept for lists in pages.
    static let heldListMs = 120_000
    /// Between two bookmarks of a watch.
    static let bookmarkMs = 60_000
}
