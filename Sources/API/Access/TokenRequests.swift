import CLinux
import Manifests
import Planner
import Reconciler
import Values

extension Server {
    /// `POST …/serviceaccounts/NAME/token`, as `kubectl create token` asks.
    func requestToken(_ call: Call) {
        let (key, state) = (call.key, loop.engine.state)
        do throws(Failure) {
            guard let account = state.objects[key], account.deletion == nil else { throw .notFound(key) }
            let body = try call.bodyObject("TokenRequest") ?? .emptyMap
            let audiences = (body[path: "spec", "audiences"]?.list ?? []).compactMap(\.string)
            guard Set(audiences).isSubset(of: Self.audiences) else {
                throw Self.invalid(key, "spec.audiences", "the only audience is \(Self.audiences[0])")
            }
            let asked = body[path: "spec", "expirationSeconds"]?.int ?? 3600
            guard asked >= 600 else {
                throw Self.invalid(key, "spec.expirationSeconds", "may not specify a duration less than 10 minutes")
            }
            let seconds = min(asked, Limits.certificateSecondsMax)
            let bound = try boundObject(body[path: "spec", "boundObjectRef"], key, state)
            let nowMs = agentos_wall_ms()
            var random = SystemRandomNumberGenerator()
            let claim = AccountTokens.Claim(
                account: account.uid, bound: bound, expiresMs: nowMs + Int64(seconds) * 1000, nonce: random.next())
            var spec = body["spec"] ?? .emptyMap
            spec["audiences"] = .list([.text(Self.audiences[0])])
            spec["expirationSeconds"] = .number(seconds)
            // What is only tried is no token.
            let isDry = call.parameters[Query.dryRun] != nil
            call.respond(
                201,
                .map([
                    ("kind", "TokenRequest"), ("apiVersion", "authentication.k8s.io/v1"),
                    (
                        "metadata",
                        .map([
                            ("name", .text(key.name)), ("namespace", .text(key.namespace)),
                            ("creationTimestamp", .text(Timestamp.seconds(nowMs))),
                        ])
                    ), ("spec", spec),
                    (
                        "status",
                        .map([
                            ("token", .text(isDry ? "" : accountTokens.token(claim))),
                            ("expirationTimestamp", .text(Timestamp.seconds(claim.expiresMs))),
                        ])
                    ),
                ]))
        } catch {
            call.fail(error)
        }
    }

    private static let audiences = ["https://kubernetes.default.svc"]

    private static func invalid(_ key: ObjectKey, _ field: String, _ message: String) -> Failure {
        .invalid(key, [Refusal.Cause(message: message, field: field)])
    }

    /// The object that a token goes with, in the namespace of its account.
    private func boundObject(_ ref: Node?, _ key: ObjectKey, _ state: EngineState) throws(Failure) -> UID? {
        guard let ref, !ref.isNull, ref.map?.isEmpty != true else { return nil }
        let kinds: [Kind] = [.secret, .agent]
        guard let kind = ref["kind"]?.string.flatMap(Kind.init), kinds.contains(kind), let name = ref["name"]?.string
        else { throw Self.invalid(key, "spec.boundObjectRef", "must name a Secret or an Agent") }
        let target = ObjectKey(kind, namespace: key.namespace, name: name)
        guard let object = state.objects[target], object.deletion == nil else { throw .notFound(target) }
        if let uid = ref["uid"]?.string, !uid.isEmpty, uid != object.uid.text {
            throw Failure(.conflict(target, .uid(expected: uid, found: object.uid)))
        }
        return object.uid
    }
}
