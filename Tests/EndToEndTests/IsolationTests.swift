import Glibc
import Manifests
import Support
import Testing
import Values

/// What an agent gets, what holds it, and what it cannot reach.
@Suite(.serialized) struct IsolationTests {
    @Test func theEnvironmentIsExactlyWhatWasDeclared() {
        inWorld { world in
            world.apply(
                World.agent(
                    "one", "env | sort > all; umask > mask; ls -l /proc/self/fd > files; \(World.stays)",
                    "env: [{name: A, value: x}, {name: B, value: \"$(A)-y\"}]"), "--wait")
            let home = World.openPath(world.pid("one"), "cwd")
            World.until("it wrote") { !World.read("\(home)/files").isEmpty }
            let names = World.read("\(home)/all").split(separator: "\n").map { $0.split(separator: "=")[0] }
            #expect(
                names == [
                    "A", "AGENTOS_AGENT", "AGENTOS_NAMESPACE", "AGENTOS_ORDINAL", "AGENTOS_RUN", "B", "HOME", "PATH",
                    "PWD",
                ])
            #expect(World.read("\(home)/all").contains("B=x-y\n"))
            #expect(World.read("\(home)/mask") == "0022\n")
            // Standard input, output, error and the directory that `ls` itself reads.
            #expect(World.read("\(home)/files").split(separator: "\n").count == 5)
            #expect(World.openPath(world.pid("one"), "fd/0") == "/dev/null")
            #expect(World.read("/proc/\(world.pid("one"))/status").contains("NoNewPrivs:\t1"))
        }
    }

    @Test(.enabled(if: World.isRoot, "needs root")) func agentsOfARootDaemonHaveUsersOfTheirOwn() {
        inWorld { world in
            let manifest =
                World.agent("one", World.stays) + World.agent("two", World.stays)
                + World.agent("root", World.stays, "securityContext: {runAsUser: 0}")
            #expect(world.apply(manifest, "--wait").code == 0)
            func user(_ name: String) -> Substring {
                World.read("/proc/\(world.pid(name))/status").split(separator: "\n").first { $0.hasPrefix("Uid:") }
                    ?? ""
            }
            #expect(user("one") != user("two"))
            #expect(user("root").contains("\t0\t"))
            // One agent's home is closed to the other.
            let home = World.openPath(world.pid("one"), "cwd")
            var status = stat()
            #expect(lstat(home, &status) == 0 && status.st_mode & 0o777 == 0o700 && status.st_uid >= 200_000)
            let uid = status.st_uid
            world.run("delete", "agent", "two")
            world.killDaemon()
            world.startDaemon()
            #expect(lstat(home, &status) == 0 && status.st_uid == uid)
        }
    }

    /// A daemon that the kernel spares when memory is short does not make its agents so (CraneSched, pull request 614).
    @Test func howTheKernelSeesTheDaemonIsNotInherited() {
        inWorld { world in
            let start = "echo 300 > /proc/self/oom_score_adj && exec \(World.program) daemon start"
            #expect(world.spawn(["/bin/sh", "-c", start]).code == 0)
            #expect(World.read("/proc/\(world.daemonPID)/oom_score_adj") == "300\n")
            world.apply(World.agent("one", World.stays), "--wait")
            #expect(World.read("/proc/\(world.pid("one"))/oom_score_adj") == "0\n")
            let command = world.run("exec", "one", "--", "cat", "/proc/self/oom_score_adj")
            #expect(command.output == "0\n", "\(command.text)")
        }
    }

    @Test func stateIsClosedToOthers() {
        inWorld { world in
            world.apply(World.agent("one", "echo hello; \(World.stays)"), "--wait")
            for path in World.files(world.state) {
                var status = stat()
                guard lstat(path, &status) == 0 else { continue }
                #expect(status.st_mode & 0o077 == 0, "\(path) has mode \(String(status.st_mode & 0o777, radix: 8))")
            }
            for directory in ["store", "journal", "runs"] {
                var status = stat()
                #expect(lstat("\(world.state)/\(directory)", &status) == 0 && status.st_mode & 0o077 == 0)
            }
        }
    }

    @Test(.enabled(if: World.isRoot, "needs root")) func otherUsersAreNotServed() {
        inWorld { world in
            world.startDaemon()
            chmod(world.socket, 0o666)
            let other = world.spawn(
                ["setpriv", "--reuid", "12345", "--clear-groups", World.program, "status"])
            #expect(other.code == 3, "\(other.text)")
            #expect(other.error.contains("serves user 0 and root only"), "\(other.text)")
        }
    }

    /// Promise 11: the value is in the table of secrets and in the agent, and nowhere else.
    @Test func aSecretsValueIsInOnePlaceOnly() {
        inWorld { world in
            let value = "pl4nted-S3cret-Value"
            let encoded = "cGw0bnRlZC1TM2NyZXQtVmFsdWU="
            let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: llm}\nstringData: {key: \(value)}\n---\n"
            let agent = World.agent(
                "one", "echo $API_KEY | wc -c; \(World.stays)",
                "env: [{name: API_KEY, valueFrom: {secretKeyRef: {name: llm, key: key}}}]")
            var outputs: [String] = []
            outputs.append(world.apply(secret + agent, "--wait").text)
            World.until("the agent has it") { world.run("logs", "one").output == "21\n" }
            #expect(World.environment(of: world.pid("one")).contains("API_KEY=\(value)"))
            outputs += [
                world.apply(secret).text, world.apply(secret, "-o", "yaml").text,
                world.apply(secret, "--dry-run", "-o", "json").text,
                world.apply(agent.replacing("API_KEY, ", with: "API_KEY, valu: x, ")).text,
                world.apply("apiVersion: v1\nkind: Secret\nmetadata: {name: llm}\nstringData: {key: [\(value)]}\n").text
                    .replacing("manifest", with: ""),
                world.run("get", "secrets", "-o", "yaml").text, world.run("get", "secret", "llm", "-o", "json").text,
                world.run("describe", "secret", "llm").text, world.run("describe", "agent", "one").text,
                world.run("get", "agents", "-A", "-o", "yaml").text, world.run("events", "-o", "json").text,
                world.run("outbox", "list", "--all").text, world.run("status", "-o", "wide").text,
            ]
            let pid = world.pid("one")
            World.kill(pid, SIGKILL)
            World.until("it runs again") { world.runsAnew("one", after: pid) }
            outputs.append(world.run("events").text)
            let shown = world.run("get", "secret", "llm", "-o", "yaml", "--show-secrets").output
            #expect(shown.contains(encoded))

            world.run("daemon", "stop")
            for text in outputs { #expect(!text.contains(value) && !text.contains(encoded), "\(text)") }
            var places: [String] = []
            for path in World.files(world.state) {
                let text = String(decoding: World.bytes(path), as: UTF8.self)
                if text.contains(value) || text.contains(encoded) {
                    places.append(String(path.dropFirst(world.state.count)))
                }
            }
            #expect(places.isEmpty, "it is sealed where it is stored: \(places)")
            for pid in World.processes() where World.commandLine(of: pid).contains(value) {
                Issue.record("\(pid) has it in its arguments")
            }

            // Deleted secrets leave nothing behind either.
            world.startDaemon()
            world.run("delete", "agent", "one")
            world.run("delete", "secret", "llm")
            world.run("daemon", "stop")
            for path in World.files(world.state) {
                let text = String(decoding: World.bytes(path), as: UTF8.self)
                #expect(!text.contains(value) && !text.contains(encoded), "\(path)")
            }
        }
    }

    // MARK: Limits

    /// Where the kernel lets this test make groups with limits, by its own look; elsewhere the tests are skipped and say so.
    static let hasControllers: Bool = {
        let isWritable = ["memory", "pids", "cpu"].allSatisfy { access("/sys/fs/cgroup/\($0)", W_OK) == 0 }
        let controllers = World.read("/sys/fs/cgroup/cgroup.controllers")
        let isUnified = ["memory", "pids", "cpu"].allSatisfy(controllers.contains)
        return World.isRoot && (isWritable || isUnified && access("/sys/fs/cgroup/cgroup.procs", W_OK) == 0)
    }()

    private func withLimit(_ world: World, _ limit: String, _ script: String, _ more: String = "", _ body: () -> Void) {
        let result = world.apply(World.agent("one", script, "resources: {limits: {\(limit)}}\n\(more)"))
        #expect(result.code == 0, "\(result.text)")
        if result.code == 0 { body() }
    }

    @Test(.disabled(if: hasControllers, "cgroups can be made here")) func aLimitThatCannotBeSetIsRefused() {
        inWorld { world in
            let result = world.apply(World.agent("one", World.stays, "resources: {limits: {pids: 20}}"))
            #expect(result.code == 3)
            #expect(
                result.error.contains("cgroup controller") && result.error.contains("is not available"),
                "\(result.text)")
        }
    }

    @Test(.enabled(if: hasControllers, "no cgroup controllers that can be used")) func tooMuchMemoryEndsAsOOMKilled() {
        inWorld { world in
            let script = "exec python3 -c 'x = bytearray(200 << 20); import time; time.sleep(1000)'"
            withLimit(world, "memory: 48Mi", script, "restartPolicy: Never") {
                World.until("it ends") { world.phase("one") == "Failed" }
                #expect(world.runOf("one")?[path: "lastExit", "reason"]?.string == "OOMKilled")
            }
        }
    }

    @Test(.enabled(if: hasControllers, "no cgroup controllers that can be used")) func aForkBombStaysWithinItsLimit() {
        inWorld { world in
            let code = """
                import os, time
                for i in range(60):
                    try:
                        if os.fork() == 0: time.sleep(1000)
                    except OSError as error:
                        open('errors', 'w').write(f'fork {i}: {error}')
                        break
                time.sleep(1000)
                """
            let script = "exec python3 -c \"$CODE\""
            withLimit(world, "pids: 20", script, "env: [{name: CODE, value: \(JSONWriter.text(.text(code)))}]") {
                World.until("it is Ready") { world.phase("one") == "Ready" }
                let home = World.openPath(world.pid("one"), "cwd")
                World.until("forks fail") { World.read("\(home)/errors").contains("fork") }
                #expect(World.processes().count { World.openPath($0, "cwd") == home } <= 20)
                world.run("delete", "agent", "one", "--grace-period", "0")
                #expect(World.processes().count { World.openPath($0, "cwd").hasPrefix(home) } == 0)
            }
        }
    }

    @Test(.enabled(if: hasControllers, "no cgroup controllers that can be used")) func theCPULimitIsSet() {
        inWorld { world in
            withLimit(world, "cpu: 200m", "while :; do :; done") {
                World.until("it is Ready") { world.phase("one") == "Ready" }
                let pid = world.pid("one")
                let before = ticks(pid)
                let start = World.now()
                World.until("it has used 0.4 s of a processor") { ticks(pid) - before >= 40 }
                let share = Double(ticks(pid) - before) * 10 / Double(World.now() - start)
                #expect(share < 0.35, "\(share) of a core")
                world.run("delete", "agent", "one", "--grace-period", "0")
            }
        }
    }

    private func ticks(_ pid: pid_t) -> Int {
        let fields = World.stat(of: pid)
        return fields.count > 12 ? (Int(fields[11]) ?? 0) + (Int(fields[12]) ?? 0) : 0
    }

    @Test(.enabled(if: hasControllers, "no cgroup controllers that can be used")) func noCgroupIsLeftBehind() {
        inWorld { world in
            let result = world.apply(
                World.agent(
                    "one", World.stays, "replicas: 3\nresources: {limits: {memory: 64Mi, pids: 20, cpu: 500m}}"),
                "--wait")
            #expect(result.code == 0, "\(result.text)")
            let uid = world.get("one")?[path: "metadata", "uid"]?.string?.replacing("-", with: "") ?? "none"
            let find = ["find", "/sys/fs/cgroup", "-type", "d", "-name", "\(uid)*"]
            #expect(!world.spawn(find).output.isEmpty)
            world.run("delete", "agent", "one")
            World.until("no group is left") { world.spawn(find).output == "" }
        }
    }
}
