public import Reconciler

/// Another store beside the simulated one, so that the two cannot drift apart.
public struct Shadow {
    var commit: (ChangeSet) -> String?
    /// What differs from the given state, if anything.
    var compare: (EngineState) -> String?

    public init(commit: @escaping (ChangeSet) -> String?, compare: @escaping (EngineState) -> String?) {
        self.commit = commit
        self.compare = compare
    }
}
