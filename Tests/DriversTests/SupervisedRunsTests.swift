import CLinux
import Glibc
import Machine
import Planner
import Reconciler
import Support
import Synchronization
import Testing
import Values

@testable import Drivers

/// Runs whose ends nobody tells.
@Suite(.serialized) struct SupervisedRunsTests {
    private static let run = RunID(uid: UID(high: 1, low: 2), ordinal: 0, attempt: 1)

    /// A process of ours, for which nobody waits until the test is over.
    private func start() -> (pid: pid_t, start: UInt64) {
        let pid = World.start(["sleep", "1000"], ["PATH=/usr/bin:/bin"], nil, "/dev/null", "/dev/null")
        return (pid, agentos_process_start(pid, nil, nil))
    }

    private func supervised(_ runs: String, _ events: EventLoop) -> SupervisedRuns {
        let configuration = ProcessDriver.Configuration(
            runs: runs, homes: "\(runs)/homes", supervisor: "/none", storeID: "50be50be0000",
            systemCalls: SystemCallFilter.ofThisMachine(), openFiles: 64)
        return SupervisedRuns(
            SupervisedRuns.Configuration(
                name: "process", runs: runs, homes: configuration.homes, supervisor: "/none",
                storeID: configuration.storeID),
            ProcessLauncher(configuration, user: getuid(), events: events), Cgroups(storeID: "50be50be0000"),
            events: events
        ) { _ in
        }
    }

    /// A run that is forgotten while its home is made does not start afterwards: nobody would look after it.
    @Test func aStartWhoseRunWasForgottenGoesNoFurther() {
        inWorld { world in
            let runs = "\(world.directory)/runs"
            mkdir(runs, 0o700)
            mkdir("\(runs)/homes", 0o700)
            let events = EventLoop()
            let supervised = supervised(runs, events)
            let run = Run(
                id: Self.run, revision: 1, effective: EffectiveSpec(.map([("command", .list([.text("true")]))])),
                createdAtMs: 0, startBy: Deadline(boot: 0, bootMs: 0, wallMs: 0, lengthMs: 30_000))
            let context = StartContext(
                namespace: "default", agent: "one", ownUser: nil, arguments: ["true"], environment: [], volumes: [])
            let result = Mutex<OperationResult?>(nil)
            supervised.start(run, context) { end in result.withLock { $0 = end } }
            supervised.drop(Self.run)
            World.until("the start has ended") {
                events.after(ms: 1) { events.stop() }
                events.run()
                return result.withLock { $0 } != nil
            }
            #expect(result.withLock { $0 } == .failed("the start was given up"))
            #expect(access("\(runs)/\(Self.run.text)", F_OK) != 0)
        }
    }

    /// The agent has ended, and its supervisor has not said how: each look finds the ended process and may wait for it anew.
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
            let supervised = supervised(runs, events)
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
