import GRPC

extension ContainerdClient {
    /// `events.v1.Events`: tells of each container whose first process exits, until no more can be told.
    func subscribe(namespace: String, onExit: @escaping (String) -> Void, ended: @escaping (GRPCFailure?) -> Void) {
        var request = ProtoWriter()
        request.putAlways(1, "topic==\"/tasks/exit\",namespace==\(namespace)".utf8)
        listen("events.v1.Events/Subscribe", request) { bytes in
            // The exit of a command has another id than that of its container.
            guard let envelope = try? ProtoMessage(bytes),
                let exit = try? ProtoMessage(envelope.message(4).bytes(2)), exit.string(1) == exit.string(2)
            else { return }
            onExit(exit.string(1))
        } ended: {
            ended($0)
        }
    }
}
