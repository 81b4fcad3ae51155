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
            let pid = world.pid("one")
            #expect(world.run("restore", copy).code == 0)
            World.until("it runs anew") { world.runsAnew("one", after: pid) }
            func log(_ attempt: Int) -> (status: Int, text: String)? {
                RawClient.ask(
                    world.socket, "GET",
                    "/apis/agentos.dev/v1/namespaces/default/agents/one/log?attempt=\(attempt)"
                ).map { ($0.status, $0.text) }
            }
            let number = world.runOf("one")?["id"]?.string.flatMap { $0.split(separator: "-").last }.flatMap { Int($0) }
            #expect(number == 6)
            World.until("the log of the new run is there") { log(6)?.text == "run\n" }
            // The run before it in the machine's own count, and one that is further back than finished runs are kept.
            for attempt in [2, 5] { #expect(log(attempt)?.text == "run\n", "\(attempt)") }
            #expect(log(7)?.status == 404)
        }
    }
}
