import Glibc
import Support
import Testing
import Values

/// What daemons and supervisors do when the ground goes away, or when there is another daemon on it.
@Suite(.serialized) struct GroundTests {
    private func ticks(_ pid: pid_t) -> Int {
        let fields = World.stat(of: pid)
        return fields.count > 12 ? (Int(fields[11]) ?? 0) + (Int(fields[12]) ?? 0) : 0
    }

    /// The agent runs on, its output is dropped, and nobody is busy.
    @Test func withoutItsDirectoryASupervisorKeepsItsAgentAndSleeps() {
        inWorld { world in
            let script = "while :; do echo line; sleep 0.1; done"
            world.apply(World.agent("one", script, "terminationGracePeriodSeconds: 1"), "--wait")
            let pid = world.pid("one")
            let supervisor = World.parent(of: pid)
            let daemon = world.daemonPID
            World.until("it has a log") { !world.run("logs", "one").output.isEmpty }
            #expect(world.spawn(["rm", "-rf", world.state]).code == 0)
            // The daemon says so and ends.
            World.until("the daemon has ended") { !World.isAlive(daemon) }
            let (before, start) = (ticks(supervisor), World.now())
            World.pass(ms: 2000)
            #expect(World.isAlive(pid) && World.isAlive(supervisor))
            // Hundredths of a second, of the time that has passed for this test.
            let share = Double((ticks(supervisor) - before) * 10) / Double(World.now() - start)
            #expect(share < 0.25, "\(share) of a processor")
            World.kill(supervisor, SIGTERM)
            World.until("both are gone") { !World.isAlive(pid) && !World.isAlive(supervisor) }
        }
    }

    @Test(.enabled(if: World.isRoot, "needs root")) func agentsOfTwoDaemonsHaveDifferentUsers() {
        inWorld { one in
            inWorld { two in
                for world in [one, two] { #expect(world.apply(World.agent("a", World.stays), "--wait").code == 0) }
                let users = [one, two].map { world in
                    World.read("/proc/\(world.pid("a"))/status").split(separator: "\n").first { $0.hasPrefix("Uid:") }
                }
                #expect(users[0] != nil && users[0] != users[1])
            }
        }
    }

    /// Its memory holds Secrets, whoever lets programs of this machine write theirs.
    @Test func aDaemonThatFallsWritesNoCore() {
        inWorld { world in
            /// Whether a program that falls over writes its memory.
            func writesCore(_ command: String, until isThere: () -> Bool) -> Bool? {
                let pid = World.start(
                    ["sh", "-c", "ulimit -c unlimited && cd \(world.directory) && exec \(command)"], world.environment,
                    nil, "/dev/null", "/dev/null")
                World.until("it is there") { isThere() }
                World.kill(pid, SIGSEGV)
                var status: Int32 = 0
                World.until("it has ended") { waitpid(pid, &status, WNOHANG) == pid }
                return status & 0x7f == SIGSEGV ? status & 0x80 != 0 : nil
            }
            let began = "\(world.directory)/began"
            let others = writesCore("sh -c 'echo > \(began); sleep 1000; :'") { World.exists(began) }
            #expect(others != nil)
            let daemons = writesCore("\(World.program) daemon") { world.run("daemon", "status").code == 0 }
            #expect(daemons == false, "others of this machine: \(others.map(String.init) ?? "none")")
        }
    }

    /// With no room, with some for the start alone, and with some for little more.
    @Test(.enabled(if: World.isRoot, "needs root to mount a small file system"), arguments: [0, 48, 300])
    func whatIsStartedOnAFullDiskHasItsFilter(freeKiB: Int) {
        let mount = World()
        defer { mount.close() }
        let mounted = mount.spawn(["mount", "-t", "tmpfs", "-o", "size=6m,mode=755", "tmpfs", mount.directory])
        guard mounted.code == 0 else {
            Issue.record("cannot mount a tmpfs: \(mounted.text)")
            return
        }
        defer { umount2(mount.directory, Int32(MNT_DETACH)) }
        let world = World(directory: mount.directory)
        defer { world.killDaemon() }
        let outside = World()
        defer { outside.close() }
        func command(_ words: String...) -> World.Result {
            outside.spawn([World.program] + words + ["--state-dir", world.state])
        }
        let one = outside.write("one.yaml", World.agent("one", World.stays))
        let later = outside.write("later.yaml", World.agent("later", World.stays))
        #expect(command("apply", "-f", one, "--wait").code == 0)
        let pid = world.pid("one")
        #expect(command("daemon", "stop").code == 0)
        let fill = open("\(world.directory)/fill", O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        let block = [UInt8](repeating: 1, count: 4096)
        var filled = 0
        while write(fill, block, block.count) > 0 { filled += block.count }
        ftruncate(fill, off_t(max(0, filled - freeKiB << 10)))
        close(fill)

        let started = command("daemon", "start")
        if started.code != 0 {
            // Of the store, or of the first file that the daemon writes before.
            let isTold =
                started.error.contains("the file system \(mount.directory) is full: ")
                || started.error.contains("\(world.state)/users: No space left on device")
            #expect(started.code == 4 && isTold, "\(started.text)")
            #expect(
                !started.error.contains("damaged") && !started.error.contains("move the file away"), "\(started.text)")
        }
        #expect(World.isAlive(pid))
        _ = command("apply", "-f", later, "--wait", "--timeout", "20s", "--no-autostart")
        func filter() -> String? {
            let status = JSONReader.read(command("get", "agent", "later", "-o", "json").output)?["status"]
            guard let pid = status?["runs"]?.list?.first?["pid"]?.int else { return nil }
            return World.read("/proc/\(pid)/status").split(separator: "\n").first { $0.hasPrefix("Seccomp:") }
                .map(String.init)
        }
        if let found = filter() { #expect(found.hasSuffix("2"), "\(found)") }
        unlink("\(world.directory)/fill")
        World.until("it works again") { command("apply", "-f", later, "--wait").code == 0 }
        #expect(filter()?.hasSuffix("2") == true)
        #expect(World.isAlive(pid))
        #expect(command("delete", "agents", "--all").code == 0)
    }
}
