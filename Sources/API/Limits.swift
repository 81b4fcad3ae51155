public import Values

extension Limits {
    /// Bytes of a bearer token.
    static let tokenBytesMax = 4096
    public static let tokenBytesMin = 16
    /// Requests of one user, for a while and at once; masters are not counted.
    static let requestsPerSecond = 500
    static let requestBurst = 1000
    static let throttledUsersMax = 4096
    /// Lines about requests: what is handed over at once, what waits for the disk, and what is kept.
    static let requestLogPieceBytes = 65_536
    public static let requestLogQueueBytes = 4 << 20
    public static let requestLogFileBytes = 16 << 20
    public static let requestLogFiles = 4
    /// Tokens of a file.
    static let staticTokensMax = 10_000
    /// How long a client's certificate is good at most.
    static let certificateSecondsMax = 365 * 86_400
    /// Bytes of a file of certificates.
    public static let pemBytesMax = 1 << 20
    /// That wait for one watcher to read them.
    static let watchQueueBytesMax = 8 << 20
    /// Connections to ports of agents that are being made at a time.
    static let dialsMax = 256
    /// Requests in messages of a broker: bytes of one, how many wait for their answers at a time, and bytes of those together.
    static let messageBytesMax = 1 << 20
    public static let messagesMax = 1024
    public static let messagesBytesMax = 64 << 20
    /// Objects in one page of a list.
    static let listLimitMax = 5000
    /// Versions of collections that are kept for lists in pages.
    static let heldListsMax = 8
    /// How long a version of a collection is kept for lists in pages.
    static let heldListMs = 120_000
    /// Runs before the last of a replica that are looked for, kept or not.
    static let runsLookedFor = 64
    /// For clients to take what they have asked for, when the daemon ends.
    static let drainMs: Int64 = 2000
    /// The shortest time over which a use of the processor is counted, and the age of a sample that still counts.
    static let sampleWindowMs = 500
    static let sampleAgeMs = 60_000
    /// Names that are drawn for one new object before it is refused.
    static let generatedNamesMax = 8
    static let idempotencyKeyBytesMax = 255
    /// Answers of more bytes are compressed for those who ask for it, as in Kubernetes.
    static let plainBytesMax = 128 << 10
    /// Warnings of one answer together, as in Kubernetes, and each of them.
    static let warningsBytesMax = 4096
    static let warningBytesMax = 256
    /// What other headers of an answer tell. All together has to fit beside the head of the request.
    static let waitsBytesMax = 256
    static let namesBytesMax = 1024
    /// Objects of one plan.
    static let plannedObjectsMax = 10_000
    /// Objects of a plan that is carried out: one step decides all of it, or nothing, and nobody else is served meanwhile.
    public static let performedObjectsMax = 2000
    /// Bytes of the place where an object of a plan is declared.
    static let placeBytesMax = 4096
    /// Entries of the audit that one explanation looks at, and Sources among those who are named in them.
    static let historyMax = 400
    static let historySourcesMax = 4
    /// Between two bookmarks of a watch.
    static let bookmarkMs = 60_000
}
