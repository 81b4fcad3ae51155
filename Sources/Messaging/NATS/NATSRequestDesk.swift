import CLinux
import CNATS
import Synchronization

/// Where requests wait for their answers: libnats brings them on threads of its own, the answers leave on another.
///
/// Guarantee: no more wait at a time than the rule allows; who finds no room is told so at once.
final class NATSRequestDesk: Sendable {
    struct Outgoing: Sendable {
        var subject: String
        var answer: NATSAnswer
    }

    private struct State {
        var open = 0
        var bytes = 0
        var outgoing: [Outgoing] = []
        var answerBytesMax = 0
        var isEnded = false
        /// What is to be told to a person.
        var words: String?
    }

    private let settings: NATSSettings
    private let rule: NATSRequestRule
    private let take: @Sendable (NATSRequest) -> Void
    private let state = Mutex(State())
    private let wakeUp = agentos_semaphore()

    init(_ settings: NATSSettings, _ rule: NATSRequestRule, _ take: @escaping @Sendable (NATSRequest) -> Void) {
        self.settings = settings
        self.rule = rule
        self.take = take
    }

    // MARK: On threads of libnats

    /// The desk stays for ever: a thread of the library may be in the handler when the connection is gone.
    var closure: UnsafeMutableRawPointer { Unmanaged.passUnretained(self).toOpaque() }

    func stayForever() { _ = Unmanaged.passRetained(self) }

    static let came: natsMsgHandler = { connection, _, message, closure in
        defer { agentos_natsMsg_Destroy(message) }
        guard let closure, let message else { return }
        Unmanaged<NATSRequestDesk>.fromOpaque(closure).takeUnretainedValue().came(message)
    }

    private func came(_ message: OpaquePointer) {
        let reply = agentos_natsMsg_GetReply(message).map { String(cString: $0) } ?? ""
        guard NATSSubject.isInbox(reply) else {
            return tell(
                reply.isEmpty
                    ? "a request without a place for its answer is not carried out: ask, do not publish"
                    : "a request is not carried out whose answer would go elsewhere than to an _INBOX")
        }
        let count = Int(agentos_natsMsg_GetDataLength(message))
        let room: Int? = state.withLock { state in
            guard !state.isEnded, state.open < rule.openMax, count <= rule.bytesMax - state.bytes else { return nil }
            state.open += 1
            state.bytes += count
            return state.answerBytesMax
        }
        guard let room else { return send(Outgoing(subject: reply, answer: rule.noRoom), freeing: nil) }
        let data = UnsafeRawBufferPointer(start: agentos_natsMsg_GetData(message), count: count)
        let subject = agentos_natsMsg_GetSubject(message).map { String(cString: $0) } ?? ""
        let words = subject.split(separator: ".", omittingEmptySubsequences: false)
        let namespace = words.count == 3 ? String(words[1]) : ""
        take(
            NATSRequest(
                namespace: namespace == "_" ? nil : namespace,
                headers: rule.headerNames.compactMap { name in
                    agentos_nats_header(message, name).map { (name, String(cString: $0)) }
                }, body: Array(data), takenMs: agentos_boot_ms(), timeoutMs: settings.requestTimeoutMs,
                answerBytesMax: room
            ) { [self] answer in
                send(Outgoing(subject: reply, answer: answer), freeing: count)
            })
    }

    // MARK: Answers

    /// - Parameter count: bytes of the request that has its answer now; nil: it had no room.
    private func send(_ outgoing: Outgoing, freeing count: Int?) {
        state.withLock { state in
            if let count {
                state.open -= 1
                state.bytes -= count
            }
            // Whose refusals nobody takes is not told all of them.
            if state.outgoing.count < Self.outgoingMax { state.outgoing.append(outgoing) }
        }
        agentos_semaphore_raise(wakeUp)
    }

    private static let outgoingMax = 16_384

    private func tell(_ words: String) {
        state.withLock { $0.words = words }
        agentos_semaphore_raise(wakeUp)
    }

    // MARK: On the thread of the requests

    var isEnded: Bool { state.withLock { $0.isEnded } }
    /// Requests that have no answer yet.
    var open: Int { state.withLock { $0.open } }

    func end() {
        state.withLock { $0.isEnded = true }
        agentos_semaphore_raise(wakeUp)
    }

    func begin(answerBytesMax: Int) { state.withLock { $0.answerBytesMax = answerBytesMax } }

    /// Waits for something to do.
    func wait(ms: Int64) { _ = agentos_semaphore_wait(wakeUp, ms) }

    func takeOutgoing() -> [Outgoing] {
        state.withLock { state in
            defer { state.outgoing = [] }
            return state.outgoing
        }
    }

    func takeWords() -> String? {
        state.withLock { state in
            defer { state.words = nil }
            return state.words
        }
    }
}
