import Values

extension Limits {
    /// Directories below that of a Source.
    static let sourceDepthMax = 32
    /// How long a look at the files of a Source may take before it is told and others go on.
    static let lookMsMax = 10_000
    /// Looks that may be under way at one file system: one that does not answer holds no more threads than these.
    static let looksPerMountMax = 4
    /// Looks that may be under way at all.
    static let looksMax = 64
    /// Directories of a Source that are watched; changes in others are found by the interval.
    static let watchedDirectoriesMax = 16_384
    /// Bytes of a clone, with its work tree.
    static let cloneBytesMax: Int64 = 4 << 30
    /// What a clone leaves free on the disk that the store is on, too.
    static let cloneFreeBytesMin: Int64 = 256 << 20
}
