public import Values

extension Limits {
    /// Revisions of one agent that are kept, the current one among them.
    public static let revisionsMax = 10
    /// Objects of one store.
    public static let objectsMax = 100_000
    /// Managers that own fields of one object.
    public static let fieldManagersMax = 64
    /// Errors of a Source that are kept in words; the rest is counted.
    public static let sourceErrorsMax = 20
    /// Starts that may be between their intent and the first sight of their instance.
    public static let startsInFlight = 24
    /// Refusals of an event by its sink after which it is a dead letter.
    public static let publishAttemptsMax = 10
    /// The longest pause before a sink is asked again.
    public static let publishBackoffMsMax = 60_000
    /// Events of the journal that are read at once for a named sink.
    public static let sinkBatchMax = 1000
    /// Sinks that may be configured, and those of former configurations whose places are kept.
    public static let sinksMax = 16
    static let sinksKeptMax = 16
    /// Objects that are parked for one sink before its cursor stands still; one batch more at most.
    public static let parkedObjectsMax = 1000
    /// Of a reason that a sink gives, in letters.
    static let sinkReasonMax = 500
    /// How long a sink may ask for a pause.
    static let sinkBusyMsMin: Int64 = 100
    static let sinkBusyMsMax: Int64 = 3_600_000
    /// Events that wait for the journal, and bytes of it that wait for a required sink, from which on nothing new is taken.
    public static let outboxPendingMax = 100_000
    public static let sinkBehindBytesMax: Int64 = 384 << 20
    /// After which somebody who was refused for that may try again.
    static let deliveryBehindMs: Int64 = 5_000
    /// How long events and entries of the audit are kept.
    public static let retentionMs: Int64 = 7 * 24 * 3_600_000
    /// Published events of one object that are remembered one by one until consumers acknowledge them.
    public static let unacknowledgedMax = 128
    /// Registered consumers.
    public static let consumersMax = 64
    /// Rights of one verb, group, resource and name that are compared when a role is granted.
    public static let accessPartsMax = 10_000
    /// Pause before the same operation on a run is asked for again.
    public static let operationPauseMs = 2000
    /// Managers that own fields by other writes than apply; older ones are kept as one.
    public static let updateManagersMax = 10
    /// Bytes of the name of a field manager.
    public static let managerNameBytesMax = 128
    /// Steps of one JSON patch.
    public static let patchStepsMax = 10_000
    /// Values that the steps of one JSON patch may copy and compare.
    public static let patchCostMax = 1_000_000
    /// Bytes that the steps of one JSON patch may copy; as much as Kubernetes allows.
    public static let patchCopiedBytesMax = 3 << 20
    /// Fields that all managers of one object own together, each counted for each of them.
    public static let ownedFieldsMax = 200_000
    /// Answers to requests with an `Idempotency-Key`, and how long they are kept.
    public static let keptAnswersMax = 50_000
    /// Those of one user.
    public static let keptAnswersOfOneMax = 20_000
    public static let keptAnswerMs: Int64 = 24 * 3_600_000
    /// Ways in which things have moved since a plan that are told one by one.
    static let movesToldMax = 20
    /// Characters of the reason for an override that the audit keeps.
    static let overrideReasonMax = 200
    /// From a measurement to the look at the Objectives that ask for it, and from one writing of their numbers to the next.
    static let objectiveReadMs: Int64 = 5_000
    static let objectiveWrittenMs: Int64 = 60_000
    /// After which measurements are written: with other changes, or alone.
    static let measurementsWithOthersMs: Int64 = 5_000
    static let measurementsAloneMs: Int64 = 30_000
}
