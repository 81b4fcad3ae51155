import Glibc
import Support
import Testing
import Values
import agentos_apply

/// What a person sees of a thousand agents.
@Suite(.serialized) struct ManyAgentsTests {
    private static let count = 1000

    /// Agents that cost nothing: half of them are suspended, half have no replicas.
    private static func manifest(_ index: Int, priority: Int = 0) -> String {
        let rest = index % 2 == 0 ? "suspend: true" : "replicas: 0"
        return
            "apiVersion: agentos.dev/v1\nkind: Agent\nmetadata: {name: agent-\(index), labels: {half: \"\(index % 2)\"}}\n"
            + "spec: {command: [sleep, \"1000\"], \(rest), priority: \(priority)}\n---\n"
    }

    private func lines(_ result: World.Result) -> [Substring] { result.output.split(separator: "\n") }

    /// A real terminal of so many columns.
    private func terminal(_ world: World, _ columns: Int, _ command: String) -> World.Result {
        world.spawn(
            [
                "script", "-qec", "stty cols \(columns) rows 24; TERM=xterm exec \(World.program) \(command)",
                "/dev/null",
            ])
    }

    /// Drawn in place, it has the room that there is.
    private func watch(_ world: World, _ columns: Int) {
        let output = "\(world.directory)/watched-\(columns)"
        let watch = World.start(
            [
                "script", "-qfec",
                "stty cols \(columns) rows 24; TERM=xterm exec \(World.program) status -w", "/dev/null",
            ], world.environment, nil, output, "\(output).err")
        World.until("it is drawn: \(World.read(output).suffix(300))") {
            let drawn = World.read(output)
            return drawn.contains("1000 agents: 0 broken, 0 on their way, 1000 as they should be")
                && drawn.contains("more lines have no room here")
        }
        World.kill(watch, SIGTERM)
        _ = World.wait(watch)
    }

    @Test func eachVerbShowsThemAll() {
        inWorld { world in
            let all = world.write("all.yaml", (0..<Self.count).map { Self.manifest($0) }.joined())
            let applied = world.run("-f", all, timeoutMs: 600_000)
            #expect(applied.code == 0 && lines(applied).count == Self.count, "\(applied.error)")
            World.until("all of them are settled") {
                lines(world.run("get", "agents")).count { $0.contains("Suspended") || $0.contains("Stopped") }
                    == Self.count
            }

            let names = Set(lines(world.run("get", "agents", "-o", "name")))
            #expect(names == Set((0..<Self.count).map { "agent.agentos.dev/agent-\($0)" }))
            #expect(lines(world.run("get", "agents", "-l", "half=1")).count == Self.count / 2 + 1)
            let status = world.run("status")
            #expect(status.code == 0 && lines(status).count == Self.count + 1 && !status.output.contains("\u{1b}"))
            #expect(lines(world.run("status", "--tree")).count == Self.count + 1)
            for columns in [60, 200] {
                let shown = terminal(world, columns, "status")
                #expect(shown.output.split(separator: "\r\n").count == Self.count + 1, "\(shown.output.suffix(200))")
                watch(world, columns)
            }
            let top = world.run("top")
            #expect(top.code == 0 && lines(top).count <= 1, "\(top.text)")
            let why = world.run("why", "agent-778")
            #expect(why.output.contains("agent default/agent-778 is Suspended"), "\(why.text)")

            // A plan of all of them, of which one changes and one is new.
            let same = world.run("plan", "-f", all)
            #expect(same.code == 0 && same.output.contains("0 to create, 0 to change"), "\(same.text.suffix(300))")
            let other = world.write(
                "other.yaml",
                (0..<Self.count + 1).map { Self.manifest($0, priority: $0 == 500 ? 3 : 0) }.joined())
            let plan = world.run("plan", "-f", other)
            #expect(plan.code == 2 && plan.output.contains("~ agent default/agent-500"), "\(plan.text.suffix(500))")
            #expect(plan.output.contains("+ agent default/agent-1000") && lines(plan).count < 30)

            // Those who have never run hold nobody up, and fill no screen.
            let none = world.run("logs", "-l", "half=0", "--tail", "1")
            #expect(none.code == 1 && none.error.hasSuffix("has not run yet\n"), "\(none.text)")
            world.apply(
                World.agent("talker", "echo hello; exec sleep 1000").replacing(
                    "{name: talker}", with: "{name: talker, labels: {half: \"0\"}}"), "--wait")
            World.until("it has said so") { world.run("logs", "talker").output == "hello\n" }
            let logs = world.run("logs", "-l", "half=0", "--tail", "1")
            #expect(logs.code == 0 && logs.output == "[talker/0] hello\n", "\(logs.text.prefix(300))")
            #expect(logs.error.hasSuffix("495 more replicas have nothing to show\n"), "\(logs.error)")
            #expect(world.run("top", "--sort-by", "memory").output.contains("talker"))
            let gone = world.run("delete", "agents", "-l", "half=0", timeoutMs: 300_000)
            #expect(gone.code == 0 && lines(gone).count == Self.count / 2 + 1, "\(gone.error)")
            #expect(lines(world.run("get", "agents", "-o", "name")).count == Self.count / 2)
        }
    }
}
