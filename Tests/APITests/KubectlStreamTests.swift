import Glibc
import Support
import Testing
import Values

/// Commands beside agents by real clients over TLS: SPDY by kubectl before 1.30, WebSocket since and from Python.
@Suite(.serialized) struct KubectlStreamTests {
    /// Debian 12's kubectl, and those of its newer suites; `scripts/test` gets them.
    private static let kubectls = ["BOOKWORM", "TRIXIE", "SID"].map { "AGENTOS_TEST_KUBECTL_\($0)" }

    private static func program(_ variable: String) throws -> String {
        let path = World.variable(variable).flatMap { World.isExecutable($0) ? $0 : nil }
        return try #require(path, "\(variable) names no program; scripts/test gets it")
    }

    /// A daemon that listens, two agents, and how a client reaches it.
    private static func served(_ body: (World, _ config: String) throws -> Void) throws {
        try inWorld { world in
            let start = world.start("--listen", "127.0.0.1:0")
            #expect(start.code == 0, "\(start.text)")
            let config = world.write("kubeconfig.yaml", world.run("kubeconfig").output)
            world.apply(
                World.agent("one", World.stays) + World.agent("loud", "while :; do echo tick; sleep 0.1; done"),
                "--wait")
            try body(world, config)
        }
    }

    @Test(arguments: kubectls) func kubectlRunsCommandsBesideAgents(variable: String) throws {
        let program = try Self.program(variable)
        try Self.served { world, config in
            func kubectl(_ words: [String], input: String? = nil) -> World.Result {
                world.spawn([program, "--kubeconfig=\(config)"] + words, input: input)
            }
            let failed = kubectl(["exec", "one-0", "--", "sh", "-c", "echo out; echo err >&2; exit 7"])
            #expect(failed.code == 7 && failed.output == "out\n" && failed.error.hasPrefix("err\n"), "\(failed.text)")
            let lines = kubectl(["exec", "one-0", "--", "sh", "-c", "printf '%s|' \"$@\"", "x", "a\nb", "ä", ""])
            #expect(lines.code == 0 && lines.output == "a\nb|ä||", "\(lines.text)")
            #expect(kubectl(["exec", "one-0", "--", "/no/such"]).code == 127)
            // More than all buffers, there and back, with an end of the input.
            let much = (1...100_000).map(String.init).joined(separator: "\n")
            let echoed = kubectl(["exec", "-i", "one-0", "--", "sh", "-c", "cat; echo; echo end"], input: much)
            #expect(echoed.code == 0 && echoed.output == "\(much)\nend\n", "\(echoed.output.utf8.count) bytes")
            for _ in 0..<5 {
                let counted = kubectl(["exec", "one-0", "--", "seq", "1", "200000"])
                #expect(counted.output.hasSuffix("\n200000\n") && counted.output.utf8.count == 1_288_895)
            }
            let silent = kubectl(["exec", "one-0", "--", "sh", "-c", "cat; echo end"])
            #expect(silent.output == "end\n", "without -i there is no input: \(silent.text)")
            #expect(kubectl(["exec", "one-7", "--", "true"]).code == 1)
        }
    }

    @Test(arguments: kubectls) func kubectlHasATerminalCopiesAndAttaches(variable: String) throws {
        let program = try Self.program(variable)
        try Self.served { world, config in
            func kubectl(_ words: [String], input: String? = nil) -> World.Result {
                world.spawn([program, "--kubeconfig=\(config)"] + words, input: input)
            }
            let terminal = world.spawn(
                ["/usr/bin/python3", world.write("terminal.py", Self.terminal), program, "--kubeconfig=\(config)"])
            #expect(terminal.code == 9, "\(terminal.text)")
            // There and back, as tar has it.
            let file = world.write("there", String(repeating: "0123456789abcdef", count: 40_000))
            let there = kubectl(["cp", file, "one-0:copied"])
            #expect(there.code == 0, "\(there.text)")
            let back = kubectl(["cp", "one-0:copied", "\(world.directory)/back"])
            #expect(back.code == 0 && World.read("\(world.directory)/back") == World.read(file), "\(back.text)")
            let output = "\(world.directory)/attached"
            let attached = World.start(
                [program, "--kubeconfig=\(config)", "attach", "loud-0"], world.environment, nil, output,
                "\(output).err")
            World.until("it shows what is written") { World.read(output).contains("tick\n") }
            World.kill(attached, SIGKILL)
            _ = World.wait(attached)
        }
    }

    @Test func pythonsClientRunsCommandsBesideAgents() throws {
        let python = try Self.program("AGENTOS_TEST_CLIENTS")
        try Self.served { world, config in
            let result = world.spawn([python, world.write("client.py", Self.python), config])
            #expect(result.code == 0, "\(result.text)")
        }
    }

    private static let python = """
        import sys
        from kubernetes import client, config
        from kubernetes.stream import stream
        config.load_kube_config(sys.argv[1])
        api = client.CoreV1Api()
        def run(*command, **more):
            flags = dict({"stderr": True, "stdin": False, "stdout": True, "tty": False}, **more)
            return stream(api.connect_get_namespaced_pod_exec, "one-0", "default", command=list(command), **flags)
        assert run("echo", "a b") == "a b\\n"
        many = run("seq", "1", "100000")
        assert many.endswith("\\n100000\\n") and many.count("\\n") == 100000, len(many)
        ended = run("sh", "-c", "echo err >&2; exit 7", _preload_content=False)
        ended.run_forever(timeout=60)
        assert ended.returncode == 7 and ended.read_stderr() == "err\\n", ended.returncode
        shell = run("sh", stdin=True, _preload_content=False)
        shell.write_stdin("echo from the shell\\n")
        assert shell.readline_stdout(timeout=60) == "from the shell"
        shell.write_stdin("exit 3\\n")
        shell.run_forever(timeout=60)
        assert shell.returncode == 3, shell.returncode
        """

    /// A person's terminal of 100 columns, later 120.
    private static let terminal = """
        import fcntl, os, pty, struct, sys, termios, time, select, signal
        pid, fd = pty.fork()
        if pid == 0:
            while struct.unpack("HHHH", fcntl.ioctl(0, termios.TIOCGWINSZ, bytes(8)))[1] != 100: pass
            os.execv(sys.argv[1], [sys.argv[1], sys.argv[2], "exec", "-it", "one-0", "--", "sh"])
        def size(columns): fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 33, columns, 0, 0))
        size(100)
        seen = b""
        def until(text):
            global seen
            end = time.time() + 60
            while text not in seen:
                if time.time() > end: sys.exit(f"no {text} in {seen}")
                if not select.select([fd], [], [], 1)[0]: continue
                try: chunk = os.read(fd, 4096)
                except OSError: chunk = b""
                if not chunk: sys.exit(f"ended before {text}: {seen}")
                seen += chunk
        os.write(fd, b"until stty size | grep '33 100'; do :; done; test -t 0 && echo is''-terminal\\n")
        until(b"is-terminal")
        size(120)
        os.kill(pid, signal.SIGWINCH)
        os.write(fd, b"until stty size | grep '33 120'; do :; done; echo gr''own\\n")
        until(b"grown")
        os.write(fd, b"exit 9\\n")
        while True:
            try:
                if not os.read(fd, 4096): break
            except OSError: break
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        """
}
