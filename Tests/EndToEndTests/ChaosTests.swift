import Glibc
import Manifests
import Support
import Testing
import Values

/// The real program under the real blows of a machine; afterwards the promises are checked on the world itself.
@Suite(.serialized) struct ChaosTests {
    private static let agents = 50
    private static let kills = 30

    /// Promises 1 to 8 on real processes: what the simulation checks on simulated ones.
    @Test func fiftyAgentsSurviveThirtyKillsOfTheDaemon() {
        inWorld { world in
            var random = Random(state: 20)
            world.write("all.yaml", (0..<Self.agents).map { Self.manifest($0, version: 0) }.joined())
            #expect(world.run("-f", "\(world.directory)/all.yaml").code == 0)

            for kill in 0..<Self.kills {
                // Changes go on meanwhile; those that a dying daemon refused are sent again at the end.
                for _ in 0..<3 {
                    let index = random.below(Self.agents)
                    let path = world.write("one.yaml", Self.manifest(index, version: random.below(3)))
                    _ = world.spawn([World.program, "-f", path, "--no-autostart"])
                }
                blow(world, &random)
                World.pass(ms: random.below(250))
                killDaemon(world)
                world.checkNoDoubles()
                // Every third daemon dies while it starts: while it opens the store, adopts, or begins to serve.
                if kill % 3 == 0 {
                    let path = "\(world.directory)/starting"
                    let pid = World.start(
                        [World.program, "daemon"], world.environment, nil, "\(path).out", "\(path).err")
                    World.pass(ms: random.below(40))
                    World.kill(pid, SIGKILL)
                    _ = World.wait(pid)
                }
                world.startDaemon()
            }

            // Calm: all is applied in its last version and must come to rest.
            world.write("all.yaml", (0..<Self.agents).map { Self.manifest($0, version: 1, isCalm: true) }.joined())
            let calm = world.run("-f", "\(world.directory)/all.yaml", "--wait", "--timeout", "280s")
            #expect(calm.code == 0, "\(calm.text.suffix(2000))\n\(world.log.suffix(2000))")
            checkWorld(world)
            world.checkEvents(ofAtLeast: Self.agents)
            world.checkRows()

            #expect(world.run("delete", "agents", "--all", "--grace-period", "1").code == 0)
            World.until("nothing is left") {
                World.names("\(world.state)/runs").isEmpty && World.names("\(world.state)/homes").isEmpty
                    && World.processes(with: "\(world.state)/runs").isEmpty
            }
            let left = World.processes().filter {
                World.environment(of: $0).contains("HOME=\(world.state)/homes") && World.isAlive($0)
            }
            #expect(left.isEmpty, "\(left.map(World.commandLine))")
        }
    }

    /// Agents that stay, that crash now and then, that fork twice, that ignore signals, in groups.
    private static func manifest(_ index: Int, version: Int, isCalm: Bool = false) -> String {
        let scripts = [
            World.stays,
            isCalm ? World.stays : "sleep 0.\(index % 9 + 1); exit \(index % 3)",
            "(setsid sh -c 'while :; do sleep 1; done' &); \(World.stays)",
            "trap '' TERM; while :; do sleep 0.2; done",
            isCalm ? World.stays : "sleep 0.\(index % 7); kill -SEGV $$$$",
        ]
        return World.agent(
            "agent-\(index)", scripts[index % scripts.count],
            """
            replicas: \(index % 10 == 0 ? 3 : 1)
            env: [{name: VERSION, value: v\(version)}]
            backoff: {initialSeconds: 0, maxSeconds: 1}
            terminationGracePeriodSeconds: 1
            """)
    }

    private func blow(_ world: World, _ random: inout Random) {
        let supervisors = World.processes().filter {
            World.commandLine(of: $0).contains("agentos-supervise") && World.openPath($0, "cwd").hasPrefix(world.state)
        }
        guard !supervisors.isEmpty else { return }
        let victim = supervisors[random.below(supervisors.count)]
        switch random.below(4) {
        case 0: World.kill(victim, SIGKILL)
        case 1: World.kill(victim, SIGSTOP)
        case 2:
            let agents = World.processes().filter { World.parent(of: $0) == victim }
            for agent in agents { World.kill(agent, SIGKILL) }
        default: break
        }
    }

    private func killDaemon(_ world: World) {
        guard let pid = world.livingDaemon else { return }
        World.kill(pid, SIGKILL)
        World.until("the daemon is gone") { !World.isAlive(pid) }
    }

