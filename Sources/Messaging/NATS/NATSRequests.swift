import CLinux
import CNATS
import Machine
import Reconciler

/// Takes requests from `SUBJECT.NAMESPACE.requests`, and sends their answers (decision 055).
///
/// It has a connection and a thread of its own: a sink that is stuck holds up nobody who asks. A connection that is lost is
/// made again, by the library or anew.
public final class NATSRequests: Sendable {
    private let settings: NATSSettings
    private let rule: NATSRequestRule
    private let desk: NATSRequestDesk
    private let signals = NATSSignals()
    private let hasEnded = agentos_semaphore()
    private let report: @Sendable (String) -> Void

    /// - Parameters:
    ///   - report: is told, in words, what a person should know, each thing once.
    ///   - take: is handed each request, on a thread of libnats; never waits.
    public init(
        _ settings: NATSSettings, _ rule: NATSRequestRule, report: @escaping @Sendable (String) -> Void,
        take: @escaping @Sendable (NATSRequest) -> Void
    ) {
        self.settings = settings
        self.rule = rule
        self.report = report
        desk = NATSRequestDesk(settings, rule, take)
    }

    deinit { agentos_semaphore_free(hasEnded) }

    /// Takes requests from now on, on a thread of its own.
    public func start() {
        desk.stayForever()
        signals.stayForever()
        if !tryThread(name: "nats-requests", { [self] in run() }) {
            report("requests are not taken: the machine gives no thread for it")
        }
    }

    /// Takes nothing more, and ends when what was taken is answered, or after a moment.
    public func end() { desk.end() }

    /// Waits until it has ended, and its answers have left.
    public func join(ms: Int64) { _ = agentos_semaphore_wait(hasEnded, ms) }

    // MARK: On its thread

    private static let pausesMs: [Int64] = [500, 1000, 2000, 5000]

    private func run() {
        defer { agentos_semaphore_raise(hasEnded) }
        var told = ""
        var failures = 0
        while !desk.isEnded {
            do throws(SinkFailure) {
                try serve { words in
                    if words != told { report(words) }
                    told = words
                    failures = 0
                }
            } catch {
                if error.words != told { report(error.words) }
                told = error.words
                let until = agentos_boot_ms() + Self.pausesMs[min(failures, Self.pausesMs.count - 1)]
                failures += 1
                while !desk.isEnded, agentos_boot_ms() < until { desk.wait(ms: until - agentos_boot_ms()) }
            }
        }
    }

    private var subjects: [String] {
        (settings.requestNamespaces.isEmpty ? ["*"] : settings.requestNamespaces).map {
            NATSSubject.requests(prefix: settings.subject, $0)
        }
    }

    /// Of the head of an answer, beside its body.
    private static let headBytes = 4096
    private static let lookMs: Int64 = 1000
    private static let againMs: Int64 = 5000
    private static let endMs: Int64 = 2000

    /// Until it is ended.
    private func serve(_ tell: (String) -> Void) throws(SinkFailure) {
        signals.clear()
        let connection = try NATSConnection.open(settings, signals)
        if settings.streamPolicy != .none { try connection.refuseStreams(of: subjects) }
        desk.begin(answerBytesMax: Int(clamping: connection.payloadMax) - Self.headBytes)
        var subscriptions = try connection.subscribe(subjects, rule, desk)
        defer { for subscription in subscriptions { agentos_nats_unsubscribe(subscription) } }
        tell("requests are taken on \(subjects.joined(separator: ", "))")
        var again: Int64?
        while !desk.isEnded {
            for outgoing in desk.takeOutgoing() { connection.send(outgoing) }
            if let words = desk.takeWords() { tell(words) }
            if connection.isClosed {
                throw .lost("requests are not taken: the connection was closed\(connection.words)")
            }
            if let problem = signals.problem {
                signals.clear()
                tell("requests may not be taken: \(problem)")
                again = agentos_boot_ms() + Self.againMs
            }
            // Permissions that have come back are not told by the server.
            if let when = again, when <= agentos_boot_ms(), connection.isConnected {
                let before = subscriptions
                subscriptions = try connection.subscribe(subjects, rule, desk)
                for subscription in before { agentos_nats_unsubscribe(subscription) }
                again = nil
            }
            desk.wait(ms: Self.lookMs)
        }
        for subscription in subscriptions { agentos_nats_unsubscribe(subscription) }
        subscriptions = []
        let until = agentos_boot_ms() + Self.endMs
        while desk.open > 0, agentos_boot_ms() < until {
            for outgoing in desk.takeOutgoing() { connection.send(outgoing) }
            desk.wait(ms: until - agentos_boot_ms())
        }
        for outgoing in desk.takeOutgoing() { connection.send(outgoing) }
        connection.flush()
    }
}

extension NATSConnection {
    /// A stream that keeps requests would keep the tokens in them, and answer in the daemon's stead.
    fileprivate func refuseStreams(of subjects: [String]) throws(SinkFailure) {
        for subject in subjects {
            var name = [CChar](repeating: 0, count: 256)
            let status = agentos_nats_stream_of(stream, subject, &name, name.count)
            // Who may not ask for streams has no hand in them either.
            guard status == NATS_OK, name[0] != 0 else { continue }
            let text = name.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
            throw .lost(
                "requests are not taken: the stream \(text) would keep them, and the tokens in them; give it subjects such as "
                    + NATSSubject.events(prefix: String(subject.prefix { $0 != "." })))
        }
    }

    fileprivate func subscribe(
        _ subjects: [String], _ rule: NATSRequestRule, _ desk: NATSRequestDesk
    ) throws(SinkFailure) -> [OpaquePointer] {
        var made: [OpaquePointer] = []
        for subject in subjects {
            var subscription: OpaquePointer?
            let status = agentos_nats_subscribe(
                &subscription, connection, subject, rule.group, Int32(clamping: 16 * rule.openMax),
                Int32(clamping: rule.bytesMax), NATSRequestDesk.came, desk.closure)
            if let subscription { made.append(subscription) }
            guard status == NATS_OK else {
                for subscription in made { agentos_nats_unsubscribe(subscription) }
                throw .lost("\(subject) cannot be listened to: \(Self.reason(status))")
            }
        }
        return made
    }

    /// An answer that cannot be sent is lost: who asks again with the same key gets it.
    fileprivate func send(_ outgoing: NATSRequestDesk.Outgoing) {
        var message: OpaquePointer?
        let answer = outgoing.answer
        let made = answer.body.withUnsafeBytes {
            agentos_natsMsg_Create(&message, outgoing.subject, $0.baseAddress, Int32(clamping: $0.count))
        }
        guard made == NATS_OK, let message else { return }
        defer { agentos_natsMsg_Destroy(message) }
        for (name, value) in [("Agentos-Code", String(answer.code))] + answer.headers {
            guard agentos_natsMsgHeader_Set(message, name, value) == NATS_OK else { return }
        }
        agentos_natsConnection_PublishMsg(connection, message)
    }
}
