import HTTP
import Manifests
import Resources
import Values

extension Route {
    /// All that the API serves.
    static let table: [Route] =
        paths + openAPI + Resource.all.flatMap(reading) + Kind.allCases.flatMap(objects)
        + Resource.all.filter(\.isWritten).flatMap(writing)
        + agents + streams + sources + views + deployments + operations + access + secretKeys + explanations

    private static let paths: [Route] =
        [
            .path("/livez", .anyone) { $0.alive($1) },
            .path("/healthz", .authenticated) { $0.alive($1) },
            .path("/readyz", .anyone) { $0.ready($1) },
            .path("/metrics") { $0.metrics($1) },
            .path("/version", .authenticated) { $0.version($1) },
            .path("/schemas", .authenticated) { $0.eventSchemas($1) },
            .path("/schemas/{type}/{version}", .authenticated) { $0.eventSchema($1) },
            .path("/api", .authenticated) { $0.discovery($1, core: true) },
            .path("/apis", .authenticated) { $0.discovery($1, core: false) },
        ]
        + Discovery.groups.map { group in .path("/apis/\(group)", .authenticated) { $0.group($1, group) } }
        + Discovery.versions.map { version in .path(version.path, .authenticated) { $0.resources($1, version) } }

    // MARK: Places

    /// Where documents of a resource are: one of them, those of a namespace, and all.
    static func item(_ resource: Resource) -> String {
        "\(resource.root)\(resource.isNamespaced ? "/namespaces/{namespace}" : "")/\(resource.name)/{name}"
    }

    static func collections(_ resource: Resource) -> [String] {
        let all = "\(resource.root)/\(resource.name)"
        return resource.isNamespaced ? ["\(resource.root)/namespaces/{namespace}/\(resource.name)", all] : [all]
    }

    // MARK: Reading

    private static let collectionParameters: [any AnyParameter] = [
        Query.labelSelector, Query.fieldSelector, Query.watch, Query.resourceVersion, Query.resourceVersionMatch,
        Query.allowWatchBookmarks, Query.sendInitialEvents, Query.timeoutSeconds, Query.limit, Query.continuation,
        Query.includeObject,
    ]

    /// Get, list and watch of all that has documents.
    private static func reading(_ resource: Resource) -> [Route] {
        switch resource.home {
        case .objects, .view:
            let options: [any AnyParameter] = [Query.resourceVersion, Query.includeObject]
            var items = [Route.resource(.get, item(resource), [.get], resource, options) { $0.get($1) }]
            // The status of stored objects is also written: its routes stand with those.
            if case .view = resource.home, resource.subresources.contains(where: { $0.name == "status" }) {
                items.append(
                    .resource(.get, "\(item(resource))/status", [.get], resource, subresource: "status", options) {
                        $0.get($1)
                    })
            }
            return items
                + collections(resource).map { pattern in
                    .resource(
                        .get, pattern, [.list, .watch], resource, stream: .when(Query.watch), collectionParameters
                    ) { $0.collection($1) }
                }
        case .measurements:
            let get = Route.resource(.get, item(resource), [.get], resource, [Query.includeObject]) {
                $0.podMetrics($1)
            }
            return [get]
                + collections(resource).map { pattern in
                    .resource(.get, pattern, [.list], resource, collectionParameters) { $0.podMetrics($1) }
                }
        case .revisions:
            let get = Route.resource(.get, item(resource), [.get], resource, [Query.includeObject]) {
                $0.replicaSet($1)
            }
            return [get]
                + collections(resource).map { pattern in
                    .resource(.get, pattern, [.list], resource, collectionParameters) { $0.replicaSets($1) }
                }
        case .reviews, .records: return []
        }
    }

    // MARK: Objects

    private static func objects(_ kind: Kind) -> [Route] {
        let resource = Resource.of(kind)
        let item = item(resource)
        var routes: [Route] = []
        if kind.definition.subresources.contains(.events) {
            routes.append(
                .resource(.get, "\(item)/events", [.get], resource, subresource: "events") { $0.objectEvents($1) })
        }
        if kind.definition.subresources.contains(.revisions) {
            routes.append(
                .resource(.get, "\(item)/revisions", [.get], resource, subresource: "revisions") { $0.revisions($1) })
        }
        return routes
    }

