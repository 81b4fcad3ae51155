import HTTP
import Manifests

extension Route {
    /// The keys that Secrets are sealed with in the database.
    static let secretKeys: [Route] = [
        .resource(
            .post, "/apis/agentos.dev/v1/secretkeys/rotate", [.create], group: "agentos.dev", "secretkeys",
            subresource: "rotate"
        ) { $0.rotateSecrets($1) }
    ]
}
