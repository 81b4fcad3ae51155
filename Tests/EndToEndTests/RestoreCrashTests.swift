import Glibc
import Manifests
import Support
import Testing
import Values

/// A restore whose daemon is killed at one of its steps: the next start finishes it.
@Suite(.serialized) struct RestoreCrashTests {
    /// Each call that changes a file, and its occasions.
    private static let steps: [(call: String, times: [Int])] = [
        ("rename", [1, 2, 3, 4]), ("unlink", [1, 2, 3, 5]), ("pwrite64", [1, 2, 3, 5, 8, 13, 21, 34]),
        ("fdatasync", [1, 2, 3, 4]), ("fsync", [1, 2, 3]), ("ftruncate", [1, 2]),
    ]

    @Test func aRestoreThatIsKilledAtAnyStepIsFinishedByTheNextStart() {
        inWorld { world in
            world.apply(Self.map("early") + Self.map("changed"))
            #expect(world.run("backup", "\(world.directory)/copy.db").code == 0)
            world.apply(Self.map("late") + Self.map("changed", value: "new"))
            let events = world.events().count
            world.killDaemon()
            let template = "\(world.directory)/template"
            #expect(world.spawn(["cp", "-a", world.state, template]).code == 0)
            var kills = 0
            for (call, times) in Self.steps {
                for time in times {
                    #expect(world.spawn(["rm", "-rf", world.state]).code == 0)
                    #expect(world.spawn(["cp", "-a", template, world.state]).code == 0)
                    #expect(
                        world.spawn(
                            ["cp", "\(world.directory)/copy.db", "\(world.state)/store/restore.db"]
                        )
                        .code == 0)
                    guard killsItself(world, call, time) else { break }
                    kills += 1
                    let what = "killed at \(call) \(time)"
                    let start = world.start()
                    #expect(start.code == 0, "\(what): \(start.text)\n\(world.log.suffix(1000))")
                    #expect(world.get("early", kind: "configmap") != nil, "\(what)")
                    #expect(world.get("late", kind: "configmap") == nil, "\(what)")
                    #expect(world.get("changed", kind: "configmap")?[path: "data", "KEY"]?.string == "old", "\(what)")
                    world.apply(Self.map("changed", value: "after"))
                    World.until("\(what): all is delivered") { world.events().count > events }
                    world.checkEvents(ofAtLeast: 3)
                    world.killDaemon()
                }
            }
            #expect(kills >= 12, "only \(kills) steps of a restore were found")
        }
    }

    private static func map(_ name: String, value: String = "old") -> String {
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: \(name)}\ndata: {KEY: \(value)}\n---\n"
    }

    /// Starts a daemon that is killed at the nth call; false when it has so few of them until it serves.
    private func killsItself(_ world: World, _ call: String, _ time: Int) -> Bool {
        let base = "\(world.directory)/traced"
        let pid = World.start(
            [
                "strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e", "trace=\(call)", "-e",
                "inject=\(call):signal=KILL:when=\(time)", World.program, "daemon",
            ], world.environment, nil, "\(base).out", "\(base).err")
        let serves = World.becomes(within: World.patienceMs) {
            !World.isAlive(pid) || World.read("\(base).err").contains("daemon serves")
        }
        #expect(serves, "it neither serves nor is killed")
        let wasKilled = !World.isAlive(pid)
        if !wasKilled { World.kill(pid, SIGKILL) }
        _ = World.wait(pid)
        return wasKilled
    }
}
