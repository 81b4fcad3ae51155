import Glibc
import Manifests
import Support
import Testing
import Values

/// The program as a whole, with a real daemon, where output, daemon or list are not as one would wish.
@Suite(.serialized) struct ProgramTests {
    private func shell(_ world: World, _ script: String) -> World.Result {
        world.spawn(["/bin/sh", "-c", script.replacing("PROGRAM", with: World.program)])
    }

    @Test func whatStandardOutputDoesNotTakeIsNoSuccess() {
        inWorld { world in
            world.apply(World.agent("one", "echo hello; \(World.stays)"), "--wait")
            for command in [
                "get agents", "get agents -o json", "status", "describe agent one", "logs one", "events", "help",
                "exec one -- echo hello", "version", "schema",
            ] {
                let result = shell(world, "PROGRAM \(command) > /dev/full")
                #expect(result.code == 1, "\(command): \(result.text)")
                #expect(result.error.contains("No space left on device"), "\(command): \(result.text)")
            }
            let diff = shell(world, "PROGRAM diff -f \(world.write("two.yaml", World.agent("two", "x"))) > /dev/full")
            #expect(diff.code > 1, "\(diff.text)")
        }
    }

    /// The writer's end of a pipe that somebody made non-blocking, and a reader that is slower.
    @Test func aPipeThatDoesNotBlockLosesNothing() {
        inWorld { world in
            world.apply(World.agent("one", World.stays), "--wait")
            let script = """
                import os, subprocess, sys, threading
                def run(words):
                    reader, writer = os.pipe()
                    os.set_blocking(writer, False)
                    child = subprocess.Popen(words, stdout=writer)
                    os.close(writer)
                    total = 0
                    while True:
                        threading.Event().wait(0.001)
                        part = os.read(reader, 4096)
                        if not part: break
                        total += len(part)
                    return child.wait(), total
                print(run([sys.argv[1], "schema"]))
                print(run([sys.argv[1], "exec", "one", "--", "head", "-c", "1000000", "/dev/zero"]))
                """
            let whole = shell(world, "PROGRAM schema | wc -c").output.trimmed
            let result = world.spawn(["python3", "-c", script, World.program])
            #expect(result.output == "(0, \(whole))\n(0, 1000000)\n", "\(result.text)")
        }
    }

    @Test func aCommandWhoseOutputNobodyReadsAnyMoreEnds() {
        inWorld { world in
            world.apply(World.agent("one", World.stays), "--wait")
            #expect(shell(world, "PROGRAM exec one -- yes | head -1").output == "y\n")
            #expect(shell(world, "PROGRAM exec one printf %s -n").output == "-n")
            let listed = world.run("exec", "one", "ls", "-d", "/")
            #expect(listed.code == 0 && listed.output == "/\n", "\(listed.text)")
        }
    }

