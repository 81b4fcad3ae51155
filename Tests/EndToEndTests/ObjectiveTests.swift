import Support
import Testing
import Values

/// Objectives of a daemon that runs agents.
@Suite struct ObjectiveTests {
    private static let success = "agent-start-success"

    private static func objective(freeze: Bool) -> String {
        """
        apiVersion: agentos.dev/v1
        kind: Objective
        metadata: {name: \(success)}
        spec: {indicator: StartSuccess, target: 99, window: 168h, freeze: \(freeze)}
        """
    }

    private static func good(_ word: String, _ reason: String? = nil) -> String {
        let annotation = reason.map { "metadata: {name: good, annotations: {agentos.dev/override-freeze: \($0)}}" }
        return World.agent("good", "\(World.stays) # \(word)")
            .replacing("metadata: {name: good}", with: annotation ?? "metadata: {name: good}")
    }

    private static func report(_ world: World) -> Node? {
        JSONReader.read(world.run("slo", success, "-o", "json").output)?["items"]?.list?.first?["status"]
    }

    @Test func aSpentBudgetIsToldAndFreezesWhatDoesNotHelp() {
        inWorld { world in
            world.startDaemon()
            let shipped = world.run("get", "objectives", "-o", "name").output.split(separator: "\n").count
            #expect(shipped == 5)
            for word in ["one", "two"] {
                world.apply(Self.good(word))
                World.until("it is Ready") { world.phase("good") == "Ready" }
            }
            World.until("its starts are counted") { Self.report(world)?["goodEvents"]?.int ?? 0 >= 2 }
            #expect(world.run("slo", Self.success).code == 0)
            #expect(world.apply(Self.objective(freeze: true)).code == 0)
            world.apply(World.agent("bad", "exit 3", World.neverReady))
            World.until("the budget is spent") { world.run("slo").code == 3 }
            World.until("it is told") { world.events().contains { $0["event_type"] == "objective.spent" } }
            let met = world.get(Self.success, kind: "objective")?[path: "status", "conditions"]?.list?.first
            #expect(met?["type"] == "Met" && met?["status"] == "False" && met?["reason"] == "BudgetSpent")
            let table = world.run("slo").output
            #expect(
                table.contains("Spent") && table.contains("█") && table.contains("99% of starts succeed"), "\(table)")

            let refused = world.apply(Self.good("three"))
            #expect(refused.code == 3 && refused.text.contains(Self.success), "\(refused.text)")
            #expect(refused.text.contains("agentos.dev/override-freeze"), "it says what helps")
            #expect(world.run("scale", "good", "--replicas", "2").code == 3)
            let new = world.apply(World.agent("new", World.stays))
            #expect(new.code == 3, "\(new.text)")

            let undone = world.run("rollout", "undo", "good")
            #expect(undone.code == 0, "\(undone.text)")
            let suspended = world.run("suspend", "good")
            #expect(suspended.code == 0, "\(suspended.text)")
            #expect(world.run("resume", "good").code == 3)
            #expect(world.apply(Self.good("four", "the fix")).code == 0, "whoever may answers for it")
            #expect(world.apply(Self.good("five", "the fix")).code == 3, "once")
            #expect(world.run("delete", "agent", "bad").code == 0)

            var tries = 0
            World.until("what was measured is written") {
                tries += 1
                world.run("label", "agent", "good", "try=\(tries)", "--overwrite")
                return Self.badStarts(world) > 0
            }
            let before = Self.report(world)?["badEvents"]?.int ?? 0
            world.killDaemon()
            world.startDaemon()
            #expect(world.run("slo").code == 3, "the window survives")
            #expect((1...before).contains(Self.report(world)?["badEvents"]?.int ?? 0))

            #expect(world.apply(Self.objective(freeze: false)).code == 0)
            #expect(world.apply(Self.good("six")).code == 0)
        }
    }

    /// As it stands in the database.
    private static func badStarts(_ world: World) -> Int {
        let code = """
            import sqlite3, sys
            sum, = sqlite3.connect(sys.argv[1]).execute("SELECT sum(bad) FROM measurements WHERE measured = 'starts'").fetchone()
            print(sum or 0)
            """
        let result = world.spawn(["python3", "-c", code, "\(world.state)/store/agentos.db"])
        return Int(result.output.split(separator: "\n").first ?? "") ?? 0
    }
}
