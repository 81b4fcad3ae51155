public import Reconciler

/// Another store beside the simulated one, so that the two cannot drift apart.
public struct Shadow {
    var commit: (ChangeSet) -> String?
    /// What differs from the given state, if anything.
    var compare: (EngineState) -> String?
    /// Nil: it cannot, and nothing is restored in a life beside it.
    var restoring: Restoring?

    /// How the other store is backed up and replaced; both say what has gone wrong, if anything.
    public struct Restoring {
        var backup: () -> String?
        /// The backup takes the place of the store, which can be read or not; with what the journal holds.
        var takeOver: (_ journal: [EventRecord], _ isReadable: Bool) -> String?

        public init(
            backup: @escaping () -> String?,
            takeOver: @escaping (_ journal: [EventRecord], _ isReadable: Bool) -> String?
        ) {
            self.backup = backup
            self.takeOver = takeOver
        }
    }

    public init(
        commit: @escaping (ChangeSet) -> String?, compare: @escaping (EngineState) -> String?,
        restoring: Restoring? = nil
    ) {
        self.commit = commit
        self.compare = compare
        self.restoring = restoring
    }
}
