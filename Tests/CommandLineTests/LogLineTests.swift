import Support
import Testing
import Values

/// Gate 5, for lines of the log: whoever collects them finds when, how grave and what in each, in both forms.
@Suite struct LogLineTests {
    private static let levels: Set<String> = ["debug", "info", "warning", "error"]

    @Test(arguments: ["json", "text"]) func everyLogLineCarriesItsFields(format: String) {
        inWorld { world in
            // A sink that is away, settings that cannot be used, an agent that crashes, an end.
            let sinks = "sinks:\n- {name: away, file: {path: /proc/none/events}}\n"
            let path = world.write("daemon.yaml", "logFormat: \(format)\n\(sinks)")
            #expect(world.start("--config", path).code == 0)
            world.apply(World.agent("bad", "exit 3"))
            World.until("the sink is told of") { world.log.contains("away") }
            world.write("daemon.yaml", "logFormat: [")
            #expect(world.run("daemon", "reload").code != 0)
            #expect(world.run("daemon", "stop").code == 0)
            World.until("the last line is there") { world.log.contains("daemon ended") }
            let lines = world.log.split(separator: "\n").map(String.init)
            var seen: Set<String> = []
            for line in lines {
                let fields = format == "json" ? Self.json(line) : Self.text(line)
                #expect(
                    Timestamp.parse(fields["time"] ?? "") != nil && Self.levels.contains(fields["level"] ?? "")
                        && fields["message"]?.isEmpty == false,
                    "write with Log, which gives each line time, level and message, not to standard error: \(line)")
                seen.insert(fields["level"] ?? "")
            }
            #expect(lines.count >= 5 && seen.isSuperset(of: ["info", "error"]), "\(world.log)")
        }
    }

    /// All fields of a line are texts.
    private static func json(_ line: String) -> [String: String] {
        let entries = JSONReader.read(line)?.map?.entries ?? []
        let texts = entries.compactMap { entry in entry.value.string.map { (entry.key, $0) } }
        return texts.count == entries.count ? Dictionary(texts, uniquingKeysWith: { _, last in last }) : [:]
    }

    /// Time, level and message, then fields as `name="value"`.
    private static func text(_ line: String) -> [String: String] {
        let form = #/^(\S+) (\S+) ([^"=]+?)( [a-zA-Z_]+="(?:[^"\\]|\\.)*")*$/#
        guard let match = line.firstMatch(of: form) else { return [:] }
        return ["time": String(match.output.1), "level": String(match.output.2), "message": String(match.output.3)]
    }
}
