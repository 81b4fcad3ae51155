import HTTP
import Manifests

/// What the daemon says of its decisions. What is told is asked for object by object: the rights are those of whoever asks.
extension Route {
    static let explanations: [Route] = [
        .resource(
            .post, "/apis/agentos.dev/v1/plans", [.create], group: "agentos.dev", "plans", rule: .authenticated
        ) { $0.plan($1) },
        .resource(
            .get, "/apis/agentos.dev/v1/explanations", [.get], group: "agentos.dev", "explanations",
            rule: .authenticated,
            [Query.kind, Query.namespace, Query.name, Query.ordinal, Query.event, Query.at]
        ) { $0.explain($1) },
    ]
}
