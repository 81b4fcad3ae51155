import GRPC
import Reconciler

extension ContainerdClient {
    var tasks: Tasks { Tasks(client: self) }

    /// `tasks.v1.Tasks`: the processes of containers. `exec` names a further process of a container; empty: its first.
    struct Tasks {
        struct State: Sendable {
            enum Status: UInt64, Sendable {
                case unknown, created, running, stopped, paused, pausing
            }
            var id: String
            var pid: Int32
            var status: Status
            var exitStatus: Int
            var exitedAtMs: Int64
        }

        /// A further process of a container; its streams are paths of FIFOs, empty for none.
        struct Command: Sendable {
            var id: String
            var input: String
            var output: String
            var error: String
            var isTerminal: Bool
            /// `process` of the OCI runtime specification, as JSON.
            var process: [UInt8]
        }

        /// What a shim has for making or starting a process.
        private static let startDeadlineMs: Int64 = 20_000
        private static let service = "tasks.v1.Tasks"
        let client: ContainerdClient

        // MARK: A container's life

        /// - Parameter output: where both outputs go, as a URI; there is no input.
        func create(_ id: String, rootfs: [Mount], output: String) async throws(GRPCFailure) {
            try await client.make("\(Self.service)/Create", deadlineMs: Self.startDeadlineMs) {
                $0.put(1, id)
                for mount in rootfs { $0.putAlways(3, mount.bytes) }
                $0.put(5, output)
                $0.put(6, output)
            }
        }

        /// - Returns: its process id on this machine.
        @discardableResult
        func start(_ id: String, exec: String = "") async throws(GRPCFailure) -> Int32 {
            let answer = try await client.call("\(Self.service)/Start", deadlineMs: Self.startDeadlineMs) {
                $0.put(1, id)
                $0.put(2, exec)
            }
            return Int32(clamping: answer.number(1))
        }

        func kill(_ id: String, exec: String = "", signal: Int32, all: Bool = false) async throws(GRPCFailure) {
            try await client.call("\(Self.service)/Kill") {
                $0.put(1, id)
                $0.put(2, exec)
                $0.put(3, UInt64(signal))
                $0.put(4, all)
            }
        }

        func freeze(_ id: String, _ isFrozen: Bool) async throws(GRPCFailure) {
            try await client.call("\(Self.service)/\(isFrozen ? "Pause" : "Resume")") { $0.put(1, id) }
        }

        /// Forgets a task that has ended; none is as good.
        func delete(_ id: String) async throws(GRPCFailure) {
            _ = try await client.find("\(Self.service)/Delete") { $0.put(1, id) }
        }

        // MARK: What is there

        func list() async throws(GRPCFailure) -> [State] {
            let method = "\(Self.service)/List"
            return try await client.call(method).list(1, of: method).map { State($0) }
        }

        /// Nil when there is none.
        func get(_ id: String) async throws(GRPCFailure) -> State? {
            (try await client.find("\(Self.service)/Get") { $0.put(1, id) }).map { State($0.message(1)) }
        }

        /// All processes of a container.
        func pids(_ id: String) async throws(GRPCFailure) -> [Int32] {
            let method = "\(Self.service)/ListPids"
            return try await client.call(method) { $0.put(1, id) }.list(1, of: method).map {
                Int32(clamping: $0.number(1))
            }
        }

        /// What all tasks of the namespace use, by id.
        func usages() async throws(GRPCFailure) -> [String: RunUsage] {
            let method = "\(Self.service)/Metrics"
            var usages: [String: RunUsage] = [:]
            for metric in try await client.call(method).list(1, of: method) {
                let data = metric.message(3)
                usages[metric.string(2)] = RunUsage(
                    cgroups: try ContainerdClient.message(data.bytes(2), of: method), type: data.string(1))
            }
            return usages
        }

        // MARK: Commands

        func execute(_ id: String, _ command: Command) async throws(GRPCFailure) {
            try await client.call("\(Self.service)/Exec") {
                $0.put(1, id)
                $0.put(2, command.input)
                $0.put(3, command.output)
                $0.put(4, command.error)
                $0.put(5, command.isTerminal)
                $0.put(6, any: "types.containerd.io/opencontainers/runtime-spec/1/Process", command.process)
                $0.put(7, command.id)
            }
        }

        /// Asked before it starts, so that no end is missed.
        func wait(_ id: String, exec: String) -> Waiting {
            Waiting(
                answer: client.begin("\(Self.service)/Wait") {
                    $0.put(1, id)
                    $0.put(2, exec)
                })
        }

        /// The exit of a command, wanted later.
        struct Waiting {
            fileprivate let answer: Pending

            func exitStatus() async throws(GRPCFailure) -> Int {
                Int(truncatingIfNeeded: try await answer.value().number(1))
            }
        }

        func closeInput(_ id: String, exec: String) async throws(GRPCFailure) {
            try await client.call("\(Self.service)/CloseIO") {
                $0.put(1, id)
                $0.put(2, exec)
                $0.put(3, true)
            }
        }

        func resizeTerminal(_ id: String, exec: String, columns: UInt16, rows: UInt16) async throws(GRPCFailure) {
            try await client.call("\(Self.service)/ResizePty") {
                $0.put(1, id)
                $0.put(2, exec)
                $0.put(3, UInt64(columns))
                $0.put(4, UInt64(rows))
            }
        }

        func deleteCommand(_ id: String, exec: String) async throws(GRPCFailure) {
            try await client.call("\(Self.service)/DeleteProcess") {
                $0.put(1, id)
                $0.put(2, exec)
            }
        }
    }
}

extension ContainerdClient.Tasks.State {
    fileprivate init(_ process: ProtoMessage) {
        self.init(
            id: process.string(2), pid: Int32(clamping: process.number(3)),
            status: Status(rawValue: process.number(4)) ?? .unknown,
            exitStatus: Int(truncatingIfNeeded: process.number(9)), exitedAtMs: process.milliseconds(10))
    }
}

extension RunUsage {
    /// `io.containerd.cgroups.v1.Metrics` or `….v2.Metrics`.
    fileprivate init(cgroups metrics: ProtoMessage, type: String) {
        let isUnified = type.contains(".v2.")
        func number(_ value: UInt64) -> Int64 { Int64(clamping: value) }
        let microseconds = min(metrics.message(2).number(1), UInt64(Int64.max) / 1000)
        self.init(
            cpuNs: isUnified
                ? number(microseconds * 1000) : number(metrics.message(3).message(1).number(1)),
            memoryBytes: number(
                isUnified ? metrics.message(4).number(32) : metrics.message(4).message(33).number(2)),
            processes: Int(clamping: metrics.message(isUnified ? 1 : 2).number(1)))
    }
}
