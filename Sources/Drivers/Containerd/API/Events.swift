import GRPC

extension ContainerdClient {
    /// What a container has come to.
    enum ContainerEvent {
        /// Its first process has exited.
        case exited
        /// The kernel kills in it for want of memory.
        case ranOutOfMemory
    }

    /// `events.v1.Events`: tells of containers, until no more can be told.
    func subscribe(
        namespace: String, told: @escaping (String, ContainerEvent) -> Void, ended: @escaping (GRPCFailure?) -> Void
    ) {
        var request = ProtoWriter()
        for topic in [Self.exit, Self.outOfMemory] {
            request.putAlways(1, "topic==\"\(topic)\",namespace==\(namespace)".utf8)
        }
        listen("events.v1.Events/Subscribe", request) { bytes in
            guard let envelope = try? ProtoMessage(bytes), let event = try? ProtoMessage(envelope.message(4).bytes(2))
            else { return }
            switch envelope.string(3) {
            // The exit of a command has another id than that of its container.
            case Self.exit: if event.string(1) == event.string(2) { told(event.string(1), .exited) }
            case Self.outOfMemory: told(event.string(1), .ranOutOfMemory)
            default: break
            }
        } ended: {
            ended($0)
        }
    }
    private static let exit = "/tasks/exit"
    private static let outOfMemory = "/tasks/oom"
}
