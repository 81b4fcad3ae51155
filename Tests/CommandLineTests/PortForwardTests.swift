import Glibc
import Support
import Testing
import Values
import agentos_apply

/// Ports of this machine that lead to ports of replicas.
@Suite(.serialized) struct PortForwardTests {
    @Test func portsAreReadFromWords() {
        for (word, pair) in [
            ("80", PortPair(local: 80, remote: 80)), ("8080:80", PortPair(local: 8080, remote: 80)),
            (":80", PortPair(local: 0, remote: 80)),
        ] { #expect(PortPair(word) == pair) }
        for word in ["", ":", "0", "80:", "0:80", "80:0", "65536", "1:2:3", "a:80", "-1", " 80", "8080:http"] {
            #expect(PortPair(word) == nil, "\(word)")
        }
    }

    /// Says back what it is told, and a last word when that has ended.
    static func echo(_ port: Int) -> String {
        let program =
            "import socketserver\\n"
            + "class H(socketserver.BaseRequestHandler):\\n"
            + "  def handle(self):\\n"
            + "    while (d := self.request.recv(65536)): self.request.sendall(d)\\n"
            + "    self.request.sendall(b'bye')\\n"
            + "class S(socketserver.ThreadingTCPServer): allow_reuse_address = True; daemon_threads = True\\n"
            + "S(('127.0.0.1', \(port)), H).serve_forever()\\n"
        return "apiVersion: agentos.dev/v1\nkind: Agent\nmetadata: {name: echo}\nspec:\n"
            + "  command: [python3, -c, \"\(program)\"]\n  terminationGracePeriodSeconds: 0\n"
            + "  readinessProbe: {tcpSocket: {port: \(port)}, periodSeconds: 1, failureThreshold: 600}\n"
    }

    /// A client that sends so many bytes, ends its side, and counts what comes back; several at once.
    static func client(_ port: Int, bytes: Int, times: Int = 1) -> [String] {
        [
            "python3", "-c",
            """
            import socket, threading, sys, os
            def one():
                s = socket.create_connection(("127.0.0.1", \(port)), timeout=120)
                data = os.urandom(\(bytes))
                def send():
                    s.sendall(data); s.shutdown(socket.SHUT_WR)
                t = threading.Thread(target=send); t.start()
                back = b""
                while (d := s.recv(65536)): back += d
                t.join()
                print("same" if back == data + b"bye" else f"{len(back)} of {len(data)}", flush=True)
            all = [threading.Thread(target=one) for _ in range(\(times))]
            for t in all: t.start()
            for t in all: t.join()
            """,
        ]
    }

    /// The port here that a running command leads to.
    static func local(_ output: String) -> Int? {
        World.read(output).split(separator: "\n").first { $0.hasPrefix("Forwarding from 127.0.0.1:") }
            .flatMap { $0.split(separator: ":").last?.split(separator: " ").first }.flatMap { Int($0) }
    }

    @Test func bytesGoToAPortAndBack() {
        inWorld { world in
            let port = World.freePort()
            world.apply(Self.echo(port), "--wait")
            let forward = world.begin("port-forward", "agent/echo", ":\(port)", ":1")
            defer { World.kill(forward.pid, SIGKILL) }
            World.until("it listens") { World.read(forward.output).hasSuffix("-> 1\n") }
            guard let local = Self.local(forward.output) else { return }
            #expect(World.read(forward.output).contains("Forwarding from 127.0.0.1:\(local) -> \(port)\n"))
            let small = world.spawn(Self.client(local, bytes: 5))
            #expect(small.output == "same\n", "\(small.text)")
            // More than all buffers, both ways at once, and several beside each other.
            let large = world.spawn(Self.client(local, bytes: 3_000_000, times: 8))
            #expect(large.output == String(repeating: "same\n", count: 8), "\(large.text)")
            // The daemon tells of it, and who asked.
            let why = world.run("why", "echo")
            #expect(why.output.contains("connections to its ports were opened"), "\(why.text)")
            let code = """
                import sqlite3, sys
                db = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)
                for (detail,) in db.execute("select detail from audit where verb = 'port-forward'"): print(detail)
                """
            let audit = world.spawn(["python3", "-c", code, "\(world.state)/store/agentos.db"], timeoutMs: 30_000)
            #expect(audit.output.contains(": ports \(port);"), "\(audit.text)")
        }
    }

    @Test func whatCannotBeReachedIsSaid() {
        inWorld { world in
            world.apply(World.agent("one", World.stays) + World.agent("off", World.stays, "suspend: true"))
            World.until("it is ready") { world.phase("one") == "Ready" }
            let closed = World.freePort()
            let forward = world.begin("port-forward", "one", ":\(closed)")
            defer { World.kill(forward.pid, SIGKILL) }
            World.until("it listens") { Self.local(forward.output) != nil }
            guard let local = Self.local(forward.output) else { return }
            let refused = world.spawn(Self.client(local, bytes: 0))
            #expect(refused.output == "0 of 0\n" || refused.error.contains("reset"), "\(refused.text)")
            let errors = forward.output.replacing(".out", with: ".err")
            World.until("it is said") { World.read(errors).contains("Connection refused") }
            #expect(World.read(errors).contains("to port \(closed): 127.0.0.1:\(closed): Connection refused"))
            // The address is taken.
            let taken = world.run("port-forward", "one", "\(local):80")
            #expect(taken.code == 1 && taken.error.contains("127.0.0.1:\(local)"), "\(taken.text)")
            for (words, code, message) in [
                (["one"], Int32(64), "give an AGENT and at least one port"),
                (["one", "http"], 64, "expected LOCAL:REMOTE"),
                (["cm/c", "80"], 64, "expected agent"),
                (["one", "80", "--address", "example.com"], 64, "numeric address"),
                (["nobody", "80"], 1, "not found"), (["one", "80", "--replica", "7"], 1, "no replica 7"),
                (["off", "80"], 7, "does not run"),
            ] {
                let result = world.run(["port-forward"] + words)
                #expect(result.code == code && result.error.contains(message), "\(words): \(result.text)")
            }
        }
    }

    /// Whoever stops reading holds his own connection up, and no more is kept for him than buffers hold.
    @Test func aReaderThatStopsHoldsNobodyElseUp() {
        inWorld { world in
            let port = World.freePort()
            world.apply(Self.echo(port), "--wait")
            let forward = world.begin("port-forward", "echo", ":\(port)")
            defer { World.kill(forward.pid, SIGKILL) }
            World.until("it listens") { Self.local(forward.output) != nil }
            guard let local = Self.local(forward.output) else { return }
            let stuck = World.start(
                [
                    "python3", "-c",
                    "import socket, time\ns = socket.create_connection(('127.0.0.1', \(local)))\ns.settimeout(5)\n"
                        + "n = 0\ntry:\n  while True: n += s.send(b'x' * 65536)\nexcept TimeoutError: print(n, flush=True)\n"
                        + "time.sleep(1000)",
                ], world.environment, nil, "\(world.directory)/stuck", "\(world.directory)/stuck.err")
            defer { World.kill(stuck, SIGKILL) }
            World.until("nothing more is taken") { World.read("\(world.directory)/stuck").hasSuffix("\n") }
            // The buffers of the kernel and of three programs, and no more.
            let taken = Int(World.read("\(world.directory)/stuck").filter(\.isNumber)) ?? .max
            #expect(taken < 64 << 20)
            let other = world.spawn(Self.client(local, bytes: 100_000))
            #expect(other.output == "same\n", "\(other.text)")
            #expect(world.run("get", "agents").code == 0)
        }
    }
}
