import Glibc
import Support
import Testing
import Values

@testable import API
@testable import HTTP

/// Connections to ports of replicas, in Kubernetes' protocols.
@Suite(.serialized) struct PortForwardTests {
    // MARK: Without a connection

    private static func message(_ bytes: [UInt8]) -> [UInt8] {
        WebSocketSession(messageBytesMax: 1 << 20) { 7 }.message([bytes], isText: false)
    }

    /// The payloads of short frames that a server sends.
    private static func payloads(_ bytes: [UInt8]) -> [[UInt8]] {
        var (rest, found): (ArraySlice<UInt8>, [[UInt8]]) = (bytes[...], [])
        while rest.count >= 2 {
            let count = Int(rest[rest.startIndex + 1])
            found.append(Array(rest.dropFirst(2).prefix(count)))
            rest = rest.dropFirst(2 + count)
        }
        return found
    }

    @Test func everyChannelBeginsWithItsPort() {
        var ports = WebSocketPorts(.v5, [80, 8080])
        let begun = ports.begin()
        #expect(begun.events == [.open(0, port: 80), .open(1, port: 8080)])
        #expect(Self.payloads(begun.reply) == [[0, 80, 0], [1, 80, 0], [2, 144, 31], [3, 144, 31]])
        let received = ports.receive(
            Self.message([2, 7, 8]) + Self.message([1, 9]) + Self.message([9, 9]) + Self.message([255, 2]))
        #expect(received.events == [.bytes(1, [7, 8]), .end(1)] && !received.isOver)
        #expect(Self.payloads(ports.output([5], of: 1)) == [[2, 5]])
        #expect(Self.payloads(ports.end(0, problem: "no")) == [[1, 110, 111]] && !ports.isFinished)
        #expect(ports.end(0, problem: "again").isEmpty)
        #expect(Self.payloads(ports.end(1, problem: nil)) == [[3, 232]] && ports.isFinished)
    }

    @Test func onlyVersionFiveEndsItsSide() {
        var ports = WebSocketPorts(.v4, [80])
        #expect(ports.receive(Self.message([255, 0])).events.isEmpty)
    }

    private static func opening(
        _ stream: UInt8, _ type: String, port: String, id: String, _ writer: SPDYHeaderWriter
    ) -> [UInt8] {
        let block = writer.write([("streamtype", type), ("port", port), ("requestid", id)])
        let body: [UInt8] = [0, 0, 0, stream, 0, 0, 0, 0, 0, 0] + block
        return [0x80, 3, 0, 1, 0, UInt8(body.count >> 16), UInt8(body.count >> 8 & 255), UInt8(body.count & 255)] + body
    }

    private static func data(_ stream: UInt8, _ bytes: [UInt8], isLast: Bool = false) -> [UInt8] {
        [0, 0, 0, stream, isLast ? 1 : 0, 0, 0, UInt8(bytes.count)] + bytes
    }

