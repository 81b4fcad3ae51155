import CLinux
import CNATS
import Synchronization

/// What libnats tells from threads of its own, for the thread of the sink to take.
///
/// A message that was acknowledged stays allocated until it was taken, so that no other has its address meanwhile.
final class NATSSignals: Sendable {
    struct Acknowledgement: Sendable {
        /// The address of the message.
        var message: UInt
        /// Nil: it is stored.
        var failure: Failure?
    }

    struct Failure: Sendable {
        var status: natsStatus
        var code: jsErrCode
        var words: String
    }

    private struct State {
        var acknowledgements: [Acknowledgement] = []
        /// What has ended the hope for acknowledgements.
        var problem: String?
        /// Counts the connections that were made.
        var connections = 0
        /// The thread of the sink is woken when as many acknowledgements are there; nil: it does not wait.
        var wanted: Int?
    }

    private let state = Mutex(State())
    private let wakeUp = agentos_semaphore()

    deinit {
        for acknowledgement in state.withLock({ $0.acknowledgements }) { Self.destroy(acknowledgement) }
        agentos_semaphore_free(wakeUp)
    }

    // MARK: On the thread of the sink

    var problem: String? { state.withLock { $0.problem } }
    var connections: Int { state.withLock { $0.connections } }

    /// Forgets what was told about an earlier batch.
    func clear() {
        for acknowledgement in takeAll() { Self.destroy(acknowledgement) }
        state.withLock { $0.problem = nil }
    }

    /// Waits until so many acknowledgements are there, or there is a problem; for what is there when the time is up.
    func take(atLeast count: Int, timeoutMs: Int64) -> [Acknowledgement] {
        let isThere = state.withLock { state in
            let isThere = state.acknowledgements.count >= count || state.problem != nil
            if !isThere { state.wanted = count }
            return isThere
        }
        if !isThere { _ = agentos_semaphore_wait(wakeUp, timeoutMs) }
        return takeAll()
    }

    private func takeAll() -> [Acknowledgement] {
        state.withLock { state in
            defer { (state.acknowledgements, state.wanted) = ([], nil) }
            return state.acknowledgements
        }
    }

    static func destroy(_ acknowledgement: Acknowledgement) {
        agentos_natsMsg_Destroy(OpaquePointer(bitPattern: acknowledgement.message))
    }

    // MARK: On threads of libnats

    private func tell(_ change: (inout State) -> Void) {
        let isWanted = state.withLock { state in
            change(&state)
            guard let wanted = state.wanted, state.acknowledgements.count >= wanted || state.problem != nil else {
                return false
            }
            state.wanted = nil
            return true
        }
        if isWanted { agentos_semaphore_raise(wakeUp) }
    }

    /// The closure that the functions below are called with. It is never released: a thread of the library may be in one of
    /// them when the connection is gone. There is one for each NATS sink that the daemon ever had, with no descriptor in it.
    var closure: UnsafeMutableRawPointer { Unmanaged.passUnretained(self).toOpaque() }

    func stayForever() { _ = Unmanaged.passRetained(self) }

    private static func of(_ closure: UnsafeMutableRawPointer?) -> NATSSignals? {
        closure.map { Unmanaged<NATSSignals>.fromOpaque($0).takeUnretainedValue() }
    }

    static let acknowledged: jsPubAckHandler = { _, message, _, error, closure in
        let failure = error.map {
            Failure(
                status: $0.pointee.Err, code: $0.pointee.ErrCode,
                words: $0.pointee.ErrText.map { String(cString: $0) }
                    ?? String(cString: agentos_natsStatus_GetText($0.pointee.Err)))
        }
        let acknowledgement = Acknowledgement(message: UInt(bitPattern: message), failure: failure)
        NATSSignals.of(closure)?.tell { $0.acknowledgements.append(acknowledgement) }
    }

    static let disconnected: natsConnectionHandler = { _, closure in
        NATSSignals.of(closure)?.tell { $0.problem = "the connection was lost" }
    }

    static let reconnected: natsConnectionHandler = { _, closure in
        NATSSignals.of(closure)?.tell { $0.connections += 1 }
    }

    /// What the server says of its own accord, such as that a subject may not be published to.
    static let failed: natsErrHandler = { connection, _, status, closure in
        var text: UnsafePointer<CChar>?
        agentos_natsConnection_GetLastError(connection, &text)
        let words = text.map { String(cString: $0) } ?? ""
        let said = words.isEmpty ? String(cString: agentos_natsStatus_GetText(status)) : words
        NATSSignals.of(closure)?.tell { $0.problem = said }
    }
}
