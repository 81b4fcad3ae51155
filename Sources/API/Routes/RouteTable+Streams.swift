import HTTP
import Manifests
import Values

/// Connections to what runs: commands beside a replica, and what it writes.
extension Route {
    static let streams: [Route] =
        ["exec", "attach"].flatMap { name in [Method.get, .post].flatMap { routes(name, $0) } }
        + [Method.get, .post].flatMap(ports) + [events]

    private static let events = resource(
        .get, "/apis/agentos.dev/v1/events/stream", [.get], group: "agentos.dev", "eventlog", stream: .always,
        [Query.sincePosition, Query.consumer, Query.namespace]
    ) { $0.eventStream($1) }

    /// By either method, as commands.
    private static func ports(_ method: Method) -> [Route] {
        [
            .resource(
                method, "/apis/agentos.dev/v1/namespaces/{namespace}/agents/{name}/portforward", [.create],
                group: "agentos.dev", "agents", subresource: "portforward", stream: .always,
                [Query.ports, Query.ordinal, Query.container]
            ) { $0.forward($1) },
            .resource(
                method, "/api/v1/namespaces/{namespace}/pods/{name}/portforward", [.create], group: "", "pods",
                subresource: "portforward", stream: .always, [Query.ports, Query.container]
            ) { $0.forward($1) },
        ]
    }

    /// Whoever may run a command may do so by either method, and needs the right to create for both: the one that a
    /// client's protocol happens to use says nothing about what it does.
    private static func routes(_ name: String, _ method: Method) -> [Route] {
        let streams: [any AnyParameter] = [Query.container, Query.stdin, Query.stdout, Query.stderr, Query.tty]
        let isCommand = name == "exec"
        let ofCommand: [any AnyParameter] = isCommand ? [Query.command] : []
        let ofAgent: [any AnyParameter] = [Query.ordinal] + (isCommand ? [Query.commandTimeout] : [])
        return [
            .resource(
                method, "/apis/agentos.dev/v1/namespaces/{namespace}/agents/{name}/\(name)", [.create],
                group: "agentos.dev", "agents", subresource: name, stream: .always,
                streams + ofCommand + ofAgent
            ) { isCommand ? $0.execute($1) : $0.attach($1) },
            .resource(
                method, "/api/v1/namespaces/{namespace}/pods/{name}/\(name)", [.create], group: "", "pods",
                subresource: name, stream: .always, streams + ofCommand
            ) { isCommand ? $0.execute($1) : $0.attach($1) },
        ]
    }
}
