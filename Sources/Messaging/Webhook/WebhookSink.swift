import CLinux
import HTTPClient
import Machine
public import Reconciler
import Synchronization
import Values

/// A sink that posts events to a web server, in their order, one request after the other.
///
/// Guarantee: an event is confirmed after the server has answered 2xx to the request that it was in. Whatever is sent again
/// has the same `webhook-id` where it is the same body, and each event has its id in any case.
public final class WebhookSink: EventSink, Sendable {
    private let settings: WebhookSettings
    private let source: [UInt8]
    private let server: Mutex<HTTPPeer>
    /// The last answer was no error: one after it may be about the event.
    private let isWell = Mutex(false)

    /// No request begins when a call has lasted as long: with the longest deadline of a request it ends in time.
    private static let callMsMax: Int64 = 45_000
    /// The longest pause that a server may ask for.
    private static let pauseMsMax: Int64 = 3_600_000
    /// What is read of an answer's body, and what is shown of it.
    private static let answerBytesMax = 4096

    public init(_ settings: WebhookSettings) {
        self.settings = settings
        source = CloudEvent.quoted(settings.source)
        var target = HTTPPeer.Target(url: settings.url)
        target.allowsPlain = PeerAddress(settings.url).map { $0.isLoopback || settings.allowInsecure } ?? false
        target.authorityFile = settings.authorityFile
        server = Mutex(HTTPPeer(target, bodyBytesMax: Self.answerBytesMax))
    }

    public func append(_ events: [EventRecord]) throws(SinkFailure) -> [DeliveryVerdict] {
        if events.isEmpty { return [] }
        let signer: WebhookSigner
        do throws(Files.Problem) { signer = try WebhookSigner(file: settings.secretFile) } catch {
            throw .lost("the webhook's secretFile \(error.words)")
        }
        var delivery = Delivery(until: agentos_boot_ms() + Self.callMsMax, isWell: isWell.withLock { $0 })
        defer { isWell.withLock { $0 = delivery.isWell && delivery.doubts.isEmpty } }
        var rest = events[...]
        while !rest.isEmpty, agentos_boot_ms() < delivery.until {
            let batch = next(rest)
            rest = rest.dropFirst(batch.count)
            do throws(SinkFailure) { try send(Array(batch), signer, &delivery) } catch {
                delivery.isWell = false
                // What was said of the events before it holds.
                if delivery.verdicts.isEmpty { throw error }
                return delivery.verdicts
            }
        }
        return try delivery.settled()
    }

    /// What has become of the events of one call.
    private struct Delivery {
        /// Time since boot at which the call ends; what is left comes again.
        let until: Int64
        var verdicts: [DeliveryVerdict] = []
        /// Objects with an event that was not taken: what follows it waits.
        var stuck: Set<String> = []
        /// Before the doubts, the server has answered as it should.
        var isWell: Bool
        /// Events that the server has failed at, one after the other: about them, or about itself.
        var doubts: [DeliveryVerdict] = []

        /// The server has answered as it should: what it has failed at before was about those events alone.
        mutating func note(_ answered: [DeliveryVerdict]) {
            verdicts += doubts + answered
            (doubts, isWell) = ([], true)
        }

        /// The server has failed at this event; others are tried before it is believed that nothing can be delivered.
        mutating func doubt(_ event: EventRecord, _ why: String) throws(SinkFailure) {
            stuck.insert(event.uid.text)
            doubts.append(DeliveryVerdict(event, .postponed(why)))
            if doubts.count >= WebhookSink.doubtsMax { throw .lost(why) }
        }

        /// What is known at the end of a call. What fails after others were taken is meant itself.
        func settled() throws(SinkFailure) -> [DeliveryVerdict] {
            guard let last = doubts.last, case .postponed(let why) = last.outcome else { return verdicts }
            // The answer before them was good: they are meant, or the server has just gone, which costs each an attempt.
            if isWell { return verdicts + doubts }
            if verdicts.isEmpty { throw .lost(why) }
            return verdicts
        }
    }

    /// Events of so many objects are tried, one after the other, before a server that fails at all of them is left alone.
    private static let doubtsMax = 16

