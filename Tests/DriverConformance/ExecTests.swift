import Glibc
import Manifests
import Support
import Testing

/// Commands beside agents: the same for all isolations.
@Suite(.serialized) struct ExecTests {
    @Test(arguments: Isolation.allCases) func commandsRunWhereTheAgentRuns(isolation: Isolation) throws {
        try inIsolation(isolation) { world, containerd in
            world.ready(
                world.agent("one", isolation, World.stays, "env: [{name: GIVEN, value: by the manifest}]"))
            func exec(_ words: String..., input: String? = nil) -> World.Result {
                world.run(["exec"] + (input == nil ? [] : ["-i"]) + ["one", "--"] + words, input: input)
            }
            let shown = exec("sh", "-c", "echo $GIVEN; echo $AGENTOS_AGENT; pwd; echo $HOME; echo no >&2; exit 7")
            #expect(shown.code == 7)
            let lines = shown.output.split(separator: "\n").map(String.init)
            #expect(lines.count == 4 && lines[0] == "by the manifest" && lines[1] == "one" && lines[2] == lines[3])
            #expect(shown.error == "no\n", "the two outputs stay apart")
            // Input of more than all buffers, there and back.
            let much = String(repeating: "0123456789abcdef", count: 40_000)
            #expect(exec("cat", input: much).output == much)
            #expect(exec("sh", "-c", "cat; echo end").output == "end\n", "without -i there is no input")
            #expect(exec("sh", "-c", "kill -9 $$").code == 137)
            let missing = exec("/no/such/program")
            #expect(missing.code == 127 && missing.error.contains("/no/such/program"), "\(missing.text)")
            #expect(exec("/etc/passwd").code == 126)
            // Who reads slowly gets the last bytes, too.
            let slow = world.spawn(
                ["/bin/sh", "-c", "\(World.program) exec one -- seq 1 300000 | (sleep 3; tail -n 1)"])
            #expect(slow.output == "300000\n", "\(slow.text)")
            // What the command leaves behind does not hold it up, and does not stay.
            let left = "sleep 31\(getpid())"
            #expect(exec("sh", "-c", "\(left) & echo started").output == "started\n")
            if !isolation.hasOwnKernel { World.until("it is gone") { World.processes(with: left).isEmpty } }
            #expect(world.phase("one") == "Ready")
            #expect(world.restarts("one") == 0)
            if let containerd { #expect(containerd.tasks.count == 1) }
            #expect(World.names("\(world.state)/containers").allSatisfy { !$0.hasPrefix(".exec") })
        }
    }

    /// The files behind these names belong to whoever made them: an agent of another user may write to them all the same.
    @Test(arguments: Isolation.allCases) func outputsHaveNamesThatAnyUserMayOpen(isolation: Isolation) throws {
        try inIsolation(isolation) { world, _ in
            let writes = "echo out > /dev/stdout; echo err > /dev/stderr; echo user $(id -u)"
            world.ready(
                world.agent(
                    "one", isolation, "\(writes); \(World.stays)",
                    "securityContext: {runAsUser: 5001, runAsGroup: 5001}"))
            world.untilLog("one", "user")
            #expect(Set(world.log("one")) == ["out", "err", "user 5001"], "\(world.log("one"))")
            let ran = world.run("exec", "one", "--", "sh", "-c", writes)
            #expect(ran.code == 0 && ran.output == "out\nuser 5001\n" && ran.error == "err\n", "\(ran.text)")
            let shown = "\(world.directory)/terminal"
            world.write("writes", "exec \(World.program) exec -it one -- sh -c '\(writes)'\n")
            let terminal = world.spawn(["script", "-qec", "sh \(world.directory)/writes", shown])
            // `script` types the end of its own input, which the terminal shows.
            let output = terminal.output.replacing("^@", with: "").replacing("^D\u{8}\u{8}", with: "")
            #expect(terminal.code == 0 && output.hasSuffix("out\r\nerr\r\nuser 5001\r\n"), "\(terminal.text)")
        }
    }

    @Test(arguments: Isolation.allCases) func limitsOfTimeAndClientsThatGoEndTheCommand(isolation: Isolation) throws {
        try inIsolation(isolation) { world, _ in
            world.ready(world.agent("one", isolation, World.stays))
            let home = try #require(World.names("\(world.state)/homes").first)
            let beat = "\(world.state)/homes/\(home)/0/beat"
            let beats = [
                "one", "--", "sh", "-c",
                "sh -c 'i=0; while :; do i=$((i+1)); echo $i > $HOME/beat; sleep 0.05; done'; true",
            ]
            func isBeating() -> Bool { World.changes(within: 300) { World.read(beat) } }
            let late = world.run(["exec", "--timeout", "1s"] + beats)
            #expect(late.code == 5, "\(late.text)")
            World.until("all of the command is gone") { !isBeating() }
            let command = World.start(
                [World.program, "exec"] + beats, world.environment, nil, "/dev/null", "/dev/null")
            World.until("it beats") { isBeating() }
            World.kill(command, SIGKILL)
            waitpid(command, nil, 0)
            World.until("it ends with its client") { !isBeating() }
            #expect(world.phase("one") == "Ready" && world.restarts("one") == 0)
        }
    }

    @Test(arguments: Isolation.allCases) func commandsMayHaveATerminal(isolation: Isolation) throws {
        try inIsolation(isolation) { world, _ in
            world.ready(world.agent("one", isolation, World.stays))
            // A terminal of its own for the command line, as a person has one: 100 columns, later 120.
            let script = """
                import fcntl, os, pty, struct, sys, termios, time, select, signal
                pid, fd = pty.fork()
                if pid == 0:
                    while struct.unpack("HHHH", fcntl.ioctl(0, termios.TIOCGWINSZ, bytes(8)))[1] != 100: pass
                    os.execv(sys.argv[1], [sys.argv[1], "exec", "-it", "one", "--", "sh"])
                def size(columns):
                    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 33, columns, 0, 0))
                size(100)
                seen = b""
                def until(text, again=b""):
                    global seen
                    end = time.time() + 60
                    if again: os.write(fd, again)
                    while text not in seen:
                        if not select.select([fd], [], [], 1)[0]:
                            if time.time() > end: sys.exit("no " + repr(text) + " in " + repr(seen))
                            if again: os.write(fd, again)
                            continue
                        try: chunk = os.read(fd, 4096)
                        except OSError: chunk = b""
                        if not chunk: sys.exit("ended before " + repr(text) + ": " + repr(seen))
                        seen += chunk
                os.write(fd, b"stty size; test -t 0 && echo is''-terminal\\n")
                until(b"33 100")
                until(b"is-terminal")
                size(120)
                os.kill(pid, signal.SIGWINCH)
                os.write(fd, b"until stty size | grep '33 120'; do :; done; echo gr''own\\n")
                until(b"grown")
                os.write(fd, b"echo beg''in; sleep 1000\\n")
                until(b"begin")
                # The interrupt may come before there is something to interrupt.
                until(b"afterwards", again=b"\\x03echo after''wards\\n")
                os.write(fd, b"exit 9\\n")
                while True:
                    try:
                        if not os.read(fd, 4096): break
                    except OSError: break
                sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
                """
            world.write("terminal.py", script)
            let result = world.spawn(
                ["/usr/bin/python3", "\(world.directory)/terminal.py", World.program])
            #expect(result.code == 9, "\(result.text)")
        }
    }

    /// Commands and probes have what was declared, whatever the agent has made of its own.
    @Test func commandsHaveWhatTheAgentWasStartedWith() throws {
        try inIsolation(.process) { world, _ in
            let place = "\(world.directory)/place"
            mkdir(place, 0o777)
            chmod(place, 0o777)
            let program = """
                import ctypes, os, resource, time
                # As setproctitle does it: over the environment.
                fields = open("/proc/self/stat").read().rsplit(")", 1)[1].split()
                ctypes.memset(int(fields[47]), 0x78, int(fields[48]) - int(fields[47]))
                os.chdir("/")
                resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
                open(os.environ["HOME"] + "/changed", "w").close()
                while True: time.sleep(1)
                """
            let path = world.write("titled.py", program)
            let probe = world.write(
                "probe.sh", "test -e $HOME/changed && test \"$GIVEN\" = declared && test $PWD = \(place)")
            let manifest = World.agent(
                "one", "exec python3 \(path)",
                """
                workingDir: \(place)
                env: [{name: GIVEN, value: declared}]
                resources: {limits: {nofile: 500}}
                readinessProbe: {exec: {command: [sh, \(probe)]}, periodSeconds: 1, timeoutSeconds: 60}
                """)
            let applied = world.apply(manifest, "--wait", "--timeout", "90s")
            #expect(applied.code == 0, "\(applied.text)")
            let shown = world.run("exec", "one", "--", "sh", "-c", "echo $GIVEN; pwd; ulimit -n; ulimit -Hn; id -u")
            let user = World.read("/proc/\(world.pid("one"))/status").split(separator: "\n").first {
                $0.hasPrefix("Uid:")
            }?.split(separator: "\t")[1]
            #expect(shown.output == "declared\n\(place)\n500\n500\n\(user ?? "")\n", "\(shown.text)")
            rmdir(place)
            let gone = world.run("exec", "one", "--", "true")
            #expect(gone.code != 0 && gone.error.contains(place), "\(gone.text)")
        }
    }

    @Test func whatCannotBeExecutedIsSaid() throws {
        try inIsolation(.process) { world, _ in
            world.apply(World.agent("ended", "exit 0", "restartPolicy: Never") + World.agent("one", World.stays))
            World.until("it has ended") { world.phase("ended") == "Completed" && world.phase("one") == "Ready" }
            let ended = world.run("exec", "ended", "--", "true")
            #expect(ended.code == 7 && ended.error.contains("does not run (Completed)"), "\(ended.text)")
            #expect(world.run("exec", "none", "--", "true").error.contains("not found"))
            #expect(world.run("exec", "--replica", "3", "one", "--", "true").error.contains("no replica 3"))
            #expect(world.run("exec", "one").code == 64)
            let noTerminal = world.run("exec", "-t", "one", "--", "true")
            #expect(noTerminal.code == 64 && noTerminal.error.contains("needs a terminal"))
            #expect(world.run("exec", "one", "--", "true").code == 0)
            world.killDaemon()
            #expect(world.run("exec", "one", "--", "true").code == 4)
        }
    }
}
