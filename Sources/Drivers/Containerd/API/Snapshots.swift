import GRPC

extension ContainerdClient {
    var snapshots: Snapshots { Snapshots(client: self) }

    /// `snapshots.v1.Snapshots`: root file systems and the layers below them, of one snapshotter.
    struct Snapshots {
        static let snapshotter = "overlayfs"
        private static let service = "snapshots.v1.Snapshots"
        let client: ContainerdClient

        /// Makes what can be written to on a parent, empty for none; `key` names it.
        func prepare(_ key: String, parent: String, labels: [String: String]) async throws(GRPCFailure) -> [Mount] {
            try await client.call("\(Self.service)/Prepare") {
                $0.put(1, Self.snapshotter)
                $0.put(2, key)
                $0.put(3, parent)
                $0.put(4, map: labels)
            }.all(1).map { Mount(bytes: Array($0)) }
        }

        /// How what was prepared is mounted.
        func mounts(_ key: String) async throws(GRPCFailure) -> [Mount] {
            try await client.call("\(Self.service)/Mounts") {
                $0.put(1, Self.snapshotter)
                $0.put(2, key)
            }.all(1).map { Mount(bytes: Array($0)) }
        }

        func exists(_ name: String) async throws(GRPCFailure) -> Bool {
            try await client.find("\(Self.service)/Stat") {
                $0.put(1, Self.snapshotter)
                $0.put(2, name)
            } != nil
        }

        /// What was prepared becomes a layer; one of that name that is there is as good.
        func commit(_ key: String, as name: String) async throws(GRPCFailure) {
            try await client.make("\(Self.service)/Commit") {
                $0.put(1, Self.snapshotter)
                $0.put(2, name)
                $0.put(3, key)
            }
        }

        /// What a snapshot takes on the disk, without what is below it. Caveat: all its files are looked at.
        func usage(_ key: String) async throws(GRPCFailure) -> (bytes: Int64, entries: Int) {
            let answer = try await client.call("\(Self.service)/Usage", deadlineMs: 60_000) {
                $0.put(1, Self.snapshotter)
                $0.put(2, key)
            }
            return (Int64(clamping: answer.number(1)), Int(clamping: answer.number(2)))
        }

        func remove(_ key: String) async throws(GRPCFailure) {
            _ = try await client.find("\(Self.service)/Remove") {
                $0.put(1, Self.snapshotter)
                $0.put(2, key)
            }
        }

        func names() async throws(GRPCFailure) -> [String] {
            let method = "\(Self.service)/List"
            var request = ProtoWriter()
            request.put(1, Self.snapshotter)
            var names: [String] = []
            for part in try await client.stream(method, deadlineMs: 30_000, request) {
                for snapshot in try part.list(1, of: method) { names.append(snapshot.string(1)) }
            }
            return names
        }
    }
}
