import CLinux
import CNATS
import Planner
public import Reconciler
import Synchronization
import Values

/// A sink that publishes events to a stream of JetStream.
///
/// Events of different objects are under way together, up to the window; the next event of an object is published when the
/// one before is acknowledged, so that no failure in the midst of a window changes their order (decision 038). The id of an
/// event is its `Nats-Msg-Id`: the server drops what comes again.
/// Guarantee: an event is confirmed after the stream has acknowledged it.
public final class NATSSink: EventSink, Sendable {
    private struct State {
        var connection: NATSConnection?
        /// The connection whose stream was looked at.
        var prepared = -1
        /// What was reported last, so that it is told once.
        var told = ""
    }

    private let settings: NATSSettings
    private let source: [UInt8]
    private let report: @Sendable (String) -> Void
    private let signals = NATSSignals()
    private let state = Mutex(State())

    /// - Parameter report: is told, in words, what becomes of the stream; called on the thread of `append`.
    public init(_ settings: NATSSettings, report: @escaping @Sendable (String) -> Void = { _ in }) {
        self.settings = settings
        source = CloudEvent.quoted(settings.source)
        self.report = report
        signals.stayForever()
    }

    public func append(_ events: [EventRecord]) throws(SinkFailure) -> [DeliveryVerdict] {
        if events.isEmpty { return [] }
        let result: Result<[DeliveryVerdict], SinkFailure> = state.withLock { state in
            do throws(SinkFailure) { return .success(try publish(events, &state)) } catch { return .failure(error) }
        }
        return try result.get()
    }

    private func publish(_ events: [EventRecord], _ state: inout State) throws(SinkFailure) -> [DeliveryVerdict] {
        signals.clear()
        let connection = try connect(&state)
        var window = NATSWindow(events, NATSSubject.Texts(prefix: settings.subject))
        send(&window, connection)
        connection.forget()
        if window.hasLostStream { state.prepared = -1 }
        return try window.verdicts()
    }

    private func connect(_ state: inout State) throws(SinkFailure) -> NATSConnection {
        if let connection = state.connection, connection.isClosed {
            state.connection = nil
            throw .lost("the connection was closed\(connection.words)")
        }
        let connection: NATSConnection
        if let open = state.connection {
            connection = open
        } else {
            connection = try NATSConnection.open(settings, signals)
            state.connection = connection
            state.prepared = -1
        }
        guard connection.isConnected else {
            throw .lost("the connection was lost; the servers are asked again\(connection.words)")
        }
        let number = signals.connections
        if state.prepared != number {
            var told = state.told
            try connection.prepareStream(settings) { words in
                if words != told { report(words) }
                told = words
            }
            state.told = told
            state.prepared = number
        }
        return connection
    }

    /// No event is published when a call has lasted as long: with the longest wait for an acknowledgement it ends in time.
    private static let callMsMax: Int64 = 45_000

    /// Publishes what may be published, and takes acknowledgements, until all is said or nothing more will be.
    private func send(_ window: inout NATSWindow, _ connection: NATSConnection) {
        let start = agentos_boot_ms()
        let last = start + Self.callMsMax + settings.timeoutMs + 1000
        while true {
            let published = window.published
            while window.inFlight.count < settings.window, agentos_boot_ms() - start < Self.callMsMax,
                let index = window.next()
            {
                publish(index, &window, connection)
            }
            if window.inFlight.isEmpty { return }
            if window.published > published { connection.flush() }
            let news = signals.take(
                atLeast: window.worthWaitingFor, timeoutMs: min(1000, max(0, last - agentos_boot_ms())))
            for acknowledgement in news {
                window.take(acknowledgement, settings)
                NATSSignals.destroy(acknowledgement)
            }
            if news.isEmpty, let problem = signals.problem {
                // Whatever is under way is not known to be stored: it comes again, with the same ids.
                return window.fail(.lost(problem))
            }
            if agentos_boot_ms() >= last { return window.fail(.lost("the library gave no answer in time")) }
        }
    }

