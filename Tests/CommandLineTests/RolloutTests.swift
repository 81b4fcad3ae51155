import Glibc
import Support
import Testing
import Values

/// What is kept of the revisions of agents, the way back to one, and pauses, as a person sees them.
@Suite(.serialized) struct RolloutTests {
    private func manifest(_ word: String, _ more: String = "", cause: String? = nil) -> String {
        let annotations = cause.map { "\n  annotations: {kubernetes.io/change-cause: \($0)}" } ?? ""
        return "apiVersion: agentos.dev/v1\nkind: Agent\nmetadata:\n  name: one\(annotations)\nspec:\n"
            + "  command: [sleep, \"\(word)\"]\n  terminationGracePeriodSeconds: 0\n  \(more)\n"
    }

    private func command(_ world: World) -> Node? { world.get("one")?[path: "spec", "command"] }

    @Test func whatWasBeforeIsToldAndBroughtBack() {
        inWorld { world in
            world.apply(manifest("1001", cause: "first"), "--wait")
            world.apply(manifest("1002", "replicas: 2", cause: "second"), "--wait")
            world.apply(manifest("1003", "replicas: 2", cause: "third"), "--wait")
            let history = world.run("rollout", "history", "agent/one")
            let rows = history.output.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
            #expect(rows.first == ["REVISION", "SINCE", "BY", "CHANGE-CAUSE"], "\(history.text)")
            #expect(
                rows.dropFirst().map { [$0.first, $0.last] } == [["1", "first"], ["2", "second"], ["3", "third"]])
            let second = world.run("rollout", "history", "one", "--revision", "2")
            #expect(second.output.hasPrefix("agent.agentos.dev/one with revision 2\n"), "\(second.text)")
            #expect(second.output.contains("\"1002\"") && !second.output.contains("replicas"), "\(second.text)")
            let json = JSONReader.read(world.run("rollout", "history", "one", "-o", "json").output)
            #expect(json?["items"]?.list?.map { $0["revision"] } == [3, 2, 1])
            #expect(world.run("rollout", "history", "one", "--revision", "9").error.contains("there are 1, 2, 3"))

            let dry = world.run("rollout", "undo", "agent/one", "--dry-run")
            #expect(dry.output.hasPrefix("agent.agentos.dev/one rolled back to revision 2 (dry run)\n"), "\(dry.text)")
            #expect(dry.output.contains("spec.command: [\"sleep\",\"1003\"] → [\"sleep\",\"1002\"]"), "\(dry.text)")
            #expect(command(world) == ["sleep", "1003"])

            #expect(
                world.run("rollout", "undo", "agent/one", "--to-revision", "1").output
                    == "agent.agentos.dev/one rolled back to revision 1\n")
            #expect(world.run("rollout", "status", "one").code == 0)
            let object = world.get("one")
            #expect(command(world) == ["sleep", "1001"] && object?[path: "spec", "replicas"] == 2)
            #expect(world.status("one")?["revision"] == 4 && world.status("one")?["updatedReplicas"] == 2)
            #expect(object?[path: "metadata", "annotations", "kubernetes.io/change-cause"] == "first")
            let managers = object?[path: "metadata", "managedFields"]?.list ?? []
            #expect(managers.contains { $0["manager"] == "agentos-rollout" })
            // As in Kubernetes: what is the same again has one row, the newest.
            let after = world.run("rollout", "history", "one").output.split(separator: "\n").dropFirst()
            #expect(after.map { $0.prefix { $0 != " " } } == ["2", "3", "4"])
            // The one before, again and again, goes to and fro.
            world.run("rollout", "undo", "one")
            #expect(command(world) == ["sleep", "1003"])
            let same = world.run("rollout", "undo", "one", "--to-revision", "5")
            #expect(
                same.code == 0 && same.output == "agent.agentos.dev/one is as revision 5 was already\n", "\(same.text)")
            world.run("delete", "agent", "one")
            #expect(world.run("rollout", "history", "one").code == 1)
            world.apply(manifest("1"))
            #expect(world.run("rollout", "undo", "one").error.contains("no earlier revision to go back to"))
        }
    }

    @Test func aPauseIsSeenAndEnds() {
        inWorld { world in
            world.apply(manifest("1000"), "--wait")
            world.apply(manifest("1001"), "--wait")
            let pid = world.pid("one", 0)
            #expect(world.run("rollout", "pause", "one").output == "agent.agentos.dev/one paused\n")
            #expect(world.run("rollout", "pause", "one").output == "agent.agentos.dev/one is paused already\n")
            #expect(world.run("rollout", "status", "one").code == 0)
            #expect(world.run("scale", "one", "--replicas", "2", "--wait").code == 0)
            #expect(world.run("scale", "one", "--replicas", "1", "--wait").code == 0)
            world.apply(manifest("1002"))
            #expect(world.pid("one", 0) == pid && world.status("one")?["revision"] == 2)
            let status = world.run("status")
            #expect(status.output.contains("default/one: paused is set; waiting: spec.command"), "\(status.text)")
            let waited = world.run("rollout", "status", "one")
            #expect(waited.code == 6 && waited.output.contains("agentos-apply rollout resume one"), "\(waited.text)")
            let why = world.run("why", "one")
            #expect(why.output.contains("spec.paused is set, and changes of it wait"), "\(why.text)")
            for words in [["rollout", "undo", "one"], ["rollout", "restart", "one"]] {
                let refused = world.run(words)
                #expect(refused.code == 3 && refused.error.contains("paused"), "\(refused.text)")
            }
            // What crashes is started again as it was, also by another daemon.
            world.killDaemon()
            world.startDaemon()
            #expect(world.pid("one", 0) == pid)
            _ = world.spawn(["/bin/kill", "-9", String(pid)])
            World.until("it is back") { world.runsAnew("one", after: pid) }
            let line = world.spawn(["/bin/cat", "/proc/\(world.pid("one", 0))/cmdline"]).output
            #expect(line.contains("1001"), "\(line)")
            #expect(world.run("rollout", "resume", "one").output == "agent.agentos.dev/one resumed\n")
            #expect(world.run("rollout", "status", "one").code == 0)
            #expect(world.status("one")?["revision"] == 3)
            #expect(world.run("rollout", "resume", "one").output == "agent.agentos.dev/one is not paused\n")
        }
    }

    @Test func whatASourceDeclaresIsUndoneThere() {
        inWorld { world in
            world.moreEnvironment.append("AGENTOS_SOURCE_PATH=\(world.directory)")
            mkdir("\(world.directory)/fleet", 0o755)
            let file = world.write("fleet/one.yaml", manifest("1001"))
            world.apply(
                "apiVersion: agentos.dev/v1\nkind: Source\nmetadata: {name: fleet}\n"
                    + "spec: {path: \(world.directory)/fleet}\n", "--wait")
            World.until("it is there") { world.phase("one") == "Ready" }
            _ = world.write("fleet/one.yaml", manifest("1002"))
            World.until("it is changed") { world.status("one")?["revision"] == 2 }
            let refused = world.run("rollout", "undo", "one")
            #expect(refused.code == 7, "\(refused.text)")
            #expect(
                refused.error.contains("declared by the source default/fleet, at \(file):1")
                    && refused.error.contains("agentos-apply suspend source/fleet -n default"), "\(refused.text)")
            world.run("suspend", "source/fleet")
            #expect(world.run("rollout", "undo", "one").code == 0)
            #expect(command(world) == ["sleep", "1001"])
        }
    }
}
