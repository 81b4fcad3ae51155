import CLinux
import Glibc
import Support
import Testing

@testable import Machine

/// Trees whose supervisor is gone are found by their session, their mark and their ancestors.
@Suite struct ProcessSweepTests {
    private func start(_ script: String, _ environment: [String]) -> (pid: Int32, output: Int32) {
        // What other tests start at the same time must not hold it.
        var pipe: [Int32] = [-1, -1]
        agentos_close_on_exec_pipe(&pipe)
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawn_file_actions_adddup2(&actions, pipe[1], 1)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        posix_spawnattr_setflags(&attributes, Int16(0x80))  // POSIX_SPAWN_SETSID
        var pid: pid_t = 0
        withCStrings(["sh", "-c", script]) { arguments in
            withCStrings(environment) { variables in
                _ = posix_spawn(&pid, "/bin/sh", &actions, &attributes, arguments, variables)
            }
        }
        close(pipe[1])
        return (pid, pipe[0])
    }

    /// A child that hides its environment and lost its parents is of the session; another that left the session carries
    /// the mark. The end of the pipe says that all are gone.
    @Test func nothingOfATreeIsLeft() {
        let mark = "AGENTOS_TEST=\(getpid())"
        let (pid, output) = start(
            "env -i sh -c 'sleep 1000 & sleep 1000' & setsid sleep 1000 & echo started; exec sleep 1000",
            [mark, "PATH=/usr/bin:/bin"])
        defer { close(output) }
        var byte: UInt8 = 0
        for _ in 0..<8 { #expect(read(output, &byte, 1) == 1) }
        let began = startTime(pid)
        #expect(began != nil)
        // Its main process is gone, as after a kill of the supervisor and a stop of the agent.
        World.kill(pid, SIGKILL)
        waitpid(pid, nil, 0)
        let events = EventLoop()
        let sweep = ProcessSweep(events: events)
        var isDone: Bool?
        sweep.end(ProcessSweep.Target(mark: mark, leader: (pid, began ?? 0), roots: [])) {
            isDone = $0
            events.stop()
        }
        events.run()
        #expect(isDone == true)
        #expect(read(output, &byte, 1) == 0, "something holds the pipe")
    }

    /// What began later with the same number is somebody else.
    @Test func otherProcessesAreLeftAlone() {
        let (pid, output) = start("echo started; exec sleep 1000", ["PATH=/usr/bin:/bin"])
        defer { close(output) }
        var byte: UInt8 = 0
        for _ in 0..<8 { #expect(read(output, &byte, 1) == 1) }
        let events = EventLoop()
        let sweep = ProcessSweep(events: events)
        sweep.end(ProcessSweep.Target(mark: "AGENTOS_TEST=none", leader: (pid, 1), roots: [(pid, 1)])) { _ in
            events.stop()
        }
        events.run()
        #expect(World.kill(pid, 0) == 0)
        World.kill(pid, SIGKILL)
        waitpid(pid, nil, 0)
    }

    private func startTime(_ pid: Int32) -> UInt64? {
        let fields = (Files.text("/proc/\(pid)/stat") ?? "").split(separator: ")").last?.split(separator: " ") ?? []
        return fields.count > 19 ? UInt64(fields[19]) : nil
    }
}
