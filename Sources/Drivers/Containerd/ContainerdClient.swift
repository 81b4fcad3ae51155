import GRPC
import Machine
import Manifests
import Reconciler
import Values

/// The calls of containerd's API that the driver makes; field numbers as in its .proto files (1.6 and later).
final class ContainerdClient {
    struct TaskState: Sendable {
        enum Status: UInt64 {
            case unknown, created, running, stopped, paused, pausing
        }
        var id: String
        var pid: Int32
        var status: Status
        var exitStatus: Int
        var exitedAtMs: Int64
    }

    struct Mount: Sendable {
        var bytes: [UInt8]
    }

    private let channel: GRPCChannel

    init(socket: String, namespace: String, events: EventLoop) {
        channel = GRPCChannel(path: socket, metadata: [("containerd-namespace", namespace)], events: events)
    }

    var path: String { channel.path }

    /// One message there, one back.
    func call(
        _ method: String, deadlineMs: Int64 = 10_000,
        _ build: (inout ProtoWriter) -> Void = { _ in }
    ) async throws(GRPCFailure) -> ProtoMessage {
        var request = ProtoWriter()
        build(&request)
        var rest = [request.bytes][...]
        return try await call(method, deadlineMs: deadlineMs) { rest.popFirst() }.first ?? ProtoMessage()
    }

    /// Some messages there, as fast as they are read, and some back.
    func call(
        _ method: String, deadlineMs: Int64,
        next: @escaping () -> [UInt8]?
    ) async throws(GRPCFailure) -> [ProtoMessage] {
        let result: Result<[[UInt8]], GRPCFailure> = await withUnsafeContinuation { continuation in
            var answers: [[UInt8]] = []
            channel.call("/containerd.services.\(method)", deadlineMs: deadlineMs, next: next) {
                answers.append(Array($0))
            } done: { failure in
                continuation.resume(returning: failure.map { .failure($0) } ?? .success(answers))
            }
        }
        do {
            return try result.get().map { try ProtoMessage($0) }
        } catch let failure as GRPCFailure {
            throw failure
        } catch {
            throw GRPCFailure(.internalError, "\(method) answered with malformed protobuf")
        }
    }

    /// A call whose answer is wanted later.
    final class Pending {
        private var result: Result<ProtoMessage, GRPCFailure>?
        private var waiter: UnsafeContinuation<Result<ProtoMessage, GRPCFailure>, Never>?

        func finish(_ result: Result<ProtoMessage, GRPCFailure>) {
            self.result = result
            waiter?.resume(returning: result)
            waiter = nil
        }

        func value() async throws(GRPCFailure) -> ProtoMessage {
            if let result { return try result.get() }
            return try await withUnsafeContinuation { waiter = $0 }.get()
        }
    }

    /// Sends one message now; without a deadline it may wait for its answer for ever.
    func start(_ method: String, deadlineMs: Int64?, _ build: (inout ProtoWriter) -> Void) -> Pending {
        var request = ProtoWriter()
        build(&request)
        var rest = [request.bytes][...]
        var answer: ArraySlice<UInt8> = []
        let pending = Pending()
        channel.call("/containerd.services.\(method)", deadlineMs: deadlineMs) {
            rest.popFirst()
        } onMessage: {
            answer = $0
        } done: { failure in
            if let failure { return pending.finish(.failure(failure)) }
            do throws(ProtoMessage.Malformed) { pending.finish(.success(try ProtoMessage(answer))) } catch {
                pending.finish(.failure(GRPCFailure(.internalError, "\(method) answered with malformed protobuf")))
            }
        }
        return pending
    }

    /// Tells of each task that exits, and when no more can be told.
    func subscribe(namespace: String, onExit: @escaping (String) -> Void, ended: @escaping (GRPCFailure?) -> Void) {
        var request = ProtoWriter()
        request.putAlways(1, "topic==\"/tasks/exit\",namespace==\(namespace)".utf8)
        var messages = [request.bytes][...]
        channel.call("/containerd.services.events.v1.Events/Subscribe", deadlineMs: nil) {
            messages.popFirst()
        } onMessage: { bytes in
            guard let envelope = try? ProtoMessage(bytes),
                let exit = try? ProtoMessage(envelope.message(4).bytes(2)), exit.string(1) == exit.string(2)
            else { return }
            onExit(exit.string(1))
        } done: {
            ended($0)
        }
    }

    func tasks() async throws(GRPCFailure) -> [TaskState] {
        let answer = try await call("tasks.v1.Tasks/List")
        do throws(ProtoMessage.Malformed) { return try answer.messages(1).map(Self.task) } catch {
            throw GRPCFailure(.internalError, "Tasks/List answered with malformed protobuf")
        }
    }

    /// Nil when there is none.
    func task(_ id: String) async throws(GRPCFailure) -> TaskState? {
        try await found { () throws(GRPCFailure) in
            Self.task(try await self.call("tasks.v1.Tasks/Get") { $0.put(1, id) }.message(1))
        }
    }

    /// What all tasks of the namespace use, by id.
    func usages() async throws(GRPCFailure) -> [String: RunUsage] {
        let answer = try await call("tasks.v1.Tasks/Metrics")
        var usages: [String: RunUsage] = [:]
        do throws(ProtoMessage.Malformed) {
            for metric in try answer.messages(1) {
                let data = metric.message(3)
                usages[metric.string(2)] = Self.usage(try ProtoMessage(data.bytes(2)), data.string(1))
            }
        } catch { throw GRPCFailure(.internalError, "Tasks/Metrics answered with malformed protobuf") }
        return usages
    }

    /// `io.containerd.cgroups.v1.Metrics` or `….v2.Metrics`.
    private static func usage(_ metrics: ProtoMessage, _ type: String) -> RunUsage {
        let isUnified = type.contains(".v2.")
        func number(_ value: UInt64) -> Int64 { Int64(clamping: value) }
        return RunUsage(
            cpuNs: isUnified
                ? number(metrics.message(2).number(1)) * 1000 : number(metrics.message(3).message(1).number(1)),
            memoryBytes: number(
                isUnified ? metrics.message(4).number(32) : metrics.message(4).message(33).number(2)),
            processes: Int(clamping: metrics.message(isUnified ? 1 : 2).number(1)))
    }

    private static func task(_ process: ProtoMessage) -> TaskState {
        TaskState(
            id: process.string(2), pid: Int32(clamping: process.number(3)),
            status: TaskState.Status(rawValue: process.number(4)) ?? .unknown,
            exitStatus: Int(truncatingIfNeeded: process.number(9)), exitedAtMs: process.milliseconds(10))
    }

    /// Nil where the answer is that there is no such thing.
    func found<Value>(
        _ body: () async throws(GRPCFailure) -> Value
    ) async throws(GRPCFailure) -> Value? {
        do throws(GRPCFailure) { return try await body() } catch {
            if error.code == .notFound { return nil }
            throw error
        }
    }

    /// False where it was there already.
    func created(
        _ body: () async throws(GRPCFailure) -> Void
    ) async throws(GRPCFailure) -> Bool {
        do throws(GRPCFailure) {
            try await body()
            return true
        } catch {
            if error.code == .alreadyExists { return false }
            throw error
        }
    }

    /// A protobuf `Any`; containerd's type URLs have no host.
    static func any(_ writer: inout ProtoWriter, _ field: Int, type: String, _ value: [UInt8]) {
        writer.put(field) {
            $0.put(1, type)
            $0.put(2, value)
        }
    }
}
