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
        var delivery = Delivery(until: agentos_boot_ms() + Self.callMsMax)
        var rest = events[...]
        while !rest.isEmpty, agentos_boot_ms() < delivery.until {
            let batch = next(rest)
            rest = rest.dropFirst(batch.count)
            do throws(SinkFailure) { try send(Array(batch), signer, &delivery) } catch {
                // What was said of the events before it holds.
                if delivery.verdicts.isEmpty { throw error }
                return delivery.verdicts
            }
        }
        return delivery.verdicts
    }

    /// What has become of the events of one call.
    private struct Delivery {
        /// Time since boot at which the call ends; what is left comes again.
        let until: Int64
        var verdicts: [DeliveryVerdict] = []
        /// Objects with a refused event: what follows it waits.
        var stuck: Set<String> = []
    }

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
        guard let why = try post(events, signer) else {
            delivery.verdicts += events.map { DeliveryVerdict($0) }
            return
        }
        if events.count == 1 {
            delivery.verdicts.append(DeliveryVerdict(events[0], .refused(why)))
            delivery.stuck.insert(events[0].uid.text)
        } else {
            for event in events where delivery.verdicts.isEmpty || agentos_boot_ms() < delivery.until {
                try send([event], signer, &delivery)
            }
        }
    }

    /// Posts events in one request.
    ///
    /// - Returns: nil when they are confirmed; why they are refused.
    private func post(_ events: [EventRecord], _ signer: WebhookSigner) throws(SinkFailure) -> String? {
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
    static func judge(_ answer: HTTPPeer.Answer, nowMs: Int64) throws(SinkFailure) -> String? {
        let said = "the webhook answered \(answer.status)\(words(answer.body))"
        let pause = RetryAfter.milliseconds(answer.headers["retry-after"], nowMs: nowMs, maxMs: pauseMsMax)
        switch answer.status {
        case 200..<300: return nil
        case 300..<400: throw .lost("\(said); redirects are not followed: name the new address in url")
        case 410: throw .gone("\(said): it wants nothing more")
        case 401, 403, 407: throw .lost("\(said); does it have the secret of secretFile?")
        case 404, 405: throw .lost("\(said); is url right?")
        // Of these, none is about the event.
        case 408, 421, 425, 426, 429:
            if let pause { throw .busy(said, afterMs: pause) }
            throw .lost(said)
        case 400..<500: return said
        default:
            if answer.status == 503, let pause { throw .busy(said, afterMs: pause) }
            throw .lost(said)
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
