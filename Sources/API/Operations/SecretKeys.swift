import HTTP
import Reconciler
import Values

extension Server {
    /// Takes a new key and seals all Secrets with it; answers when none is sealed with an older one.
    func rotateSecrets(_ call: Call) {
        call.exchange.hasBegun = true
        loop.reseal(onRotate) { result in
            switch result {
            case .success(let keys):
                call.respond(
                    200,
                    .map([
                        ("kind", "SecretKeys"), ("apiVersion", "agentos.dev/v1"), ("current", .text(keys.current.id)),
                        ("older", .list(keys.older.map { .text($0.id) })),
                    ]))
            case .failure(let failure):
                call.fail(
                    Failure(
                        code: 503, reason: "ServiceUnavailable",
                        message: "the Secrets are not all sealed with a new key: \(failure.words)"))
            }
        }
    }
}
