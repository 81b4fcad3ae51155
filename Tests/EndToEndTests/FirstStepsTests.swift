import Glibc
import Manifests
import Support
import Testing
import Values

/// What a new user does and sees, with the real programs.
@Suite(.serialized) struct FirstStepsTests {
    @Test func helloRunsWithOneCommand() {
        inWorld { world in
            let hello = "Examples/manifests/hello.yaml"
            let created = world.run("-f", hello)
            #expect(created.code == 0, "\(created.text)")
            #expect(created.output == "agent.agentos.dev/hello created\n")
            #expect(created.error.contains("does not survive a reboot"))
            World.until("hello is Ready") { world.phase("hello") == "Ready" }
            let lines = world.run("status").output.split(separator: "\n")
            #expect(
                lines.first?.split(separator: " ") == [
                    "NAMESPACE", "NAME", "DRIVER", "READY", "PHASE", "RESTARTS", "AGE",
                ])
            #expect(
                lines.last?.split(separator: " ").prefix(6) == ["default", "hello", "process", "1/1", "Ready", "0"])
            World.until("its log is there") { world.run("logs", "hello").output == "hello from hello\n" }

            let again = world.run("-f", hello)
            #expect(again.output == "agent.agentos.dev/hello unchanged\n")
            #expect(again.error == "")

