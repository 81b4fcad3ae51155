import Manifests
import Values

struct Kubeconfig: Verb {
    static let name = "kubeconfig"
    static let usage = "kubeconfig [--user NAME] [--group GROUP]… [-n NAME]"
    static let text = "Print what kubectl needs to talk to the daemon as a user of its own."

    @Option("user", value: "NAME", "the user (default: admin, in the group system:masters)") var user: String?
    @Option("group", value: "GROUP", "a group of the user; may be repeated") var groups: [String]
    @Option("namespace", short: "n", value: "NAME", "the namespace of commands that name none") var namespace: String?
    @Option("expires", value: "TIME", "how long it is good, such as 24h (default: a year)") var expires: Span?
    @Option("server", value: "URL", "where kubectl reaches the daemon (default: where it listens)") var server: String?

    func run(_ invocation: Invocation) throws -> ExitCode {
        try invocation.takeNoWords()
        let session = Session(try invocation.localPaths())
        let name = user ?? "admin"
        let all = user == nil && groups.isEmpty ? ["system:masters"] : groups
        let request = Node.map([
            ("user", .text(name)), ("groups", .list(all.map(Node.text))),
            ("expirationSeconds", (expires?.ms).map { .number($0 / 1000) }),
        ])
        let answer = try session.node(
            "POST", "/apis/agentos.dev/v1/kubeconfigs", body: JSONWriter.bytes(request))
        func encoded(_ field: String) -> Node { .text(Base64.encode(Array((answer[field]?.string ?? "").utf8))) }
        let cluster = Node.map([
            ("server", server.map(Node.text) ?? answer["server"]), ("certificate-authority-data", encoded("trusted")),
        ])
        let credential = Node.map([
            ("client-certificate-data", encoded("certificate")), ("client-key-data", encoded("key")),
        ])
        let context = Node.map([
            ("cluster", "agentos"), ("user", .text(name)), ("namespace", namespace.map(Node.text)),
        ])
        try Terminal.print(
            YAMLWriter.text(
                .map([
                    ("apiVersion", "v1"), ("kind", "Config"), ("current-context", "agentos"),
                    ("clusters", [.map([("name", "agentos"), ("cluster", cluster)])]),
                    ("users", [.map([("name", .text(name)), ("user", credential)])]),
                    ("contexts", [.map([("name", "agentos"), ("context", context)])]),
                ])))
        return .success
    }
}
