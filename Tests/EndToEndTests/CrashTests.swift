import Glibc
import Manifests
import Support
import Testing

/// What stays right when daemons, supervisors and agents die.
@Suite(.serialized) struct CrashTests {
    @Test func aKilledDaemonFindsItsAgentsAgain() {
        inWorld { world in
            world.apply(World.agent("one", World.stays, "replicas: 3"), "--wait")
            let pids = (0..<3).map { world.pid("one", $0) }
            for _ in 0..<3 {
                world.killDaemon()
                #expect(pids.allSatisfy(World.isAlive))
                world.startDaemon()
                #expect(world.phase("one") == "Ready")
            }
            #expect((0..<3).map { world.pid("one", $0) } == pids)
            #expect(world.status("one")?["restarts"]?.int == 0)
        }
    }

    @Test func anExitWhileNoDaemonRanIsReadWithItsCode() {
        inWorld { world in
            world.apply(
                World.agent("one", "while [ ! -e end ]; do sleep 0.05; done; exit 23", "restartPolicy: Never"), "--wait"
            )
            let pid = world.pid("one")
            let home = World.openPath(pid, "cwd")
            world.killDaemon()
            world.write("\(home)/end", "")
            World.until("the agent has ended") { !World.isAlive(pid) }
            world.startDaemon()
            World.until("the exit is known") { world.phase("one") == "Failed" }
            #expect(world.runOf("one")?[path: "lastExit", "code"]?.int == 23)
        }
    }

    /// Promise 7: Ready turns False in the step that observes the exit, and says how it ended.
    @Test func aCrashIsToldAndTheAgentComesBack() {
        inWorld { world in
            world.apply(World.agent("one", World.stays, "backoff: {initialSeconds: 0}"), "--wait")
            let pid = world.pid("one")
            World.kill(pid, SIGSEGV)
            World.until("it runs again") { world.runsAnew("one", after: pid) }
            #expect(world.runOf("one")?["restarts"]?.int == 1)
            #expect(world.runOf("one")?[path: "lastExit", "signal"]?.string == "SIGSEGV")
            let expected = [
                "run.scheduled", "run.starting", "run.started", "run.ready", "run.failed", "run.backing_off",
                "run.scheduled", "run.starting", "run.started", "run.ready",
            ]
            var types: [String] = []
            // The last of them is published a moment after it has happened.
            World.until("its events are there") {
                types = world.events().compactMap { $0["event_type"]?.string }.filter { $0.hasPrefix("run.") }
                return types.count >= expected.count
            }
            #expect(types == expected)
        }
    }

    @Test func anAgentWhoseSupervisorWasKilledIsAdoptedAndItsEndIsUnknown() {
        inWorld { world in
            world.apply(World.agent("one", World.stays, "backoff: {initialSeconds: 0}"), "--wait")
            let pid = world.pid("one")
            let supervisor = supervisor(of: pid)
            World.kill(supervisor, SIGKILL)
            World.until("the supervisor is gone") { !World.isAlive(supervisor) }
            world.killDaemon()
            world.startDaemon()
            #expect(world.phase("one") == "Ready")
            #expect(world.pid("one") == pid && World.isAlive(pid))
            World.kill(pid, SIGKILL)
            World.until("it runs again") { world.runsAnew("one", after: pid) }
            #expect(world.runOf("one")?[path: "lastExit", "reason"]?.string == "Unknown")
        }
    }

    @Test func aStoppedSupervisorHoldsNoDeletionUp() {
        inWorld { world in
            world.apply(
                World.agent("one", "trap '' TERM; while :; do sleep 0.2; done", "terminationGracePeriodSeconds: 1"),
                "--wait")
            let pid = world.pid("one")
            World.kill(supervisor(of: pid), SIGSTOP)
            let result = world.run("delete", "agent", "one", "--timeout", "120s")
            #expect(result.code == 0, "\(result.text)")
            #expect(!World.isAlive(pid))
            World.until("its supervisor is gone") {
                World.processes(with: world.state).allSatisfy { !World.commandLine(of: $0).contains("supervise") }
            }
        }
    }

    @Test func theWholeProcessTreeEnds() {
        inWorld { world in
            // Double forks, sessions of their own, and ignored signals do not help to get away.
            let script = """
                (setsid sh -c 'trap "" TERM HUP; echo $$$$ > far; while :; do sleep 0.2; done' &)
                sh -c 'trap "" TERM; echo $$$$ > near; while :; do sleep 0.2; done' &
                \(World.stays)
                """
            world.apply(World.agent("one", script, "terminationGracePeriodSeconds: 1"), "--wait")
            let home = World.openPath(world.pid("one"), "cwd")
            World.until("its children run") {
                !World.read("\(home)/far").isEmpty && !World.read("\(home)/near").isEmpty
            }
            let pids = ["far", "near"].compactMap { pid_t(World.read("\(home)/\($0)").prefix { $0.isNumber }) }
            #expect(pids.count == 2 && pids.allSatisfy(World.isAlive))
            world.run("delete", "agent", "one")
            #expect(pids.allSatisfy { !World.isAlive($0) })
        }
    }

