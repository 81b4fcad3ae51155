public import Planner

/// A place that events are delivered to, at least once and in order per object.
public protocol EventSink: Sendable {
    /// Hands events over, in this order, and says of each what has become of it.
    ///
    /// An event without a verdict was not tried, as one behind a refusal of the same object: it comes again. So does an event
    /// whose confirmation was lost: its id is that of the first time, and the sink or its reader drops the double.
    /// Guarantee: a confirmed event is durable in the sink, after all events of its object that were confirmed before.
    /// Assumes: one call at a time. A call ends by itself, with a failure when its own deadline is over.
    /// - Throws: when nothing can be said about any of them.
    func append(_ events: [EventRecord]) throws(SinkFailure) -> [DeliveryVerdict]
}

/// What has become of an event that was handed to a sink.
public struct DeliveryVerdict: Sendable, Equatable {
    /// What the sink has said of the event.
    public enum Outcome: Sendable, Equatable {
        /// It is durable in the sink.
        case confirmed
        /// Not this time, with the reason: it comes again after a pause, and is a dead letter after the limit.
        case postponed(String)
        /// Never, with the reason: it is a dead letter at once.
        case refused(String)
    }

    public var position: Int64
    public var uid: UID
    public var sequence: Int64
    /// When the event was made.
    public var atMs: Int64
    public var outcome: Outcome

    public init(_ event: EventRecord, _ outcome: Outcome = .confirmed) {
        (position, uid, sequence, atMs) = (event.position, event.uid, event.sequence, event.atMs)
        self.outcome = outcome
    }
}

/// Nothing can be said about what was handed over; what the caller does next.
public enum SinkFailure: Error, Sendable, Equatable {
    /// Tried again after a pause that grows: the sink is away, or has not answered in time.
    case lost(String)
    /// Tried again when so many milliseconds are over, as the sink has asked for (`Retry-After`).
    case busy(String, afterMs: Int64)
    /// The sink wants nothing more: it is switched off until somebody switches it on again.
    case gone(String)

    public var words: String {
        switch self {
        case .lost(let words), .busy(let words, _), .gone(let words): words
        }
    }
}

/// The sink that is always there: what reaches it is Published, and the other sinks are fed from it.
public protocol EventJournal: EventSink, EventLog {
    /// Drops what is too old or too much; what follows an offset only beyond the hard cap.
    ///
    /// - Returns: the offset of the first event that is kept.
    func retain(from offset: Int64, nowMs: Int64) -> Int64
    /// The offset of the first event that is kept.
    var start: Int64 { get }
}

/// Delivered events, to be read in the order of their delivery.
public protocol EventLog: Sendable {
    /// The offset after the last event.
    var end: Int64 { get }
    /// The highest position of an event that is kept; 0 without one.
    var lastPosition: Int64 { get }
    /// How often something that is there could not be read: what was read in between may be less than there is.
    var unread: Int { get }
    /// At most `limit` events from an offset on; empty at the end.
    func read(from offset: Int64, limit: Int) -> [EventLine]
    /// Where to start reading for events after a position: no event before it has a higher one.
    func offset(afterPosition position: Int64) -> Int64
}

extension EventLog {
    /// A log that can always be read.
    public var unread: Int { 0 }
}

/// A delivered event as it stands in the log.
public struct EventLine: Sendable {
    /// The offset after this event.
    public var nextOffset: Int64
    public var position: Int64
    /// The envelope as JSON.
    public var text: String
    /// What the envelope says, where the log has kept that.
    package var event: ReadEvent?

    public init(nextOffset: Int64, position: Int64, text: String) {
        self.nextOffset = nextOffset
        self.position = position
        self.text = text
    }
}
