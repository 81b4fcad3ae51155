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
        #expect(CopyPlace.base("d/..") == "." && CopyPlace.base("/") == ".")
    }

    @Test func filesAndDirectoriesGoInAndOut() {
        inWorld { world in
            world.apply(World.agent("one", World.stays), "--wait")
            let big = "\(world.directory)/big"
            _ = world.spawn(["dd", "if=/dev/urandom", "of=\(big)", "bs=1M", "count=3"])
            chmod(big, 0o755)
            #expect(world.run("cp", big, "one:copied").code == 0)
            #expect(world.run("exec", "one", "--", "sh", "-c", "test -x copied; echo $?").output == "0\n")
            #expect(world.run("cp", "agent/one:copied", "\(world.directory)/back").code == 0)
            #expect(world.spawn(["cmp", big, "\(world.directory)/back"]).code == 0)

            _ = world.spawn(
                ["sh", "-c", "mkdir -p \(world.directory)/tree/deep; echo x > \(world.directory)/tree/deep/file"])
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

    /// What an agent has is no right on this machine.
    @Test func copiesOpenNothingToOthers() {
        inWorld { world in
            let made = "mkdir s; cp /bin/true s/x; chmod 4755 s/x; echo v > f; \(World.stays)"
            world.apply(World.agent("one", made), "--wait")
            World.until("it is there") { world.run("exec", "one", "--", "test", "-f", "f").code == 0 }
            func mode(_ name: String) -> UInt32 {
                var status = stat()
                return lstat("\(world.directory)/\(name)", &status) == 0 ? status.st_mode : 0
            }
            #expect(world.run("cp", "one:f", "\(world.directory)/f").code == 0 && mode("f") & 0o7777 == 0o600)
            #expect(world.run("cp", "one:s/x", "\(world.directory)/x").code == 0 && mode("x") & 0o7777 == 0o700)
            #expect(world.run("cp", "one:s", "\(world.directory)/s").code == 0)
            #expect(mode("s/x") != 0 && mode("s/x") & 0o7000 == 0)
            // What is no file is written through, and stays what it is.
            symlink("f", "\(world.directory)/link")
            #expect(world.run("cp", "one:s/x", "\(world.directory)/link").code == 0)
            #expect(mode("link") & S_IFMT == S_IFLNK && World.read("\(world.directory)/f") != "v\n")
            #expect(world.run("cp", "one:f", "/dev/full").code == 1 && World.exists("/dev/full"))
        }
    }

    @Test(arguments: [SIGKILL, SIGTERM]) func aCopyThatIsKilledLeavesNothing(signal: Int32) {
        inWorld { world in
            world.apply(
                World.agent("one", "mkfifo f; { touch begun; while :; do echo x; sleep 0.05; done; } > f"), "--wait")
            World.until("there is something to copy") { world.run("exec", "one", "--", "test", "-p", "f").code == 0 }
            let copy = world.begin("cp", "one:f", "\(world.directory)/copied")
            World.until("it copies") { world.run("exec", "one", "--", "test", "-f", "begun").code == 0 }
            World.kill(copy.pid, signal)
            #expect(World.wait(copy.pid) == 128 + signal)
            #expect(World.names(world.directory).filter { $0.hasPrefix("copied") } == [])
        }
    }

    /// In the agent, too: by itself when the signal can be caught, and by the next copy when it cannot.
    @Test(arguments: [SIGINT, SIGKILL]) func aCopyIntoAnAgentThatIsKilledLeavesNothing(signal: Int32) {
        inWorld { world in
            // Who takes the bytes there waits for a file, so that the copy is in its midst however slow the test is.
            let go = "\(world.directory)/go"
            mkdir("\(world.directory)/bin", 0o755)
            let slow = world.write("bin/cat", "#!/bin/sh\nwhile [ ! -e \(go) ]; do sleep 0.05; done\nexec /bin/cat\n")
            chmod(slow, 0o755)
            let path = "env: [{name: PATH, value: \"\(world.directory)/bin:/usr/bin:/bin\"}]"
            #expect(world.apply(World.agent("one", World.stays, path), "--wait").code == 0)
            let big = "\(world.directory)/big"
            _ = world.spawn(["truncate", "-s", "400M", big])
            func files() -> String { world.run("exec", "one", "--", "ls", "-A").output }
            let copy = world.begin("cp", big, "one:copied")
            World.until("it copies") { files().hasPrefix("copied.agentos-cp-") }
            World.kill(copy.pid, signal)
            world.write(go, "")
            #expect(World.wait(copy.pid) == 128 + signal)
            if signal == SIGKILL {
                World.until("its command has ended") { world.processes(with: "agentos-cp-").isEmpty }
                #expect(world.run("cp", world.write("small", "x\n"), "one:copied").code == 0)
                #expect(files() == "copied\n")
            } else {
                World.until("nothing is left") { files() == "" }
            }
        }
    }

    /// What the kernel makes when it is read says nothing of its length, and an empty file has none.
    @Test func filesOfAllLengthsAreSent() {
        inWorld { world in
            world.apply(World.agent("one", World.stays), "--wait")
            #expect(world.run("cp", "/proc/self/status", "one:status").code == 0)
            #expect(world.run("exec", "one", "--", "head", "-n", "1", "status").output.hasPrefix("Name:"))
            #expect(world.run("cp", world.write("empty", ""), "one:empty").code == 0)
            #expect(
                world.run("exec", "one", "--", "sh", "-c", "test -f empty && ls -A | grep -c agentos-cp-").output
                    == "0\n")
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
            #expect(World.wait(attached.pid) == 0)
            #expect(world.run("attach", "nobody").code == 1 && world.run("attach").code == 64)
        }
    }
}