    @Test func severalKindsAreShownAndADryRunDeletesNothing() {
        inWorld { world in
            world.startDaemon()
            let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: m}\n---\n"
            #expect(world.apply(map + World.agent("one", "x", "suspend: true")).code == 0)
            #expect(world.run("get", "agents,cm", "-o", "name").output == "agent.agentos.dev/one\nconfigmap/m\n")
            #expect(world.run("get", "all", "-o", "name").output == "agent.agentos.dev/one\n")
            let dry = world.run("delete", "agent", "one", "--dry-run=server")
            #expect(dry.code == 0 && dry.output == "agent.agentos.dev \"one\" deleted (dry run)\n", "\(dry.text)")
            #expect(world.run("get", "agents", "-o", "name").output == "agent.agentos.dev/one\n")
        }
    }

    /// More than one JSON text may hold: all of it is shown, waited for and deleted.
    @Test func aListLargerThanAnyManifestIsWhole() {
        inWorld { world in
            world.startDaemon()
            let value = String(repeating: "x", count: 900_000)
            let count = 24
            for number in 0..<count {
                let path = world.write(
                    "c.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c-\(number)}\ndata: {v: \(value)}\n")
                #expect(world.run("-f", path).code == 0)
            }
            func names() -> Int { world.run("get", "cm", "-o", "name").output.split(separator: "\n").count }
            #expect(names() == count)
            let table = world.run("get", "cm")
            #expect(table.code == 0 && table.output.split(separator: "\n").count == count + 1)
            let json = shell(
                world,
                "PROGRAM get cm -o json | python3 -c 'import json,sys; print(len(json.load(sys.stdin)[\"items\"]))'")
            #expect(json.output == "\(count)\n", "\(json.text.prefix(300))")
            #expect(world.run("wait", "cm", "c-3", "--for", "deleted", "--timeout", "1s").code == 5)
            let deleted = world.run("delete", "cm", "--all")
            #expect(deleted.code == 0 && deleted.output.split(separator: "\n").count == count, "\(deleted.text)")
            #expect(names() == 0)
        }
    }

    /// Three pages of a real daemon, in order and without doubles.
    @Test func aListOfManyPagesIsWhole() {
        inWorld { world in
            world.startDaemon()
            let manifests = (1001...2201).map {
                "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c-\($0)}\n---\n"
            }
            let path = world.write("many.yaml", manifests.joined())
            #expect(world.run(["-f", path]).code == 0)
            let names = world.run("get", "cm", "-o", "name").output
            #expect(names == (1001...2201).map { "configmap/c-\($0)\n" }.joined())
            #expect(
                world.run("get", "cm", "c-1500", "c-2201", "nobody", "-o", "name").output.split(separator: "\n").count
                    == 2)
            #expect(world.run(["delete", "cm", "--all"]).code == 0)
            #expect(world.run("get", "cm", "-o", "name").output == "")
        }
    }

    @Test func aDaemonThatIsStoppedIsToldWithItsPID() {
        inWorld { world in
            let pid = world.startDaemon()
            World.kill(pid, SIGSTOP)
            defer { World.kill(pid, SIGCONT) }
            for words in [
                ["-f", world.write("a.yaml", World.agent("a", "x"))], ["daemon", "status"], ["get", "agents"],
            ] {
                let result = world.run(words)
                #expect(result.code == 5, "\(words): \(result.text)")
                #expect(result.error.contains("with pid \(pid) at \(world.socket) has said nothing"), "\(result.text)")
                #expect(!result.error.contains("Start one"), "\(result.text)")
            }
            World.kill(pid, SIGCONT)
            World.until("it answers again") { world.run("daemon", "status").code == 0 }
        }
    }

    /// A stream that ends with its daemon is told as such, with the code of a daemon that is not there.
    @Test func aDaemonThatGoesAwayIsToldToThoseWhoFollow() {
        inWorld { world in
            world.apply(World.agent("one", World.stays), "--wait")
            let commands = [
                world.begin("events", "-f"), world.begin("status", "-w"), world.begin("logs", "-f", "one"),
            ]
            World.until("the events are followed") { World.read(commands[0].output).contains("run.ready") }
            World.until("the status is followed") { World.read(commands[1].output).contains("one") }
            world.killDaemon()
            #expect(commands.map { World.wait($0.pid) } == [4, 4, 4])
        }
    }

    @Test func aDryRunSaysWhatWouldRestartAndWhatWouldWait() {
        inWorld { world in
            world.apply(World.agent("one", World.stays, "env: [{name: A, value: \"1\"}]"), "--wait")
            let restarts = world.apply(World.agent("one", World.stays, "env: [{name: A, value: \"2\"}]"), "--dry-run")
            #expect(
                restarts.output.contains("configured (restarts its replicas: spec.env changed)"), "\(restarts.text)")
            let waits = world.apply(World.agent("two", World.stays, "dependsOn: [{name: nobody}]"), "--dry-run")
            #expect(waits.output.contains("two created (waits: "), "\(waits.text)")
            #expect(waits.output.contains("nobody") && waits.output.hasSuffix("(dry run)\n"), "\(waits.text)")
            #expect(world.get("two") == nil)
        }
    }

    @Test func whatNeverWasIsNotFound() {
        inWorld { world in
            world.startDaemon()
            let result = world.run("wait", "--for", "Ready", "agent", "nobody", "--timeout", "120s")
            #expect(
                result.code == 1 && result.error.contains("agents.agentos.dev \"nobody\" not found"), "\(result.text)")
            #expect(world.run("wait", "--for", "deleted", "agent", "nobody", "--timeout", "120s").code == 0)
        }
    }

    @Test func theOneThatCannotBeReadyIsNamed() {
        inWorld { world in
            let coder = World.agent("coder", World.stays)
            #expect(world.apply(coder, "--wait").code == 0)
            let result = world.apply(
                coder + World.agent("stuck", World.stays, "dependsOn: [{name: nobody}]"), "--wait", "--timeout", "3s")
            #expect(result.code == 5, "\(result.text)")
            #expect(
                result.error.contains(
                    "timed out waiting for agent.agentos.dev/stuck to be Ready or Completed, after 3 s: ")
                    && result.error.contains("\"nobody\""), "\(result.text)")
            #expect(!result.error.contains("agentos.dev/coder"), "\(result.text)")
        }
    }

    /// A daemon that lives and takes longer than one waits.
    @Test func aSyncThatTakesTooLongIsATimeout() {
        let server = SocketServer { $0.hasSuffix("/sync") ? nil : SocketServer.http("ok") }
        inWorld { world in
            let result = world.run("sync", "fleet", "--timeout", "1s", "--socket", server.path)
            #expect(result.code == 5 && result.error.contains("timed out waiting for the sync"), "\(result.text)")
            #expect(!result.error.contains("Start one"), "\(result.text)")
        }
    }

    @Test func listsAreReadInPages() {
        let server = SocketServer { target in
            let isSecond = target.contains("continue=next")
            let name = isSecond ? "b" : "a"
            return SocketServer.http(
                #"{"kind":"AgentList","metadata":{"resourceVersion":"7","continue":"\#(isSecond ? "" : "next")"},"#
                    + #""items":[{"metadata":{"name":"\#(name)"}}]}"#)
        }
        inWorld { world in
            let result = world.run("get", "agents", "-o", "name", "--socket", server.path)
            #expect(result.output == "agent.agentos.dev/a\nagent.agentos.dev/b\n", "\(result.text)")
        }
    }

    @Test func anAnswerThatIsCutOrStrangeIsAnError() {
        for (body, length) in [(#"{"items":[{"metadata":{"name":"a"}},"#, 900), ("ok", nil), ("{}", nil), ("", nil)] {
            let server = SocketServer { target in
                target == "/livez" ? SocketServer.http("ok") : SocketServer.http(body, length: length)
            }
            inWorld { world in
                for words in [["get", "agents"], ["delete", "agents", "--all"], ["outbox"], ["top"]] {
                    let result = world.run(words + ["--socket", server.path])
                    #expect(result.code == 1, "\(words) \(body): \(result.text)")
                    #expect(result.error.contains("the answer of the daemon"), "\(words) \(body): \(result.text)")
                    #expect(result.output == "")
                }
            }
        }
    }

    @Test func settingsOfTheDaemonComeFromAFile() {
        inWorld { world in
            let path = world.write("d.yaml", "logFormat: json\nwatch: [\(world.directory)/fleet]\n")
            mkdir("\(world.directory)/fleet", 0o755)
            let printed = world.run("daemon", "--config", path, "--print-config", "--runsc-platform", "systrap")
            #expect(printed.code == 0 && printed.output.contains("# \(path):1:12: logFormat\nlogFormat: json\n"))
            #expect(printed.output.contains("# --runsc-platform\nrunscPlatform: systrap\n"), "\(printed.text)")
            #expect(world.start("--config", path).code == 0)
            World.until("the log says so") { world.log.contains("\"message\":\"daemon serves\"") }
            World.until("the Source is declared") { world.get("watch-fleet", kind: "source") != nil }
            world.write("d.yaml", "logFormat: xml\nwacth: [/x]\n")
            let refused = world.run("daemon", "--config", path)
            #expect(refused.code == 3, "\(refused.text)")
            #expect(refused.error.contains("\(path):2:1: wacth: unknown field"), "\(refused.text)")
        }
    }

    @Test func settingsAreCheckedBeforeTheyAreUsed() {
        inWorld { world in
            let path = world.write("d.yaml", "logFormat: json\n")
            let good = world.run("daemon", "--check-config", "--config", path)
            #expect(good.code == 0 && good.output == "\(path): valid\n", "\(good.text)")
            world.write("d.yaml", "tlsCertFile: /c\n")
            let alone = world.run("daemon", "--check-config", "--config", path)
            #expect(alone.code == 3 && alone.error.contains("tlsPrivateKeyFile"), "\(alone.text)")
            world.write("d.yaml", "logFormt: json\n")
            let bad = world.run("daemon", "--check-config", "--config", path)
            #expect(bad.code == 3 && bad.error.contains("\(path):1:1: logFormt: unknown field"), "\(bad.text)")
            let absent = world.run("daemon", "--check-config", "--config", "\(world.directory)/none")
            #expect(absent.code == 3 && absent.error.contains("No such file"), "\(absent.text)")
        }
    }

    @Test func aReloadTakesWhatCanChangeAndNamesWhatWaits() {
        inWorld { world in
            let path = world.write("d.yaml", "logFormat: text\n")
            #expect(world.start("--config", path).code == 0)
            world.write("d.yaml", "logFormat: json\nsourceNamespaces: ['*=*']\nhostPaths: [/srv]\n")
            let taken = world.run("daemon", "reload")
            #expect(taken.code == 0, "\(taken.text)")
            #expect(taken.output.contains("these hold now: logFormat, sourceNamespaces\n"), "\(taken.text)")
            #expect(taken.output.contains("the next time: hostPaths\n"), "\(taken.text)")
            // What waits is named until the daemon starts again; what holds already is not new.
            let again = world.run("daemon", "reload")
            #expect(again.output.contains("none has changed") && again.output.contains("hostPaths"), "\(again.text)")
            world.write("d.yaml", "logFormat: text\nhostPath: [/srv]\n")
            let refused = world.run("daemon", "reload")
            #expect(refused.code == 3, "\(refused.text)")
            #expect(refused.error.contains("\(path):2:1: hostPath: unknown field"), "\(refused.text)")
            world.write("d.yaml", "logFormat: text\ntokenAuthFile: \(world.directory)/none\n")
            let missing = world.run("daemon", "reload")
            #expect(missing.code == 3 && missing.error.contains("stay as they were"), "\(missing.text)")
            #expect(world.log.split(separator: "\n").last?.hasPrefix("{") == true, "still JSON: \(world.log)")
        }
    }
}

extension String {
    fileprivate var trimmed: String { String(split(separator: "\n").first ?? "") }
}
