import Support
import Testing
import Values

@testable import API

/// Explanations are told with the rights of whoever asks.
@Suite(.serialized) struct ExplanationTests {
    private static let objects = """
        apiVersion: v1
        kind: ServiceAccount
        metadata: {name: robot}
        ---
        apiVersion: rbac.authorization.k8s.io/v1
        kind: Role
        metadata: {name: mapper}
        rules:
        - {apiGroups: [""], resources: [configmaps], verbs: [get, create, patch]}
        ---
        apiVersion: rbac.authorization.k8s.io/v1
        kind: RoleBinding
        metadata: {name: robots}
        subjects: [{kind: ServiceAccount, name: robot, namespace: default}]
        roleRef: {kind: Role, name: mapper, apiGroup: rbac.authorization.k8s.io}
        ---

        """

    static func token(_ world: World) -> String {
        let path = "/api/v1/namespaces/default/serviceaccounts/robot/token"
        let answer = RawClient.ask(world.socket, "POST", path, #"{"spec":{}}"#)
        return JSONReader.read(answer?.text ?? "")?[path: "status", "token"]?.string ?? ""
    }

    private static func body(_ objects: String...) -> String {
        let items = objects.map { "{\"object\":\($0)}" }.joined(separator: ",")
        return "{\"objects\":[\(items)]}"
    }
    private static let map = #"{"kind":"ConfigMap","metadata":{"name":"m"},"data":{"k":"v"}}"#
    private static let agent = #"{"kind":"Agent","metadata":{"name":"a"},"spec":{"command":["x"]}}"#
    private static let elsewhere = #"{"kind":"ConfigMap","metadata":{"name":"m","namespace":"other"}}"#

    @Test func aPlanNeedsTheRightsOfWhatItPlans() throws {
        try inWorld { world in
            let client = try TLSClient(world)
            world.apply(Self.objects)
            // Waits for what the robot may make, and is nothing that it may see.
            world.apply(World.agent("reader", World.stays, "envFrom: [{configMapRef: {name: m}}]"))
            let header = "Authorization: Bearer \(Self.token(world))"
            func ask(_ body: String) -> String {
                client.ask(["POST /apis/agentos.dev/v1/plans"], header: header, body: body)[0]
            }
            #expect(ask(Self.body(Self.map)) == "200")
            #expect(ask(Self.body(Self.map, Self.agent)) == "403")
            #expect(ask(Self.body(Self.elsewhere)) == "403")
            #expect(ask(#"{"source":{"namespace":"default","name":"x"}}"#) == "403")
            #expect(ask(#"{"source":{"namespace":"default","name":"x"},"perform":true}"#) == "403")
            let mine = RawClient.ask(world.socket, "POST", "/apis/agentos.dev/v1/plans", Self.body(Self.map))
            #expect(mine?.text.contains("\"follow\"") == true, "root sees what follows")
            // A number of an event does not tell the name of what it is of.
            let event = "/apis/agentos.dev/v1/explanations?event=1"
            #expect(RawClient.ask(world.socket, "GET", event)?.status == 200)
            #expect(client.ask(["GET \(event)"], header: header)[0] == "404")
            let reader = world.get("reader")
            let uid = try #require(reader?[path: "metadata", "uid"]?.string)
            for (sequence, code) in [("1", "200"), ("99", "404"), ("+1", "400"), ("0", "400")] {
                let path = "/apis/agentos.dev/v1/explanations?event=\(uid)-\(sequence)"
                #expect(RawClient.ask(world.socket, "GET", path)?.status == Int(code), "\(sequence)")
                #expect(client.ask(["GET \(path)"], header: header)[0] == (code == "200" ? "404" : code), "\(sequence)")
            }
        }
    }

    @Test(arguments: [
        ("{", "body:1"),
        ("", "the body is empty"), ("[]", "the body is no object"), ("{}", "expected either objects or source"),
        (#"{"objects":[],"source":{}}"#, "expected either objects or source"), (#"{"object":[]}"#, "unknown field"),
        (#"{"objects":[{}]}"#, "objects[0].object"), (#"{"objects":[],"standings":1}"#, "standings: expected a list"),
        (#"{"objects":[],"standings":[1]}"#, "standings[0]"), (#"{"source":1}"#, "source: expected"),
        (
            #"{"objects":[{"object":\#(map),"declaredAt":"\#(String(repeating: "x", count: 5000))"}]}"#,
            "objects[0].declaredAt: more than 4096 bytes"
        ),
        (
            "{\"perform\":true,\"objects\":[\(String(repeating: "{},", count: 2000)){}]}",
            "2001 objects are more than the 2000 of one step"
        ),
    ]) func requestsThatAreNoPlansAreRefused(_ body: String, _ words: String) {
        inWorld { world in
            world.startDaemon()
            let answer = RawClient.ask(world.socket, "POST", "/apis/agentos.dev/v1/plans", body)
            #expect(answer?.status == 400 && answer?.text.contains(words) == true, "\(answer?.text ?? "")")
        }
    }
}
