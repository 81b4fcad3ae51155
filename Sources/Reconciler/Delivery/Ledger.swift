import Manifests
public import Values

/// Event numbers of one object.
public struct Ledger: Sendable, Equatable {
    /// The last sequence that was given out; gapless from 1.
    public var lastSequence: Int64 = 0
    /// All events up to here are published or skipped.
    public var publishedSequence: Int64 = 0
    /// Published events that a registered consumer has not acknowledged, oldest first.
    public private(set) var unacknowledged: [Waiting] = []
    /// The record that delivery of this object is stuck at.
    public var stuck: Stuck?

    public struct Stuck: Sendable, Equatable {
        public var position: Int64
        public var attempts: Int
        public var isDeadLetter: Bool
        public var retryAt: Deadline

        public init(position: Int64, attempts: Int, isDeadLetter: Bool, retryAt: Deadline) {
            self.position = position
            self.attempts = attempts
            self.isDeadLetter = isDeadLetter
            self.retryAt = retryAt
        }
    }

    /// An event and the position whose acknowledgement covers it.
    public struct Waiting: Sendable, Equatable {
        public var position: Int64
        public var sequence: Int64
    }

    public init() {}

    /// All events up to here were acknowledged by every registered consumer; without one, published is enough.
    public var acknowledgedSequence: Int64 { unacknowledged.first.map { $0.sequence - 1 } ?? publishedSequence }

    /// Remembers an event for the registered consumers.
    public mutating func awaitAcknowledgement(position: Int64, sequence: Int64) {
        unacknowledged.append(Waiting(position: position, sequence: sequence))
        if unacknowledged.count > Limits.unacknowledgedMax {
            // The list stays bounded: the oldest two entries become one, which the later acknowledgement resolves.
            unacknowledged[1].sequence = unacknowledged.removeFirst().sequence
        }
    }

    mutating func acknowledge(upTo position: Int64) { unacknowledged.removeAll { $0.position <= position } }
}
