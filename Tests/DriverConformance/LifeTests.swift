import Glibc
import Manifests
import Support
import Testing

/// How agents live and end: the same for all isolations.
@Suite(.serialized) struct LifeTests {
    @Test(arguments: Isolation.allCases) func anAgentStartsRunsAndLeavesNothing(isolation: Isolation) throws {
        try inIsolation(isolation) { world, containerd in
            let script = "echo out; echo err >&2; pwd; echo \"home=$HOME\"; \(World.stays)"
            world.ready(world.agent("one", isolation, script))
            world.untilLog("one", "home=")
            let lines = world.log("one")
            #expect(lines.contains("out") && lines.contains("err"))
            // Without workingDir the directory is the replica's own.
            #expect(lines.contains { $0.hasPrefix("home=") && lines.contains(String($0.dropFirst(5))) })
            // Whose the run is stands in its directory, whatever isolates it.
            let store = World.read("\(world.state)/store/committed").split(whereSeparator: \.isWhitespace)[1]
            let claims = World.files(world.state).filter { $0.hasSuffix("/claim") }.map(World.read)
            #expect(claims.count == 1 && claims[0].contains(store), "\(claims)")
            if isolation.isContainer {
                #expect(world.runOf("one")?["imageDigest"]?.string?.hasPrefix("sha256:") == true)
            }
            #expect(world.run("delete", "agent", "one").code == 0)
            for directory in ["runs", "containers", "sandboxes", "homes"] {
                World.until("\(directory) is empty") { World.names("\(world.state)/\(directory)").isEmpty }
            }
            guard let containerd else { return }
            #expect(containerd.tasks.isEmpty && containerd.containers.isEmpty && containerd.snapshots.isEmpty)
            World.until("the shim is gone") { World.processes(with: containerd.namespace).isEmpty }
        }
    }

