import Support
import Testing
import Values

/// Logs after a restore, where the numbers of a replica's runs have gaps.
@Suite(.serialized) struct RestoredLogTests {
    /// Run 1 lived when the backup was made; runs 2 to 5 are not in it, and run 6 follows.
    @Test func runsOfWhichSomethingIsKeptAreShownHoweverFarTheNumbersAre() {
        inWorld { world in
            world.apply(World.agent("one", "echo run; exec sleep 1000"), "--wait")
            let copy = "\(world.directory)/copy.db"
            #expect(world.run("backup", copy).code == 0)
            for run in 2...5 {
                let pid = world.pid("one")
                world.apply(World.agent("one", "echo run; exec sleep 100\(run)"))
                World.until("it runs anew") { world.runsAnew("one", after: pid) }
            }
            #expect(world.run("restore", copy).code == 0)
            World.until("run 6 is Ready") {
                guard let run = world.runOf("one") else { return false }
                return run["phase"]?.string == "Ready" && run["id"]?.string?.hasSuffix("-0000000006") == true
            }
            func log(_ run: Int) -> World.Result { world.run("logs", "one", "--run", String(run)) }
            World.until("the log of the new run is there") { log(6).output == "run\n" }
            // The run before it in the machine's own count, and one that is further back than finished runs are kept.
            for run in [2, 5] { #expect(log(run).output == "run\n", "\(run)") }
            #expect(log(7).error.contains("has no run 7; the last is 6"))
        }
    }
}
