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

    /// The files that a start makes in its run's directory, in their order, and what comes when a run ends.
    private static let written = [".claim.77", "claim", ".exit", ".process", "process", "log", "ending", "exit"]

    private enum Left: String, CaseIterable { case whole, empty, zeros, torn, cut }

    /// What a loss of power leaves of a file: at a whole, none of it, zeros, the first half, all but the last byte.
    private static func rest(_ text: String, _ left: Left) -> String {
        switch left {
        case .whole: text
        case .empty: ""
        case .zeros: String(repeating: "\u{0}", count: text.utf8.count)
        case .torn: String(text.prefix(text.count / 2))
        case .cut: String(text.dropLast())
        }
    }

    /// The power goes after any of the files that a start writes, and that one is there whole, in part or empty.
    @Test func aRunDirectoryThatIsCutAnywhereIsNotInTheWay() {
        inWorld { world in
            let cuts = [(-1, Left.whole)] + Self.written.indices.flatMap { last in Left.allCases.map { (last, $0) } }
            let names = cuts.indices.map { "agent-\($0)" }
            let agents = names.map { World.agent($0, World.stays, "backoff: {initialSeconds: 0}") }
            #expect(world.apply(agents.joined(separator: "---\n"), "--wait", "--timeout", "5m").code == 0)
            let runs = names.map { (directory: runDirectory(world, $0), pid: world.pid($0)) }
            world.killDaemon()
            for run in runs {
                World.kill(World.parent(of: run.pid), SIGKILL)
                World.kill(run.pid, SIGKILL)
            }
            World.until("all are gone") { runs.allSatisfy { !World.isAlive($0.pid) } }
            for (index, (last, left)) in cuts.enumerated() { cut(world, runs[index].directory, last, left) }
            world.startDaemon()
            World.until("each runs again, once", 120_000) {
                let live = world.liveRuns()
                return live.count == cuts.count && live.allSatisfy { $0.value.count == 1 }
            }
            for (index, (last, left)) in cuts.enumerated() {
                World.until("the one that was cut at \(last) (\(left)) is Ready with another process", 60_000) {
                    world.phase(names[index]) == "Ready" && world.pid(names[index]) != runs[index].pid
                }
            }
            #expect(world.run("delete", "agents", "--all", "--timeout", "2m", timeoutMs: 150_000).code == 0)
            World.until("no run is left") { World.names("\(world.state)/runs").isEmpty }
        }
    }

    /// Leaves of a run's directory what was written up to a file, and of that one only a part.
    private func cut(_ world: World, _ directory: String, _ last: Int, _ left: Left) {
        let claim = World.read("\(directory)/claim")
        let process = World.read("\(directory)/process")
        #expect(claim.hasSuffix("\n") && process.hasSuffix("\n"))
        let end = "format 1\nreason Error\ncode 3\nat 1\n"
        let texts = [
            ".claim.77": claim, "claim": claim, ".process": process, "process": process, "ending": end, "exit": end,
        ]
        for name in World.names(directory) { unlink("\(directory)/\(name)") }
        for (place, name) in Self.written.enumerated() where place <= last {
            // A file that was given its name has no other.
            if place < last, [".claim.77", ".process"].contains(name) { continue }
            let text = texts[name] ?? ""
            world.write("\(directory)/\(name)", place == last ? Self.rest(text, left) : text)
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
