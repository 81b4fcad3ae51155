public import Planner
import Values

/// What is to be read from the journal and handed to a named sink.
public struct SinkRequest: Sendable, Equatable {
    /// Which events of the journal are meant.
    public enum Part: Sendable, Equatable {
        /// All that follows, but the events of parked objects.
        case news(without: Set<UID>)
        /// What waits of parked objects, each from an event on, up to where the cursor is.
        case parked([UID: Place], until: Int64)
    }

    /// Where the events of a parked object go on.
    public struct Place: Sendable, Equatable {
        var offset: Int64
        var sequence: Int64
    }

    public var sink: String
    public var filter: EventFilter
    public var from: Int64
    public var part: Part
    /// Tells the answer to this request from others.
    public var number = 0

    /// Reads the journal. Caveat: reads files; not for the engine's thread.
    public func batch(of log: any EventLog) -> SinkBatch {
        var batch = SinkBatch(request: self)
        let end = log.end
        let unread = log.unread
        var lines = log.read(from: from, limit: Limits.sinkBatchMax)[...]
        if log.unread != unread {
            batch.isUnread = true
            return batch
        }
        if case .parked(_, let until) = part { lines = lines.prefix { $0.nextOffset <= until } }
        // What is damaged cannot be read and is passed over.
        batch.next = lines.last?.nextOffset ?? (limit(end))
        var start = from
        for line in lines {
            defer { start = line.nextOffset }
            batch.position = max(batch.position, line.position)
            guard let event = line.event ?? ReadEvent(line), wants(event, endingAt: line.nextOffset) else { continue }
            batch.events.append(event.record)
            batch.offsets.append(start)
        }
        return batch
    }

    private func limit(_ end: Int64) -> Int64 {
        switch part {
        case .news: max(from, end)
        case .parked(_, let until): until
        }
    }

    /// Where an event begins is not known for sure: the log may have dropped what stood before it.
    private func wants(_ event: ReadEvent, endingAt end: Int64) -> Bool {
        switch part {
        case .news(let without): if without.contains(event.record.uid) { return false }
        case .parked(let places, _):
            guard let place = places[event.record.uid], end > place.offset, event.record.sequence >= place.sequence
            else { return false }
        }
        return filter.wants(type: event.record.type, namespace: event.record.namespace) { name in
            event.labels?[name]?.string
        }
    }
}

/// An event as it is read from the journal.
package struct ReadEvent: Sendable {
    var record: EventRecord
    /// Of its object, when it was made.
    var labels: Node?

    package init?(_ line: EventLine) {
        guard let event = JSONReader.read(line.text), let type = event["event_type"]?.string,
            let uid = event[path: "object", "uid"]?.string.flatMap(UID.init),
            let sequence = event["sequence"]?.int
        else { return nil }
        record = EventRecord(
            position: line.position, uid: uid, sequence: Int64(sequence), type: type,
            namespace: event["tenant_id"]?.string ?? "",
            atMs: event["occurred_at"]?.string.flatMap(Timestamp.parse) ?? 0, payload: line.text)
        labels = event[path: "object", "labels"]
    }
}

/// Events that are handed to a sink, with where they stand in the journal.
public struct SinkBatch: Sendable {
    public let request: SinkRequest
    public internal(set) var events: [EventRecord] = []
    var offsets: [Int64] = []
    /// Where reading goes on.
    var next: Int64 = 0
    /// The highest position that was read.
    var position: Int64 = 0
    /// Not all that is there could be read: nothing may be passed over.
    fileprivate var isUnread = false

    init(request: SinkRequest) { self.request = request }

    /// What has come of it, once the sink has answered.
    public func report(_ answer: Result<[DeliveryVerdict], SinkFailure>) -> SinkReport {
        var report = SinkReport(request: request, next: request.from)
        report.oldestMs = events.first?.atMs
        if isUnread {
            report.failure = .lost("the journal cannot be read now")
            return report
        }
        switch answer {
        case .failure(let failure): report.failure = failure
        case .success(let verdicts): settle(verdicts, &report)
        }
        return report
    }

    private func settle(_ verdicts: [DeliveryVerdict], _ report: inout SinkReport) {
        let outcomes = Dictionary(verdicts.map { ($0.position, $0.outcome) }, uniquingKeysWith: { first, _ in first })
        report.next = next
        report.position = position
        for (event, offset) in zip(events, offsets) where report.held[event.uid] == nil {
            switch outcomes[event.position] {
            case .confirmed:
                report.confirmed += 1
                report.taken.append(SinkReport.Taken(position: event.position, atMs: event.atMs))
            case .postponed(let reason): report.held[event.uid] = SinkReport.Held(event, offset, reason, forGood: false)
            case .refused(let reason): report.held[event.uid] = SinkReport.Held(event, offset, reason, forGood: true)
            case nil:
                // It was not tried, and neither is what follows: that comes again.
                if report.confirmed == 0, report.held.isEmpty {
                    report.failure = .lost("it has said nothing of what it was given")
                }
                report.next = offset
                report.position = 0
                report.oldestMs = event.atMs
                report.held = report.held.filter { $0.value.offset < offset }
                return
            }
        }
        report.oldestMs = nil
    }
}

/// What has come of a request.
public struct SinkReport: Sendable, Equatable {
    /// An event that was not taken: the object is parked.
    struct Held: Sendable, Equatable {
        var offset: Int64
        var position: Int64
        var sequence: Int64
        var type: String
        var atMs: Int64
        var reason: String
        var forGood: Bool

        init(_ event: EventRecord, _ offset: Int64, _ reason: String, forGood: Bool) {
            self.offset = offset
            (position, sequence) = (event.position, event.sequence)
            (type, atMs) = (event.type, event.atMs)
            self.reason = String(reason.prefix(Limits.sinkReasonMax))
            self.forGood = forGood
        }
    }

    struct Taken: Sendable, Equatable {
        var position: Int64
        var atMs: Int64
    }

    public let request: SinkRequest
    /// Nothing is known of any event.
    public var failure: SinkFailure?
    /// All before it has been handed over, or was not wanted.
    var next: Int64
    var position: Int64 = 0
    public internal(set) var confirmed = 0
    /// Those, and when they were made.
    var taken: [Taken] = []
    var held: [UID: Held] = [:]
    /// When the oldest event that was not taken was made; nil: none is left of this batch.
    var oldestMs: Int64?

    init(request: SinkRequest, next: Int64) {
        self.request = request
        self.next = next
    }

    /// The sink has not answered.
    public init(_ request: SinkRequest, _ failure: SinkFailure) {
        self.init(request: request, next: request.from)
        self.failure = failure
    }
}
