import Manifests
import Values

struct Auth: Verb {
    static let name = "auth"
    static let usage = "auth can-i VERB KIND[/NAME] | can-i --list | whoami"
    static let text = "Ask who one is and what one may; can-i ends with 0 for yes and 1 for no."
    static let operands = Operands.words(["can-i", "whoami"])

    let namespace = NamespaceOption()
    @Option("subresource", value: "NAME", "of this part of it: log, exec, scale") var subresource: String?
    @Flag("list", "all that one may in the namespace") var lists
    @Flag("quiet", short: "q", "say it by the exit code only") var isQuiet

    private static let base = "/apis/authorization.k8s.io/v1"

    func run(_ invocation: Invocation) throws -> ExitCode {
        let words = Array(invocation.words.dropFirst())
        switch invocation.words.first {
        case "whoami" where words.isEmpty: return try whoAmI(invocation.session())
        case "can-i" where lists:
            guard words.isEmpty else { throw invocation.usage("give either --list, or VERB KIND") }
            return try list(invocation.session())
        case "can-i":
            guard words.count == 2 || words.count == 3 else { throw invocation.usage("give VERB KIND, or --list") }
            let attributes = try attributes(words, invocation)
            return try ask(attributes, invocation.session())
        default: throw invocation.usage("expected can-i VERB KIND, can-i --list or whoami")
        }
    }

    private func attributes(_ words: [String], _ invocation: Invocation) throws -> (String, Node) {
        if words[1].hasPrefix("/"), words.count == 2 {
            return ("nonResourceAttributes", .map([("verb", .text(words[0])), ("path", .text(words[1]))]))
        }
        let parts = words[1].split(separator: "/", maxSplits: 1).map(String.init) + words.dropFirst(2)
        guard parts.count <= 2, let resource = parts.first else {
            throw invocation.usage("give KIND NAME or KIND/NAME, not both")
        }
        // Also what is no kind of manifests can be asked about: `pods`, `pods.metrics.k8s.io`.
        let kind = Kind.named(resource)
        let names = resource.split(separator: ".", maxSplits: 1).map(String.init)
        let isNamespaced = kind?.isNamespaced ?? true
        return (
            "resourceAttributes",
            .map([
                ("verb", .text(words[0])), ("group", .text(kind?.group ?? (names.count > 1 ? names[1] : ""))),
                ("resource", .text(kind?.resource ?? names.first ?? "")),
                ("subresource", subresource.map(Node.text)),
                ("namespace", isNamespaced ? .text(namespace.name) : nil),
                ("name", parts.count > 1 ? .text(parts[1]) : nil),
            ])
        )
    }

    private func ask(_ attributes: (String, Node), _ session: Session) throws -> ExitCode {
        let review = Node.map([("spec", .map([(attributes.0, attributes.1)]))])
        let answer = try session.node(
            "POST", "\(Self.base)/selfsubjectaccessreviews", body: JSONWriter.bytes(review))
        guard let allowed = answer[path: "status", "allowed"]?.bool else {
            throw session.problem(.notUnderstood("it says neither yes nor no"))
        }
        let reason = answer[path: "status", "reason"]?.string ?? ""
        if !isQuiet { try Terminal.print(allowed ? "yes" : reason.isEmpty ? "no" : "no - \(reason)") }
        return allowed ? .success : .failure
    }

    private func list(_ session: Session) throws -> ExitCode {
        let review = Node.map([("spec", .map([("namespace", .text(namespace.name))]))])
        let status = try session.node(
            "POST", "\(Self.base)/selfsubjectrulesreviews", body: JSONWriter.bytes(review))["status"]
        func words(_ rule: Node, _ field: String) -> [String] { (rule[field]?.list ?? []).compactMap(\.string) }
        var rows: [[String]] = []
        for rule in status?["resourceRules"]?.list ?? [] {
            let verbs = words(rule, "verbs").joined(separator: ",")
            let names = words(rule, "resourceNames").joined(separator: ",")
            for resource in words(rule, "resources") {
                for group in words(rule, "apiGroups") {
                    rows.append([group.isEmpty ? resource : "\(resource).\(group)", names, "", verbs])
                }
            }
        }
        for rule in status?["nonResourceRules"]?.list ?? [] {
            let paths = words(rule, "nonResourceURLs").joined(separator: ",")
            rows.append(["", "", paths, words(rule, "verbs").joined(separator: ",")])
        }
        rows.sort { $0.lexicographicallyPrecedes($1) }
        try Terminal.print(Table(["RESOURCE", "NAMES", "PATHS", "VERBS"], rows, hasColor: false).text())
        return .success
    }

    private func whoAmI(_ session: Session) throws -> ExitCode {
        let answer = try session.node(
            "POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", body: JSONWriter.bytes(.map([])))
        let user = answer[path: "status", "userInfo"]
        let groups = (user?["groups"]?.list ?? []).compactMap(\.string).joined(separator: ", ")
        try Terminal.print("user:   \(user?["username"]?.string ?? "")\ngroups: \(groups)")
        return .success
    }
}