    @Test func gracePeriodsAreHonouredAndZeroKillsAtOnce() {
        inWorld { world in
            let stubborn = "trap 'echo asked >> asked' TERM; touch up; while :; do sleep 0.1; done"
            world.apply(
                World.agent("one", stubborn, "terminationGracePeriodSeconds: 2")
                    + World.agent("two", stubborn, "terminationGracePeriodSeconds: 86400"), "--wait")
            let homes = ["one", "two"].map { World.openPath(world.pid($0), "cwd") }
            World.until("they ignore the signal") { homes.allSatisfy { World.exists("\($0)/up") } }
            let start = World.now()
            #expect(world.run("delete", "agent", "one").code == 0)
            #expect(World.now() - start > 1900)
            // Not after a day.
            #expect(world.run("delete", "agent", "two", "--grace-period", "0").code == 0)
        }
    }

    /// A stop's deadline goes on over a restart of the daemon.
    @Test func aStopThatWasUnderWayIsFinishedByTheNextDaemon() {
        inWorld { world in
            world.apply(
                World.agent("one", "trap '' TERM; while :; do sleep 0.1; done", "terminationGracePeriodSeconds: 2"),
                "--wait")
            let pid = world.pid("one")
            world.run("delete", "agent", "one", "--no-wait")
            world.killDaemon()
            world.startDaemon()
            World.until("it is gone") { !World.isAlive(pid) && world.get("one") == nil }
        }
    }

    /// Promise 2: what does not carry our store id is never touched.
    @Test func foreignProcessesAreLeftAlone() {
        inWorld { world in
            world.apply(World.agent("one", World.stays), "--wait")
            let foreign = World.start(
                ["/bin/sleep", "1000"], ["AGENTOS_AGENT=one", "AGENTOS_NAMESPACE=default"], nil, "/dev/null",
                "/dev/null")
            defer { World.kill(foreign, SIGKILL) }
            world.killDaemon()
            world.startDaemon()
            world.run("delete", "agent", "one")
            #expect(World.isAlive(foreign))
        }
    }

    /// An instance of this store whose run nobody committed is ended: here, a run that the database forgot.
    @Test func anInstanceWithoutACommittedRunIsEnded() {
        inWorld { world in
            world.apply(World.agent("early", World.stays), "--wait")
            #expect(world.run("backup", "\(world.directory)/backup.db").code == 0)
            world.apply(World.agent("late", World.stays), "--wait")
            let pid = world.pid("late")
            let early = world.pid("early")
            let restored = world.run("restore", "\(world.directory)/backup.db")
            #expect(restored.code == 0, "\(restored.text) \(world.log)")
            World.until("the stray is ended") { !World.isAlive(pid) }
            #expect(world.get("late") == nil)
            #expect(World.isAlive(early))
            World.until("early is Ready") { world.phase("early") == "Ready" }
            #expect(world.pid("early") == early)
        }
    }

    @Test func twoDaemonsOfOneStateDirectoryCannotBe() {
        inWorld { world in
            let first = world.startDaemon()
            let second = world.run("daemon")
            #expect(second.code == 75, "\(second.text)")
            #expect(World.isAlive(first))
        }
    }

    /// Promise 6: what cannot be read is not deleted, and its agents are not ended.
    @Test func aDamagedDatabaseIsRefusedAndLeftAsItIs() {
        inWorld { world in
            world.apply(World.agent("one", World.stays), "--wait")
            let pid = world.pid("one")
            world.run("daemon", "stop")
            let path = "\(world.state)/store/agentos.db"
            let fd = open(path, O_WRONLY | O_CLOEXEC)
            let garbage = [UInt8](repeating: 0xa5, count: 20_000)
            pwrite(fd, garbage, garbage.count, 3000)
            close(fd)
            let before = World.bytes(path)
            let result = world.run("daemon")
            #expect(result.code == 74, "\(result.text)")
            #expect(
                result.error.contains("damaged") && result.error.contains("agentos-apply restore"), "\(result.error)")
            #expect(World.bytes(path) == before)
            #expect(World.isAlive(pid))
        }
    }

    private func supervisor(of pid: pid_t) -> pid_t { World.parent(of: pid) }
}
