public import Values

extension Limits {
    // MARK: Manifests
    /// Files that one command reads.
    public static let filesMax = 20_000

    // MARK: Objects
    /// Thousandths of a core that one agent may ask for: a million cores.
    public static let cpuMilliMax: Int64 = 1_000_000_000
    /// Bytes that one agent may ask for.
    public static let memoryBytesMax: Int64 = 1 << 60
    public static let replicasMax = 1000
    public static let objectsMax = 100_000
    public static let envMax = 1000
    public static let dependenciesMax = 64
    public static let volumesMax = 64
    public static let fieldManagersMax = 64

    // MARK: Sources
    /// Bytes of a clone, with its work tree.
    public static let cloneBytesMax: Int64 = 4 << 30
    /// What a clone leaves free on the disk that the store is on, too.
    public static let cloneFreeBytesMin: Int64 = 256 << 20
    /// Errors of a Source that are kept in words; the rest is counted.
    public static let sourceErrorsMax = 20
    /// Directories below that of a Source.
    public static let sourceDepthMax = 32

    // MARK: Engine
    /// Starts that may be between their intent and the first sight of their instance.
    public static let startsInFlight = 24
    public static let inboxMax = 20_000
    /// Inputs of one step, hence of one transaction.
    public static let stepInputsMax = 1000
    public static let watchRingMax = 8192
    /// Bytes of all changes in the ring, as text.
    public static let watchRingBytesMax = 32 << 20
    public static let startDeadlineMs = 30_000
    public static let resyncMs = 30_000
    /// The least time between the attempts of a replica that fails again and again, whatever its backoff is.
    public static let attemptPauseMs = 1000
    /// Pause before the same operation on a run is asked for again.
    public static let operationPauseMs = 2000
    public static let finishedRunsPerReplica = 3

    // MARK: Outbox and journal
    public static let publishBatchMax = 512
    public static let publishAttemptsMax = 10
    public static let publishBackoffMsMax = 60_000
    public static let outboxRowsMax = 200_000
    public static let auditRowsMax = 200_000
    public static let retentionMs: Int64 = 7 * 24 * 3_600_000
    public static let trimMs = 600_000
    public static let journalSegmentBytes = 16 << 20
    /// What is kept for readers that ask late; more only for registered consumers that have not acknowledged it.
    public static let journalBytesKept = 128 << 20
    /// The hard cap: beyond it a consumer that is behind expires.
    public static let journalBytesMax = 512 << 20
    /// Published events of one object that are remembered one by one until consumers acknowledge them.
    public static let unacknowledgedMax = 128
    public static let consumersMax = 64

    // MARK: Drivers
    /// Bytes of a root file system that is unpacked from an archive.
    public static let imageBytesMax: Int64 = 32 << 30
    public static let logBytesMax = 10 << 20
    public static let logFilesMax = 3
    /// Databases that were replaced by a restore and are kept.
    public static let backupsMax = 3

    // MARK: API
    public static let watchQueueBytesMax = 8 << 20
    public static let listLimitMax = 5000
    /// Versions of collections that are kept for lists in pages, and for how long.
    public static let heldListsMax = 8
    public static let heldListMs = 120_000
    /// Between two bookmarks of a watch.
    public static let bookmarkMs = 60_000
}
