import HTTP
import Manifests
import Reconciler
import Resources
import Support
import Testing
import Values

@testable import API

/// The documents of OpenAPI, made of the tables of resources and routes.
@Suite(.serialized) struct OpenAPITests {
    private static let python = "\(World.root)/.build/clients/bin/python3"

    @Test func everyParameterAndEveryFieldHasItsText() {
        for route in Route.table {
            for parameter in route.parameters {
                #expect(!Query.text(of: parameter.name).isEmpty, "\(parameter.name) of \(route.pattern)")
            }
        }
        for (name, schema) in Schemas(.v3, drivers: .none).all() { #expect(Self.bare(schema, name) == [], "\(name)") }
    }

    /// Fields without a text.
    private static func bare(_ schema: Node, _ path: String) -> [String] {
        var found: [String] = []
        for entry in schema["properties"]?.map?.entries ?? [] {
            let inner = "\(path).\(entry.key)"
            if entry.value["description"]?.string?.isEmpty != false { found.append(inner) }
            found += bare(entry.value, inner)
        }
        if let items = schema["items"] { found += bare(items, "\(path)[]") }
        return found
    }

    /// What a fuzzer of documents has found them to say wrongly.
    @Test func answersAreDocumentedAsTheyAre() {
        let paths = OpenAPIDocument(.v2, drivers: .none).node(program: "1")["paths"]
        func operation(_ path: String, _ method: String) -> Node? { paths?[path]?[method] }
        let events = "/api/v1/namespaces/{namespace}/events"
        for (path, method) in [(events, "delete"), ("\(events)/{name}", "delete")] {
            let schema = operation(path, method)?["responses"]?[path: "200", "schema"]
            #expect(schema?["type"] == "object" && schema?["$ref"] == nil, "a Status, or the object")
        }
        #expect(operation(events, "post")?["responses"]?["201"] != nil)
        #expect(operation("/apis/authentication.k8s.io/v1/selfsubjectreviews", "post")?["responses"]?["201"] != nil)
        for path in ["/livez", "/metrics", "\(Route.item(.pods))/log"] {
            #expect(operation(path, "get")?["produces"] == ["text/plain", "application/json"], "\(path)")
        }
        let log = operation("/apis/agentos.dev/v1/eventlog", "get")?["produces"]
        #expect(log == ["application/x-ndjson", "text/event-stream", "application/json"])
        let text = JSONWriter.text(OpenAPIDocument(.v3, drivers: .none).node(program: "1"))
        #expect(!text.contains("2147483647,\"minItems") && !text.contains("\"maxItems\":2147483647"))
    }

    /// The status of agents and Sources is described by the tables that show it.
    @Test func whatAStatusShowsIsDescribed() {
        let schemas = Dictionary(uniqueKeysWithValues: Schemas(.v3, drivers: .none).all())
        for kind in Kind.allCases where !kind.traits.ownStatus.isEmpty && kind != .namespace {
            let status = schemas[Schemas.name(Resource.of(kind))]?[path: "properties", "status"]
            let described = status?["properties"]?.map?.entries.map(\.key) ?? []
            #expect(Set(described) == Set(kind.traits.ownStatus), "\(kind)")
            #expect(status?["x-kubernetes-preserve-unknown-fields"] == true, "others keep fields of theirs there")
        }
        inWorld { world in
            world.apply(World.agent("bad", "exit 3") + World.agent("one", "exec sleep 1000"))
            World.until("it has ended once") { world.runOf("bad")?["lastExit"] != nil }
            for name in ["bad", "one"] {
                let agent = schemas[Schemas.name(.of(.agent))]
                #expect(Self.unknown(world.get(name)?["status"], agent?[path: "properties", "status"], "status") == [])
            }
        }
    }

    /// What a schema does not have, or has as another type.
    private static func unknown(_ node: Node?, _ schema: Node?, _ path: String) -> [String] {
        guard let node else { return [path] }
        let type = schema?["type"]?.string
        if let map = node.map, type == "object" {
            return map.entries.flatMap { entry in
                unknown(entry.value, schema?[path: "properties", entry.key], "\(path).\(entry.key)")
            }
        }
        if let items = node.list, type == "array" {
            return items.flatMap { unknown($0, schema?["items"], "\(path)[]") }
        }
        if let text = node.string, type == "string" {
            let words = schema?["enum"]?.list ?? [.text(text)]
            return words.contains(.text(text)) ? [] : ["\(path): \(text)"]
        }
        let fits = type == "integer" && node.int != nil || type == "boolean" && node.bool != nil
        return fits ? [] : ["\(path): \(type ?? "not described")"]
    }

    /// Every reference leads somewhere, and every operation has a name of its own.
    @Test func documentsAreWhole() {
        for version in [nil] + Discovery.versions.map(Optional.some) {
            let document = OpenAPIDocument(.v3, drivers: .none).node(version, program: "1")
            let text = JSONWriter.text(document)
            for piece in text.split(separator: "\"#/components/schemas/").dropFirst() {
                let name = String(piece.prefix { $0 != "\"" })
                #expect(document[path: "components", "schemas", name] != nil, "\(name)")
            }
            var names: Set<String> = []
            for path in document["paths"]?.map?.entries ?? [] {
                for operation in path.value.map?.entries ?? [] where operation.key != "parameters" {
                    let name = operation.value["operationId"]?.string ?? ""
                    #expect(names.insert(name).inserted, "\(name)")
                }
            }
            #expect(!names.isEmpty)
        }
    }

    @Test(.enabled(if: World.isExecutable(python))) func aValidatorOfOpenAPIFindsNothing() {
        inWorld { world in
            let documents =
                [
                    OpenAPIDocument(.v2, drivers: .none).node(program: "1"),
                    OpenAPIDocument(.v3, drivers: .none).node(program: "1"),
                ]
                + Discovery.versions.map { OpenAPIDocument(.v3, drivers: .none).node($0, program: "1") }
            for (index, document) in documents.enumerated() {
                world.write("document-\(index).json", JSONWriter.text(document))
            }
            let code = """
                import json, sys, openapi_spec_validator
                for path in sys.argv[1:]: openapi_spec_validator.validate(json.load(open(path)))
                print("valid")
                """
            let paths = documents.indices.map { "\(world.directory)/document-\($0).json" }
            let result = world.spawn([Self.python, "-c", code] + paths)
            #expect(result.code == 0 && result.output == "valid\n", "\(result.text)")
        }
    }

    /// kubectl before 1.27 reads protobuf, later ones JSON.
    @Test(.enabled(if: !Kubectl.programs.isEmpty), arguments: Kubectl.programs)
    func kubectlExplains(program: String) {
        inWorld { world in
            world.startDaemon()
            guard let kubectl = Kubectl(program, world) else { return }
            defer { kubectl.close() }
            for (field, texts) in [
                ("agents.spec", ["replicas", "How many ordinals run"]),
                ("agents.spec.resources.limits.memory", ["Bytes at most"]), ("pods.status", ["containerStatuses"]),
                ("configmaps", ["Values as text"]), ("secrets.metadata.labels", ["Labels to select objects by"]),
            ] {
                let result = kubectl.run(["explain", field])
                #expect(result.code == 0, "\(field): \(result.text)")
                for text in texts { #expect(result.output.contains(text), "\(field): \(result.text)") }
            }
        }
    }

    /// kubectl chooses the form of its patch by what the document says of the resource.
    @Test(.enabled(if: !Kubectl.programs.isEmpty), arguments: Kubectl.programs)
    func kubectlAppliesChangesAndRefusesUnknownFields(program: String) {
        inWorld { world in
            world.startDaemon()
            guard let kubectl = Kubectl(program, world) else { return }
            defer { kubectl.close() }
            func apply(_ replicas: String, _ value: String) -> World.Result {
                let path = world.write(
                    "both.yaml",
                    """
                    \(World.agent("one", "exec sleep 1000", replicas))
                    apiVersion: v1
                    kind: ConfigMap
                    metadata: {name: c}
                    data: {a: \(value)}
                    """)
                return kubectl.run(["apply", "-f", path])
            }
            #expect(apply("replicas: 1", "b").code == 0)
            let changed = apply("replicas: 2", "c")
            #expect(changed.code == 0, "\(changed.text)")
            #expect(changed.output.split(separator: "\n").allSatisfy { $0.hasSuffix(" configured") }, "\(changed.text)")
            #expect(world.get("one")?[path: "spec", "replicas"] == 2)
            let wrong = apply("replicaz: 2", "c")
            #expect(wrong.code == 1 && wrong.error.contains("replicaz"), "\(wrong.text)")
        }
    }

    @Test func swaggerIsProtobufForThoseWhoAskForIt() {
        inWorld { world in
            world.startDaemon()
            let client = RawClient(world.socket)
            for (accept, type) in [
                ("application/com.github.proto-openapi.spec.v2@v1.0+protobuf", OpenAPIProtobuf.mediaType),
                ("application/json", "application/json"),
            ] {
                client.send("GET /openapi/v2 HTTP/1.1\r\nHost: localhost\r\nAccept: \(accept)\r\n\r\n")
                let answer = client.answer()
                #expect(answer?.head.contains("Content-Type: \(type)\r\n") == true, "\(answer?.head ?? "")")
            }
            let index = RawClient.ask(world.socket, "GET", "/openapi/v3").flatMap { JSONReader.read($0.text) }
            for entry in index?["paths"]?.map?.entries ?? [] {
                let url = entry.value["serverRelativeURL"]?.string ?? ""
                let document = RawClient.ask(world.socket, "GET", url).flatMap { JSONReader.read($0.text) }
                #expect(document?["openapi"]?.string == "3.0.0", "\(url)")
            }
        }
    }
}
