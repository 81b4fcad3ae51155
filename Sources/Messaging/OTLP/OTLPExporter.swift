import CLinux
import Glibc
import HTTPClient
import Machine
public import Reconciler
import Synchronization
import Values

/// Sends spans as OTLP over HTTP, in JSON, from a thread of its own.
///
/// Guarantee: who hands a span in never waits; what does not fit into the queue, and what the receiver does not take after
/// some tries, is dropped and counted. A daemon that ends or dies loses what it has not sent: traces tell, they prove nothing.
public final class OTLPExporter: Sendable {
    /// What has become of spans since the start.
    public struct Counts: Sendable {
        public var sent = 0
        public var dropped = 0
    }

    private struct State {
        var settings: TraceSettings?
        var queue: [Span] = []
        var isSending = false
        var counts = Counts()
        /// Requests whose traces are told of, in their order, by trace.
        var parents: [String: Request] = [:]
        var order: [String] = []
    }

    private enum Request {
        case told(UInt64)
        /// Whoever began the trace does not tell of it.
        case untold
    }

    private let state = Mutex(State())
    private let worker = Worker(name: "traces")
    private let report: @Sendable (String) -> Void
    private let version: String

    private static let queueMax = 4096
    private static let batchMax = 512
    private static let parentsMax = 8192
    private static let triesMax = 6
    private static let timeoutMs: Int64 = 10_000
    private static let answerBytesMax = 64 << 10
    /// More is gathered for as long before it is sent.
    private static let gatherMs: UInt32 = 200

    /// - Parameter report: is told, in words, what a person should know.
    public init(version: String, report: @escaping @Sendable (String) -> Void) {
        self.version = version
        self.report = report
    }

    /// Nil: nothing is sent, and what waits is dropped.
    public func use(_ settings: TraceSettings?) {
        state.withLock { state in
            state.settings = settings
            guard settings == nil else { return }
            state.counts.dropped += state.queue.count
            (state.queue, state.parents, state.order) = ([], [:], [])
        }
    }

    public var counts: Counts { state.withLock { $0.counts } }

    public var port: SpanPort {
        SpanPort(
            begins: { [self] trace, span, isAsked in begin(trace, span, isAsked) },
            parent: { [self] trace in
                state.withLock { state in
                    guard let settings = state.settings else { return nil }
                    switch state.parents[trace] {
                    case .told(let span): return .some(span)
                    case .untold: return nil
                    case nil: return settings.samples(trace) ? .some(nil) : nil
                    }
                }
            }, emit: { [self] in emit($0) })
    }

    private func begin(_ trace: String, _ span: UInt64, _ isAsked: Bool?) {
        state.withLock { state in
            guard let settings = state.settings else { return }
            let request = isAsked ?? settings.samples(trace) ? Request.told(span) : .untold
            if state.parents.updateValue(request, forKey: trace) == nil { state.order.append(trace) }
            if state.order.count > Self.parentsMax {
                for old in state.order.prefix(Self.parentsMax / 2) { state.parents[old] = nil }
                state.order.removeFirst(Self.parentsMax / 2)
            }
        }
    }

    private func emit(_ span: Span) {
        let begins = state.withLock { state in
            guard state.settings != nil, state.queue.count < Self.queueMax else {
                state.counts.dropped += 1
                return false
            }
            state.queue.append(span)
            defer { state.isSending = true }
            return !state.isSending
        }
        if begins { worker.run { [self] in drain() } }
    }

    /// Gives what waits some time to be sent; the daemon ends afterwards.
    public func finish(ms: Int64) {
        let until = agentos_boot_ms() + ms
        while state.withLock({ $0.isSending }), agentos_boot_ms() < until { usleep(20_000) }
    }

    private func drain() {
        while true {
            usleep(Self.gatherMs * 1000)
            let work = state.withLock { state -> (TraceSettings, [Span])? in
                guard let settings = state.settings, !state.queue.isEmpty else {
                    state.isSending = false
                    return nil
                }
                let batch = Array(state.queue.prefix(Self.batchMax))
                state.queue.removeFirst(batch.count)
                return (settings, batch)
            }
            guard let (settings, batch) = work else { return }
            let taken = send(batch, settings)
            state.withLock { state in
                state.counts.sent += taken
                state.counts.dropped += batch.count - taken
            }
        }
    }

    /// How many of a batch the receiver has taken.
    private func send(_ batch: [Span], _ settings: TraceSettings) -> Int {
        var headers = ["Content-Type: application/json"]
        if let file = settings.headersFile {
            do throws(Files.Problem) {
                let text = String(decoding: try Files.secret(file, limit: 16 << 10), as: UTF8.self)
                headers += text.split(whereSeparator: \.isNewline).map(String.init).filter { $0.contains(":") }
            } catch {
                report("the file of headers \(error.words)")
                return 0
            }
        }
        var target = HTTPPeer.Target(url: settings.endpoint)
        target.allowsPlain = PeerAddress(settings.endpoint)?.isLoopback == true
        let peer = HTTPPeer(target, bodyBytesMax: Self.answerBytesMax)
        let body = JSONWriter.bytes(OTLPDocument.request(batch, version: version))
        var words = ""
        for attempt in 0..<Self.triesMax {
            // What was configured anew meanwhile goes to nobody who is not named any more.
            guard state.withLock({ $0.settings == settings }) else { return 0 }
            var pauseMs: Int64?
            do throws(HTTPPeer.Silence) {
                let answer = try peer.post(body, headers: headers, timeoutMs: Self.timeoutMs)
                if (200..<300).contains(answer.status) { return batch.count - OTLPDocument.refused(answer.body) }
                words = "it answers \(answer.status)"
                guard [429, 502, 503, 504].contains(answer.status) else { break }
                pauseMs = RetryAfter.milliseconds(
                    answer.headers["retry-after"], nowMs: agentos_wall_ms(), maxMs: 30_000)
            } catch { words = error.words }
            if attempt + 1 < Self.triesMax {
                // Doubled from a quarter of a second, with a jitter of a quarter.
                let base = Int64(250) << attempt
                usleep(UInt32(clamping: (pauseMs ?? base + Int64.random(in: 0...base / 4)) * 1000))
            }
        }
        report("\(batch.count) spans were dropped: \(words)")
        return 0
    }
}
