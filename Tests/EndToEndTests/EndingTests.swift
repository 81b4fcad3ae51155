import Glibc
import Support
import Testing
import Values

/// How a run ends: the main process is asked, then what is left of its tree, and then nothing is left.
@Suite(.serialized) struct EndingTests {
    /// A file that agents of any user may write, outside of their homes.
    private func sharedFile(_ world: World, _ name: String) -> String {
        let path = world.write(name, "")
        chmod(path, 0o666)
        return path
    }

    private func supervisor(of pid: pid_t) -> pid_t { World.parent(of: pid) }

    @Test func aShellsChildIsAskedWhenTheShellHasEnded() {
        inWorld { world in
            let said = sharedFile(world, "said")
            let child =
                "trap 'echo asked >> \(said); sleep 1; echo done >> \(said); exit 0' TERM; echo up >> \(said); "
                + "while :; do sleep 0.1; done"
            let script = "sh -c \"\(child)\"; echo never"
            world.apply(World.agent("one", script, "terminationGracePeriodSeconds: 86400"), "--wait")
            World.until("the child runs") { World.read(said) == "up\n" }
            let start = World.now()
            // When the child has ended, and not when a day is over.
            #expect(world.run("delete", "agent", "one").code == 0)
            #expect(World.read(said) == "up\nasked\ndone\n")
            #expect(World.now() - start > 900, "\(World.now() - start) ms")
        }
    }

    @Test func whatIgnoresTheSignalIsKilledWhenTheGracePeriodIsOver() {
        inWorld { world in
            let said = sharedFile(world, "said")
            let script =
                "sh -c 'trap \"\" TERM; echo up >> \(said); while :; do sleep 0.1; done' & "
                + "trap 'exit 0' TERM; while :; do sleep 0.1; done"
            world.apply(World.agent("one", script, "terminationGracePeriodSeconds: 2"), "--wait")
            World.until("the child runs") { World.read(said) == "up\n" }
            let start = World.now()
            #expect(world.run("delete", "agent", "one").code == 0)
            #expect(World.now() - start > 1900, "\(World.now() - start) ms")
            #expect(world.processes(with: "trap \"\" TERM").isEmpty)
        }
    }

    /// Ready turns False with the crash; the next attempt waits for the rest of the tree, which is asked.
    @Test func afterACrashTheRestIsAskedBeforeTheNextAttempt() {
        inWorld { world in
            let said = sharedFile(world, "said")
            let child =
                "trap 'while [ ! -e go ]; do sleep 0.05; done; echo ended >> \(said); exit 0' TERM; "
                + "echo up >> \(said); while :; do sleep 0.1; done"
            let script =
                "echo started >> \(said); sh -c \"\(child)\" & while [ ! -e crash ]; do sleep 0.05; done; rm crash; exit 3"
            world.apply(
                World.agent(
                    "one", script, "terminationGracePeriodSeconds: 600\nbackoff: {initialSeconds: 0}"), "--wait")
            World.until("the child runs") { World.read(said) == "started\nup\n" }
            let pid = world.pid("one")
            let home = World.openPath(pid, "cwd")
            world.write("\(home)/crash", "")
            World.until("Ready is over") { world.phase("one") == "Failed" }
            #expect(world.runOf("one")?[path: "lastExit", "code"]?.int == 3)
            #expect(World.read(said) == "started\nup\n", "the next attempt waits for the child")
            world.write("\(home)/go", "")
            World.until("it runs again") { world.runsAnew("one", after: pid) }
            World.until("the child runs again") { World.read(said) == "started\nup\nended\nstarted\nup\n" }
        }
    }

    @Test func aSupervisorThatDiesWhileTheRestEndsLeavesNothing() {
        inWorld { world in
            let said = sharedFile(world, "said")
            let script =
                "sh -c 'trap \"\" TERM; echo up >> \(said); while :; do sleep 0.1; done' & "
                + "while [ ! -e crash ]; do sleep 0.05; done; exit 3"
            world.apply(
                World.agent("one", script, "terminationGracePeriodSeconds: 86400\nrestartPolicy: Never"), "--wait")
            World.until("the child runs") { World.read(said) == "up\n" }
            let pid = world.pid("one")
            let supervisor = supervisor(of: pid)
            world.write("\(World.openPath(pid, "cwd"))/crash", "")
            World.until("it has failed") { world.phase("one") == "Failed" }
            #expect(!world.processes(with: "trap \"\" TERM").isEmpty)
            World.kill(supervisor, SIGKILL)
            World.until("the rest is gone") { world.processes(with: "trap \"\" TERM").isEmpty }
            #expect(world.runOf("one")?[path: "lastExit", "code"]?.int == 3)
            #expect(world.run("delete", "agent", "one", "--timeout", "120s").code == 0)
        }
    }

    /// An end is an end when the tree is gone, whoever holds the pipe of its output.
    @Test func whoeverElseHoldsTheOutputHoldsNoEndUp() {
        inWorld { world in
            world.apply(
                World.agent("one", World.stays)
                    + World.agent(
                        "two", "while [ ! -e end ]; do sleep 0.05; done; echo bye; exit 4", "restartPolicy: Never"),
                "--wait")
            let pids = ["one", "two"].map { world.pid($0) }
            let held = pids.map { open("/proc/\($0)/fd/1", O_WRONLY | O_CLOEXEC) }
            defer { for fd in held { close(fd) } }
            #expect(held.allSatisfy { $0 >= 0 })
            // It is held until the end of this test.
            #expect(world.run("delete", "agent", "one", "--grace-period", "0", "--timeout", "120s").code == 0)
            world.write("\(World.openPath(pids[1], "cwd"))/end", "")
            World.until("its end is seen") { world.phase("two") == "Failed" }
            #expect(world.runOf("two")?[path: "lastExit", "code"]?.int == 4)
            #expect(world.run("logs", "two").output == "bye\n")
        }
    }
}
