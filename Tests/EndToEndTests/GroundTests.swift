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
}
