import CNATS
public import Reconciler
import Synchronization
import Values

/// Reads from the server how far durable consumers of the stream have acknowledged (decision 056).
public final class NATSAcknowledgements: Sendable {
    /// What a consumer has acknowledged.
    public enum Floor: Sendable, Equatable {
        /// All that was in the stream when it was looked at.
        case everything
        /// All events up to a position.
        case upTo(position: Int64)
    }

    private let settings: NATSSettings
    private let signals = NATSSignals()
    private let connection = Mutex(Kept())

    private struct Kept {
        var connection: NATSConnection?
    }

    public init(_ settings: NATSSettings) {
        self.settings = settings
        signals.stayForever()
    }

    /// Caveat: asks the server, and waits for its answers; not for the loop's thread.
    ///
    /// - Returns: of each consumer that is there its floor; of one that is not, why.
    public func look() throws(SinkFailure) -> [String: Result<Floor, SinkFailure>] {
        let result: Result<[String: Result<Floor, SinkFailure>], SinkFailure> = connection.withLock { kept in
            do throws(SinkFailure) {
                if kept.connection?.isClosed == true { kept.connection = nil }
                let open: NATSConnection
                if let known = kept.connection { open = known } else { open = try .open(settings, signals) }
                kept.connection = open
                guard open.isConnected else { throw .lost("the connection was lost\(open.words)") }
                var floors: [String: Result<Floor, SinkFailure>] = [:]
                for name in settings.consumers {
                    do throws(SinkFailure) { floors[name] = .success(try floor(of: name, open)) } catch {
                        floors[name] = .failure(error)
                    }
                }
                return .success(floors)
            } catch { return .failure(error) }
        }
        return try result.get()
    }

    private func floor(of name: String, _ connection: NATSConnection) throws(SinkFailure) -> Floor {
        var (number, isAtEnd) = (UInt64(0), false)
        let status = agentos_nats_floor(connection.stream, settings.stream, name, &number, &isAtEnd)
        guard status == NATS_OK else {
            throw .lost(
                status == NATS_NOT_FOUND
                    ? "the stream \(settings.stream) has no consumer \(name)"
                    : "the consumer \(name) cannot be looked at: \(NATSConnection.reason(status))")
        }
        if isAtEnd { return .everything }
        guard number > 0 else { return .upTo(position: 0) }
        var message: OpaquePointer?
        let got = agentos_js_GetMsg(&message, connection.stream, settings.stream, number)
        // What the stream has dropped says nothing any more; the next one does.
        guard got == NATS_OK, let message else { return .upTo(position: 0) }
        defer { agentos_natsMsg_Destroy(message) }
        let bytes = UnsafeRawBufferPointer(
            start: agentos_natsMsg_GetData(message), count: Int(agentos_natsMsg_GetDataLength(message)))
        let position = JSONReader.read(String(decoding: bytes, as: UTF8.self))?[path: "data", "position"]?.int ?? 0
        // Events of one call stand in the stream in any order of their objects; those of calls before stand before them.
        return .upTo(position: max(0, Int64(position) - Int64(Limits.sinkBatchMax)))
    }
}
