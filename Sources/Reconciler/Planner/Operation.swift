public import Values

/// One thing for a driver to do; doing it twice is the same as once.
public struct Operation: Sendable, Equatable {
    public enum Verb: Sendable, Equatable {
        case start(Run)
        /// Asks the agent to stop; nil: by the signal that its image names, else SIGTERM.
        case signal(Int32?)
        /// Ends the whole process tree.
        case kill
        /// Takes all time from the instance; it keeps its memory.
        case freeze
        case thaw
        /// Takes the claim of a run whose end is not proven.
        case giveUp
        /// Removes what an ended run left behind.
        case remove
    }

    /// A verb without its data.
    public enum Kind: String, Sendable, CaseIterable {
        case start, signal, kill, freeze, thaw, giveUp, remove
    }

    public var run: RunID
    public var driver: String
    public var verb: Verb
    /// Tells this asking from earlier ones; given by the engine, unique in one life of the daemon.
    public var number = 0

    public var kind: Kind {
        switch verb {
        case .start: .start
        case .signal: .signal
        case .kill: .kill
        case .freeze: .freeze
        case .thaw: .thaw
        case .giveUp: .giveUp
        case .remove: .remove
        }
    }

    public init(run: RunID, driver: String, verb: Verb) {
        self.run = run
        self.driver = driver
        self.verb = verb
    }
}

/// What became of the last operation on a run.
public enum OperationState: Sendable, Equatable {
    case inFlight(number: Int)
    case done(Operation.Kind, again: Deadline)
    case failed(Operation.Kind, message: String, again: Deadline)
}