    /// The events of the next request.
    private func next(_ events: ArraySlice<EventRecord>) -> ArraySlice<EventRecord> {
        switch settings.format {
        case .structured: return events.prefix(1)
        case .batched:
            var bytes: Int64 = 0
            let fitting = events.prefix(settings.batchEvents).prefix {
                // The envelope around the payload is a few hundred bytes.
                bytes += Int64($0.payload.utf8.count) + 512
                return bytes <= settings.batchBytes
            }
            return fitting.isEmpty ? events.prefix(1) : fitting
        }
    }

    /// Sends one request. A server that refuses a batch is asked for each event of it, to find the one that it means.
    private func send(
        _ batch: [EventRecord], _ signer: WebhookSigner, _ delivery: inout Delivery
    ) throws(SinkFailure) {
        let events = batch.filter { !delivery.stuck.contains($0.uid.text) }
        if events.isEmpty { return }
        let meaning = try post(events, signer)
        if meaning == .taken { return delivery.note(events.map { DeliveryVerdict($0) }) }
        guard events.count == 1 else {
            for event in events where delivery.verdicts.isEmpty || agentos_boot_ms() < delivery.until {
                try send([event], signer, &delivery)
            }
            return
        }
        switch meaning {
        case .taken: break
        case .refused(let why):
            delivery.note([DeliveryVerdict(events[0], .refused(why))])
            delivery.stuck.insert(events[0].uid.text)
        case .failed(let why): try delivery.doubt(events[0], why)
        }
    }

    /// What an answer says of the events that were posted.
    enum Meaning: Equatable {
        case taken
        /// They are wrong.
        case refused(String)
        /// The server has failed, at them or altogether.
        case failed(String)
    }

    /// Posts events in one request.
    ///
    private func post(_ events: [EventRecord], _ signer: WebhookSigner) throws(SinkFailure) -> Meaning {
        var body: [UInt8] = []
        let id: String
        let type: String
        switch settings.format {
        case .structured:
            CloudEvent.append(events[0], source: source, to: &body)
            id = CloudEvent.id(events[0])
            type = "application/cloudevents+json"
        case .batched:
            for event in events {
                body.append(body.isEmpty ? UInt8(ascii: "[") : UInt8(ascii: ","))
                CloudEvent.append(event, source: source, to: &body)
            }
            body.append(UInt8(ascii: "]"))
            id = "batch_\(SHA256Digest.hex(body).prefix(32))"
            type = "application/cloudevents-batch+json"
        }
        let now = agentos_wall_ms()
        let headers =
            ["Content-Type: \(type); charset=utf-8"] + signer.headers(body, id: id, seconds: now / 1000)
        let result: Result<HTTPPeer.Answer, HTTPPeer.Silence> = server.withLock { server in
            do throws(HTTPPeer.Silence) {
                return .success(try server.post(body, headers: headers, timeoutMs: settings.timeoutMs))
            } catch { return .failure(error) }
        }
        switch result {
        case .success(let answer): return try Self.judge(answer, nowMs: now)
        case .failure(let silence): throw .lost("the webhook cannot be reached: \(silence.words)")
        }
    }

    /// What an answer means: see `Documentation/events.md`.
    static func judge(_ answer: HTTPPeer.Answer, nowMs: Int64) throws(SinkFailure) -> Meaning {
        let said = "the webhook answered \(answer.status)\(words(answer.body))"
        let pause = RetryAfter.milliseconds(answer.headers["retry-after"], nowMs: nowMs, maxMs: pauseMsMax)
        switch answer.status {
        case 200..<300: return .taken
        case 300..<400: throw .lost("\(said); redirects are not followed: name the new address in url")
        case 410: throw .gone("\(said): it wants nothing more")
        case 401, 403, 407: throw .lost("\(said); does it have the secret of secretFile?")
        case 404, 405: throw .lost("\(said); is url right?")
        // Of these, none is about the event.
        case 408, 421, 425, 426, 429:
            if let pause { throw .busy(said, afterMs: pause) }
            throw .lost(said)
        case 400..<500: return .refused(said)
        case 503:
            if let pause { throw .busy(said, afterMs: pause) }
            throw .lost(said)
        default: return .failed(said)
        }
    }

    /// The beginning of what a server says, on one line.
    private static func words(_ body: [UInt8]) -> String {
        var line = String.UnicodeScalarView()
        for scalar in String(decoding: body.prefix(200), as: UTF8.self).unicodeScalars {
            line.append(scalar.value < 0x20 || (0x7f...0x9f).contains(scalar.value) ? " " : scalar)
        }
        return line.allSatisfy { $0 == " " } ? "" : ": \(String(line))"
    }
}
