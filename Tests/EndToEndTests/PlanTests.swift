import Glibc
import Manifests
import Support
import Testing
import Values

/// Plans of the real daemon: what they say is what is done, or nothing is.
@Suite(.serialized) struct PlanTests {
    private static let secret = """
        apiVersion: v1
        kind: Secret
        metadata: {name: key}
        stringData: {password: hunter2}
        ---

        """

    @Test func aPlanIsCarriedOutAsItWasMade() {
        inWorld { world in
            let needs = "dependsOn: [{name: web}]"
            let path = world.write(
                "fleet.yaml", Self.secret + World.agent("web", World.stays) + World.agent("api", World.stays, needs))
            #expect(world.run("plan", "-f", path).code == 4, "a plan starts no daemon")
            world.startDaemon()
            var plan = world.run("plan", "-f", path)
            World.until("the drivers were observed") {
                plan = world.run("plan", "-f", path, "--out", "\(world.directory)/plan.json")
                return !plan.output.contains("still being observed")
            }
            #expect(plan.code == 2, "\(plan.text)")
            #expect(plan.output.contains("      waits: agent \"web\" is not Ready yet\n"))
            #expect(plan.output.contains("      + stringData.password: (hidden)\n"))
            #expect(
                plan.output.hasSuffix("Plan: 3 to create, 0 to change, 0 to delete; 1 replica to start; 1 to wait\n"))
            #expect(world.run("get", "agents", "-o", "name").output == "", "nothing was done")

            // Values of Secrets are not in it, and what is needed to make them is.
            let kept = World.read("\(world.directory)/plan.json")
            #expect(!kept.contains("hunter2") && kept.contains(path) && kept.contains("\"format\": 2"))

            let done = world.run("apply", "--plan", "\(world.directory)/plan.json", "--wait")
            #expect(done.code == 0, "\(done.text)")
            #expect(done.output.hasPrefix("secret/key created\nagent.agentos.dev/web created\n"))
            #expect(world.phase("api") == "Ready")
            let value = world.run("get", "secret", "key", "-o", "json", "--show-secrets").output
            #expect(JSONReader.read(value)?[path: "data", "password"]?.string == "aHVudGVyMg==")
            #expect(world.get("web")?[path: "metadata", "generation"]?.int == 1)

            let again = world.run("plan", "-f", path)
            #expect(again.code == 0 && again.output == "Plan: 0 to create, 0 to change, 0 to delete\n")
            let json = world.run("plan", "-f", path, "-o", "json")
            let changes = JSONReader.read(json.output)?["changes"]?.list ?? []
            #expect(json.code == 0 && changes.map { $0["action"]?.string } == ["keep", "keep", "keep"])
            // The plan was for what is there now.
            let late = world.run("apply", "--plan", "\(world.directory)/plan.json")
            #expect(late.code == 7 && late.error.contains("secret/key was made"), "\(late.text)")
        }
    }

    @Test func aPlanThatCannotBeCarriedOutIsNotKept() {
        inWorld { world in
            world.startDaemon()
            let maps = (0...2000).map { "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: m\($0)}\n---\n" }.joined()
            let path = world.write("maps.yaml", maps)
            let kept = world.run("plan", "-f", path, "--out", "\(world.directory)/plan.json")
            #expect(kept.code == 3 && kept.error.contains("2001 objects are more than the 2000"), "\(kept.text)")
            #expect(!World.exists("\(world.directory)/plan.json"))
            #expect(world.run("plan", "-f", path).code == 2)
        }
    }

    @Test func aPlanIsRefusedWhenThingsHaveMoved() {
        inWorld { world in
            world.startDaemon()
            world.apply(World.agent("web", World.stays), "--wait")
            let path = world.write(
                "fleet.yaml", Self.secret + World.agent("web", World.stays, "env: [{name: A, value: b}]"))
            let file = "\(world.directory)/plan.json"
            let plan = world.run("plan", "-f", path, "--out", file)
            #expect(plan.code == 2)
            #expect(
                plan.output.contains(
                    "  ~ agent default/web  \(path):6\n      + spec.env[A].value: b\n"
                        + "      restarts 1 replica, because of spec.env\n      stops replica 0 at once\n"),
                "\(plan.output)")
            // Another value of the Secret, in the file that is read again.
            world.write("fleet.yaml", World.read(path).replacing("hunter2", with: "hunter3"))
            let other = world.run("apply", "--plan", file)
            #expect(other.code == 7 && other.error.contains("fleet.yaml:1: the Secret is another"), "\(other.text)")
            world.write("fleet.yaml", World.read(path).replacing("hunter3", with: "hunter2"))

            let pid = world.pid("web")
            World.kill(pid, SIGKILL)
            World.until("it is started again") { world.runsAnew("web", after: pid) }
            world.apply(World.agent("web", World.stays, "priority: 5"))
            let moved = world.run("apply", "--plan", file)
            #expect(moved.code == 7, "\(moved.text)")
            #expect(moved.error.contains("agent.agentos.dev/web was changed (resourceVersion "), "\(moved.error)")
            #expect(moved.error.contains("nothing was changed; make a new plan"))
            #expect(world.get("key", kind: "secret") == nil)
        }
    }

    @Test func whatWouldBeRefusedIsToldWithItsPlace() {
        inWorld { world in
            world.startDaemon()
            let path = world.write(
                "bad.yaml",
                World.agent("one", "x") + World.agent("two", "x", "dependsOn: [{name: three}]")
                    + World.agent("three", "x", "dependsOn: [{name: two}]"))
            let file = "\(world.directory)/plan.json"
            let result = world.run("plan", "-f", path, "--out", file)
            #expect(result.code == 3, "\(result.text)")
            #expect(result.error.contains("spec.dependsOn: the dependencies form a cycle: "), "\(result.error)")
            #expect(result.error.contains("\(path):14: spec.dependsOn: "), "\(result.error)")
            #expect(!World.exists(file) && result.output == "")
        }
    }

    /// As a plan of this content ends.
    private static func withDigest(_ text: String) -> String {
        let bytes = JSONWriter.bytes(JSONReader.read(text) ?? .emptyMap)
        return "\(text.dropLast()),\"digest\":\"sha256:\(SHA256Digest.hex(bytes))\"}"
    }

    /// A plan is carried out as it was shown, or not at all.
    @Test func aPlanThatWasEditedIsNotCarriedOut() {
        inWorld { world in
            world.startDaemon()
            let path = world.write("a.yaml", World.agent("web", World.stays, "replicas: 1"))
            let file = "\(world.directory)/plan.json"
            #expect(world.run("plan", "-f", path, "--out", file).code == 2)
            let plan = World.read(file)
            for (old, new) in [
                ("\"replicas\": 1", "\"replicas\": 2"), ("\"name\": \"web\"", "\"name\": \"other\""),
                ("\"digest\": \"sha256:", "\"digest\": \"sha256:0"), ("\"apiVersion\"", "\"more\": 1, \"apiVersion\""),
            ] {
                #expect(plan.contains(old), "\(plan)")
                world.write("plan.json", plan.replacing(old, with: new))
                let edited = world.run("apply", "--plan", file)
                #expect(
                    edited.code == 3 && edited.error.contains("\(file): was changed after it was made")
                        && edited.error.contains("make a new plan with 'agentos-apply plan --out \(file)'"),
                    "\(edited.text)")
            }
            #expect(world.get("web") == nil && world.get("other") == nil)
            // Laid out anew it says the same.
            world.write("plan.json", JSONReader.read(plan).map { JSONWriter.text($0) } ?? "")
            #expect(world.run("apply", "--plan", file).output == "agent.agentos.dev/web created\n")
        }
    }

    /// A plan is read as strictly as a manifest.
    @Test func filesThatAreNoPlansAreRefused() {
        inWorld { world in
            world.startDaemon()
            for (text, words) in [
                ("", "plan.json:1:1"), ("{", "plan.json:1:"), ("{}", "is no plan"),
                (#"{"kind":"PlanFile"}"#, "format: expected a number"),
                (#"{"kind":"PlanFile","format":1}"#, "is of format 1, and this version reads format 2"),
                (#"{"kind":"PlanFile","format":2,"standings":[],"objects":[]}"#, "was changed after it was made"),
                (#"{"kind":"PlanFile","format":2,"more":1}"#, "unknown field more"),
                (#"{"kind":"PlanFile","format":2,"x":0}"#, "unknown field x"),
                (#"{"kind":"PlanFile","format":2}"#, "standings: expected a list"),
                (#"{"kind":"PlanFile","format":2,"standings":[]}"#, "expected either objects or source"),
                (#"{"kind":"PlanFile","format":2,"standings":[],"objects":[{}]}"#, "objects[0]: is not as"),
                (#"{"kind":"PlanFile","format":2,"standings":[],"source":{"name":"x"}}"#, "source: expected"),
                (#"{"kind":"PlanFile","format":2,"standings":[{"kind":"x"}],"objects":[]}"#, "standings[0]: is not as"),
            ] {
                let isSealed = text.contains("\"format\":2") && !words.hasPrefix("was changed")
                let path = world.write("plan.json", isSealed ? Self.withDigest(text) : text)
                let result = world.run("apply", "--plan", path)
                #expect(result.code == 3 && result.error.contains(words), "\(text): \(result.text)")
            }
            #expect(world.run("apply", "--plan", "/nowhere").code == 3)
            #expect(world.run("apply", "--plan", "x", "-f", "y").code == 64)
            #expect(world.run("plan", "--source", "x", "-f", "y").code == 64)
            #expect(world.run("plan", "-f", "-", "--out", "x", input: Self.secret).code == 3)
            #expect(world.run("plan", "--source", "none").code == 1)
        }
    }

    /// What a Source holds back is planned with force, and done so.
    @Test func theNextSyncOfASourceIsPlanned() {
        inWorld { world in
            let directory = "\(world.directory)/fleet"
            mkdir(directory, 0o755)
            world.moreEnvironment = ["AGENTOS_WATCH=\(directory)"]
            for name in ["one", "two", "three"] {
                world.write("\(directory)/\(name).yaml", World.agent(name, World.stays))
            }
            world.startDaemon()
            World.until("all is well") {
                world.get("watch-fleet", kind: "source")?[path: "status", "phase"]?.string == "Ready"
            }
            #expect(world.run("plan", "--source", "watch-fleet").code == 0)
            world.atOnce { for name in ["one", "two"] { unlink("\(directory)/\(name).yaml") } }
            World.until("it holds the deletions back") {
                world.get("watch-fleet", kind: "source")?[path: "status", "pruneWaits"]?.int == 2
            }
            let file = "\(world.directory)/plan.json"
            var plan = world.run("plan", "--source", "watch-fleet")
            World.until("it was read whole") {
                plan = world.run("plan", "--source", "watch-fleet", "--force", "--out", file)
                return plan.code == 2
            }
            #expect(
                plan.output.contains(
                    "  - agent default/one  \(directory)/one.yaml:1\n      because it is no longer declared\n"),
                "\(plan.output)")
            #expect(plan.output.hasSuffix("Plan: 0 to create, 0 to change, 2 to delete\n"))
            #expect(world.get("one") != nil)
            let done = world.run("apply", "--plan", file)
            #expect(done.code == 0 && done.output.contains("agent.agentos.dev/one deleted\n"), "\(done.text)")
            World.until("they are gone") { world.get("one") == nil && world.get("two") == nil }
            #expect(world.get("three") != nil)
        }
    }

    @Test func aPlanOfManyIsWhole() {
        inWorld { world in
            world.startDaemon()
            let path = world.write(
                "many.yaml", (0..<1000).map { World.agent("a-\($0)", World.stays, "suspend: true") }.joined())
            let plan = world.run("plan", "-f", path)
            #expect(plan.code == 2 && plan.output.hasSuffix("Plan: 1000 to create, 0 to change, 0 to delete\n"))
            #expect(plan.output.split(separator: "\n").count { $0.hasPrefix("  + agent default/a-") } == 1000)
        }
    }
}
