import Support
import Testing
import Values

@testable import API
@testable import HTTP

/// Ways past the access rules of comparable servers, as public reports tell of them; here none leads anywhere.
@Suite(.serialized) struct BypassTests {
    /// Jane may read one Agent and the list of the Secrets' names, and no more.
    private static let rights = """
        apiVersion: v1
        kind: Secret
        metadata: {name: key}
        stringData: {word: hush}
        ---
        apiVersion: rbac.authorization.k8s.io/v1
        kind: Role
        metadata: {name: little}
        rules:
        - {apiGroups: [agentos.dev], resources: [agents], resourceNames: [one], verbs: [get, list, watch]}
        - {apiGroups: [""], resources: [secrets], verbs: [get, list, patch]}
        - {apiGroups: [""], resources: [pods/exec], resourceNames: [pair-0], verbs: [create]}
        ---
        apiVersion: rbac.authorization.k8s.io/v1
        kind: RoleBinding
        metadata: {name: janes}
        subjects: [{kind: User, name: jane, apiGroup: rbac.authorization.k8s.io}]
        roleRef: {kind: Role, name: little, apiGroup: rbac.authorization.k8s.io}
        ---

        """
    private static let agents = "/apis/agentos.dev/v1/namespaces/default/agents"
    private static let secrets = "/api/v1/namespaces/default/secrets"

    private static func inDaemon(_ body: (World, TLSClient, Credential?) throws -> Void) throws {
        try inWorld { world in
            let client = try TLSClient(world)
            world.apply(
                World.agent("one", "exec sleep 1000") + World.agent("two", "exec sleep 1000")
                    + World.agent("pair", "exec sleep 1000", "replicas: 2") + Self.rights, "--wait")
            try body(world, client, client.authority?.issue(.client(user: "jane", groups: []), seconds: 600))
        }
    }

    /// Other spellings of a path (CVE-2019-9901 of Envoy, CVE-2026-63177 of Malcolm): what is decided about is what is served.
    @Test func otherSpellingsOfAPathLeadNowhereElse() throws {
        try Self.inDaemon { _, client, jane in
            #expect(client.ask(["GET \(Self.agents)/one", "GET \(Self.agents)/two"], as: jane) == ["200", "403"])
            let spellings = [
                "/\(Self.agents)/two", "\(Self.agents)//two", "\(Self.agents)/one/../two", "\(Self.agents)/./two",
                "\(Self.agents)/one/%2e%2e/two", "\(Self.agents)%2Ftwo", "\(Self.agents)/one%2F..%2Ftwo",
                "\(Self.agents.uppercased())/two", "\(Self.agents)/two%00", "\(Self.agents)/two;one",
                "\(Self.agents)/one/%2e%2e%2ftwo", "http://localhost\(Self.agents)/two", "\(Self.agents)/%74wo",
                "\(Self.agents)/two/", "\(Self.agents)/two?name=one", "\(Self.agents)/two#/one",
            ]
            for spelling in spellings {
                let code = client.ask(["GET \(spelling)"], as: jane)[0]
                #expect(["400", "403", "404"].contains(code), "\(spelling): \(code)")
            }
        }
    }

    /// A list of one object is a list of that object only.
    @Test func selectorsWidenNothing() throws {
        try Self.inDaemon { _, client, jane in
            func code(_ selector: String) -> String {
                client.ask(["GET \(Self.agents)?fieldSelector=\(Percent.encode(selector))"], as: jane)[0]
            }
            #expect(code("metadata.name=one") == "200" && code("metadata.name==one") == "200")
            for selector in [
                "", "metadata.name=two", "metadata.name=one,metadata.name=two", "metadata.name!=two",
                "metadata.namespace in (default,metadata.name=one)", "metadata.namespace notin (x,metadata.name=one)",
                "metadata.name in (one,two)", "metadata.namespace=default",
                "metadata.namespace!=)q,metadata.name=one", "metadata.namespace!=x),metadata.name=one",
                "metadata.namespace!=(q,metadata.name=one", "metadata.namespace!=)(,metadata.name=one",
            ] {
                #expect(["400", "403"].contains(code(selector)), "\(selector)")
            }
            let both = "fieldSelector=metadata.name%3Done&fieldSelector=metadata.name%3Dtwo"
            #expect(client.ask(["GET \(Self.agents)?\(both)"], as: jane) == ["400"])
            #expect(client.ask(["GET \(Self.agents)?watch=true&watch=false"], as: jane) == ["400"])
        }
    }

