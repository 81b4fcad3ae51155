import Glibc
import Manifests
import Planner
import Support
import Testing
import Values

@testable import API
@testable import HTTP
@testable import Reconciler

/// Tokens of ServiceAccounts, questions about rights, and what is told of all requests.
@Suite(.serialized) struct AccountTests {
    private static let objects = """
        apiVersion: v1
        kind: ServiceAccount
        metadata: {name: robot}
        ---
        apiVersion: v1
        kind: Secret
        metadata: {name: life}
        ---
        apiVersion: rbac.authorization.k8s.io/v1
        kind: Role
        metadata: {name: lister}
        rules:
        - {apiGroups: [agentos.dev], resources: [agents], verbs: [list]}
        - {apiGroups: [rbac.authorization.k8s.io], resources: [roles, rolebindings], verbs: [get, create, patch, update]}
        ---
        apiVersion: rbac.authorization.k8s.io/v1
        kind: RoleBinding
        metadata: {name: robots}
        subjects: [{kind: ServiceAccount, name: robot, namespace: default}]
        roleRef: {kind: Role, name: lister, apiGroup: rbac.authorization.k8s.io}
        ---

        """
    private static let list = "GET /apis/agentos.dev/v1/namespaces/default/agents"

    private static func token(
        _ world: World, _ spec: String = "{}", query: String = ""
    ) -> (status: Int, token: String) {
        let path = "/api/v1/namespaces/default/serviceaccounts/robot/token\(query)"
        let answer = RawClient.ask(world.socket, "POST", path, "{\"spec\":\(spec)}")
        let node = JSONReader.read(answer?.text ?? "")
        return (answer?.status ?? 0, node?[path: "status", "token"]?.string ?? "")
    }

    @Test func aTokenHoldsAsLongAsItsAccountAndWhatItIsBoundTo() throws {
        try inWorld { world in
            let client = try TLSClient(world)
            world.apply(Self.objects)
            let (code, token) = Self.token(world)
            #expect(code == 201 && token.hasPrefix("agentos1."))
            func ask(_ token: String, _ line: String = Self.list) -> String {
                client.ask([line], header: "Authorization: Bearer \(token)")[0]
            }
            #expect(ask(token) == "200")
            #expect(ask(token, "GET /apis/agentos.dev/v1/namespaces/other/agents") == "403")
            #expect(ask(token, "GET /apis/agentos.dev/v1/agents") == "403")
            // Another signature, another time, another account.
            let parts = token.split(separator: ".").map(String.init)
            for (place, part) in [
                (1, String(repeating: "0", count: 32)), (3, "9999999999999"), (5, parts[5].uppercased()),
            ] {
                var forged = parts
                forged[place] = part
                #expect(ask(forged.joined(separator: ".")) == "401", "part \(place)")
            }
            for spec in [
                #"{"expirationSeconds":599}"#, #"{"audiences":["elsewhere"]}"#,
                #"{"boundObjectRef":{"kind":"Pod","name":"x"}}"#,
            ] {
                #expect(Self.token(world, spec).status == 422, "\(spec)")
            }
            #expect(Self.token(world, #"{"boundObjectRef":{"kind":"Secret","name":"none"}}"#).status == 404)
            let bound = Self.token(world, #"{"boundObjectRef":{"kind":"Secret","name":"life"}}"#).token
            #expect(ask(bound) == "200")
            world.run("delete", "secret", "life")
            #expect(ask(bound) == "401" && ask(token) == "200")
            #expect(Self.token(world, #"{"expirationSeconds":600}"#).status == 201)
            let tried = Self.token(world, query: "?dryRun=All")
            #expect(tried.status == 201 && tried.token.isEmpty, "what is only tried is no token")
        }
    }

    @Test func aTokenEndsWithItsAccountAlsoWhenAnotherOfItsNameComes() throws {
        try inWorld { world in
            let client = try TLSClient(world)
            world.apply(Self.objects)
            let header = "Authorization: Bearer \(Self.token(world).token)"
            #expect(client.ask([Self.list], header: header) == ["200"])
            world.run("delete", "serviceaccount", "robot")
            #expect(client.ask([Self.list], header: header) == ["401"])
            world.apply(Self.objects)
            #expect(client.ask([Self.list], header: header) == ["401"], "a new account of the same name")
            #expect(client.ask([Self.list], header: "Authorization: Bearer \(Self.token(world).token)") == ["200"])
        }
    }

    @Test func claimsAreReadBackAndEndInTime() {
        let tokens = AccountTokens(secret: [UInt8](repeating: 7, count: 32))
        let claim = AccountTokens.Claim(account: UID(high: 1, low: 2), bound: nil, expiresMs: 1000, nonce: 5)
        let token = tokens.token(claim)
        #expect(tokens.claim(token) == claim)
        #expect(AccountTokens(secret: [UInt8](repeating: 8, count: 32)).claim(token) == nil)
        #expect(tokens.principal(token, EngineState(), nowMs: 1) == nil, "no such account")
        for text in ["", ".", "......", "agentos1.....", token + ".", String(token.dropLast()), token + "0"] {
            #expect(tokens.claim(text) == nil, "\(text)")
        }
    }

    /// RFC 4231, test cases 1 and 2.
    @Test func digestsWithAKeyAreThoseOfTheStandard() {
        #expect(
            HMAC.sha256Hex(Array("Hi There".utf8), key: [UInt8](repeating: 0x0b, count: 20))
                == "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7")
        #expect(
            HMAC.sha256Hex(Array("what do ya want for nothing?".utf8), key: Array("Jefe".utf8))
                == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
    }

