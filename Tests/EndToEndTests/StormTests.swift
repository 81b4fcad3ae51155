import Glibc
import Manifests
import Support
import Testing
import Values

/// Kills of daemon and supervisors at any moment, while people apply, edit, scale and delete.
@Suite(.serialized) struct StormTests {
    private static let agents = 12
    private static let kills = 100

    @Test func killsAtAnyMomentBreakNoPromise() {
        inWorld { world in
            var random = Random(state: 43)
            world.startDaemon()
            var hands: [pid_t] = []
            for kills in 1...Self.kills {
                hands.removeAll { waitpid($0, nil, WNOHANG) == $0 }
                if hands.count < 3 { hands.append(change(world, &random)) }
                World.pass(ms: 5 + random.below(395))
                if random.below(2) == 0 {
                    killDaemon(world)
                    // It comes back at once, beside commands that are under way.
                    hands.append(start(world, ["daemon"]))
                } else {
                    killSupervisor(world, &random)
                }
                if kills % 10 == 0 { world.checkNoDoubles() }
            }
            for hand in hands where !World.commandLine(of: hand).contains("daemon") {
                _ = World.wait(hand)
            }
            settle(world)
        }
    }

    /// After the storm all comes to rest in its last version; then nothing is left.
    private func settle(_ world: World) {
        World.until("a daemon answers") { world.run("daemon", "start").code == 0 }
        let path = world.write(
            "all.yaml", (0..<Self.agents).map { Self.manifest($0, version: 9, replicas: 1) }.joined())
        let calm = world.run("-f", path, "--wait", "--timeout", "280s")
        #expect(calm.code == 0, "\(calm.text.suffix(2000))\n\(world.log.suffix(2000))")
        World.until("one live instance for each replica, in its last version") {
            let live = world.liveRuns()
            return live.count == Self.agents && live.values.allSatisfy { $0.count == 1 }
        }
        world.checkEvents(ofAtLeast: Self.agents)
        world.checkRows()
        #expect(world.run("delete", "agents", "--all", "--grace-period", "0").code == 0)
        World.until("nothing is left") {
            World.names("\(world.state)/runs").isEmpty && World.names("\(world.state)/homes").isEmpty
                && world.liveRuns().isEmpty
        }
    }

    private func start(_ world: World, _ words: [String]) -> pid_t {
        World.start(
            [World.program] + words, world.environment, nil, "/dev/null", "\(world.directory)/errors")
    }

    /// Somebody applies, edits, scales or deletes an agent.
    private func change(_ world: World, _ random: inout Random) -> pid_t {
        let index = random.below(Self.agents)
        if random.below(5) == 0 {
            return start(world, ["delete", "agent", "agent-\(index)", "--grace-period", String(random.below(2))])
        }
        let path = world.write(
            "change-\(random.below(1 << 30)).yaml",
            Self.manifest(index, version: random.below(4), replicas: random.below(4)))
        return start(world, ["-f", path, "--no-autostart"])
    }

    private static func manifest(_ index: Int, version: Int, replicas: Int) -> String {
        let scripts = [
            World.stays, "trap '' TERM; while :; do sleep 0.2; done", "(setsid sleep 1000 &); \(World.stays)",
        ]
        return World.agent(
            "agent-\(index)", scripts[index % scripts.count],
            """
            replicas: \(replicas)
            env: [{name: VERSION, value: v\(version)}]
            backoff: {initialSeconds: 0, maxSeconds: 1}
            terminationGracePeriodSeconds: 1
            """)
    }

    private func killDaemon(_ world: World) {
        if let pid = world.livingDaemon { World.kill(pid, SIGKILL) }
    }

    private func killSupervisor(_ world: World, _ random: inout Random) {
        let supervisors = World.processes().filter {
            World.commandLine(of: $0).contains("agentos-supervise") && World.openPath($0, "cwd").hasPrefix(world.state)
        }
        if !supervisors.isEmpty { World.kill(supervisors[random.below(supervisors.count)], SIGKILL) }
    }

    private struct Random {
        var state: UInt64
        mutating func below(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
    }
}
