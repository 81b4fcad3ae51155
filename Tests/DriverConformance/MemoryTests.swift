import Glibc
import Manifests
import Support
import Testing

/// Kills for want of memory: the agent's own, which is its end, and those of its children.
@Suite(.serialized) struct MemoryTests {
    /// A program that keeps all that it reads.
    private static func eats(_ isolation: Isolation) -> String {
        isolation.isContainer ? "tail -c 300000000 /dev/zero" : "python3 -c 'x = bytearray(300 << 20); print(len(x))'"
    }

    @Test(arguments: Isolation.withSharedKernel) func aKilledChildIsCountedAndIsNoReasonOfALaterEnd(
        isolation: Isolation
    ) throws {
        try inIsolation(isolation) { world, _ in
            let limit = "restartPolicy: Never\nresources: {limits: {memory: 96Mi}}"
            let lives = "\(Self.eats(isolation)); echo lives; while [ ! -e $HOME/end ]; do sleep 0.05; done; exit 3"
            let both =
                world.agent("parent", isolation, lives, limit)
                + world.agent("own", isolation, "exec \(Self.eats(isolation))", limit)
            world.apply(both)
            World.until("the child's kill is counted") {
                world.runOf("parent")?["childOOMKills"]?.int == 1
            }
            let uid = world.runOf("parent")?["id"]?.string?.prefix(32) ?? ""
            world.write("\(world.state)/homes/\(uid)/0/end", "")
            World.until("both have ended") {
                world.phase("parent") == "Failed" && world.phase("own") == "Failed"
            }
            let (parent, own) = (world.lastExit("parent"), world.lastExit("own"))
            #expect(parent?["reason"]?.string == "Error" && parent?["code"]?.int == 3, "\(String(describing: parent))")
            #expect(parent?["childOOMKills"]?.int == 1)
            #expect(own?["reason"]?.string == "OOMKilled" && own?["childOOMKills"] == nil, "\(String(describing: own))")
            World.until("it is told once") {
                let told = world.events().filter { $0["event_type"]?.string == "run.child_oom_killed" }
                return told.count == 1 && told[0][path: "data", "childOOMKills"]?.int == 1
                    && told[0][path: "object", "name"]?.string == "parent"
            }
        }
    }
}