    @Test(arguments: Isolation.allCases) func exitCodesAndSignalsAreTold(isolation: Isolation) throws {
        try inIsolation(isolation) { world, _ in
            let never = "restartPolicy: Never"
            world.apply(
                world.agent("three", isolation, "exit 3", never) + world.agent("zero", isolation, "exit 0", never)
                    + world.agent("killed", isolation, World.stays, never)
                    + World.agent("missing", "x", isolation.lines + never).replacing(
                        "[sh, -c, \"x\"]", with: "[/no/such/program]"))
            World.until("it runs") { world.pid("killed") > 1 }
            World.kill(world.pid("killed"), SIGKILL)
            World.until("all ended") {
                ["three", "killed", "missing"].allSatisfy { world.phase($0) == "Failed" }
                    && world.phase("zero") == "Completed"
            }
            #expect(world.lastExit("three")?["code"]?.int == 3)
            #expect(world.lastExit("zero")?["code"]?.int == 0)
            #expect(
                world.lastExit("missing")?["reason"]?.string == "StartError",
                "\(String(describing: world.lastExit("missing")))")
            #expect(world.lastExit("killed")?["signal"]?.string == "SIGKILL")
        }
    }

    @Test(arguments: Isolation.allCases) func anAgentThatIgnoresItsSignalIsKilledAfterTheGrace(isolation: Isolation)
        throws
    {
        try inIsolation(isolation) { world, _ in
            world.ready(
                world.agent(
                    "deaf", isolation, "trap '' TERM; echo deaf; while :; do sleep 0.1; done",
                    "terminationGracePeriodSeconds: 1")
                    + world.agent(
                        "polite", isolation, "trap 'echo bye; exit 0' TERM; echo here; while :; do sleep 0.1; done"))
            world.untilLog("deaf", "deaf")
            world.untilLog("polite", "here")
            world.apply(
                world.agent(
                    "deaf", isolation, "trap '' TERM; echo deaf; while :; do sleep 0.1; done",
                    "terminationGracePeriodSeconds: 1\nsuspend: true")
                    + world.agent(
                        "polite", isolation, "trap 'echo bye; exit 0' TERM; echo here; while :; do sleep 0.1; done",
                        "suspend: true"))
            World.until("both stopped") {
                world.phase("deaf") == "Suspended" && world.phase("polite") == "Suspended"
            }
            #expect(world.lastExit("deaf")?["signal"]?.string == "SIGKILL")
            #expect(world.lastExit("polite")?["code"]?.int == 0)
            #expect(world.log("polite").last == "bye", "the log is complete when the end is told")
        }
    }

    @Test(arguments: Isolation.allCases) func logsAreCompleteAndOrdered(isolation: Isolation) throws {
        try inIsolation(isolation) { world, _ in
            let script = "i=0; while [ $i -lt 5000 ]; do echo \"line $i\"; i=$((i+1)); done; printf 'no newline'"
            world.apply(world.agent("talker", isolation, script, "restartPolicy: Never"))
            World.until("it has talked") { world.phase("talker") == "Completed" }
            let lines = world.log("talker")
            #expect(lines == (0..<5000).map { "line \($0)" } + ["no newline"])
        }
    }

    @Test(arguments: Isolation.allCases) func agentsOutliveTheDaemon(isolation: Isolation) throws {
        try inIsolation(isolation) { world, containerd in
            world.ready(
                world.agent("one", isolation, "i=0; while :; do echo tick $i; i=$((i+1)); sleep 0.05; done"))
            let before = (world.runOf("one")?["id"]?.string, world.pid("one"))
            for _ in 0..<3 {
                world.killDaemon()
                world.startDaemon()
                World.until("it is seen again") { world.phase("one") == "Ready" }
            }
            #expect(before == (world.runOf("one")?["id"]?.string, world.pid("one")))
            let ticks = world.log("one").compactMap { Int($0.dropFirst(5)) }
            #expect(ticks == Array(0..<ticks.count), "not a line is lost")
            if let containerd { #expect(containerd.tasks.count == 1) }
        }
    }

    @Test(arguments: Isolation.allCases) func anEndWhileTheDaemonIsDownIsTold(isolation: Isolation) throws {
        try inIsolation(isolation) { world, _ in
            world.ready(
                world.agent(
                    "one", isolation, "while ! test -e $HOME/end; do sleep 0.05; done; exit 7", "restartPolicy: Never"))
            let homes = "\(world.state)/homes"
            let home = try #require(World.names(homes).first)
            let pid = world.pid("one")
            world.killDaemon()
            world.write("\(homes)/\(home)/0/end", "")
            World.until("it has ended") { !World.isAlive(pid) }
            world.startDaemon()
            World.until("its end is known") { world.phase("one") == "Failed" }
            #expect(world.lastExit("one")?["code"]?.int == 7)
        }
    }

    @Test(arguments: Isolation.withContainerd) func agentsOutliveContainerd(isolation: Isolation) throws {
        try inIsolation(isolation) { world, containerd in
            let containerd = try #require(containerd)
            world.ready(
                world.agent("one", isolation, "i=0; while :; do echo tick $i; i=$((i+1)); sleep 0.05; done"))
            let before = (world.runOf("one")?["id"]?.string, world.pid("one"))
            containerd.kill()
            world.apply(world.agent("two", isolation, World.stays))
            World.until("the outage is told") {
                world.condition("two", "Ready")?["reason"]?.string == "DriverUnavailable"
            }
            #expect(world.condition("one", "Ready")?["status"]?.string == "True", "what runs is not in doubt")
            try containerd.start()
            World.until("the other starts") { world.phase("two") == "Ready" }
            #expect(before == (world.runOf("one")?["id"]?.string, world.pid("one")))
            let ticks = world.log("one").compactMap { Int($0.dropFirst(5)) }
            #expect(ticks == Array(0..<ticks.count))
            #expect(containerd.tasks.count == 2)
        }
    }

    @Test(arguments: Isolation.withContainerd) func aHangingContainerdHoldsNothingUpForever(isolation: Isolation) throws
    {
        try inIsolation(isolation) { world, containerd in
            let containerd = try #require(containerd)
            world.ready(world.agent("one", isolation, World.stays))
            World.kill(containerd.pid, SIGSTOP)
            world.apply(world.agent("two", isolation, World.stays) + World.agent("beside", World.stays))
            World.until("processes start all the same") { world.phase("beside") == "Ready" }
            World.until("the outage is told") { world.reason("two") == "DriverUnavailable" }
            World.kill(containerd.pid, SIGCONT)
            World.until("all run") { world.phase("two") == "Ready" && world.phase("one") == "Ready" }
            #expect(containerd.tasks.count == 2, "nothing was started twice")
        }
    }

    @Test(arguments: ["closes", "garbage", "silent"]) func aRuntimeThatTalksNonsenseIsAConditionAndARetry(
        _ mode: String
    ) throws {
        try inIsolation(.containerd) { world, containerd in
            let containerd = try #require(containerd)
            world.ready(world.agent("one", .containerd, World.stays))
            let before = world.pid("one")
            containerd.kill()
            // Somebody else listens where containerd did.
            let script = """
                import os, socket, sys
                path, mode = sys.argv[1:]
                if os.path.exists(path): os.unlink(path)
                listener = socket.socket(socket.AF_UNIX)
                listener.bind(path)
                listener.listen()
                print("listening", flush=True)
                kept = []
                while True:
                    connection, _ = listener.accept()
                    if mode == "garbage": connection.sendall(os.urandom(4096))
                    if mode == "silent": kept.append(connection)
                    else: connection.close()
                """
            let path = world.write("nonsense.py", script)
            let output = "\(world.directory)/nonsense.out"
            let fake = World.start(
                ["/usr/bin/python3", path, containerd.socket, mode], ["PATH=/usr/bin:/bin"], nil, output, "/dev/null")
            defer {
                World.kill(fake, SIGKILL)
                waitpid(fake, nil, 0)
            }
            World.until("it listens") { !World.read(output).isEmpty }
            world.apply(world.agent("two", .containerd, World.stays))
            World.until("the outage is told") { world.reason("two") == "DriverUnavailable" }
            #expect(world.condition("one", "Ready")?["status"]?.string == "True", "what runs is not in doubt")
            World.kill(fake, SIGKILL)
            unlink(containerd.socket)
            try containerd.start()
            World.until("the other starts") { world.phase("two") == "Ready" }
            #expect(world.pid("one") == before && containerd.tasks.count == 2)
        }
    }

    @Test(arguments: Isolation.allCases) func whatAgentsUseIsMeasured(isolation: Isolation) throws {
        try inIsolation(isolation) { world, _ in
            world.ready(
                world.agent("busy", isolation, "while :; do :; done")
                    + world.agent("idle", isolation, "exec sleep 1000000"))
            func row(_ name: String) -> [Substring] {
                let lines = world.run("top").output.split(separator: "\n")
                return lines.map { $0.split(whereSeparator: \.isWhitespace) }.first { $0.count > 5 && $0[1] == name }
                    ?? []
            }
            // How much of a processor it gets is the machine's affair: others want one, too.
            World.until("the busy one uses more of a processor than the idle one") {
                let (busy, idle) = (row("busy"), row("idle"))
                guard busy.count > 5, idle.count > 5, let more = Int(busy[3].dropLast()),
                    let less = Int(idle[3].dropLast())
                else { return false }
                return more > 20 && more > 2 * less && (Int(idle[5]) ?? 0) > 0
            }
            #expect(world.run("top", "nobody").code == 1)
        }
    }

    @Test(arguments: Isolation.allCases) func crashesDuringStartsNeverStartTwice(isolation: Isolation) throws {
        try inIsolation(isolation) { world, containerd in
            world.startDaemon()
            // Each run says its name once; a second program of one run would say it again.
            let script = "echo run $AGENTOS_RUN >> $HOME/starts; \(World.stays)"
            world.apply(world.agent("many", isolation, script, "replicas: 6\nupdateStrategy: {type: Recreate}"))
            for round in 0..<4 {
                World.until("starts have begun") {
                    ["runs", "containers", "sandboxes"].flatMap { World.names("\(world.state)/\($0)") }.count > round
                }
                world.killDaemon()
                world.startDaemon()
            }
            World.until("all are ready", 240_000) { world.status("many")?["readyReplicas"]?.int == 6 }
            let starts = World.files("\(world.state)/homes").filter { $0.hasSuffix("/starts") }
                .flatMap { World.read($0).split(separator: "\n").map(String.init) }
            #expect(Set(starts).count == starts.count, "a run was started twice: \(starts)")
            if let containerd { #expect(containerd.tasks.count == 6) }
        }
    }

    /// The database is another one: whose agents run here is not known to it, so nothing is done to them.
    @Test(arguments: Isolation.allCases) func agentsOfAnotherStoreAreToldAndLeftAlone(isolation: Isolation) throws {
        try inIsolation(isolation) { world, containerd in
            world.ready(world.agent("one", isolation, World.stays))
            let pid = world.pid("one")
            defer { World.kill(pid, SIGKILL) }
            world.killDaemon()
            _ = world.spawn(["/bin/rm", "-rf", "\(world.state)/store", "\(world.state)/journal"])
            world.startDaemon()
            World.until("it is told") {
                let log = world.log
                return log.contains("runs of another store are left alone") && log.contains("count=\"1\"")
            }
            // By then the driver has looked at all that is there, and swept.
            world.ready(world.agent("two", isolation, World.stays))
            #expect(world.run("delete", "agent", "two").code == 0)
            #expect(World.isAlive(pid) && world.get("one") == nil)
            if let containerd { #expect(containerd.tasks.count == 1 && containerd.containers.count == 1) }
        }
    }

    @Test func aNewDriverReplacesOrdinalByOrdinal() throws {
        try inIsolation(.gvisor) { world, containerd in
            let containerd = try #require(containerd)
            let script = "echo $AGENTOS_ORDINAL >> $HOME/kept; \(World.stays)"
            for (number, isolation) in [Isolation.process, .containerd, .gvisor, .process].enumerated() {
                world.ready(world.agent("mover", isolation, script, "replicas: 2"))
                #expect(containerd.tasks.count == (isolation.isContainer ? 2 : 0))
                // The home goes with the replica, whatever isolates it. What has been started may have written nothing yet.
                World.until("both have written into their homes: \(isolation)") {
                    let homes = World.files("\(world.state)/homes").filter { $0.hasSuffix("/kept") }
                    return homes.map { World.read($0).split(separator: "\n").count } == [number + 1, number + 1]
                }
            }
        }
    }

    /// The groups of this world's daemon, in all hierarchies: those of runs and the one above them.
    private static func groups(of world: World) -> (parents: [String], runs: [String]) {
        // The second word beside the database is the store's id.
        let words = World.read("\(world.state)/store/committed").split(whereSeparator: \.isWhitespace)
        guard words.count > 1 else { return (["no store"], []) }
        let parent = "agentos-\(words[1].prefix(12))"
        func isGroup(_ path: String) -> Bool { access("\(path)/cgroup.procs", F_OK) == 0 }
        let places: [String] = World.names("/sys/fs/cgroup").map { hierarchy in
            "/sys/fs/cgroup/\(hierarchy)/\(parent)"
        }
        let parents = places.filter(isGroup)
        let runs = parents.flatMap { parent -> [String] in
            World.names(parent).map { name -> String in "\(parent)/\(name)" }.filter(isGroup)
        }
        return (parents, runs)
    }

    @Test(arguments: Isolation.containers) func aHundredStartsAndStopsLeaveNothing(isolation: Isolation) throws {
        try inIsolation(isolation) { world, containerd in
            if let containerd {
                // What others keep in the same containerd, even in the same namespace, is theirs.
                #expect(containerd.ctr("images", "import", Containerd.image) != nil)
                let image = try #require(containerd.images.first { !$0.contains("sha256") })
                #expect(containerd.ctr("run", "-d", image, "foreign", "/bin/sh", "-c", World.stays) != nil)
                #expect(containerd.ctr("leases", "create", "--id", "theirs") != nil)
            }
            for round in 0..<5 {
                let manifest = world.agent(
                    "crowd", isolation, World.stays, "replicas: 20\nterminationGracePeriodSeconds: 1")
                world.apply(manifest)
                World.until("round \(round) runs", 240_000) { world.status("crowd")?["readyReplicas"]?.int == 20 }
                #expect(world.run(["delete", "agent", "crowd", "--timeout", "120s"]).code == 0)
            }
            if let containerd {
                #expect(containerd.tasks == ["foreign"] && containerd.containers == ["foreign"])
                #expect(containerd.snapshots.count == 1 && containerd.leases == ["theirs"])
                #expect(containerd.ctr("tasks", "delete", "--force", "foreign") != nil)
            }
            World.until("no shim, logger, sandbox or mount is left") {
                (containerd.map { World.processes(with: $0.namespace).isEmpty } ?? true)
                    && World.processes(with: "\(world.state)/").filter { !World.commandLine(of: $0).contains("daemon") }
                        .isEmpty
                    && !World.read("/proc/self/mounts").contains("\(world.directory)/containerd/state/io")
            }
            World.until("no cgroup of a run is left") { Self.groups(of: world).runs == [] }
            // What was removed is set aside first, and goes a moment later.
            for directory in ["containers", "sandboxes", "memory", "network"] {
                World.until("\(directory) is empty") { World.names("\(world.state)/\(directory)").isEmpty }
            }
            #expect(world.run("daemon", "stop").code == 0)
            #expect(!World.read("/proc/self/mounts").contains(world.state), "a mount is left")
            #expect(Self.groups(of: world).parents == [], "the groups above those of runs are left")
        }
    }

    @Test(arguments: Isolation.allCases) func whatIsFrozenKeepsItsMemory(isolation: Isolation) throws {
        try inIsolation(isolation) { world, _ in
            let script =
                "i=0; trap 'echo bye; exit 0' TERM; while :; do i=$((i+1)); echo $i > $HOME/beat; sleep 0.05; done"
            func apply(_ more: String) {
                #expect(world.apply(world.agent("one", isolation, script, "suspendMode: Freeze\n" + more)).code == 0)
            }
            world.ready(world.agent("one", isolation, script, "suspendMode: Freeze"))
            let home = try #require(World.names("\(world.state)/homes").first)
            let beat = "\(world.state)/homes/\(home)/0/beat"
            func isBeating() -> Bool { World.changes(within: 400) { World.read(beat) } }
            World.until("it beats") { isBeating() }
            let run = world.runOf("one")?["id"]?.string
            apply("suspend: true")
            World.until("it is frozen") { world.phase("one") == "Suspended" }
            /// Nil while a beat is being written.
            func beats() -> Int? { World.read(beat).split(separator: "\n").first.flatMap { Int($0) } }
            let count = beats() ?? 0
            #expect(!isBeating() && world.pid("one") > 1)
            #expect(world.run("exec", "one", "--", "true").error.contains("frozen"))
            // It stays so over the daemon's end.
            world.killDaemon()
            world.startDaemon()
            World.until("it is seen frozen") { world.phase("one") == "Suspended" }
            #expect(!isBeating())
            apply("suspend: false")
            World.until("it is ready again") { world.phase("one") == "Ready" }
            World.until("it goes on") { isBeating() }
            #expect(world.runOf("one")?["id"]?.string == run)
            World.until("it has kept its count") { (beats() ?? 0) > count }
            // What is frozen can be stopped, and hears its signal.
            apply("suspend: true")
            World.until("it is frozen again") { world.phase("one") == "Suspended" }
            #expect(world.apply(world.agent("one", isolation, script, "suspendMode: Stop\nsuspend: true")).code == 0)
            World.until("it is stopped") { world.phase("one") == "Suspended" && world.pid("one") < 0 }
            #expect(world.lastExit("one")?["code"]?.int == 0)
            apply("suspend: false")
            World.until("another run") { world.phase("one") == "Ready" }
            apply("suspend: true")
            World.until("that is frozen") { world.phase("one") == "Suspended" }
            #expect(world.run("delete", "agent", "one", "--grace-period", "0").code == 0)
        }
    }
}
