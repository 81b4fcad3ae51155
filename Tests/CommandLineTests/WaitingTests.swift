import Support
import Testing
import Values
import agentos_apply

/// Waiting for what may never come.
@Suite(.serialized) struct WaitingTests {
    private func agent(_ phase: String, _ exit: (reason: String, code: Int, at: String)?) -> ObjectView {
        let last = exit.map { exit in
            Node.map([
                ("reason", .text(exit.reason)), ("code", .number(exit.code)), ("at", .text(exit.at)),
                ("message", "no such program"),
            ])
        }
        let run = Node.map([("ordinal", 1), ("phase", .text(phase)), ("lastExit", last)])
        return ObjectView(
            .map([
                ("spec", .map([("command", ["tool"])])),
                ("status", .map([("observedGeneration", 2), ("phase", .text(phase)), ("runs", [run])])),
            ]))
    }

    @Test func crashesAreCountedAndStartErrorsAreNot() {
        var crashes = Crashes()
        #expect(crashes.observe(agent("Starting", nil), 2, crashesMax: 2) == nil)
        let first = agent("BackingOff", ("Error", 3, "t1"))
        #expect(crashes.observe(first, 3, crashesMax: 1) == nil)  // of an older generation
        #expect(crashes.observe(first, 2, crashesMax: 2) == nil && crashes.observe(first, 2, crashesMax: 2) == nil)
        let second = crashes.observe(agent("BackingOff", ("Error", 4, "t2")), 2, crashesMax: 2)
        #expect(second?.ordinal == 1)
        #expect(second?.message == "replica 1 crashed twice, at last with Error, code 4, no such program")

        var fresh = Crashes()
        let never = fresh.observe(agent("BackingOff", ("StartError", 127, "t1")), 2, crashesMax: 99)
        #expect(
            never?.message
                == "replica 1 cannot start: no such program (program \"tool\"); no retry mends that: make it right on this machine, or correct the manifest, and apply again"
        )
        // What ended before, or was asked to end, is no crash.
        let old = agent("BackingOff", ("StartError", 127, "t1"))
        var changed = Crashes(endsBefore: Crashes.ends(old))
        #expect(changed.observe(old, 2, crashesMax: 1) == nil)
        #expect(changed.observe(agent("Starting", ("Completed", 0, "t2")), 2, crashesMax: 1) == nil)
    }

    @Test func conditionsAreReadFromWords() throws {
        #expect(try Goal("delete") == .deleted && Goal("Ready") == .condition("Ready"))
        #expect(try Goal("condition=Ready=False") == .condition("Ready", status: "False"))
        #expect(try Goal("phase=BackingOff") == .phase("BackingOff"))
        #expect(
            try Goal("jsonpath={.status.phase}=Ready") == .field(FieldQuery(".status.phase"), equals: "Ready"))
        #expect(try Goal("jsonpath={.a['b=c']}") == .field(FieldQuery("{.a['b=c']}"), equals: nil))
        for text in [
            "", "Redy", "phase=", "condition=Ready=maybe", "jsonpath=.status", "jsonpath={.a}x", "jsonpath={..a}",
            "jsonpath={.a[?(@.b)]}", "jsonpath={.a[}", "jsonpath={}", "jsonpath={.a[x]}", "jsonpath={.a.}",
        ] { #expect(throws: Mistake.self, "\(text)") { try Goal(text) } }
    }

    @Test func fieldsAreFoundByTheirPaths() throws {
        let node = try #require(JSONReader.read(#"{"a":[{"b":1},{"b":"x"}],"m":{"k.l":true}}"#))
        func found(_ path: String) throws -> [String] { try FieldQuery(path).values(in: node).map(FieldQuery.text) }
        #expect(try found("{.a[1].b}") == ["x"] && found("{.a[*].b}") == ["1", "x"])
        #expect(try found("$.m['k.l']") == ["true"] && found(".a[7].b") == [] && found(".nothing") == [])
        #expect(try found(".m.*") == ["true"])
    }

    @Test func whatNoRetryMendsEndsAtOnce() {
        inWorld { world in
            let missing = world.apply(
                World.agent("lost", "x").replacing("command: [sh, -c, \"x\"]", with: "command: [nonesuch]"), "--wait",
                "--timeout", "280s")
            #expect(missing.code == 6, "\(missing.text)")
            #expect(
                missing.output.contains("agent.agentos.dev/lost: failed: replica 0 cannot start: ")
                    && missing.output.contains("there is no program \"nonesuch\"")
                    && missing.output.contains("no retry mends that"), "\(missing.text)")
            // Mended: the old failure is none any more.
            let mended = world.apply(World.agent("lost", World.stays), "--wait")
            #expect(mended.code == 0, "\(mended.text)")

            let loop = world.apply(
                World.agent(
                    "loop", "echo why; exit 9", "backoff: {initialSeconds: 0, maxSeconds: 0}\n\(World.neverReady)"),
                "--wait",
                "--fail-after", "2", "--timeout", "280s")
            #expect(loop.code == 6 && loop.output.contains("code 9"), "\(loop.text)")
            // Its last lines are those of the last run: here no other begins before they are asked for.
            let once = world.apply(
                World.agent(
                    "once", "echo why; exit 9",
                    "backoff: {initialSeconds: 86400, maxSeconds: 86400}\n\(World.neverReady)"),
                "--wait",
                "--fail-after", "1", "--timeout", "280s")
            #expect(once.code == 6 && once.output.contains("its last lines:\n  | why\n"), "\(once.text)")
            #expect(world.apply(World.agent("loop", "exit 9"), "--fail-after", "0").code == 64)
        }
    }

    @Test func waitingTellsWhatWasAndWhatNeverWas() {
        inWorld { world in
            world.apply(World.agent("one", World.stays), "--wait")
            #expect(world.run("wait", "agent/one", "--for", "jsonpath={.status.phase}=Ready").code == 0)
            #expect(world.run("wait", "agent/one", "--for", "condition=Ready=False", "--timeout", "1s").code == 5)
            #expect(world.run("wait", "agent", "-l", "a=b", "--for", "Ready").error.contains("No such agents"))
            let never = world.run("wait", "agent/nobody", "--for", "delete")
            #expect(never.code == 0 && never.output == "agent.agentos.dev/nobody: never was\n", "\(never.text)")
            let waiting = world.begin("wait", "agent/one", "--for", "delete")
            let ready = world.begin("wait", "agent/one", "--for", "phase=Completed")
            World.until("both look") { world.run("get", "agents").code == 0 }
            world.run("delete", "agent/one")
            #expect(World.wait(waiting.pid) == 0)
            #expect(
                ["agent.agentos.dev/one: was deleted\n", "agent.agentos.dev/one: never was\n"].contains(
                    World.read(waiting.output)))
            #expect([1, 6].contains(World.wait(ready.pid)))
            #expect(
                world.run("wait", "agent/one").code == 64 && world.run("wait", "agent/one", "--for", "Redy").code == 64)
        }
    }
}