    @Test func twoStreamsAreOneConnection() {
        var ports = SPDYPorts()
        let writer = SPDYHeaderWriter()
        let error = ports.receive(
            Self.opening(1, "error", port: "80", id: "0", writer) + Self.data(1, [], isLast: true))
        #expect(error.events.isEmpty && !error.isOver)
        let opened = ports.receive(Self.opening(3, "data", port: "80", id: "0", writer) + Self.data(3, [7]))
        #expect(opened.events == [.open(3, port: 80), .bytes(3, [7])])
        #expect(ports.receive(Self.data(3, [8], isLast: true)).events == [.bytes(3, [8]), .end(3)])
        #expect(ports.output([5], of: 3) == [0, 0, 0, 3, 0, 0, 0, 1, 5])
        #expect(
            ports.end(3, problem: "no")
                == [0, 0, 0, 1, 1, 0, 0, 2, 110, 111] + [0, 0, 0, 3, 1, 0, 0, 0])
        #expect(ports.output([5], of: 3).isEmpty && ports.end(3, problem: nil).isEmpty)
        // What both sides have ended makes room: any number of them, one after the other.
        for number in 2..<60 {
            let (one, other) = (UInt8(4 * number - 3), UInt8(4 * number - 1))
            let id = String(number)
            let next = ports.receive(
                Self.opening(one, "error", port: "80", id: id, writer) + Self.data(one, [], isLast: true)
                    + Self.opening(other, "data", port: "80", id: id, writer) + Self.data(other, [], isLast: true))
            #expect(next.events == [.open(UInt32(other), port: 80), .end(UInt32(other))] && !next.isOver)
            _ = ports.end(UInt32(other), problem: nil)
        }
    }

    @Test(arguments: [
        ("data", "0", "1"), ("data", "65536", "1"), ("data", "http", "1"), ("stdin", "80", "1"),
        ("data", "80", String(repeating: "1", count: 33)),
    ])
    func whatIsNoPortEndsTheConversation(type: String, port: String, id: String) {
        var ports = SPDYPorts()
        #expect(ports.receive(Self.opening(1, type, port: port, id: id, SPDYHeaderWriter())).isOver)
    }

    @Test func aStreamThatIsOpenedTwiceEndsTheConversation() {
        var ports = SPDYPorts()
        let writer = SPDYHeaderWriter()
        #expect(!ports.receive(Self.opening(1, "data", port: "80", id: "1", writer)).isOver)
        #expect(ports.receive(Self.opening(3, "data", port: "80", id: "1", writer)).isOver)
    }

    // MARK: With real clients

    private static let kubectls = ["BOOKWORM", "TRIXIE", "SID"].map { "AGENTOS_TEST_KUBECTL_\($0)" }

    private static func echo(_ port: Int) -> String {
        let program =
            "import socketserver\\n"
            + "class H(socketserver.BaseRequestHandler):\\n"
            + "  def handle(self):\\n"
            + "    while (d := self.request.recv(65536)): self.request.sendall(d)\\n"
            + "class S(socketserver.ThreadingTCPServer): allow_reuse_address = True; daemon_threads = True\\n"
            + "S(('127.0.0.1', \(port)), H).serve_forever()\\n"
        return "apiVersion: agentos.dev/v1\nkind: Agent\nmetadata: {name: echo}\nspec:\n"
            + "  command: [python3, -c, \"\(program)\"]\n  terminationGracePeriodSeconds: 0\n"
            + "  readinessProbe: {tcpSocket: {port: \(port)}, periodSeconds: 1, failureThreshold: 60}\n"
    }

    /// A few connections one after the other and at once, each with more bytes than buffers hold.
    private static func client(_ port: Int) -> [String] {
        [
            "python3", "-c",
            """
            import socket, threading, os
            def one(count):
                s = socket.create_connection(("127.0.0.1", \(port)), timeout=120)
                data = os.urandom(count)
                t = threading.Thread(target=s.sendall, args=(data,)); t.start()
                back = b""
                while len(back) < count and (d := s.recv(65536)): back += d
                t.join(); s.close()
                print("same" if back == data else f"{len(back)} of {len(data)}", flush=True)
            for _ in range(12): one(100)
            all = [threading.Thread(target=one, args=(2000000,)) for _ in range(4)]
            for t in all: t.start()
            for t in all: t.join()
            """,
        ]
    }

    @Test(arguments: kubectls) func kubectlForwardsPorts(variable: String) throws {
        let program = try #require(
            World.variable(variable).flatMap { World.isExecutable($0) ? $0 : nil },
            "\(variable) names no program; scripts/test gets it")
        inWorld { world in
            let start = world.start("--listen", "127.0.0.1:0")
            #expect(start.code == 0, "\(start.text)")
            let config = world.write("kubeconfig.yaml", world.run("kubeconfig").output)
            let port = World.freePort()
            world.apply(Self.echo(port), "--wait")
            let output = "\(world.directory)/forward.out"
            let forward = World.start(
                [program, "--kubeconfig=\(config)", "port-forward", "pod/echo-0", ":\(port)", ":1"], world.environment,
                nil, output, "\(world.directory)/forward.err")
            defer {
                World.kill(forward, SIGKILL)
                _ = World.wait(forward)
            }
            func local(_ remote: Int) -> Int? {
                World.read(output).split(separator: "\n").first {
                    $0.hasPrefix("Forwarding from 127.0.0.1:") && $0.hasSuffix("-> \(remote)")
                }.flatMap { $0.split(separator: ":").last?.split(separator: " ").first }.flatMap { Int($0) }
            }
            World.until("it listens: \(World.read("\(world.directory)/forward.err"))") { local(1) != nil }
            guard let here = local(port), let closed = local(1) else { return }
            let result = world.spawn(Self.client(here))
            #expect(result.output == String(repeating: "same\n", count: 16), "\(result.text)")
            _ = world.spawn(
                ["python3", "-c", "import socket; socket.create_connection(('127.0.0.1', \(closed))).recv(1)"])
            World.until("kubectl tells why") {
                World.read("\(world.directory)/forward.err").contains("Connection refused")
            }
        }
    }

    @Test func whoMayNotIsRefusedAndWhatIsNoneIsSaid() {
        inWorld { world in
            world.apply(World.agent("one", World.stays), "--wait")
            func ask(_ path: String, _ headers: String) -> RawClient.Answer? {
                let client = RawClient(world.socket)
                client.send("POST \(path) HTTP/1.1\r\nHost: localhost\r\n\(headers)\r\n")
                return client.answer()
            }
            let pod = "/api/v1/namespaces/default/pods/one-0/portforward"
            let socket =
                "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                + "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
            #expect(ask(pod, "")?.status == 400)
            #expect(ask(pod, socket)?.text.contains("ports: expected 1 to 32 numbers") == true)
            #expect(ask("\(pod)?ports=0", socket)?.status == 400)
            #expect(ask("\(pod)?ports=80", socket + "Sec-WebSocket-Protocol: other\r\n")?.status == 400)
            #expect(
                ask(
                    pod, "Connection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: v4.channel.k8s.io\r\n")?
                    .status == 400)
            let missing = "/api/v1/namespaces/default/pods/one-7/portforward?ports=80"
            #expect(ask(missing, socket)?.status == 404)
        }
    }
}
