/// One condition of an agent, without the times that the engine keeps.
public struct Condition: Sendable, Equatable {
    /// What a condition speaks of.
    public enum Kind: String, Sendable, CaseIterable {
        case scheduled = "Scheduled"
        case published = "Published"
        case ready = "Ready"
        case progressing = "Progressing"
        /// Of a Source: what it declares was applied.
        case synced = "Synced"
        /// Of an Objective: its budget is not spent.
        case met = "Met"
        /// Of an Objective: its budget is used up faster than it lasts.
        case burning = "Burning"
    }

    /// Why, as programs read it; stored by its name.
    public enum Reason: String, Sendable, CaseIterable {
        // Scheduled
        case scheduled = "Scheduled"
        case dependencyNotReady = "DependencyNotReady"
        case dependencyFailed = "DependencyFailed"
        case dependencyNotFound = "DependencyNotFound"
        case inputNotFound = "InputNotFound"
        case insufficientResources = "InsufficientResources"
        case waitingForStartSlot = "WaitingForStartSlot"
        case waitingForObservation = "WaitingForObservation"
        case driverUnavailable = "DriverUnavailable"
        case waitingForEarlierRevision = "WaitingForEarlierRevision"
        case invalidSpec = "InvalidSpec"
        // Published
        case published = "Published"
        case waitingForDelivery = "WaitingForDelivery"
        case waitingForSink = "WaitingForSink"
        case deadLettered = "DeadLettered"
        case sinkSwitchedOff = "SinkSwitchedOff"
        // Ready
        case allReplicasReady = "AllReplicasReady"
        case replicasNotReady = "ReplicasNotReady"
        case replicaFailed = "ReplicaFailed"
        case crashLoopBackOff = "CrashLoopBackOff"
        case imageNotFound = "ImageNotFound"
        case unready = "Unready"
        case suspended = "Suspended"
        case completed = "Completed"
        case noReplicas = "NoReplicas"
        case deleting = "Deleting"
        case waitingForDependents = "WaitingForDependents"
        case waitingForFinalizers = "WaitingForFinalizers"
        // Progressing
        case complete = "Complete"
        case working = "Working"
        case failed = "Failed"
        case progressDeadlineExceeded = "ProgressDeadlineExceeded"
        case paused = "Paused"
        case pausedWithChanges = "PausedWithChanges"
        // Of a Source
        case pending = "Pending"
        case synced = "Synced"
        case syncFailed = "SyncFailed"
        case pruneLimit = "PruneLimit"
        case drifted = "Drifted"
        case progressing = "Progressing"
        case agentFailed = "AgentFailed"
        case healthTimeout = "HealthTimeout"
        // Of an Objective
        case budgetLeft = "BudgetLeft"
        case budgetSpent = "BudgetSpent"
        case tooFewEvents = "TooFewEvents"
        case burnRateHigh = "BurnRateHigh"
        case burnRateLow = "BurnRateLow"
    }

    public var kind: Kind
    public var status: Bool
    public var reason: Reason
    public var message: String

    public init(kind: Kind, status: Bool, reason: Reason, message: String) {
        self.kind = kind
        self.status = status
        self.reason = reason
        self.message = message
    }
}
