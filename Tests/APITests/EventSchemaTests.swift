import Glibc
import Reconciler
import Resources
import Support
import Testing
import Values

@testable import API

/// The schemas of events in the repository, and as they are served.
@Suite(.serialized) struct EventSchemaTests {
    private static let python = "\(World.root)/.build/clients/bin/python3"
    private static let directory = "\(World.root)/Documentation/schemas"
    private static let isWriting = getenv("AGENTOS_WRITE_DOCUMENTS") != nil

    private static func write(_ path: String, _ text: String) {
        guard isWriting, let file = fopen(path, "w") else { return }
        fputs(text, file)
        fclose(file)
    }

    /// Made of the descriptions: AGENTOS_WRITE_DOCUMENTS=1 writes them anew.
    @Test func everyVersionOfASchemaIsInTheRepository() {
        if Self.isWriting { mkdir(Self.directory, 0o755) }
        var checksums = World.read("\(Self.directory)/checksums")
        var paths: Set<String> = ["\(Self.directory)/checksums"]
        for (type, version, schema) in EventSchemas.all {
            let name = "\(type)/v\(version).json"
            let text = JSONWriter.text(schema, pretty: true)
            if Self.isWriting { mkdir("\(Self.directory)/\(type)", 0o755) }
            Self.write("\(Self.directory)/\(name)", text)
            #expect(World.read("\(Self.directory)/\(name)") == text, "\(name)")
            paths.insert("\(Self.directory)/\(name)")
            // A line that is there stays: what was released is never edited. Only before its release a line is taken out by hand.
            if Self.isWriting, !checksums.contains("  \(name)\n") {
                checksums += "\(SHA256Digest.hex(Array(text.utf8)))  \(name)\n"
            }
            let isReleased = checksums.contains("\(SHA256Digest.hex(Array(text.utf8)))  \(name)\n")
            #expect(
                isReleased, "\(name) is no longer what it was when it was written: describe a further version instead")
        }
        Self.write("\(Self.directory)/checksums", checksums)
        #expect(Set(World.files(Self.directory)) == paths, "a schema that is there is kept for those who know it")
    }

    /// Whatever the program describes now: all that was ever told can be read by those who read what is told now, and the
    /// other way round.
    @Test func everyEarlierVersionLeadsToTheCurrentOne() {
        let files = World.files(Self.directory).filter { $0.hasSuffix(".json") }
        #expect(files.count >= EventSchemas.all.count)
        for file in files {
            let parts = file.split(separator: "/")
            let type = String(parts[parts.count - 2])
            guard let current = EventSchemas.all.last(where: { $0.type == type }) else {
                Issue.record("\(type) is told no longer")
                continue
            }
            guard let old = JSONReader.read(World.read(file)) else {
                Issue.record("\(file) is no JSON")
                continue
            }
            #expect(SchemaCompatibility.breaks(old, current.schema) == [], "\(file)")
        }
    }

    @Test func schemasAreServed() {
        inWorld { world in
            world.startDaemon()
            let list = RawClient.ask(world.socket, "GET", "/schemas").flatMap { JSONReader.read($0.text) }
            let items = list?["items"]?.list ?? []
            #expect(items.count == EventSchemas.all.count && list?["kind"] == "EventSchemaList")
            for item in items {
                let answer = RawClient.ask(world.socket, "GET", item["path"]?.string ?? "")
                let file = "\(item["type"]?.string ?? "")/v\(item["version"]?.int ?? 0).json"
                #expect(answer?.status == 200)
                #expect(
                    answer.flatMap { JSONReader.read($0.text) }
                        == JSONReader.read(World.read("\(Self.directory)/\(file)")))
            }
            for (path, words) in [
                ("/schemas/run.started/v9", "no such version"), ("/schemas/run.sang/v1", "no event has the type"),
                ("/schemas/run.started/1", "no such version"),
            ] {
                let answer = RawClient.ask(world.socket, "GET", path)
                #expect(answer?.status == 404 && answer?.text.contains(words) == true, "\(answer?.text ?? "")")
            }
        }
    }

    @Test func theDocumentsOfEventsAreMadeOfTheirDescriptions() {
        let page = "\(World.root)/Documentation/events.md"
        let text = World.read(page)
        let wanted = EventsPage.page(text)
        #expect(wanted != nil, "it has a place for them")
        Self.write(page, wanted ?? text)
        #expect(World.read(page) == wanted)
        let document = YAMLWriter.text(AsyncAPI.document)
        Self.write("\(World.root)/Documentation/asyncapi.yaml", document)
        #expect(World.read("\(World.root)/Documentation/asyncapi.yaml") == document)
    }

    // MARK: By programs of others

    private func run(_ world: World, _ code: String, _ words: [String]) -> World.Result {
        world.spawn([Self.python, "-c", code] + words, timeoutMs: 120_000)
    }

    /// Events as consumers get them, of each kind of change that is quickly made.
    @Test(.enabled(if: World.isExecutable(python))) func eventsAreAsTheirSchemasSay() {
        inWorld { world in
            world.apply(World.agent("bad", "exit 3") + World.agent("one", "exec sleep 1000"))
            World.until("it has failed") { world.runOf("bad")?["lastExit"] != nil }
            world.apply("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {a: b}\n")
            world.run("label", "agent", "one", "a=b")
            world.run("delete", "agent", "bad")
            world.run("delete", "configmap", "c")
            World.until("both are gone") { world.get("bad") == nil && world.get("c", kind: "configmap") == nil }
            let events = world.events()
            let types = Set(events.compactMap { $0["event_type"]?.string })
            for type in [
                "agent.created", "agent.updated", "agent.deleted", "configmap.deleted", "run.failed", "run.started",
            ] {
                #expect(types.contains(type), "\(types.sorted())")
            }
            world.write("events", events.map { JSONWriter.text($0) + "\n" }.joined())
            let code = """
                import json, sys
                from jsonschema import Draft202012Validator, FormatChecker
                count = 0
                for line in open(sys.argv[2]):
                    event = json.loads(line)
                    path = f"{sys.argv[1]}/{event['event_type']}/v{event['schema_version']}.json"
                    schema = json.load(open(path))
                    Draft202012Validator.check_schema(schema)
                    Draft202012Validator(schema, format_checker=FormatChecker()).validate(event)
                    count += 1
                for broken in [{}, dict(event, sequence=0), dict(event, occurred_at="today"), dict(event, data=[])]:
                    assert not Draft202012Validator(schema, format_checker=FormatChecker()).is_valid(broken), broken
                print(count)
                """
            let result = run(world, code, [Self.directory, "\(world.directory)/events"])
            #expect(result.code == 0 && result.output == "\(events.count)\n", "\(result.text)")
        }
    }

    @Test(.enabled(if: World.isExecutable(python))) func otherProgramsReadTheDocumentOfEvents() {
        inWorld { world in
            // The model of a program that makes and reads such documents; and every reference leads somewhere.
            let code = """
                import json, pathlib, sys, yaml
                from jsonschema import Draft202012Validator
                from pydantic_asyncapi.v3 import AsyncAPI
                path = pathlib.Path(sys.argv[1])
                document = yaml.safe_load(path.read_text())
                AsyncAPI.model_validate(document)
                try:
                    AsyncAPI.model_validate({**document, "operations": {"x": {"action": "sing"}}})
                    sys.exit("whatever it is given is taken")
                except ValueError:
                    pass
                def references(node):
                    if isinstance(node, dict):
                        yield from [node["$ref"]] if "$ref" in node else []
                        node = list(node.values())
                    for inner in node if isinstance(node, list) else []:
                        yield from references(inner)
                for reference in references(document):
                    if reference.startswith("#/"):
                        place = document
                        for word in reference[2:].split("/"):
                            place = place[word]
                    else:
                        Draft202012Validator.check_schema(json.loads((path.parent / reference).read_text()))
                print(len(document["channels"]))
                """
            let result = run(world, code, ["\(World.root)/Documentation/asyncapi.yaml"])
            #expect(result.code == 0 && result.output == "\(EventDescription.current.count)\n", "\(result.text)")
        }
    }
}
