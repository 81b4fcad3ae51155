import Glibc
import Support
import Testing
import agentos_apply

/// The daemon as a service manager runs it: sd_notify(3) and sd_listen_fds(3), with real sockets.
@Suite struct ServiceTests {
    /// Writes each datagram that comes to a socket into a file, a line each.
    private static let listener = """
        import socket, sys
        s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        name = sys.argv[1]
        s.bind('\\0' + name[1:] if name[0] == '@' else name)
        out = open(sys.argv[2], 'w')
        print('bound', file=out, flush=True)
        while True: print(s.recv(4096).decode().replace('\\n', ' '), file=out, flush=True)
        """

    /// A program that goes on, with its output in a file of the world.
    private func begin(_ world: World, _ name: String, _ words: [String]) -> pid_t {
        World.start(
            words, world.environment, nil, "\(world.directory)/\(name).out", "\(world.directory)/\(name).err")
    }

    @Test(arguments: [true, false]) func theServiceManagerIsToldOfEachStep(isAbstract: Bool) {
        inWorld { world in
            let path = "\(world.directory)/notify"
            let told = "\(world.directory)/told"
            let place = isAbstract ? "@\(path)" : path
            let manager = begin(world, "manager", ["/usr/bin/python3", "-c", Self.listener, place, told])
            defer {
                World.kill(manager, SIGKILL)
                waitpid(manager, nil, 0)
            }
            World.until("the manager listens") { World.read(told).contains("bound\n") }
            world.moreEnvironment = ["NOTIFY_SOCKET=\(place)", "WATCHDOG_USEC=200000"]
            let config = world.write("d.yaml", "logFormat: text\n")
            let daemon = begin(world, "daemon", [World.program, "daemon", "--config", config])
            World.until("it is ready") {
                World.read(told).contains("READY=1 STATUS=serves \(world.socket)\n")
            }
            World.until("it shows signs of life") { World.read(told).split(separator: "WATCHDOG=1").count > 3 }
            world.write("d.yaml", "logFormat: json\nwatch: [/nowhere]\n")
            World.kill(daemon, SIGHUP)
            World.until("it has read its settings again") {
                World.read(told).split(separator: "READY=1 STATUS=serves").count == 3
            }
            let reload = World.read(told).split(separator: "\n").first { $0.hasPrefix("RELOADING=1 MONOTONIC_USEC=") }
            #expect(reload != nil, "\(World.read(told))")
            World.until("the log says what has changed, and what waits") {
                let log = World.read("\(world.directory)/daemon.err")
                return log.contains(#""message":"the settings were read again","changed":"logFormat""#)
                    && log.contains(#""settings":"watch""#)
            }
            World.kill(daemon, SIGTERM)
            #expect(World.wait(daemon) == 0)
            World.until("the end was told") {
                World.read(told).contains("STOPPING=1 STATUS=finishes what is under way (SIGTERM)")
            }
        }
    }

    /// A start on a large database takes longer than the watchdog waits, and no loop turns in it.
    @Test func aRestoreAsksForItsTimeAndGivesItBack() {
        inWorld { world in
            let (path, told) = ("\(world.directory)/notify", "\(world.directory)/told")
            let manager = begin(world, "manager", ["/usr/bin/python3", "-c", Self.listener, path, told])
            defer {
                World.kill(manager, SIGKILL)
                waitpid(manager, nil, 0)
            }
            World.until("the manager listens") { World.read(told).contains("bound\n") }
            world.moreEnvironment = ["NOTIFY_SOCKET=\(path)", "WATCHDOG_USEC=20000000"]
            let daemon = begin(world, "daemon", [World.program, "daemon"])
            World.until("it is ready") { World.read(told).contains("READY=1") }
            #expect(world.run("backup", "\(world.directory)/copy").code == 0)
            #expect(world.run("restore", "\(world.directory)/copy").code == 0)
            World.until("it serves the restored database") { World.read(told).split(separator: "READY=1").count == 3 }
            let expected = [
                "bound", "READY=1 STATUS=serves", "WATCHDOG_USEC=20000000 WATCHDOG=1", "RELOADING=1 STATUS=starts",
                "EXTEND_TIMEOUT_USEC=600000000", "WATCHDOG_USEC=600000000 WATCHDOG=1", "READY=1 STATUS=serves",
                "WATCHDOG_USEC=20000000 WATCHDOG=1",
            ]
            func steps() -> [String] {
                World.read(told).split(separator: "\n").map { line in
                    line.split(separator: " ").filter { !$0.hasPrefix("MONOTONIC") }.prefix(2).joined(separator: " ")
                }.filter { $0 != "WATCHDOG=1" }
            }
            World.until("the last step is told") { steps().count >= expected.count }
            #expect(steps() == expected, "\(World.read(told))")
            World.kill(daemon, SIGTERM)
            #expect(World.wait(daemon) == 0)
        }
    }

    @Test func aManagerThatIsNotThereHoldsNobodyUp() {
        inWorld { world in
            world.moreEnvironment = ["NOTIFY_SOCKET=\(world.directory)/nobody", "WATCHDOG_USEC=100000"]
            world.startDaemon()
            #expect(world.run("daemon", "status").code == 0)
            World.until("the log says so") { world.log.contains("the service manager cannot be told") }
        }
    }

    @Test func theWatchdogIsForTheProcessThatIsMeant() {
        func ms(_ variables: [String: String]) -> Int64? { ServiceManager.watchdogMs({ variables[$0] }, pid: 7) }
        #expect(ms(["WATCHDOG_USEC": "30000000"]) == 30_000)
        #expect(ms(["WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "7"]) == 30_000)
        #expect(ms(["WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "8"]) == nil)
        for text in ["", "0", "-1", "x", "99999999999999999999"] { #expect(ms(["WATCHDOG_USEC": text]) == nil) }
        #expect(ms(["WATCHDOG_USEC": "1"]) == 2 && ms([:]) == nil)
    }

    // MARK: Sockets that are passed

    private static let activate = "/usr/bin/systemd-socket-activate"

    /// Who calls while nobody serves waits, and is served on the same socket also after the daemon started again.
    @Test func theManagersSocketIsServedAndStays() {
        inWorld { world in
            mkdir(world.state, 0o711)
            let variables = ["AGENTOS_STATE_DIR", "HOME", "PATH"].flatMap { ["-E", $0] }
            let daemon = begin(
                world, "daemon", [Self.activate, "-l", world.socket] + variables + [World.program, "daemon"])
            // The name is there a moment before anybody listens.
            World.until("it is served") { World.exists(world.socket) && world.run("daemon", "status").code == 0 }
            #expect(world.daemonPID == daemon)
            let inode = Self.inode(world.socket)
            #expect(world.run("backup", "\(world.directory)/copy").code == 0)
            #expect(world.run("restore", "\(world.directory)/copy").code == 0)
            World.until("it serves the restored database") {
                let log = World.read("\(world.directory)/daemon.err")
                return log.split(separator: "daemon serves").count == 3
            }
            #expect(world.run("status").code == 0)
            #expect(Self.inode(world.socket) == inode && world.daemonPID == daemon)
            World.kill(daemon, SIGTERM)
            #expect(World.wait(daemon) == 0)
            #expect(Self.inode(world.socket) == inode, "the manager's socket stays")
        }
    }

    private static func inode(_ path: String) -> UInt64? {
        var status = Glibc.stat()
        return stat(path, &status) == 0 ? UInt64(status.st_ino) : nil
    }

    /// What is passed, what calls it, and what is said.
    @Test(arguments: [
        (["-l", "PLACE/other.sock"], "clients look for the daemon at"),
        (["-d", "-l", "PLACE/agentos.sock"], "it is a socket of another kind"),
        (["-l", "PLACE/agentos.sock", "-l", "PLACE/second.sock"], "passes 2 descriptors"),
    ]) func anotherSocketIsRefusedWithWhatIsExpected(options: [String], message: String) {
        inWorld { world in
            mkdir(world.state, 0o711)
            let options = options.map { $0.replacing("PLACE", with: world.state) }
            let variables = ["AGENTOS_STATE_DIR", "HOME", "PATH"].flatMap { ["-E", $0] }
            let daemon = begin(world, "daemon", [Self.activate] + options + variables + [World.program, "daemon"])
            let place = options.last ?? ""
            World.until("somebody listens") { World.exists(place) }
            let kind = options.contains("-d") ? "DGRAM" : "STREAM"
            let call =
                "import socket; s = socket.socket(socket.AF_UNIX, socket.SOCK_\(kind)); s.connect('\(place)'); s.send(b'x')"
            // The name is there a moment before anybody listens.
            World.until("it is called") { world.spawn(["/usr/bin/python3", "-c", call]).code == 0 }
            #expect(World.wait(daemon) == 64)
            let error = World.read("\(world.directory)/daemon.err")
            #expect(error.contains(message), "\(error)")
        }
    }

    @Test func descriptorsOfAnotherProcessAreNotOurs() throws {
        func count(_ variables: [String: String]) throws -> Int? {
            try PassedSocket.count({ variables[$0] }, pid: 7)
        }
        #expect(try count(["LISTEN_PID": "7", "LISTEN_FDS": "1"]) == 1)
        #expect(try count(["LISTEN_PID": "8", "LISTEN_FDS": "1"]) == nil)
        #expect(try count(["LISTEN_FDS": "1"]) == nil && count(["LISTEN_PID": "7"]) == nil)
        #expect(try count(["LISTEN_PID": "7", "LISTEN_FDS": "0"]) == nil)
        for text in ["x", "-1", "2147483647", "99999999999999999999"] {
            #expect(throws: CommandProblem.self) { try count(["LISTEN_PID": "7", "LISTEN_FDS": text]) }
        }
    }

    // MARK: Units

    private static let units = [
        "agentos.service", "agentos.socket", "agentos-agents.service", "user/agentos.service", "user/agentos.socket",
        "user/agentos-agents.service",
    ]

    /// `systemd-analyze verify` with the program in its place, in a directory of its own.
    @Test func unitsAreValid() {
        inWorld { world in
            for unit in Self.units {
                let text = World.read("\(World.root)/Deploy/systemd/\(unit)")
                #expect(!text.isEmpty, "\(unit)")
                mkdir("\(world.directory)/user", 0o755)
                // The manual is there when the package is; the program is this one.
                let here = text.replacing("/usr/bin/agentos-apply", with: World.program)
                    .replacing("man:agentos-apply(1)", with: "https://example.org")
                world.write(unit, here)
            }
            for (scope, prefix) in [("--system", ""), ("--user", "user/")] {
                let files = Self.units.filter { $0.hasPrefix("user/") == !prefix.isEmpty }
                    .map { "\(world.directory)/\($0)" }
                mkdir("\(world.directory)/run", 0o700)
                world.moreEnvironment = ["XDG_RUNTIME_DIR=\(world.directory)/run"]
                let result = world.spawn(
                    ["/usr/bin/systemd-analyze", "verify", scope, "--man=no"] + files)
                #expect(result.code == 0 && result.error.isEmpty, "\(result.text)")
            }
        }
    }

    /// Below 5 without what a daemon of agents must have, each of which the policy names with its reason.
    @Test func theUnitIsHardened() {
        inWorld { world in
            let place = "\(World.root)/Deploy/systemd"
            let result = world.spawn(
                [
                    "/usr/bin/systemd-analyze", "security", "--offline=true",
                    "--security-policy=\(place)/security-policy.json", "--threshold=50", "\(place)/agentos.service",
                ])
            #expect(result.code == 0, "\(result.text)")
            for line in World.read("\(place)/security-policy.json").split(separator: "\n")
            where line.contains("\"weight\"") {
                #expect(line.contains(#""description_na": ""#), "\(line)")
            }
        }
    }
}
