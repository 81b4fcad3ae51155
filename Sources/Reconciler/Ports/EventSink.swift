/// A place that events are delivered to, at least once and in order per object.
public protocol EventSink: Sendable {
    /// Guarantee: a confirmed event is durable in the sink. Throws when nothing can be said about any of them.
    func append(_ events: [EventRecord]) throws(SinkFailure) -> [DeliveryVerdict]
    /// Drops what is too old or too much; what follows an offset only beyond the hard cap.
    ///
    /// - Returns: the offset of the first event that is kept.
    func retain(from offset: Int64, nowMs: Int64) -> Int64
}

/// Nothing can be said about what was handed over.
public struct SinkFailure: Error, Sendable {
    public var message: String
    public init(message: String) { self.message = message }
}

/// Delivered events, to be read in the order of their delivery.
public protocol EventLog: Sendable {
    /// The offset after the last event.
    var end: Int64 { get }
    /// The highest position of an event that is kept; 0 without one.
    var lastPosition: Int64 { get }
    /// At most `limit` events from an offset on; empty at the end.
    func read(from offset: Int64, limit: Int) -> [EventLine]
    /// Where to start reading for events after a position: no event before it has a higher one.
    func offset(afterPosition position: Int64) -> Int64
}

/// A delivered event as it stands in the log.
public struct EventLine: Sendable {
    /// The offset after this event.
    public var nextOffset: Int64
    public var position: Int64
    /// The envelope as JSON.
    public var text: String

    public init(nextOffset: Int64, position: Int64, text: String) {
        self.nextOffset = nextOffset
        self.position = position
        self.text = text
    }
}