            let pid = world.pid("hello")
            let deleted = world.run("delete", "-f", hello)
            #expect(deleted.output == "agent.agentos.dev \"hello\" deleted\n")
            #expect(!World.isAlive(pid))
            #expect(world.get("hello") == nil)
            World.until("its directories are gone") {
                World.names("\(world.state)/runs").isEmpty && World.names("\(world.state)/homes").isEmpty
            }
        }
    }

    @Test func aChangeRestartsOnlyWhatItMustAndSaysWhy() {
        inWorld { world in
            world.apply(World.agent("one", World.stays, "env: [{name: A, value: \"1\"}]"), "--wait")
            let pid = world.pid("one")
            let quiet = world.apply(
                World.agent(
                    "one", World.stays, "env: [{name: A, value: \"1\"}]\npriority: 5\nterminationGracePeriodSeconds: 3"),
                "--wait")
            #expect(quiet.output.hasPrefix("agent.agentos.dev/one configured\n"), "\(quiet.text)")
            #expect(world.pid("one") == pid)
            #expect(world.status("one")?["revision"]?.int == 1)

            let loud = world.apply(World.agent("one", World.stays, "env: [{name: A, value: \"2\"}]"), "--wait")
            #expect(loud.output.contains("configured (restarts its replicas: spec.env changed)"), "\(loud.text)")
            #expect(world.pid("one") != pid)
            #expect(world.status("one")?["revision"]?.int == 2)
            #expect(!World.isAlive(pid))

            // What was shown can be applied again and changes nothing.
            let shown = world.run("get", "agent", "one", "-o", "yaml").output
            let same = world.apply(shown)
            #expect(same.output == "agent.agentos.dev/one unchanged\n", "\(same.text)")
        }
    }

    @Test func aDryRunChangesNothing() {
        inWorld { world in
            world.startDaemon()
            let dry = world.apply(World.agent("one", World.stays), "--dry-run")
            #expect(dry.output == "agent.agentos.dev/one created (dry run)\n")
            #expect(world.get("one") == nil)
            #expect(world.events().count { $0["event_type"]?.string == "agent.created" } == 0)
        }
    }

    @Test func aDiffShowsWhatWouldChangeAndChangesNothing() {
        inWorld { world in
            let one = World.agent("one", World.stays, "replicas: 0")
            #expect(world.run("diff", "-f", world.write("one.yaml", one)).code == 4)
            world.apply(one + "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {key: first-value}\n")
            let same = world.run("diff", "-f", "\(world.directory)/one.yaml")
            #expect(same.code == 0 && same.output == "", "\(same.text)")
            let changed = world.run(
                "diff", "-f",
                world.write(
                    "two.yaml", World.agent("one", World.stays, "replicas: 2") + World.agent("new", World.stays)))
            #expect(changed.code == 1, "\(changed.text)")
            #expect(changed.output.contains("\n-  replicas: 0\n+  replicas: 2\n"), "\(changed.text)")
            #expect(changed.output.contains("+  name: new\n"))
            let secret = world.run(
                "diff", "-f",
                world.write(
                    "s.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {key: second-value}\n"))
            #expect(
                secret.code == 1 && secret.output.contains("+# values or metadata of this Secret change"),
                "\(secret.text)")
            let broken = world.run(
                "diff", "-f", world.write("bad.yaml", World.agent("one", World.stays, "driver: gvisor")))
            #expect(broken.code == 3 && broken.error.contains("spec.image"), "\(broken.text)")
            #expect(world.get("one")?[path: "spec", "replicas"]?.int == 0 && world.get("new") == nil)
        }
    }

    @Test func twoAutostartsAtOnceEndInOneDaemon() {
        inWorld { world in
            let path = world.write("two.yaml", World.agent("a", World.stays))
            let commands = (0..<4).map { _ in world.begin("-f", path) }
            for command in commands { #expect(World.wait(command.pid) == 0) }
            World.until("the losers are gone") {
                World.processes(with: world.state).count { World.commandLine(of: $0).contains(" daemon ") } == 1
            }
            World.until("a is Ready") { world.phase("a") == "Ready" }
            #expect(world.run("daemon", "start").output.contains("already"))
        }
    }

    @Test func agentsRunOnWhenTheDaemonStops() {
        inWorld { world in
            world.apply(World.agent("one", World.stays), "--wait")
            let pid = world.pid("one")
            let stopped = world.run("daemon", "stop")
            #expect(stopped.output == "daemon stopped; agents run on\n", "\(stopped.text)")
            #expect(world.log.contains("daemon ended; agents run on"), "it ended by itself, not by a signal")
            #expect(World.isAlive(pid))
            #expect(world.run("status").code == 4)
            world.startDaemon()
            #expect(world.pid("one") == pid)
            #expect(world.runOf("one")?["restarts"]?.int == 0)
        }
    }

    @Test func manifestsComeFromFilesDirectoriesAndStandardInput() {
        inWorld { world in
            mkdir("\(world.directory)/m", 0o755)
            mkdir("\(world.directory)/m/below", 0o755)
            world.write("m/a.yaml", World.agent("a", World.stays))
            world.write("m/below/b.yml", World.agent("b", World.stays))
            world.write("m/notes.txt", "no manifest")
            let more = world.write("c.json", #"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c"}}"#)
            let flat = world.run("-f", "\(world.directory)/m", "-f", more)
            #expect(flat.output == "configmap/c created\nagent.agentos.dev/a created\n", "\(flat.text)")
            let deep = world.run("-f", "\(world.directory)/m", "-R", "--wait")
            #expect(
                deep.output.hasPrefix("agent.agentos.dev/a unchanged\nagent.agentos.dev/b created\n"), "\(deep.text)")
            let piped = world.run(["-f", "-"], input: World.agent("d", World.stays))
            #expect(piped.output == "agent.agentos.dev/d created\n", "\(piped.text)")
            let twice = world.run("validate", "-f", "\(world.directory)/m/a.yaml", "-f", "\(world.directory)/m/a.yaml")
            #expect(twice.code == 3 && twice.error.contains("is declared twice"), "\(twice.text)")
        }
    }

    @Test func aWatchedTableShowsWhatChanges() {
        inWorld { world in
            world.apply(World.agent("one", World.stays), "--wait")
            let watched = world.begin("status", "-w")
            World.until("the first line is there") { World.read(watched.output).contains("one") }
            world.run("delete", "agent", "one")
            World.until("the end was shown") { World.read(watched.output).contains("Stopping") }
            #expect(!World.read(watched.output).contains("\u{1b}["), "colour only on a terminal")
            World.kill(watched.pid, SIGKILL)
            _ = World.wait(watched.pid)
        }
    }

    @Test func namesOfAllFormsAreUnderstood() {
        inWorld { world in
            world.apply(World.agent("one", World.stays), "--wait")
            for form in [
                ["agent", "one"], ["agents", "one"], ["ag", "one"], ["agents.agentos.dev", "one"], ["agent/one"],
                ["agent.agentos.dev/one"],
            ] {
                #expect(world.run(["get"] + form + ["-o", "name"]).output == "agent.agentos.dev/one\n", "\(form)")
            }
            #expect(world.run("get", "agents", "-o", "wide").output.contains("REVISION"))
            #expect(JSONReader.read(world.run("get", "agents", "-o", "json").output)?["items"]?.list?.count == 1)
            #expect(world.run("get", "namespaces").output.contains("default  Active"))
        }
    }
}
