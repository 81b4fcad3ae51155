import GRPC
import Machine

/// A connection to containerd: calls of its API by name. What their messages hold stands in one file for each service,
/// with the field numbers of containerd's .proto files (1.6 and later).
final class ContainerdClient {
    private let channel: GRPCChannel
    private let events: EventLoop

    init(socket: String, namespace: String, events: EventLoop) {
        self.events = events
        channel = GRPCChannel(path: socket, metadata: [("containerd-namespace", namespace)], events: events)
    }

    /// One message there, one back.
    @discardableResult
    func call(
        _ method: String, deadlineMs: Int64 = 10_000, _ build: (inout ProtoWriter) -> Void = { _ in }
    ) async throws(GRPCFailure) -> ProtoMessage {
        var request = ProtoWriter()
        build(&request)
        return try await stream(method, deadlineMs: deadlineMs, request).first ?? ProtoMessage()
    }

    /// Nil where the answer is that there is no such thing.
    func find(
        _ method: String, _ build: (inout ProtoWriter) -> Void
    ) async throws(GRPCFailure) -> ProtoMessage? {
        do throws(GRPCFailure) { return try await call(method, build) } catch {
            if error.code == .notFound { return nil }
            throw error
        }
    }

    /// Makes something; the same that is there already is as good.
    func make(
        _ method: String, deadlineMs: Int64 = 10_000, _ build: (inout ProtoWriter) -> Void
    ) async throws(GRPCFailure) {
        do throws(GRPCFailure) { try await call(method, deadlineMs: deadlineMs, build) } catch {
            if error.code != .alreadyExists { throw error }
        }
    }

    /// One message there, some back.
    func stream(
        _ method: String, deadlineMs: Int64, _ request: ProtoWriter
    ) async throws(GRPCFailure) -> [ProtoMessage] {
        var rest = [request.bytes][...]
        return try await stream(method, deadlineMs: deadlineMs) { rest.popFirst() }
    }

    /// Some messages there, as fast as they are read, and some back.
    func stream(
        _ method: String, deadlineMs: Int64, next: @escaping () -> [UInt8]?
    ) async throws(GRPCFailure) -> [ProtoMessage] {
        let result: Result<[[UInt8]], GRPCFailure> = await withUnsafeContinuation { continuation in
            var answers: [[UInt8]] = []
            channel.call(Self.path(method), deadlineMs: deadlineMs, next: next) {
                answers.append(Array($0))
            } done: { failure in
                continuation.resume(returning: failure.map { .failure($0) } ?? .success(answers))
            }
        }
        var messages: [ProtoMessage] = []
        for bytes in try result.get() { messages.append(try Self.message(bytes, of: method)) }
        return messages
    }

    /// A call whose answer is wanted later.
    final class Pending {
        private var result: Result<ProtoMessage, GRPCFailure>?
        private var waiter: UnsafeContinuation<Result<ProtoMessage, GRPCFailure>?, Never>?
        private let events: EventLoop
        fileprivate var cancelling: () -> Void = {}

        fileprivate init(_ events: EventLoop) { self.events = events }

        fileprivate func finish(_ result: Result<ProtoMessage, GRPCFailure>) {
            self.result = result
            wake(result)
        }

        private func wake(_ result: Result<ProtoMessage, GRPCFailure>?) {
            waiter?.resume(returning: result)
            waiter = nil
        }

        func value() async throws(GRPCFailure) -> ProtoMessage {
            while true { if let value = try await value(withinMs: nil) { return value } }
        }

        /// Nil: it takes longer. Assumes: one waits at a time.
        func value(withinMs ms: Int64?) async throws(GRPCFailure) -> ProtoMessage? {
            if let result { return try result.get() }
            let timer = ms.map { events.after(ms: $0) { [self] in wake(nil) } }
            let result = await withUnsafeContinuation { waiter = $0 }
            if let timer { events.cancel(timer) }
            return try result?.get()
        }

        /// Ends the call; the other side is told.
        func cancel() { cancelling() }
    }

    /// Sends one message now; the answer may take for ever, or as long as the call may.
    func begin(_ method: String, deadlineMs: Int64? = nil, _ build: (inout ProtoWriter) -> Void) -> Pending {
        var request = ProtoWriter()
        build(&request)
        var rest = [request.bytes][...]
        var answer: [UInt8] = []
        let pending = Pending(events)
        let call = channel.call(Self.path(method), deadlineMs: deadlineMs) {
            rest.popFirst()
        } onMessage: {
            answer = Array($0)
        } done: { failure in
            if let failure { return pending.finish(.failure(failure)) }
            do throws(GRPCFailure) { pending.finish(.success(try Self.message(answer, of: method))) } catch {
                pending.finish(.failure(error))
            }
        }
        pending.cancelling = { [channel] in channel.cancel(call) }
        return pending
    }

    /// Sends one message and hears what comes back, until it ends.
    func listen(
        _ method: String, _ request: ProtoWriter, onMessage: @escaping (ArraySlice<UInt8>) -> Void,
        ended: @escaping (GRPCFailure?) -> Void
    ) {
        var rest = [request.bytes][...]
        channel.call(Self.path(method), deadlineMs: nil) {
            rest.popFirst()
        } onMessage: {
            onMessage($0)
        } done: {
            ended($0)
        }
    }

    private static func path(_ method: String) -> String { "/containerd.services.\(method)" }

    static func message(_ bytes: some Collection<UInt8>, of method: String) throws(GRPCFailure) -> ProtoMessage {
        do throws(ProtoMessage.Malformed) { return try ProtoMessage(bytes) } catch {
            throw GRPCFailure(.internalError, "\(method) answered with malformed protobuf")
        }
    }
}
