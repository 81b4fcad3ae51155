import HTTP
import Manifests
import Reconciler
import Resources
import Values

/// Kubernetes' reviews: questions about who one is and what may be done, answered and not kept.
extension Server {
    /// `kubectl auth can-i`: may I?
    func reviewOwnAccess(_ call: Call) {
        answer(call) { (body: Node) throws(Failure) in try verdict(call.principal, body, call) }
    }

    /// May somebody else?
    func reviewAccess(_ call: Call) {
        answer(call) { (body: Node) throws(Failure) in
            let spec = body["spec"]
            let groups = (spec?["groups"]?.list ?? []).compactMap(\.string)
            let user = spec?["user"]?.string ?? ""
            if user.isEmpty, groups.isEmpty { throw .badRequest("spec: at least one of user or groups must be given") }
            return try verdict(Principal(user: user, groups: groups, via: .token), body, call)
        }
    }

    /// `kubectl auth can-i --list`: what may I in a namespace?
    func reviewOwnRules(_ call: Call) {
        answer(call) { (body: Node) throws(Failure) in
            guard let namespace = body[path: "spec", "namespace"]?.string, !namespace.isEmpty else {
                throw .badRequest("spec.namespace: no namespace on request")
            }
            let rules =
                loop.engine.state.access.rules(call.principal, namespace: namespace) + Self.rulesOfEverybody
            return .map([
                ("resourceRules", .list(rules.filter(\.paths.isEmpty).map(\.node))),
                ("nonResourceRules", .list(rules.filter { !$0.paths.isEmpty }.map(\.node))), ("incomplete", false),
            ])
        }
    }

    /// `kubectl auth whoami`: who am I?
    func reviewOwnSelf(_ call: Call) {
        answer(call) { (_: Node) throws(Failure) in .map([("userInfo", Self.info(call.principal))]) }
    }

    /// Whose token is it?
    func reviewToken(_ call: Call) {
        answer(call) { (body: Node) throws(Failure) in
            guard let token = body[path: "spec", "token"]?.string, !token.isEmpty else {
                throw .badRequest("spec.token: a token is required")
            }
            guard let principal = self.principal(token: token) else {
                return .map([("authenticated", false), ("error", "the token names nobody")])
            }
            return .map([("authenticated", true), ("user", Self.info(principal))])
        }
    }

    // MARK: Parts

    /// Answers a review with what was asked, beside the verdict; a token that was asked about is not repeated.
    private func answer(_ call: Call, _ verdict: (Node) throws(Failure) -> Node) {
        do throws(Failure) {
            let body = try call.bodyObject(call.resource.kind) ?? .emptyMap
            let status = try verdict(body)
            var spec = body["spec"]
            spec?["token"] = nil
            call.respond(
                201,
                .map([
                    ("kind", .text(call.resource.kind)),
                    ("apiVersion", .text(call.resource.apiVersion)),
                    ("metadata", .map([("creationTimestamp", Node(.null))])),
                    ("spec", spec), ("status", status),
                ]))
        } catch {
            call.fail(error)
        }
    }

    private func verdict(_ principal: Principal, _ body: Node, _ call: Call) throws(Failure) -> Node {
        let (resource, path) = (
            body[path: "spec", "resourceAttributes"], body[path: "spec", "nonResourceAttributes"]
        )
        let asked: Attributes
        switch (resource, path) {
        case (let resource?, nil):
            func word(_ name: String) -> String { resource[name]?.string ?? "" }
            if let place = call.namespace, word("namespace") != place {
                throw .badRequest("spec.resourceAttributes.namespace: must be \(place), as in the path")
            }
            asked = Attributes(
                word("verb"), group: word("group"), word("resource"), subresource: word("subresource"),
                namespace: word("namespace"), name: word("name"))
        case (nil, let path?):
            if call.namespace != nil {
                throw .badRequest("spec.nonResourceAttributes: disallowed on this kind of request")
            }
            asked = Attributes(path["verb"]?.string ?? "", .path(path["path"]?.string ?? ""))
        case (nil, nil), (.some, .some):
            throw .badRequest("spec: exactly one of resourceAttributes and nonResourceAttributes must be given")
        }
        let isAllowed =
            loop.engine.state.access.allows(principal, asked)
            || (principal.groups.contains(Principal.authenticated)
                && Self.rulesOfEverybody.contains { $0.allows(asked) })
        return .map([
            ("allowed", Node(.bool(isAllowed))),
            ("reason", isAllowed ? nil : .text("no role allows it: \(asked.refusal(principal.user))")),
        ])
    }

    /// What routes allow to everybody who is known.
    private static let rulesOfEverybody = [
        PolicyRule(
            verbs: ["create"], groups: ["authorization.k8s.io"],
            resources: ["selfsubjectaccessreviews", "selfsubjectrulesreviews"]),
        PolicyRule(verbs: ["create"], groups: ["authentication.k8s.io"], resources: ["selfsubjectreviews"]),
        PolicyRule(
            verbs: ["get"],
            paths: ["/api", "/api/*", "/apis", "/apis/*", "/healthz", "/livez", "/openapi/*", "/readyz", "/version"]),
    ]

    private static func info(_ principal: Principal) -> Node {
        .map([
            ("username", .text(principal.user)), ("uid", principal.uid.isEmpty ? nil : .text(principal.uid)),
            ("groups", .list(principal.groups.map(Node.text))),
        ])
    }
}
