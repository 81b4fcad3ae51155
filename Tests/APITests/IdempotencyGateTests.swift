import Manifests
import Resources
import Support
import Testing
import Values

@testable import API

/// Gate 4: what a client sends again, because it has seen no answer, is carried out once. The table of routes says which
/// requests there are; each is sent to a real daemon.
@Suite struct IdempotencyGateTests {
    /// Routes that take no key: what makes a second request harmless, or why it cannot be another's answer.
    private static let exceptions = [
        "/apis/agentos.dev/v1/namespaces/{namespace}/sources/{name}/sync": "reads once more, and finds nothing to do",
        "/apis/agentos.dev/v1/kubeconfigs": "stores nothing: a second certificate is as good as the first",
        "/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token": "stores nothing: a second token is as good",
        "/apis/agentos.dev/v1/plans": "does what the plan says; again it is refused, as things have moved",
        "/apis/agentos.dev/v1/backup": "makes a file that its caller takes away",
        "/apis/agentos.dev/v1/restore": "restores the same once more",
        "/apis/agentos.dev/v1/reload": "reads the same settings once more",
        "/apis/agentos.dev/v1/secretkeys/rotate": "a further key seals as well",
        "/apis/authentication.k8s.io/v1/selfsubjectreviews": "a question",
        "/apis/authentication.k8s.io/v1/tokenreviews": "a question",
        "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews": "a question",
        "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews": "a question",
        "/apis/authorization.k8s.io/v1/subjectaccessreviews": "a question",
        "/apis/authorization.k8s.io/v1/namespaces/{namespace}/localsubjectaccessreviews": "a question",
        "/apis/agentos.dev/v1/namespaces/{namespace}/agents/{name}/exec": "a connection, whose output is its own",
        "/apis/agentos.dev/v1/namespaces/{namespace}/agents/{name}/attach": "a connection",
        "/apis/agentos.dev/v1/namespaces/{namespace}/agents/{name}/portforward": "a connection",
        "/api/v1/namespaces/{namespace}/pods/{name}/exec": "a connection, whose output is its own",
        "/api/v1/namespaces/{namespace}/pods/{name}/attach": "a connection",
        "/api/v1/namespaces/{namespace}/pods/{name}/portforward": "a connection",
    ]

    private static let needsSink = ["/apis/agentos.dev/v1/outbox/{position}/drop"]
    private static let role = #""roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"view"}"#

    /// What an object of a kind is made of beside its name.
    private static let fields: [String: String] = [
        "Namespace": "", "Secret": "", "ConfigMap": "", "ServiceAccount": "", "ClusterRole": #","rules":[]"#,
        "Role": #","rules":[]"#, "ClusterRoleBinding": ",\(role),\"subjects\":[]",
        "RoleBinding": ",\(role),\"subjects\":[]", "Lease": #","spec":{}"#, "ResourceQuota": #","spec":{"hard":{}}"#,
        "Event": #","involvedObject":{"kind":"Agent","name":"x","namespace":"default"},"reason":"r","type":"Normal""#,
        "Source": #","spec":{"path":"/no/such","suspend":true}"#,
        "Agent": #","spec":{"command":["true"],"suspend":true}"#,
        "Objective": #","spec":{"indicator":"RequestSuccess","target":99}"#,
    ]

    private static func ask(_ world: World, _ path: String, _ body: String, key: String) -> RawClient.Answer? {
        let client = RawClient(world.socket)
        client.send(
            "POST \(path) HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nIdempotency-Key: \(key)\r\n"
                + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)")
        return client.answer()
    }

    @Test func everyRouteThatMakesSomethingTakesAnIdempotencyKey() {
        let posts = Route.table.filter { $0.method == .post }
        for pattern in Self.exceptions.keys.sorted() {
            #expect(posts.contains { $0.pattern == pattern }, "\(pattern) is no route: take it from the exceptions")
        }
        inWorld { world in
            #expect(world.start("--source-path", "/no").code == 0)
            var kept = 0
            for (index, route) in posts.enumerated() where Self.exceptions[route.pattern] == nil {
                let path = ["namespace": "default", "name": "x", "position": "1", "sink": "x", "consumer": "x"]
                    .reduce(Self.needsSink.contains(route.pattern) ? "\(route.pattern)?sink=x" : route.pattern) {
                        $0.replacing("{\($1.key)}", with: $1.value)
                    }
                func body(_ name: String) -> String {
                    guard let kind = route.kind ?? route.resource?.storedKind else { return "" }
                    let fields = Self.fields[kind.rawValue]
                    #expect(fields != nil, "say here what a \(kind.rawValue) is made of")
                    return "{\"metadata\":{\"name\":\"\(name)-\(index)\"}\(fields ?? "")}"
                }
                let mend =
                    "\(route.pattern): hand `try call.once()` to the loop with the request (Server.command, Server.submit), "
                    + "or name the route among the exceptions of this test with what makes a second request harmless"
                let malformed = Self.ask(world, path, body("gate"), key: "a b")
                #expect(
                    malformed?.status == 400 && malformed?.text.contains("Idempotency-Key") == true,
                    "\(mend): \(malformed?.text ?? "no answer")")
                let key = "gate-\(index)"
                let first = Self.ask(world, path, body("gate"), key: key)
                // A refusal is not kept: there is no such sink, nothing is stuck, and quotas are not taken.
                guard let first, first.status < 300 else {
                    let isRefused = [404, 409, 422].contains(first?.status) && route.kind != .agent
                    #expect(isRefused, "\(route.pattern): \(first?.text ?? "no answer")")
                    continue
                }
                kept += 1
                let again = Self.ask(world, path, body("gate"), key: key)
                #expect(again?.status == first.status, "\(mend): \(again?.text ?? "no answer")")
                #expect(again?.head.contains("Idempotency-Replayed: true") == true, "\(mend): \(again?.head ?? "")")
                func uid(_ answer: RawClient.Answer?) -> String? {
                    (answer?.text).flatMap { JSONReader.read($0) }?[path: "metadata", "uid"]?.string
                }
                #expect(uid(again) == uid(first), "\(mend)")
                let other = Self.ask(world, "\(path)?pretty=true", body("other"), key: key)
                #expect(other?.status == 422, "\(mend): \(other?.text ?? "no answer")")
            }
            #expect(kept >= Kind.allCases.count, "all kinds but ResourceQuota, and what is acknowledged")
        }
    }
}
