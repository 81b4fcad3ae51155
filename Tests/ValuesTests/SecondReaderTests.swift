import Support
import Testing
import Values

/// What is written as YAML is the same for other readers, and what another writer writes is the same for ours.
///
/// The other ones are PyYAML, which reads YAML 1.1, and libyaml under it.
@Suite struct SecondReaderTests {
    @Test func whatIsWrittenIsTheSameForEveryReader() {
        var random = SeededRandom(seed: 42)
        let nodes = (0..<3000).map { _ in Node.map([("root", random.node())]) }
        for node in nodes {
            let yaml = YAMLWriter.text(node)
            var diagnostics = Diagnostics()
            let back = YAMLReader.read(Array(yaml.utf8), file: "f", diagnostics: &diagnostics)
            #expect(back == [node] && diagnostics.isEmpty, "\(yaml.debugDescription) \(diagnostics.kept)")
        }
        let pairs = nodes.map { JSONWriter.text(.list([.text(YAMLWriter.text($0)), $0])) }
        let code = """
            import json, sys, yaml
            for line in open(sys.argv[1], newline='\\n'):
                text, node = json.loads(line)
                for loader in yaml.SafeLoader, yaml.CSafeLoader:
                    try: read = yaml.load(text, Loader=loader)
                    except Exception as error: read = repr(error)
                    if json.dumps(read) != json.dumps(node): print(loader.__name__, ascii(text), ascii(read))
            """
        #expect(python(code, pairs) == "")
    }

    @Test func whatAnotherWriterWritesIsReadAsItWasMeant() {
        var random = SeededRandom(seed: 43)
        let nodes = (0..<1500).map { _ in Node.map([("root", random.node(hasDoubles: false))]) }
        // Strings in quotes: a writer of YAML 1.1 leaves out those that only YAML 1.2 needs.
        let code = """
            import json, sys, yaml
            class Quoted(str): pass
            def quote(node):
                if isinstance(node, str): return Quoted(node)
                if isinstance(node, list): return [quote(item) for item in node]
                if isinstance(node, dict): return {Quoted(key): quote(value) for key, value in node.items()}
                return node
            def represent(style):
                # It writes line ends of Unicode raw in the other styles, and reads them back as others.
                return lambda dumper, text: dumper.represent_scalar('tag:yaml.org,2002:str', str(text),
                    style='"' if set(text) & set('\\x85\\u2028\\u2029') else style)
            for number, line in enumerate(open(sys.argv[1], newline='\\n')):
                dumper = [yaml.SafeDumper, yaml.CSafeDumper][number % 2]
                dumper.add_representer(Quoted, represent(['"', "'", '|', '>'][number // 2 % 4]))
                print(json.dumps(yaml.dump(quote(json.loads(line)), Dumper=dumper, width=[40, 1000][number // 8 % 2],
                    default_flow_style=[False, True, None][number // 16 % 3], allow_unicode=number // 48 % 2 == 0,
                    explicit_start=True, sort_keys=False)))
            """
        let lines = python(code, nodes.map { JSONWriter.text($0) }).split(separator: "\n")
        #expect(lines.count == nodes.count)
        for (line, node) in zip(lines, nodes) {
            let yaml = JSONReader.read(String(line))?.string ?? ""
            var diagnostics = Diagnostics()
            let read = YAMLReader.read(Array(yaml.utf8), file: "f", diagnostics: &diagnostics)
            #expect(read == [node] && diagnostics.isEmpty, "\(yaml.debugDescription) \(diagnostics.kept)")
        }
    }

    private func python(_ code: String, _ lines: [String]) -> String {
        var output = ""
        inWorld { world in
            let path = world.write("lines", lines.joined(separator: "\n") + "\n")
            let result = world.spawn(["/usr/bin/python3", "-c", code, path])
            #expect(result.code == 0, "python3 with yaml is needed: scripts/setup --tests; \(result.error)")
            output = result.output
        }
        return output
    }
}
