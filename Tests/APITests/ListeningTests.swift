import Glibc
import Support
import Testing
import Values

@testable import API
@testable import HTTP
@testable import Reconciler

/// The daemon over TLS: real clients, certificates and tokens, and nobody who has none.
@Suite(.serialized) struct ListeningTests {
    @Test func onlyNewTLSIsSpokenAndNobodyIsServedWithoutBeingKnown() throws {
        try inWorld { world in
            let client = try TLSClient(world)
            #expect(client.ask(["GET /livez", "GET /readyz"]) == ["200", "200"])
            #expect(
                client.ask(["GET /version", "GET /healthz", "GET /nowhere", "GET /apis/agentos.dev/v1/agents"]) == [
                    "401", "401", "401", "401",
                ])
            for version in ["TLSv1", "TLSv1_1"] {
                #expect(client.ask(["GET /livez"], version: version)[0].hasPrefix("refused"), "\(version)")
            }
            for version in ["TLSv1_2", "TLSv1_3"] {
                #expect(client.ask(["GET /livez"], version: version) == ["200"], "\(version)")
            }
            // Plain HTTP is no TLS, and no answer.
            #expect(client.ask(["GET /livez"], version: "plain")[0].hasPrefix("refused"))
        }
    }

    @Test func certificatesThatAreNotGoodAreRefused() throws {
        try inWorld { world in
            let client = try TLSClient(world)
            let pki = "\(world.state)/pki/authority"
            let own = Credential(certificate: World.read("\(pki).crt"), key: World.read("\(pki).key"))
            let authority = try #require(Authority(own))
            let foreign = try #require(Authority.make("agentos-apply", seconds: 3600))
            let jane = Authority.Purpose.client(user: "jane", groups: [])
            let target = ["GET /version"]
            #expect(client.ask(target, as: authority.issue(jane, seconds: 600)) == ["200"])
            #expect(client.ask(target, as: authority.issue(jane, seconds: -10))[0].hasPrefix("refused"), "expired")
            #expect(client.ask(target, as: foreign.issue(jane, seconds: 600))[0].hasPrefix("refused"), "foreign")
            #expect(client.ask(target, as: foreign.credential)[0].hasPrefix("refused"), "another authority itself")
            let server = authority.issue(.server(names: ["DNS:localhost"]), seconds: 600)
            #expect(client.ask(target, as: server)[0].hasPrefix("refused"), "a server's own certificate is no client's")
            // The name of the daemon's user over TLS is a name like any other.
            let named = authority.issue(.client(user: "uid:\(getuid())", groups: []), seconds: 600)
            #expect(client.ask(["GET /apis/agentos.dev/v1/agents"], as: named) == ["403"])
        }
    }

    @Test func tokensOfTheFileAreKnownAsLongAsItNamesThem() throws {
        try inWorld { world in
            let file = world.write("tokens.csv", "jane-has-a-long-token,jane,7,\"readers,system:masters\"\n")
            chmod(file, 0o600)
            let client = try TLSClient(world, "--token-auth-file", file)
            let good = "Authorization: Bearer jane-has-a-long-token"
            #expect(client.ask(["GET /apis/agentos.dev/v1/agents"], header: good) == ["200"])
            for bad in [
                "Bearer", "Bearer ", "Bearer jane", "Basic jane-has-a-long-token", "jane-has-a-long-token",
                "Bearer jane-has-a-long-token,", "Bearer jane-has-a-long-toke\u{6e}x",
            ] {
                #expect(client.ask(["GET /version"], header: "Authorization: \(bad)") == ["401"], "\(bad)")
            }
            world.write(file, "john-has-a-long-token,john,8\n")
            // Between the two the file is empty for a moment, and names nobody.
            let john = "Authorization: Bearer john-has-a-long-token"
            World.until("the old token holds no more, and the new one does") {
                client.ask(["GET /version"], header: good) == ["401"]
                    && client.ask(["GET /version", "GET /metrics"], header: john) == ["200", "403"]
            }
            chmod(file, 0o644)
            world.write(file, "john-has-a-long-token,john,8\n\n")
            World.until("a file that others can read names nobody") {
                client.ask(["GET /version"], header: john) == ["401"]
            }
        }
    }

    /// Every route as nobody, as a stranger, as a reader and as an administrator, over TLS and over the socket.
    @Test func everyRouteServesWhomItMay() throws {
        try inWorld { world in
            let client = try TLSClient(world)
            world.apply(Self.binding("ClusterRoleBinding", "readers", "view", "Group", "readers"))
            let authority = try #require(client.authority)
            func certificate(_ user: String, _ groups: String...) -> Credential? {
                authority.issue(.client(user: user, groups: groups), seconds: 600)
            }
            // What ends the daemon or changes who may what stays out.
            let routes = Route.table.filter { !$0.pattern.hasSuffix("/restore") }
            let targets = routes.map { "\($0.method.rawValue) \(HostileRequestsTests.path($0))" }
            let nobody = client.ask(targets)
            let stranger = client.ask(targets, as: certificate("jane"))
            let reader = client.ask(targets, as: certificate("rita", "readers"))
            let master = client.ask(targets, as: certificate("adam", "system:masters"))
            let socket = routes.map { route in
                RawClient.ask(world.socket, route.method.rawValue, HostileRequestsTests.path(route))?.status ?? 0
            }
            for (index, route) in routes.enumerated() {
                let place = targets[index]
                #expect(socket[index] != 401 && socket[index] != 403 && socket[index] != 0, "\(place)")
                let isKubeconfig = route.pattern.hasSuffix("/kubeconfigs")
                #expect((master[index] == "403") == isKubeconfig && master[index] != "401", "\(place)")
                switch route.rule {
                case .anyone: #expect(nobody[index] == "200" && stranger[index] == "200", "\(place)")
                case .authenticated:
                    #expect(nobody[index] == "401" && !["401", "403"].contains(stranger[index]), "\(place)")
                case .resource, .path, .masters:
                    #expect(nobody[index] == "401" && stranger[index] == "403", "\(place)")
                    let isRead = route.verbs.allSatisfy { ["get", "list", "watch"].contains($0.rawValue) }
                    if !isRead || route.kind == .secret { #expect(reader[index] == "403", "\(place)") }
                    if isRead, route.kind == .agent { #expect(reader[index] != "403", "\(place)") }
                }
            }
        }
    }

    @Test(arguments: Kubectl.programs) func kubectlServesTwoPeopleWithDifferentRights(program: String) throws {
        try inWorld { world in
            let client = try TLSClient(world)
            world.apply(
                World.agent("one", "exec sleep 1000")
                    + "apiVersion: v1\nkind: Namespace\nmetadata: {name: other}\n---\n"
                    + "apiVersion: v1\nkind: Secret\nmetadata: {name: key}\nstringData: {word: hush}\n---\n"
                    + Self.role + Self.binding("RoleBinding", "jane", "reader", "User", "jane", role: "Role"), "--wait")
            let admin = client.kubectl(program)
            let jane = client.kubectl(program, "--user", "jane", "--group", "team", "--expires", "1h")
            func fails(_ words: [String], _ text: String) {
                let result = jane(words)
                #expect(result.code != 0 && result.error.contains(text), "\(words): \(result.text)")
            }
            #expect(jane(["get", "agents"]).output.contains("one"))
            #expect(jane(["get", "agent", "one", "-o", "yaml"]).output.contains("kind: Agent"))
            fails(
                ["get", "agents", "-n", "other"],
                #"agents.agentos.dev is forbidden: User "jane" cannot list resource "agents" in API group "agentos.dev" in the namespace "other""#
            )
            fails(["get", "agents", "-A"], "at the cluster scope")
            fails(
                ["delete", "agent", "one"],
                #"agents.agentos.dev "one" is forbidden: User "jane" cannot delete resource "agents""#)
            // A list of Secrets as a table has no values; a whole one has.
            #expect(jane(["get", "secrets"]).output.contains("key"))
            fails(["get", "secret", "key", "-o", "yaml"], #"cannot reveal resource "secrets""#)
            #expect(admin(["get", "secret", "key", "-o", "jsonpath={.data.word}"]).output == "aHVzaA==")
            #expect(admin(["get", "agents", "-A"]).output.contains("one"))
            #expect(admin(["get", "clusterroles"]).output.contains("cluster-admin"))
            #expect(admin(["describe", "secret", "key"]).output.contains("word:  4 bytes"))
        }
    }

    private static let role = """
        apiVersion: rbac.authorization.k8s.io/v1
        kind: Role
        metadata: {name: reader}
        rules:
        - {apiGroups: [agentos.dev], resources: [agents], verbs: [get, list, watch]}
        - {apiGroups: [""], resources: [secrets], verbs: [get, list]}
        ---

        """

    private static func binding(
        _ kind: String, _ name: String, _ to: String, _ subject: String, _ who: String, role: String = "ClusterRole"
    ) -> String {
        """
        apiVersion: rbac.authorization.k8s.io/v1
        kind: \(kind)
        metadata: {name: \(name)}
        subjects: [{kind: \(subject), name: \(who), apiGroup: rbac.authorization.k8s.io}]
        roleRef: {kind: \(role), name: \(to), apiGroup: rbac.authorization.k8s.io}
        ---

        """
    }

    // MARK: Parts

    @Test(
        arguments: [
            ("127.0.0.1:6443", "127.0.0.1:6443"), ("[::1]:0", "[::1]:0"), ("0.0.0.0:65535", "0.0.0.0:65535"),
            ("localhost:1", nil), (":6443", nil), ("::1:6443", nil), ("127.0.0.1", nil), ("127.0.0.1:65536", nil),
            ("[127.0.0.1]:1", nil), ("127.0.0.1:-1", nil), ("127.0.0.1:+1", nil), ("", nil), ("[::1]", nil),
        ] as [(String, String?)]) func addressesAreNumericWithAPort(text: String, read: String?)
    {
        #expect(ListenAddress(text)?.text == read)
    }

    @Test(arguments: [
        "short,jane,1", "a-token-of-some-length,jane", "a-token-of-some-length,,1", "a-token-of-some-length,j,1,\"x",
        "a-token-of-some-length,a,1\na-token-of-some-length,b,2", "a-token-of-some-length,j,1,x,y",
    ]) func aLineThatNamesNobodyIsRefused(csv: String) {
        #expect(throws: TokenFileProblem.self) { try StaticTokens(csv: csv) }
    }

    /// Nothing is half taken, and nobody is asked for a password.
    @Test func identitiesThatAreNotWholeAreRefusedEachWithItsReason() throws {
        let authority = try #require(Authority.make("test", seconds: 60))
        let served = try #require(authority.issue(.server(names: ["DNS:localhost"]), seconds: 60))
        let other = try #require(authority.issue(.server(names: ["DNS:localhost"]), seconds: 60))
        let second = authority.credential.certificate
        func problem(_ certificate: String, _ key: String, trusting authorities: String = "") -> TLSProblem? {
            let more = authorities.isEmpty ? [] : [authorities]
            return TLSSettings(
                identity: Credential(certificate: certificate, key: key), clientAuthorities: more
            ).problem
        }
        #expect(problem(served.certificate + second, served.key, trusting: second + second) == nil)
        for damaged in [
            String(second.prefix(200)), second.replacing("MII", with: "M!I"), second.replacing("M", with: "A"),
        ] {
            #expect(problem(served.certificate + damaged, served.key) == .certificate, "\(damaged)")
            #expect(problem(served.certificate, served.key, trusting: second + damaged) == .authorities, "\(damaged)")
        }
        #expect(problem("", served.key) == .certificate && problem(served.certificate, "") == .key)
        #expect(problem(served.certificate, other.key) == .pair)
        #expect(problem(served.certificate, Self.encryptedKey) == .encryptedKey)
        #expect(problem(served.certificate, served.key, trusting: "none") == .authorities)
    }

    /// Its password is `x`.
    private static let encryptedKey = """
        -----BEGIN ENCRYPTED PRIVATE KEY-----
        MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAjQFsZC+KNlHgICCAAw
        DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEAkCmVMtBgscUg08zQjmQUEEgZA6
        svSqYdbOplLl3/uIj/6k+G1q1t8BZW4+dsljK0IZ6jFSRAnEXpMmntLz+OaLui8i
        ed1ttA1vzaUNu7QzQVUnMM2XdCSn2InpZEI/q3Nc2KbbBrWnLpdvBzDPz5OQtpJt
        Yfc50fzTtjxZiDmtkkrY1eMvNqy151+jc9mQSJI94QdPB1WPJ3ytc2WI7mb70Lc=
        -----END ENCRYPTED PRIVATE KEY-----

        """

    @Test func namesThatNoCertificateHoldsAreRefused() throws {
        let authority = try #require(Authority.make("test", seconds: 60))
        for user in ["", String(repeating: "x", count: 65), "a\u{0}b"] {
            #expect(authority.issue(.client(user: user, groups: []), seconds: 60) == nil)
            #expect(authority.issue(.client(user: "a", groups: [user]), seconds: 60) == nil)
        }
        #expect(authority.issue(.client(user: "ж-system:x", groups: ["ü", "o=b,cn=c"]), seconds: 60) != nil)
        #expect(Authority(Credential(certificate: "", key: "")) == nil)
    }
}

/// A daemon that listens, and clients of it.
final class TLSClient {
    private let world: World
    let port: Int
    var authority: Authority? {
        let path = "\(world.state)/pki/authority"
        return Authority(Credential(certificate: World.read("\(path).crt"), key: World.read("\(path).key")))
    }

    init(_ world: World, _ more: String...) throws {
        self.world = world
        let start = world.run(["daemon", "start", "--listen", "127.0.0.1:0"] + more)
        #expect(start.code == 0, "\(start.text) \(world.log)")
        func listening() -> Int {
            let server = world.log.split(whereSeparator: \.isWhitespace).first { $0.hasPrefix("addresses=") }
            return Int(server?.split(separator: ":").last?.prefix { $0.isNumber } ?? "") ?? 0
        }
        World.until("it says where it listens") { listening() > 0 }
        port = listening()
    }

    private static let code = """
        import json, socket, ssl, sys
        work = json.loads(sys.stdin.read())
        version, kept = work["version"], []
        def context():
            made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            made.load_verify_locations(work["ca"])
            if version.startswith("TLS"):
                made.set_ciphers("ALL:@SECLEVEL=0")
                made.minimum_version = made.maximum_version = getattr(ssl.TLSVersion, version)
            if work["cert"]: made.load_cert_chain(work["cert"], work["key"])
            return made
        one = context()
        def connect(session=None):
            plain = socket.create_connection(("127.0.0.1", work["port"]), 60)
            if version == "plain": return plain
            return one.wrap_socket(plain, server_hostname="localhost", session=session)
        def answer(client):
            got = b""
            while b"\\r\\n\\r\\n" not in got:
                part = client.recv(65536)
                if not part: raise OSError("closed")
                got += part
            head, rest = got.split(b"\\r\\n\\r\\n", 1)
            for line in head.split(b"\\r\\n"):
                if line.lower().startswith(b"content-length:"):
                    while len(rest) < int(line.split(b":")[1]): rest += client.recv(65536)
            return head, rest
        def ask(line):
            method, target = line.split(" ", 1)
            try:
                client = kept[0] if kept and version == "keep" else connect()
                if version == "keep": kept[:] = [client]
                if version == "hold": kept.append(client)
                head = f"{method} {target} HTTP/1.1\\r\\nHost: localhost\\r\\n"
                if version not in ("keep", "hold"): head += "Connection: close\\r\\n"
                if work["header"]: head += work["header"] + "\\r\\n"
                body = work["body"].encode()
                client.sendall((head + f"Content-Length: {len(body)}\\r\\n\\r\\n").encode() + body)
                if version in ("whole", "keep", "resume"):
                    head, rest = answer(client)
                    if version == "whole": return (head + rest).decode()
                    if version == "resume":
                        if client.session is None: return "new"
                        return "resumed" if connect(client.session).session_reused else "new"
                    return head.split(b" ", 2)[1].decode()
                got = client.recv(65536)
                return got.split(b" ", 2)[1].decode() if got.startswith(b"HTTP/1.1 ") else "refused: no HTTP"
            except (OSError, ssl.SSLError) as problem: return f"refused: {problem}"
        print(json.dumps([ask(line) for line in work["lines"]]))
        """

    /// The codes of answers, each on a connection of its own.
    func ask(
        _ lines: [String], as credential: Credential? = nil, version: String = "", header: String = "",
        body: String = ""
    ) -> [String] {
        let work = Node.map([
            ("port", .number(port)), ("version", .text(version)), ("header", .text(header)), ("body", .text(body)),
            ("lines", .list(lines.map(Node.text))), ("ca", .text("\(world.state)/pki/authority.crt")),
            ("cert", .text(credential.map { world.write("client.crt", $0.certificate) } ?? "")),
            ("key", .text(credential.map { world.write("client.key", $0.key) } ?? "")),
        ])
        let result = world.spawn(
            ["/usr/bin/python3", "-c", Self.code], input: JSONWriter.text(work))
        let answers = JSONReader.read(result.output)?.list?.compactMap(\.string)
        #expect(answers?.count == lines.count, "\(result.text)")
        return answers ?? lines.map { _ in "no answer" }
    }

    /// A whole answer.
    func text(_ line: String, as credential: Credential?, header: String, body: String) -> String {
        ask([line], as: credential, version: "whole", header: header, body: body)[0]
    }

    private var configurations = 0

    /// A kubectl with a kubeconfig of its own.
    func kubectl(_ program: String, _ options: String...) -> ([String]) -> World.Result {
        configurations += 1
        let made = world.run(["kubeconfig"] + options)
        #expect(made.code == 0, "\(made.text)")
        let file = world.write("kubeconfig-\(configurations)", made.output)
        return { [world] words in
            world.spawn([program, "--kubeconfig=\(file)"] + words)
        }
    }
}