    private static let agents: [Route] = [
        .resource(
            .get, "\(item(.of(.agent)))/log", [.get], .of(.agent), subresource: "log", stream: .when(Query.follow),
            logParameters + [Query.ordinal]
        ) { $0.log($1) }
    ]

    static let logParameters: [any AnyParameter] = [
        Query.tailLines, Query.follow, Query.previous, Query.attempt, Query.timestamps, Query.container,
        Query.sinceSeconds,
        Query.sinceTime, Query.limitBytes, Query.insecureSkipTLSVerifyBackend,
    ]

    private static let views: [Route] = [
        .resource(
            .get, "\(item(.pods))/log", [.get], .pods, subresource: "log", stream: .when(Query.follow), logParameters
        ) { $0.log($1) }
    ]

    private static let sources: [Route] = [
        .resource(
            .post, "\(item(.of(.source)))/sync", [.create], .of(.source), subresource: "sync", [Query.force]
        ) { $0.sync($1) },
        .resource(.get, "\(item(.of(.source)))/preview", [.get], .of(.source), subresource: "preview") {
            $0.preview($1)
        },
    ]

    // MARK: Records

    private static let operations: [Route] = [
        record(
            .get, "eventlog", [.get], "eventlog", stream: .when(Query.follow),
            [Query.sincePosition, Query.consumer, Query.namespace, Query.follow]
        ) { $0.eventLog($1) },
        record(.get, "usage", [.get], "usage", [Query.namespace]) { $0.usage($1) },
        record(.get, "outbox", [.list], "outbox", [Query.all, Query.sink]) { $0.outbox($1) },
        record(.get, "outbox/{position}", [.get], "outbox", [Query.all, Query.sink]) { $0.outboxRecord($1) },
        record(
            .post, "outbox/{position}/replay", [.create], "outbox", subresource: "replay", [Query.sink]
        ) { $0.replay($1) },
        record(.post, "outbox/{position}/skip", [.create], "outbox", subresource: "skip", [Query.sink]) {
            $0.skip($1)
        },
        record(.post, "outbox/{position}/drop", [.create], "outbox", subresource: "drop", [Query.sink]) {
            $0.drop($1)
        },
        // Who may list Objectives may read all that they say.
        .resource(.get, "/slo", [.list], .unlisted("objectives", group: "agentos.dev")) { $0.objectives($1) },
        record(.get, "sinks", [.list], "sinks") { $0.sinks($1) },
        record(.delete, "sinks/{sink}", [.delete], "sinks") { $0.forgetSink($1) },
        record(.post, "sinks/{sink}/replay", [.create], "sinks", subresource: "replay") { server, call in
            server.resolve(call, .replay, in: call.name, position: nil)
        },
        record(.post, "sinks/{sink}/skip", [.create], "sinks", subresource: "skip") { server, call in
            server.resolve(call, .skip, in: call.name, position: nil)
        },
        record(.post, "sinks/{sink}/drop", [.create], "sinks", subresource: "drop") { server, call in
            server.resolve(call, .drop, in: call.name, position: nil)
        },
        record(.get, "consumers", [.list], "consumers") { $0.consumers($1) },
        record(
            .post, "consumers/{consumer}", [.create], "consumers", [Query.position, Query.offset]
        ) { $0.acknowledge($1) },
        record(.delete, "consumers/{consumer}", [.delete], "consumers") { $0.removeConsumer($1) },
        record(.post, "backup", [.create], "backup") { $0.backup($1) },
        record(.post, "restore", [.create], "restore") { $0.restore($1) },
        record(.post, "reload", [.create], "reload") { $0.reload($1) },
    ]

    private static func record(
        _ method: Method, _ path: String, _ verbs: [Action.Verb], _ name: String, subresource: String = "",
        stream: Stream = .never, _ parameters: [any AnyParameter] = [],
        _ serve: @escaping @Sendable (Server, Call) -> Void
    ) -> Route {
        .resource(
            method, "/apis/agentos.dev/v1/\(path)", verbs, group: "agentos.dev", name, subresource: subresource,
            stream: stream, parameters, serve)
    }
}
