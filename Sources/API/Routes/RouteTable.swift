import HTTP
import Manifests
import Values

extension Route {
    /// All that the API serves.
    static let table: [Route] =
        paths + Kind.allCases.flatMap(objects) + agents + streams + sources + operations + access
            + secretKeys

    private static let paths: [Route] =
        [
            .path("/livez", .anyone) { $0.alive($1) },
            .path("/healthz", .authenticated) { $0.alive($1) },
            .path("/readyz", .anyone) { $0.ready($1) },
            .path("/metrics") { $0.metrics($1) },
            .path("/version", .authenticated) { $0.version($1) },
            .path("/api", .authenticated) { $0.coreVersions($1) },
            .path("/apis", .authenticated) { $0.groups($1) },
            .path("/api/v1", .authenticated) { $0.resources($1, group: "") },
        ] + groups.map { group in .path("/apis/\(group)/v1", .authenticated) { $0.resources($1, group: group) } }

    /// The groups of all kinds beside the core.
    static let groups = Set(Kind.allCases.map(\.group)).subtracting([""]).sorted()

    private static let reading: [any AnyParameter] = [
        Query.labelSelector, Query.fieldSelector, Query.watch, Query.resourceVersion, Query.resourceVersionMatch,
        Query.allowWatchBookmarks, Query.sendInitialEvents, Query.timeoutSeconds, Query.limit, Query.continuation,
        Query.includeObject,
    ]

    private static func base(_ group: String) -> String { group.isEmpty ? "/api/v1" : "/apis/\(group)/v1" }

    /// Where objects of a kind are: all of them, those of a namespace, and one.
    private static func item(_ kind: Kind) -> String {
        "\(base(kind.group))\(kind.isNamespaced ? "/namespaces/{namespace}" : "")/\(kind.resource)/{name}"
    }

    private static func objects(_ kind: Kind) -> [Route] {
        func route(
            _ method: Method, _ pattern: String, _ verbs: [Action.Verb], stream: Stream = .never,
            _ parameters: [any AnyParameter], _ serve: @escaping @Sendable (Server, Call) -> Void
        ) -> Route {
            .resource(
                method, pattern, verbs, group: kind.group, kind.resource, kind: kind, stream: stream, parameters, serve)
        }
        let item = item(kind)
        var routes = [
            route(.get, item, [.get], [Query.resourceVersion, Query.includeObject]) { $0.get($1) },
            route(
                .patch, item, [.patch], [Query.fieldManager, Query.fieldValidation, Query.force, Query.dryRun]
            ) { $0.patch($1) },
            route(
                .delete, item, [.delete],
                [Query.gracePeriodSeconds, Query.dryRun, Query.propagationPolicy, Query.orphanDependents]
            ) { $0.delete($1) },
            route(.get, "\(base(kind.group))/\(kind.resource)", [.list, .watch], stream: .when(Query.watch), reading) {
                $0.collection($1)
            },
        ]
        if kind.isNamespaced {
            let inNamespace = "\(base(kind.group))/namespaces/{namespace}/\(kind.resource)"
            routes.append(
                route(.get, inNamespace, [.list, .watch], stream: .when(Query.watch), reading) { $0.collection($1) })
            routes.append(
                .resource(
                    .get, "\(item)/events", [.get], group: kind.group, kind.resource, subresource: "events", kind: kind
                ) { $0.objectEvents($1) })
        }
        return routes
    }

    private static let agents: [Route] = [
        .resource(
            .get, "\(item(.agent))/log", [.get], group: "agentos.dev", "agents", subresource: "log", kind: .agent,
            stream: .when(Query.follow),
            [Query.tailLines, Query.ordinal, Query.follow, Query.previous, Query.timestamps, Query.container]
        ) { $0.log($1) }
    ]

    private static let sources: [Route] = [
        .resource(
            .post, "\(item(.source))/sync", [.create], group: "agentos.dev", "sources", subresource: "sync",
            kind: .source, [Query.force]
        ) { $0.sync($1) },
        .resource(
            .get, "\(item(.source))/preview", [.get], group: "agentos.dev", "sources", subresource: "preview",
            kind: .source
        ) { $0.preview($1) },
    ]

    private static let operations: [Route] = [
        operation(
            .get, "eventlog", [.get], "eventlog", stream: .when(Query.follow),
            [Query.sincePosition, Query.consumer, Query.namespace, Query.follow]
        ) { $0.eventLog($1) },
        operation(.get, "usage", [.get], "usage", [Query.namespace]) { $0.usage($1) },
        operation(.get, "outbox", [.list], "outbox", [Query.all]) { $0.outbox($1) },
        operation(.get, "outbox/{position}", [.get], "outbox", [Query.all]) { $0.outboxRecord($1) },
        operation(.post, "outbox/{position}/replay", [.create], "outbox", subresource: "replay") { $0.replay($1) },
        operation(.post, "outbox/{position}/skip", [.create], "outbox", subresource: "skip") { $0.skip($1) },
        operation(.get, "consumers", [.list], "consumers") { $0.consumers($1) },
        operation(
            .post, "consumers/{consumer}", [.create], "consumers", [Query.position, Query.offset]
        ) { $0.acknowledge($1) },
        operation(.delete, "consumers/{consumer}", [.delete], "consumers") { $0.removeConsumer($1) },
        operation(.post, "backup", [.create], "backup") { $0.backup($1) },
        operation(.post, "restore", [.create], "restore") { $0.restore($1) },
    ]

    private static func operation(
        _ method: Method, _ path: String, _ verbs: [Action.Verb], _ name: String, subresource: String = "",
        stream: Stream = .never, _ parameters: [any AnyParameter] = [],
        _ serve: @escaping @Sendable (Server, Call) -> Void
    ) -> Route {
        .resource(
            method, "/apis/agentos.dev/v1/\(path)", verbs, group: "agentos.dev", name, subresource: subresource,
            stream: stream, parameters, serve)
    }
}
