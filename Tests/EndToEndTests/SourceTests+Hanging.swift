import Glibc
import Support
import Testing
import Values

/// Files that do not answer, such as those of a network that is gone.
extension SourceTests {
    /// A file system in user space whose program never answers: whoever asks for its files waits.
    private static let silent = """
        import ctypes, os, sys, time
        libc = ctypes.CDLL(None, use_errno=True)
        fd = os.open("/dev/fuse", os.O_RDWR)
        options = f"fd={fd},rootmode=40000,user_id=0,group_id=0,allow_other".encode()
        if libc.mount(b"silent", sys.argv[1].encode(), b"fuse", 0, options): sys.exit(os.strerror(ctypes.get_errno()))
        print("mounted", flush=True)
        time.sleep(600)
        """

    private static let hasFuse = World.isRoot && access("/dev/fuse", R_OK | W_OK) == 0

    /// A world with a directory that does not answer until `end` is called.
    private func withSilence(_ body: (World, _ fleet: String, _ dead: String, _ end: () -> Void) throws -> Void) throws
    {
        try inFleet(["AGENTOS_SOURCE_PATH=/tmp"]) { world, fleet in
            let (dead, said) = ("\(world.directory)/dead", "\(world.directory)/mounted")
            mkdir(dead, 0o755)
            let program = world.write("silent.py", Self.silent)
            let mounter = World.start(
                ["/usr/bin/python3", program, dead], world.environment, nil, said, "\(said).error")
            let end = {
                // Whoever waits there gets an error now.
                World.kill(mounter, SIGKILL)
                umount2(dead, 2)
            }
            defer {
                end()
                waitpid(mounter, nil, 0)
            }
            try #require(
                World.until("it is mounted: \(World.read("\(said).error"))") { World.read(said) == "mounted\n" })
            try body(world, fleet, dead, end)
        }
    }

    @Test(.enabled(if: hasFuse, "file systems in user space cannot be mounted"))
    func aDirectoryThatDoesNotAnswerHoldsNoOtherSourceUp() throws {
        try withSilence { world, fleet, dead, end in
            world.write("\(fleet)/one.yaml", agent("one"))
            world.startDaemon()
            world.apply(source("dead", "path: \(dead), interval: 1s"))
            World.until("the other is applied") { world.phase("one") == "Ready" }
            World.until("the dead one says so") {
                message(world, "dead").contains("did not answer within 10 s")
            }
            // The living one is read on, and whoever asks for the dead one gets an answer.
            world.write("\(fleet)/two.yaml", agent("two"))
            World.until("the edit is seen") { world.phase("two") == "Ready" }
            let sync = world.run("sync", "dead", "--timeout", "120s")
            #expect(sync.code != 0 && sync.text.contains("did not answer"), "\(sync.text)")
            #expect(world.run("daemon", "stop").code == 0, "the daemon ends while a thread waits")
            world.startDaemon()
            world.write("\(fleet)/four.yaml", agent("four"))
            World.until("the living one is read again") { world.phase("four") == "Ready" }
            // When its files answer again, it is read again.
            end()
            world.write("\(dead)/three.yaml", agent("three"))
            World.until("it is read") { world.phase("three") == "Ready" }
        }
    }
    /// A file system with many Sources that goes silent holds a few threads, not one for each of them.
    @Test(.enabled(if: hasFuse, "file systems in user space cannot be mounted"))
    func manyDirectoriesThatDoNotAnswerHoldFewThreads() throws {
        try withSilence { world, fleet, dead, _ in
            world.write("\(fleet)/one.yaml", agent("one"))
            world.startDaemon()
            world.apply(
                (0..<50).map { source("dead-\($0)", "path: \(dead)/\($0), interval: 1s") }.joined(separator: "---\n"))
            World.until("all of them say so") {
                let text = world.run("get", "sources", "-o", "yaml").output
                return text.ranges(of: "did not answer").count >= 50
            }
            let threads = World.names("/proc/\(world.daemonPID)/task").filter {
                World.read("/proc/\(world.daemonPID)/task/\($0)/comm") == "look\n"
            }
            #expect((1...8).contains(threads.count), "\(threads.count)")
            world.write("\(fleet)/two.yaml", agent("two"))
            World.until("a living one is read on") { world.phase("two") == "Ready" }
        }
    }
}
