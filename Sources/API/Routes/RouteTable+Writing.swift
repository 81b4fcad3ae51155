import HTTP
import Manifests
import Reconciler
import Resources

/// What writes objects: whole, in part, and below them.
extension Route {
    /// What every request takes that makes or changes something.
    static let options: [any AnyParameter] = [Query.fieldManager, Query.fieldValidation, Query.dryRun]
    private static let deletion: [any AnyParameter] = [
        Query.gracePeriodSeconds, Query.dryRun, Query.propagationPolicy, Query.orphanDependents,
    ]

    static func writing(_ resource: Resource) -> [Route] {
        let item = item(resource)
        let collection = collections(resource)[0]
        func route(
            _ method: Method, _ pattern: String, _ verb: Action.Verb, subresource: String = "",
            _ parameters: [any AnyParameter], _ serve: @escaping @Sendable (Server, Call) -> Void
        ) -> Route {
            .resource(method, pattern, [verb], resource, subresource: subresource, parameters, serve)
        }
        func part(
            _ name: String, _ reading: [any AnyParameter], _ get: @escaping @Sendable (Server, Call) -> Void
        ) -> [Route] {
            [
                route(.get, "\(item)/\(name)", .get, subresource: name, reading, get),
                route(.put, "\(item)/\(name)", .update, subresource: name, options) { $0.update($1) },
                route(.patch, "\(item)/\(name)", .patch, subresource: name, options + [Query.force]) { $0.patch($1) },
            ]
        }
        var routes = [
            route(.post, collection, .create, options) { $0.create($1) },
            route(.put, item, .update, options) { $0.update($1) },
            route(.patch, item, .patch, options + [Query.force]) { $0.patch($1) },
            route(.delete, item, .delete, deletion) { $0.delete($1) },
        ]
        // What is in no namespace is deleted by its name alone, and nothing is in all namespaces at once.
        if resource.isNamespaced {
            routes.append(
                route(
                    .delete, collection, .deletecollection, deletion + [Query.labelSelector, Query.fieldSelector]
                ) { $0.deleteCollection($1) })
        }
        guard case .objects(let kind) = resource.home else { return routes }
        let below = kind.definition.subresources
        if below.contains(.status) {
            routes += part("status", [Query.resourceVersion, Query.includeObject]) { $0.get($1) }
        }
        if below.contains(.scale) { routes += part("scale", [Query.resourceVersion]) { $0.scale($1) } }
        return routes
    }

    /// Views are written where `kubectl rollout` does it.
    static let deployments: [Route] = [
        .resource(
            .patch, "/apis/apps/v1/namespaces/{namespace}/deployments/{name}", [.patch], group: "apps", "deployments",
            options + [Query.force]
        ) { $0.patchDeployment($1) }
    ]
}
