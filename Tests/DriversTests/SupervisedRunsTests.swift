import CLinux
import Glibc
import Machine
import Planner
import Support
import Testing

@testable import Drivers

/// Runs whose ends nobody tells.
@Suite(.serialized) struct SupervisedRunsTests {
    private static let run = RunID(uid: UID(high: 1, low: 2), ordinal: 0, attempt: 1)

    /// A process of ours, for which nobody waits until the test is over.
    private func start() -> (pid: pid_t, start: UInt64) {
        let pid = World.start(["sleep", "1000"], ["PATH=/usr/bin:/bin"], nil, "/dev/null", "/dev/null")
        return (pid, agentos_process_start(pid, nil, nil))
    }

    /// The agent has ended, and its supervisor is stopped: each look finds the ended process and may wait for it anew.
    @Test func aRunHasOneNextLookHoweverOftenItIsLookedAt() throws {
        try inWorld { world in
            let runs = "\(world.directory)/runs"
            let directory = "\(runs)/\(Self.run.text)"
            mkdir(runs, 0o700)
            mkdir(directory, 0o700)
            let (agent, supervisor) = (start(), start())
            defer {
                for process in [agent, supervisor] {
                    World.kill(process.pid, SIGKILL)
                    waitpid(process.pid, nil, 0)
                }
            }
            // No process of ours is stopped here: then the run would be ended.
            World.kill(agent.pid, SIGKILL)
            World.until("the agent has ended") { !ProcessTable.isAlive(agent.pid, agent.start) }
            try Files.replace(
                "\(directory)/process",
                Array(
                    """
                    format 1
                    pid \(agent.pid)
                    start \(agent.start)
                    boot \(ProcessTable.bootID)
                    supervisor \(supervisor.pid)
                    supervisor-start \(supervisor.start)

                    """.utf8))
            let events = EventLoop()
            let configuration = ProcessDriver.Configuration(
                runs: runs, homes: "\(world.directory)/homes", supervisor: "/none", storeID: "0123456789ab",
                systemCalls: SystemCallFilter.ofThisMachine(), openFiles: 64)
            let supervised = SupervisedRuns(
                SupervisedRuns.Configuration(
                    name: "process", runs: runs, homes: configuration.homes, supervisor: "/none",
                    storeID: configuration.storeID),
                ProcessLauncher(configuration, user: getuid(), events: events), Cgroups(storeID: "0123456789ab"),
                events: events
            ) { _ in
            }
            for _ in 0..<20 {
                supervised.tell(Self.run)
                // What the kernel has to tell by now is told.
                events.after(ms: 0) { events.stop() }
                events.run()
            }
            #expect(events.timerCount == 1, "\(events.timerCount)")
            supervised.unwatch(Self.run)
            #expect(events.timerCount == 0)
        }
    }
}
