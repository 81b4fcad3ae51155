import Values

extension Limits {
    /// Directories below that of a Source.
    static let sourceDepthMax = 32
    /// How long a look at the files of a Source may take before it is told and others go on.
    static let lookMsMax = 10_000
    /// Threads that may wait for files that do not answer.
    static let stuckLooksMax = 32
    /// Bytes of a clone, with its work tree.
    static let cloneBytesMax: Int64 = 4 << 30
    /// What a clone leaves free on the disk that the store is on, too.
    static let cloneFreeBytesMin: Int64 = 256 << 20
}
