public import Values

extension Limits {
    /// How long a store that has refused a commit is left alone.
    public static let storeRetryMs: Int64 = 500
    /// How long a daemon that is told to stop waits for its store.
    public static let stopMs: Int64 = 10_000
    /// Of an operation other than a start; and what a command may take beyond its own limit.
    public static let operationMs: Int64 = 15_000
    public static let storeReadMs: Int64 = 10_000
    public static let backupMs: Int64 = 600_000
    /// After which the store is compared with what was written again.
    public static let scrubMs: Int64 = 600_000
    /// Of the program that gives the keys of Secrets.
    public static let keysMs: Int64 = 15_000
    /// Secrets that one transaction seals with a new key.
    public static let resealedMax = 100
    /// Of deciding what a batch would lead to.
    public static let forecastMs: Int64 = 60_000
    /// Plans and readings of the past that wait for the thread beside the loop.
    static let plannedBesideMax = 16
    public static let measureMs: Int64 = 5_000
    /// From a measurement to the engine's knowing of it.
    static let measuredToldMs: Int64 = 2_000
    /// Of reading a Source now, its fetching included.
    public static let refreshMs: Int64 = 300_000
    /// Inputs that wait for the engine.
    public static let inboxMax = 20_000
    /// Inputs of one step, hence of one transaction.
    public static let stepInputsMax = 1000
    /// Changes that a watch can go back.
    public static let watchRingMax = 8192
    /// The daemon's own events that are shown of one namespace, those of clients that are kept, and how long.
    public static let toldEventsMax = 1000
    public static let storedEventsMax = 1000
    public static let eventAgeMs = 3_600_000
    /// Bytes of all changes in the ring, as text.
    public static let watchRingBytesMax = 32 << 20
    /// After which all drivers are observed again.
    public static let resyncMs = 30_000
    /// Events that are handed to a sink at once.
    public static let publishBatchMax = 512
    /// After which a call of a named sink is given up.
    public static let sinkAnswerMs: Int64 = 120_000
    /// After which what is too old is removed again.
    public static let trimMs = 600_000
}
