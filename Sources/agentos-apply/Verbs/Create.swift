import HTTPClient
import Manifests
import Values

struct Create: Verb {
    static let name = "create"
    static let usage = "create namespace NAME | secret generic NAME | configmap NAME | -f PATH…"
    static let text = "Make objects that are not there yet; those that are stay as they are, with exit code 7."
    static let operands = Operands.words(["namespace", "secret", "configmap"])

    enum Format: String, OutputChoice {
        case line, name, yaml, json
    }

    let manifests = ManifestOptions()
    @Option("from-literal", value: "KEY=VALUE", "a value; may be repeated") var literals: [String]
    @Option("from-file", value: "[KEY=]PATH", "the content of a file, or of all of a directory; may be repeated")
    var files: [String]
    @Option("from-env-file", value: "PATH", "lines NAME=VALUE of a file; may be repeated") var variables: [String]
    @Option("type", value: "TYPE", "of the Secret (default: Opaque)") var type: String?
    @Flag("dry-run", also: ["client", "server"], "print the object, change nothing") var isDryRun
    @Option("output", short: "o", value: "FORMAT", "line, name, yaml or json") var format = Format.line

    func run(_ invocation: Invocation) throws -> ExitCode {
        let objects: [(kind: Kind, node: Node)]
        if manifests.paths.isEmpty {
            do { objects = [try object(invocation)] } catch let mistake as Mistake {
                throw invocation.usage(mistake.message)
            }
        } else {
            guard invocation.words.isEmpty else { throw invocation.usage("give either words, or -f PATH") }
            objects = try ManifestFiles.read(manifests, invocation).map { ($0.kind, ApplyRequest.object($0)) }
        }
        let session = isDryRun ? nil : try invocation.session()
        var worst = ExitCode.success
        for (kind, node) in objects {
            do { try create(kind, node, session) } catch let problem as CommandProblem {
                guard objects.count > 1, problem.code == .conflict || problem.code == .invalid else { throw problem }
                Terminal.printError(problem.message)
                worst = problem.code
            }
        }
        return worst
    }

    private func create(_ kind: Kind, _ node: Node, _ session: Session?) throws {
        var made = node
        if let session {
            let path = Session.path(kind, namespace: node[path: "metadata", "namespace"]?.string)
            var request = Client.Request(
                "POST", path, query: [("fieldManager", "agentos-create"), ("fieldValidation", "Strict")],
                body: JSONWriter.bytes(node))
            request.headers = ["Content-Type: application/json"]
            made = try session.node(session.send(request))
        }
        let shown = "\(kind.qualifiedSingular)/\(made[path: "metadata", "name"]?.string ?? "")"
        switch format {
        case .line: try Terminal.print("\(shown) created\(isDryRun ? " (dry run)" : "")")
        case .name: try Terminal.print(shown)
        // What was given is shown again; what the daemon holds is not.
        case .yaml: try Terminal.print(YAMLWriter.text(isDryRun ? made : ObjectView(made).withoutValues.node))
        case .json:
            try Terminal.print(
                JSONWriter.text(isDryRun ? made : ObjectView(made).withoutValues.node, pretty: true))
        }
    }

    // MARK: From words

    private func object(_ invocation: Invocation) throws -> (Kind, Node) {
        var words = invocation.words
        guard let first = words.first else { throw invocation.usage("give namespace, secret generic or configmap") }
        let kind = try kind(first, invocation)
        guard [.namespace, .secret, .configMap].contains(kind) else {
            throw invocation.usage("a \(kind.rawValue) is created from a manifest: give -f PATH")
        }
        words.removeFirst()
        if kind == .secret {
            guard words.first == "generic" else {
                throw invocation.usage("expected secret generic NAME; other types are made with --type")
            }
            words.removeFirst()
        }
        guard words.count == 1 else { throw invocation.usage("give one NAME") }
        if kind == .namespace, !literals.isEmpty || !files.isEmpty || !variables.isEmpty {
            throw invocation.usage("a Namespace has no values")
        }
        if kind != .secret, type != nil { throw invocation.usage("--type is of a Secret") }
        var data = LiteralData()
        for word in literals { try data.addLiteral(word) }
        for word in files { try data.addFile(word) }
        for path in variables { try data.addVariables(path) }
        let values: Node? = kind == .namespace ? nil : kind == .secret ? data.base64 : try data.text()
        let metadata = Node.map([
            ("name", .text(words[0])),
            ("namespace", kind.isNamespaced ? .text(manifests.namespace ?? "default") : nil),
        ])
        return (
            kind,
            .map([
                ("apiVersion", .text(kind.apiVersion)), ("kind", .text(kind.rawValue)), ("metadata", metadata),
                ("type", kind == .secret ? .text(type ?? "Opaque") : nil), ("data", values),
            ])
        )
    }
}