    /// A pod is one replica: what was allowed by its name is not led to another by what a body says.
    @Test func aBodyNamesNoOtherPod() throws {
        try Self.inDaemon { _, client, jane in
            let head =
                "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                + "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: v5.channel.k8s.io"
            func code(_ pod: String, _ more: String) -> String {
                let body = "{\"command\":[\"true\"]\(more)}"
                let line = "POST /api/v1/namespaces/default/pods/\(pod)/exec"
                return client.ask([line], as: jane, version: "keep", header: head, body: body)[0]
            }
            #expect(code("pair-0", "") == "101" && code("pair-1", "") == "403")
            #expect(code("pair-0", ",\"ordinal\":1") == "400" && code("pair-0", ",\"ordinal\":0") == "400")
            #expect(code("pair-0", ",\"ordinal\":null") == "101")
        }
    }

    /// Headers that a proxy in front would set make nobody anybody.
    @Test func headersMakeNobodyAnybody() throws {
        try Self.inDaemon { _, client, jane in
            for header in [
                "X-Remote-User: adam\r\nX-Remote-Group: system:masters", "X-Forwarded-User: root",
                "X-Forwarded-Client-Cert: Subject=\"O=system:masters,CN=adam\"", "X-HTTP-Method-Override: GET",
                "SSL-Client-Verify: SUCCESS", "X-Original-URL: \(Self.agents)/one", "Agentos-Source: x",
            ] {
                #expect(client.ask(["GET \(Self.agents)"], header: header) == ["401"], "\(header)")
                #expect(client.ask(["DELETE \(Self.agents)/one"], as: jane, header: header) == ["403"], "\(header)")
            }
            let two = "Authorization: Bearer nobody\r\nAuthorization: Bearer nobody-else"
            #expect(client.ask(["GET /version"], as: jane, header: two) == ["401"])
        }
    }

    /// Values of Secrets do not leave by another door.
    @Test func otherFormsOfASecretHaveNoValues() throws {
        try Self.inDaemon { world, client, jane in
            let table = "Accept: application/json;as=Table;v=v1;g=meta.k8s.io"
            #expect(client.ask(["GET \(Self.secrets)"], as: jane, header: table) == ["200"])
            #expect(client.ask(["GET \(Self.secrets)?includeObject=Object"], as: jane, header: table) == ["403"])
            for accept in [
                "Accept: application/json", "Accept: */*", "Accept: application/yaml",
                "Accept: application/json;as=table;v=v1", "Accept: application/json;as=Table;v=v2,application/json",
            ] {
                let code = client.ask(["GET \(Self.secrets)/key"], as: jane, header: accept)[0]
                #expect(["403", "406"].contains(code), "\(accept): \(code)")
            }
            #expect(client.ask(["HEAD \(Self.secrets)/key"], as: jane) == ["403"])
            // What a write answers with, also one that changes nothing.
            let head = "Content-Type: application/apply-patch+yaml"
            let text = client.text(
                "PATCH \(Self.secrets)/key?fieldManager=jane&dryRun=All", as: jane, header: head, body: "{}")
            #expect(text.contains("200 OK") && !text.contains("aHVzaA=="), "\(text)")
            #expect(world.run("get", "secret", "key", "-o", "yaml", "--show-secrets").output.contains("aHVzaA=="))
        }
    }

    /// Each request on a connection is asked about alone (CVE-2018-1002105 of Kubernetes), and no session is resumed.
    @Test func aConnectionRemembersNobody() throws {
        try Self.inDaemon { _, client, jane in
            let lines = [
                "POST \(Self.agents)/one/exec", "GET \(Self.agents)/one", "GET \(Self.agents)/two", "GET /version",
            ]
            #expect(client.ask(lines, as: jane, version: "keep") == ["403", "200", "403", "200"])
            #expect(client.ask(lines, version: "keep") == ["401", "401", "401", "401"])
            #expect(client.ask(["GET /livez"], as: jane, version: "resume") == ["new"])
        }
    }
}