    private func publish(_ index: Int, _ window: inout NATSWindow, _ connection: NATSConnection) {
        let event = window.events[index]
        var body: [UInt8] = []
        body.reserveCapacity(event.payload.utf8.count + 512)
        let id = CloudEvent.append(event, source: source, to: &body)
        var key: OpaquePointer?
        let status = body.withUnsafeBytes { bytes in
            agentos_nats_publish(
                connection.stream, settings.streamPolicy == .none ? nil : settings.stream,
                window.subjects.text(event), id,
                "application/cloudevents+json; charset=utf-8", bytes.baseAddress, Int32(clamping: bytes.count),
                settings.timeoutMs, &key)
        }
        switch status {
        case NATS_OK:
            connection.hasPublished = true
            window.expect(UInt(bitPattern: key), index)
        case NATS_MAX_PAYLOAD: window.refuse(index, "the event has more bytes than the server takes (max_payload)")
        default: window.fail(.lost("it could not be published: \(NATSConnection.reason(status))"))
        }
    }
}

/// The events of one call, and what has become of each.
struct NATSWindow {
    let events: [EventRecord]
    var subjects: NATSSubject.Texts
    /// The next event of the same object.
    private var following: [Int?]
    /// Events that may be published: of each object one.
    private var ready: [Int] = []
    private var taken = 0
    private var outcomes: [DeliveryVerdict.Outcome?]
    private var failure: SinkFailure?
    /// Messages that wait for their acknowledgement, and how many of them another event waits for.
    private(set) var inFlight: [UInt: Int] = [:]
    private var followed = 0
    /// How many were published.
    private(set) var published = 0
    /// No stream takes the subject: it has to be looked at.
    private(set) var hasLostStream = false

    init(_ events: [EventRecord], _ subjects: NATSSubject.Texts) {
        self.events = events
        self.subjects = subjects
        following = Array(repeating: nil, count: events.count)
        outcomes = Array(repeating: nil, count: events.count)
        var last: [UID: Int] = [:]
        for (index, event) in events.enumerated() {
            if let before = last.updateValue(index, forKey: event.uid) {
                following[before] = index
            } else {
                ready.append(index)
            }
        }
    }

    /// The next event to publish; nil when there is none now, or no more after a failure.
    mutating func next() -> Int? {
        guard failure == nil, taken < ready.count else { return nil }
        taken += 1
        return ready[taken - 1]
    }

    /// An event is under way.
    mutating func expect(_ message: UInt, _ index: Int) {
        inFlight[message] = index
        published += 1
        if following[index] != nil { followed += 1 }
    }

    /// So many acknowledgements are waited for at once: all when nothing is left to publish, else some, so that neither side
    /// works one by one.
    var worthWaitingFor: Int {
        let hasMore = failure == nil && (taken < ready.count || followed > 0)
        return hasMore ? max(1, inFlight.count / 4) : inFlight.count
    }

    mutating func take(_ acknowledgement: NATSSignals.Acknowledgement, _ settings: NATSSettings) {
        guard let index = inFlight.removeValue(forKey: acknowledgement.message) else { return }
        if following[index] != nil { followed -= 1 }
        guard let why = acknowledgement.failure else {
            outcomes[index] = .confirmed
            if let next = following[index] { ready.append(next) }
            return
        }
        let stream = settings.stream
        switch why.code {
        case JSStreamMessageExceedsMaximumErr:
            refuse(index, "the stream \(stream) takes no event as large: \(why.words)")
        case JSStreamStoreFailedErr, JSStorageResourcesExceededErr, JSInsufficientResourcesErr,
            JSAccountResourcesExceededErr, JSMemoryResourcesExceededErr:
            fail(.busy("the stream \(stream) is full: \(why.words)", afterMs: Self.fullPauseMs))
        case JSStreamNotMatchErr:
            fail(.lost("the subjects of \(settings.subject).> belong to another stream than \(stream)"))
        default:
            hasLostStream = true
            fail(.lost(why.status == NATS_NO_RESPONDERS ? "no stream takes the events" : why.words))
        }
    }

    /// A full stream is not asked again at once.
    private static let fullPauseMs: Int64 = 5000

    /// This event never; those of its object that follow it wait.
    mutating func refuse(_ index: Int, _ why: String) { outcomes[index] = .refused(why) }

    /// Nothing more is published.
    mutating func fail(_ why: SinkFailure) { failure = failure ?? why }

    /// After a failure only what was confirmed before the first event of which nothing is known.
    func verdicts() throws(SinkFailure) -> [DeliveryVerdict] {
        let known = failure == nil ? outcomes[...] : outcomes.prefix { $0 != nil }
        let verdicts = known.enumerated().compactMap { index, outcome in
            outcome.map { DeliveryVerdict(events[index], $0) }
        }
        if verdicts.isEmpty, let failure { throw failure }
        return verdicts
    }
}