    // MARK: Escalation

    /// A program that may write roles cannot give itself more than it has.
    @Test func rightsThatOneDoesNotHaveCannotBeGranted() throws {
        try inWorld { world in
            let client = try TLSClient(world)
            world.apply(Self.objects)
            let header = "Authorization: Bearer \(Self.token(world).token)"
            let base = "/apis/rbac.authorization.k8s.io/v1/namespaces/default"
            let query = "?fieldManager=robot&force=true"
            func apply(_ path: String, _ body: String) -> String {
                client.ask(
                    ["PATCH \(base)/\(path)\(query)"],
                    header: "\(header)\r\nContent-Type: application/apply-patch+yaml",
                    body: body)[0]
            }
            func role(_ verb: String) -> String {
                #"{"rules":[{"apiGroups":["agentos.dev"],"resources":["agents"],"verbs":["\#(verb)"]}]}"#
            }
            #expect(apply("roles/own", role("list")) == "201")
            for verb in ["delete", "*", "escalate"] { #expect(apply("roles/more", role(verb)) == "403", "\(verb)") }
            #expect(apply("roles/lister", role("delete")) == "403", "a role that one has")
            func binding(_ kind: String, _ name: String) -> String {
                #"{"subjects":[{"kind":"User","name":"x"}],"roleRef":{"kind":"\#(kind)","name":"\#(name)"}}"#
            }
            #expect(apply("rolebindings/b", binding("Role", "own")) == "201")
            #expect(apply("rolebindings/c", binding("ClusterRole", "admin")) == "403")
            #expect(apply("rolebindings/d", binding("ClusterRole", "cluster-admin")) == "403")
            #expect(apply("rolebindings/b", binding("Role", "lister")) == "422", "roleRef does not change")
        }
    }

    // MARK: Questions

    @Test(arguments: Kubectl.programs) func kubectlAsksWhatItMay(program: String) throws {
        try inWorld { world in
            let client = try TLSClient(world)
            let robots = Self.objects.split(separator: "---").last { $0.contains("robots") }.map(String.init) ?? ""
            let janes = robots.replacing(
                "{kind: ServiceAccount, name: robot, namespace: default}", with: "{kind: User, name: jane}")
            #expect(world.apply(Self.objects + janes.replacing("name: robots", with: "name: janes")).code == 0)
            let jane = client.kubectl(program, "--user", "jane")
            let admin = client.kubectl(program)
            func answers(_ kubectl: ([String]) -> World.Result, _ words: String..., text: String) {
                let result = kubectl(["auth"] + words)
                #expect(result.output.contains(text), "\(words): \(result.text)")
            }
            answers(jane, "can-i", "list", "agents", text: "yes")
            answers(jane, "can-i", "delete", "agents", text: "no")
            answers(jane, "can-i", "list", "agents", "-n", "other", text: "no")
            answers(jane, "can-i", "get", "/version", text: "yes")
            answers(jane, "can-i", "get", "/metrics", text: "no")
            answers(jane, "can-i", "--list", text: "agents.agentos.dev")
            answers(admin, "can-i", "*", "*", "-A", text: "yes")
            answers(admin, "can-i", "--list", text: "*.*")
            if admin(["auth", "whoami", "-h"]).output.contains("whoami") {
                answers(jane, "whoami", text: "jane")
                let made = admin(["create", "token", "robot"])
                #expect(made.output.hasPrefix("agentos1."), "\(made.text)")
            }
        }
    }

    @Test func reviewsAnswerForOthersToThoseWhoMayAsk() {
        inWorld { world in
            world.startDaemon()
            world.apply(Self.objects)
            let group = "/apis/authorization.k8s.io/v1"
            func allowed(_ path: String, _ spec: String) -> Bool? {
                let answer = RawClient.ask(world.socket, "POST", path, "{\"spec\":\(spec)}")
                #expect(answer?.status == 201, "\(answer?.text ?? "")")
                return JSONReader.read(answer?.text ?? "")?[path: "status", "allowed"]?.bool
            }
            let list =
                #""resourceAttributes":{"namespace":"default","verb":"list","group":"agentos.dev","resource":"agents"}"#
            let robot = #""user":"system:serviceaccount:default:robot""#
            #expect(allowed("\(group)/subjectaccessreviews", "{\(robot),\(list)}") == true)
            #expect(allowed("\(group)/subjectaccessreviews", "{\"user\":\"jane\",\(list)}") == false)
            #expect(allowed("\(group)/namespaces/default/localsubjectaccessreviews", "{\(robot),\(list)}") == true)
            for (path, spec) in [
                ("subjectaccessreviews", "{\(list)}"), ("subjectaccessreviews", "{\(robot)}"),
                ("namespaces/other/localsubjectaccessreviews", "{\(robot),\(list)}"),
                (
                    "namespaces/default/localsubjectaccessreviews",
                    "{\(robot),\"nonResourceAttributes\":{\"verb\":\"get\",\"path\":\"/metrics\"}}"
                ),
            ] {
                let answer = RawClient.ask(world.socket, "POST", "\(group)/\(path)", "{\"spec\":\(spec)}")
                #expect(answer?.status == 400, "\(path) \(spec)")
            }
            let token = Self.token(world).token
            func review(_ token: String) -> Node? {
                let answer = RawClient.ask(
                    world.socket, "POST", "/apis/authentication.k8s.io/v1/tokenreviews",
                    "{\"spec\":{\"token\":\"\(token)\"}}")
                #expect(answer?.text.contains(token) == false, "the token is not repeated")
                return JSONReader.read(answer?.text ?? "")?["status"]
            }
            #expect(review(token)?["authenticated"]?.bool == true)
            #expect(review(token)?[path: "user", "username"]?.string == "system:serviceaccount:default:robot")
            #expect(review("nobody's")?["authenticated"]?.bool == false)
        }
    }

    // MARK: Requests

    @Test func everyRequestIsToldOfAndNobodySpeaksForAnother() throws {
        try inWorld { world in
            let client = try TLSClient(world)
            let jane = client.authority?.issue(.client(user: "jane", groups: []), seconds: 600)
            let trace = "0af7651916cd43dd8448eb211c80319c"
            let parent = "traceparent: 00-\(trace)-b7ad6b7169203331-01"
            #expect(client.ask(["GET /api/v1/namespaces/default/secrets/x"], as: jane, header: parent) == ["403"])
            for header in ["Impersonate-User: adam", "Impersonate-Group: system:masters", "impersonate-uid: 0"] {
                #expect(client.ask(["GET /version"], as: jane, header: header) == ["403"], "\(header)")
                let request = "GET /version HTTP/1.1\r\nHost: x\r\n\(header)\r\n\r\n"
                let socket = RawClient(world.socket)
                socket.send(request)
                #expect(socket.answer()?.status == 403, "\(header)")
            }
            let path = "\(world.state)/audit/requests.jsonl"
            func lines() -> [Node] {
                World.read(path).split(separator: "\n").compactMap { JSONReader.read(String($0)) }
            }
            World.until("the refusal is told of") { lines().contains { $0["trace"]?.string == trace } }
            let line = lines().first { $0["trace"]?.string == trace }
            for (field, text) in [
                ("user", "jane"), ("via", "certificate"), ("verb", "get"), ("resource", "secrets"), ("name", "x"),
                ("namespace", "default"), ("method", "GET"),
            ] {
                #expect(line?[field]?.string == text, "\(field)")
            }
            #expect(line?["code"]?.int == 403)
            var status = stat()
            #expect(stat(path, &status) == 0 && status.st_mode & 0o077 == 0)
        }
    }

    @Test func oneUserLeavesRoomForOthers() {
        var throttle = Throttle()
        let admitted = (0..<5000).filter { _ in throttle.admits("a", nowMs: 0) }.count
        #expect(admitted == Limits.requestBurst)
        #expect(throttle.admits("b", nowMs: 0) && !throttle.admits("a", nowMs: 1))
        #expect((0..<5000).filter { _ in throttle.admits("a", nowMs: 1001) }.count == Limits.requestsPerSecond)
        #expect(throttle.admits("a", nowMs: 500) == false, "a clock that goes back fills nothing")
        for number in 0..<3 * Limits.throttledUsersMax {
            let isAdmitted = throttle.admits("user-\(number)", nowMs: Int64(10_000 * number))
            #expect(isAdmitted, "\(number)")
        }
    }

    @Test(
        arguments: [
            ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", true), (nil, false), ("", false),
            ("00-00000000000000000000000000000000-b7ad6b7169203331-01", false), ("00-xyz-b7ad6b7169203331-01", false),
            ("00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01", false),
            ("00-0af7651916cd43dd8448eb211c80319c", false),
        ] as [(String?, Bool)]) func aTraceGoesOnOrBegins(parent: String?, goesOn: Bool)
    {
        var numbers = TraceNumbers()
        let (one, other) = (Trace(parent, numbers.next()), Trace(parent, numbers.next()))
        #expect(one.id.utf8.count == 32 && (one.id == other.id) == goesOn && one.header.1 != other.header.1)
    }
}
