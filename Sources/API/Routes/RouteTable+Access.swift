import HTTP
import Manifests
import Resources

extension Route {
    /// Who one is, what one may, and how to become somebody.
    static let access: [Route] = [
        .resource(
            .post, "/apis/agentos.dev/v1/kubeconfigs", [.create], group: "agentos.dev", "kubeconfigs", rule: .masters
        ) { $0.kubeconfig($1) },
        .resource(
            .post, "/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token", [.create], group: "",
            "serviceaccounts", subresource: "token", options
        ) { $0.requestToken($1) },
        review("selfsubjectreviews", .authenticated) { $0.reviewOwnSelf($1) },
        review("tokenreviews") { $0.reviewToken($1) },
        review("selfsubjectaccessreviews", .authenticated) { $0.reviewOwnAccess($1) },
        review("selfsubjectrulesreviews", .authenticated) { $0.reviewOwnRules($1) },
        review("subjectaccessreviews") { $0.reviewAccess($1) },
        review("localsubjectaccessreviews") { $0.reviewAccess($1) },
    ]

    private static func review(
        _ name: String, _ rule: AccessRule = .resource, _ serve: @escaping @Sendable (Server, Call) -> Void
    ) -> Route {
        guard let review = Resource.all.first(where: { $0.name == name }) else {
            preconditionFailure("\(name) is not in the table of resources")
        }
        let place = review.isNamespaced ? "namespaces/{namespace}/" : ""
        return .resource(.post, "\(review.root)/\(place)\(name)", [.create], review, rule: rule, options, serve)
    }
}
