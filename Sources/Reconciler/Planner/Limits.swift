public import Values

extension Limits {
    /// From the intent of a start to the first sight of its instance.
    public static let startDeadlineMs = 30_000
    /// Finished runs of a replica that are kept.
    public static let finishedRunsPerReplica = 3
    /// The least time between the attempts of a replica that fails again and again, whatever its backoff is.
    public static let attemptPauseMs = 1000
}
