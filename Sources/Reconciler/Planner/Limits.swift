public import Values

extension Limits {
    /// From the intent of a start to the first sight of its instance.
    public static let startDeadlineMs = 30_000
    /// Finished runs of a replica that are kept.
    public static let finishedRunsPerReplica = 3
    /// The least time between the attempts of a replica that fails again and again, whatever its backoff is.
    public static let attemptPauseMs = 1000
    /// Failures in a row from which on a replica is in a crash loop.
    public static let crashLoopFailures = 3
    /// One attempt of a crash loop is told in each such piece of time.
    public static let crashLoopToldMs: Int64 = 60_000
    /// An attempt that lives for so long is told, whatever became of those before it.
    public static let attemptUntoldMs = 10_000
}
