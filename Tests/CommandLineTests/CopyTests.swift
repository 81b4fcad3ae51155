import Glibc
import Support
import Testing
import agentos_apply

/// Bytes between this machine and an agent.
@Suite(.serialized) struct CopyTests {
    @Test func placesAreReadFromWords() throws {
        #expect(try CopyPlace("one:/a:b") == .agent("one", path: "/a:b"))
        #expect(try CopyPlace("agent/one:x") == .agent("one", path: "x"))
        #expect(
            try CopyPlace("./a:b") == .here("./a:b") && CopyPlace("/a") == .here("/a") && CopyPlace(":a") == .here(":a")
        )
        #expect(throws: Mistake.self) { try CopyPlace("one:") }
        #expect(CopyPlace.base("/a/b/") == "b" && CopyPlace.base("b") == "b")
    }

    @Test func filesAndDirectoriesGoInAndOut() {
        inWorld { world in
            world.apply(World.agent("one", World.stays), "--wait")
            let big = "\(world.directory)/big"
            _ = world.spawn(["dd", "if=/dev/urandom", "of=\(big)", "bs=1M", "count=3"], timeoutMs: 20_000)
            chmod(big, 0o755)
            #expect(world.run("cp", big, "one:copied").code == 0)
            #expect(world.run("exec", "one", "--", "sh", "-c", "test -x copied; echo $?").output == "0\n")
            #expect(world.run("cp", "agent/one:copied", "\(world.directory)/back").code == 0)
            #expect(world.spawn(["cmp", big, "\(world.directory)/back"], timeoutMs: 20_000).code == 0)

            _ = world.spawn(
                ["sh", "-c", "mkdir -p \(world.directory)/tree/deep; echo x > \(world.directory)/tree/deep/file"],
                timeoutMs: 20_000)
            #expect(world.run("cp", "\(world.directory)/tree", "one:there").code == 0)
            #expect(world.run("exec", "one", "--", "cat", "there/deep/file").output == "x\n")
            #expect(world.run("cp", "one:there", "\(world.directory)/out").code == 0)
            #expect(World.read("\(world.directory)/out/deep/file") == "x\n")

            let missing = world.run("cp", "one:nothing", "\(world.directory)/none")
            #expect(missing.code == 1 && missing.error.contains("nothing"), "\(missing.text)")
            #expect(!World.exists("\(world.directory)/none"))
            #expect(World.names(world.directory).filter { $0.contains(".part-") }.isEmpty)
            #expect(world.run("cp", "/no/such", "one:x").code == 3)
            #expect(world.run("cp", "one:a", "one:b").code == 64 && world.run("cp", "a").code == 64)
            #expect(world.run("cp", big, "one:/proc/none/x").code == 1)
        }
    }

    @Test func attachingShowsWhatIsWrittenFromNowOn() {
        inWorld { world in
            world.apply(
                World.agent("one", "trap 'exit 0' TERM; i=0; while :; do echo tick $i; i=$((i+1)); sleep 0.2; done"),
                "--wait")
            World.until("something was written") { world.run("logs", "one").output.contains("tick 2\n") }
            let attached = world.begin("attach", "agent/one")
            World.until("more is shown") { World.read(attached.output).contains("\n") }
            #expect(!World.read(attached.output).contains("tick 0\n"))
            world.run("delete", "agent", "one")
            #expect(World.wait(attached.pid, timeoutMs: 15_000) == 0)
            #expect(world.run("attach", "nobody").code == 1 && world.run("attach").code == 64)
        }
    }
}