    /// Promises 1, 2 and 8: exactly the processes that status names, one per replica.
    private func checkWorld(_ world: World) {
        let items = JSONReader.read(world.run("get", "agents", "-o", "json").output)?["items"]?.list ?? []
        #expect(items.count == Self.agents)
        for item in items {
            #expect(item[path: "status", "observedGeneration"]?.int == item[path: "metadata", "generation"]?.int)
        }
        // An agent that was killed before the last start is seen to have ended a moment after it.
        World.until("the runs that status names are alive, and no others") {
            let items = JSONReader.read(world.run("get", "agents", "-o", "json").output)?["items"]?.list ?? []
            var expected: [String: Set<String>] = [:]
            for run in items.flatMap({ $0[path: "status", "runs"]?.list ?? [] }) {
                let (id, pid) = (run["id"]?.string ?? "", pid_t(run["pid"]?.int ?? -1))
                expected[String(id.dropLast(11))] = [id]
                let environment = World.environment(of: pid)
                guard World.isAlive(pid), environment.contains("AGENTOS_RUN=\(id)"), environment.contains("VERSION=v1")
                else { return false }
            }
            return items.count == Self.agents && world.liveRuns() == expected
        }
    }

    private struct Random {
        var state: UInt64
        mutating func below(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
    }

    /// The database is made by a migration: a daemon that dies in it leaves nothing that the next cannot use.
    @Test func aDaemonKilledDuringItsFirstStartLeavesAUsableStore() {
        for delay in stride(from: 0, to: 30, by: 3) {
            inWorld { world in
                let path = "\(world.directory)/first"
                let pid = World.start([World.program, "daemon"], world.environment, nil, "\(path).out", "\(path).err")
                World.pass(ms: delay)
                World.kill(pid, SIGKILL)
                _ = World.wait(pid)
                let result = world.apply(World.agent("one", World.stays), "--wait")
                #expect(result.code == 0, "killed after \(delay) ms: \(result.text)\n\(world.log)")
                world.checkRows()
            }
        }
    }

    // MARK: Full disk

    /// Writes are refused and said to be; agents run on; all works again when there is room.
    @Test(.enabled(if: World.isRoot, "needs root to mount a small file system")) func aFullDiskStopsNoAgent() {
        let mount = World()
        defer { mount.close() }
        let mounted = mount.spawn(
            ["mount", "-t", "tmpfs", "-o", "size=6m,mode=755", "tmpfs", mount.directory])
        guard mounted.code == 0 else {
            Issue.record("cannot mount a tmpfs: \(mounted.text)")
            return
        }
        defer { umount2(mount.directory, Int32(MNT_DETACH)) }
        let world = World(directory: mount.directory)
        defer { world.killDaemon() }
        // Commands need a little room for their output; they run with another directory.
        let outside = World()
        defer { outside.close() }
        let full = "\(world.directory)/fill"
        let told = outside.write("told", "")
        chmod(told, 0o666)
        // Seldom while there is room: however slow all this is, what fills the disk is the file.
        let writes =
            "printf '%2000s\\n' x; if [ -e \(full) ]; then echo x >> \(told); sleep 0.02; else sleep 1; fi"
        world.apply(
            World.agent("one", "while :; do \(writes); done", "terminationGracePeriodSeconds: 0"), "--wait")
        let pid = world.pid("one")
        world.apply(World.agent("brief", World.stays), "--wait")
        let brief = world.pid("brief")
        let fill = open(full, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        let block = [UInt8](repeating: 1, count: 65_536)
        while write(fill, block, block.count) > 0 {}
        close(fill)

        let before = World.bytes(told).count
        World.until("the agent has written what finds no room") { World.bytes(told).count > before + 4 }

        func command(_ words: String...) -> World.Result {
            outside.spawn([World.program] + words + ["--state-dir", world.state])
        }
        let path = outside.write("two.yaml", World.agent("two", World.stays))
        let refused = command("-f", path)
        #expect(refused.code == 1, "\(refused.text)")
        #expect(refused.error.contains("could not be stored; nothing was changed"), "\(refused.text)")
        #expect(refused.error.contains("the file system \(mount.directory) is full: "), "\(refused.text)")
        #expect(refused.error.contains("of 6 MiB are free; make room there, then try again"), "\(refused.text)")
        #expect(command("daemon", "status").code == 1)
        #expect(World.isAlive(pid))
        World.kill(brief, SIGKILL)
        World.until("what has ended is not Ready") {
            guard let status = JSONReader.read(command("get", "agent", "brief", "-o", "json").output)?["status"] else {
                return false
            }
            return status["phase"]?.string != "Ready" || status["runs"]?.list?.first?["pid"]?.int != Int(brief)
        }
        #expect(command("status").output.contains("one"))

        unlink(full)
        World.until("it is ready again") { command("-f", path).code == 0 }
        World.until("two is Ready") { command("get", "agent", "two").output.contains("Ready") }
        #expect(command("daemon", "status").code == 0)
        #expect(World.isAlive(pid))
        World.until("the log says what it lost") {
            command("logs", "one").output.contains("lines were dropped: the disk was full")
        }
        #expect(command("delete", "agents", "--all").code == 0)
    }
}
