import Glibc
import Support
import Testing
import Values

/// What the files of runs and homes say after power losses, crashes and changes of hands.
@Suite(.serialized) struct RunRecordTests {
    private func runDirectory(_ world: World, _ name: String) -> String {
        "\(world.state)/runs/\(world.runOf(name)?["id"]?.string ?? "none")"
    }

    /// The power goes before the bytes of a run's files are on the disk: they are there and empty, or hold anything.
    @Test(arguments: ["", "\u{0}\u{0}\u{0}", "supervisor 12", "format 1\npid \n"])
    func recordsThatAPowerLossDamagedAreFromBefore(_ rest: String) {
        inWorld { world in
            world.apply(World.agent("one", World.stays, "backoff: {initialSeconds: 0}"), "--wait")
            let pid = world.pid("one")
            let directory = runDirectory(world, "one")
            #expect(!World.read("\(directory)/claim").isEmpty)
            world.killDaemon()
            World.kill(World.parent(of: pid), SIGKILL)
            World.kill(pid, SIGKILL)
            World.until("the agent is gone") { !World.isAlive(pid) }
            for name in ["claim", "process"] { world.write("\(directory)/\(name)", rest) }
            for name in ["exit", "ending"] { unlink("\(directory)/\(name)") }
            world.startDaemon()
            World.until("it runs again") { world.runsAnew("one", after: pid) }
            #expect(world.runOf("one")?[path: "lastExit", "reason"]?.string == "MachineRestarted")
            #expect(world.run("delete", "agent", "one", "--timeout", "120s").code == 0)
        }
    }

    /// Promise 2: with another database the agents of the old one are strangers.
    @Test func agentsOfAnotherStoreAreLeftAlone() {
        inWorld { world in
            world.apply(World.agent("one", World.stays), "--wait")
            let pid = world.pid("one")
            let directory = runDirectory(world, "one")
            world.killDaemon()
            #expect(rename("\(world.state)/store", "\(world.directory)/kept") == 0)
            world.startDaemon()
            World.until("it says so") {
                world.log.contains("runs of another store are left alone") && world.log.contains("count=\"1\"")
            }
            world.apply(World.agent("two", World.stays), "--wait")
            world.killDaemon()
            world.startDaemon()
            #expect(world.phase("two") == "Ready")
            #expect(World.isAlive(pid) && !World.read("\(directory)/process").isEmpty)
            World.kill(pid, SIGKILL)
        }
    }

    @Test(.enabled(if: World.isRoot, "needs root")) func aHomeBelongsToItsAgentWhateverHappened() {
        inWorld { world in
            let script = "echo x >> mark && \(World.stays)"
            func agent(_ user: Int, _ more: String = "suspend: false") -> String {
                World.agent(
                    "one", script, "securityContext: {runAsUser: \(user)}\nterminationGracePeriodSeconds: 1\n\(more)")
            }
            #expect(world.apply(agent(70_001), "--wait").code == 0)
            let home = World.openPath(world.pid("one"), "cwd")
            World.until("the first user wrote") { World.read("\(home)/mark") == "x\n" }
            // Another user: what is in the home goes with it.
            #expect(world.apply(agent(70_002), "--wait").code == 0)
            World.until("the new user wrote") { World.read("\(home)/mark") == "x\nx\n" }
            var status = stat()
            #expect(lstat("\(home)/mark", &status) == 0 && status.st_uid == 70_002)
            // A crash before the home was given away.
            world.apply(agent(70_002, "suspend: true"))
            World.until("it has stopped") { world.pid("one") < 0 }
            chown(home, 0, 0)
            chown("\(home)/mark", 0, 0)
            world.apply(agent(70_002))
            World.until("it writes again") { World.read("\(home)/mark") == "x\nx\nx\n" }
        }
    }

    /// One look at the directory serves all deletions, and large homes hold nobody up.
    @Test func deletingALargeHomeHoldsNothingUp() {
        inWorld { world in
            let script = "mkdir many && cd many && seq 1 60000 | xargs touch; touch ../made; \(World.stays)"
            world.apply(World.agent("large", script, "terminationGracePeriodSeconds: 1"), "--wait")
            let home = World.openPath(world.pid("large"), "cwd").replacing("/many", with: "")
            World.until("its files are made") { access("\(home)/made", F_OK) == 0 }
            world.run("delete", "agent", "large", "--no-wait")
            let start = World.now()
            world.apply(World.agent("two", World.stays), "--wait")
            #expect(world.run("delete", "agent", "two").code == 0)
            #expect(World.now() - start < 60_000)
            World.until("all of it is gone") { World.names("\(world.state)/homes").isEmpty }
        }
    }
}
