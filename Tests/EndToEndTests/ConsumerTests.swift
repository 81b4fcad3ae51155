import Glibc
import Support
import Testing
import Values

/// Events that durable consumers acknowledge: those of the daemon, and those of a stream.
@Suite struct ConsumerTests {
    private static func namespace(_ name: String) -> String {
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: \(name)}\n---\n"
    }

    /// Prints what the daemon says of its consumers: no verb does.
    private static let script = """
        import http.client, socket, sys
        client = http.client.HTTPConnection("localhost")
        client.sock = socket.socket(socket.AF_UNIX)
        client.sock.connect(sys.argv[1])
        client.request("GET", "/apis/agentos.dev/v1/consumers")
        print(client.getresponse().read().decode())
        """

    private func acknowledged(_ world: World, _ name: String) -> Int? {
        let result = world.spawn(["/usr/bin/python3", "-c", Self.script, world.socket])
        let items = JSONReader.read(result.output)?["items"]?.list ?? []
        return items.first { $0["name"]?.string == name }?["position"]?.int
    }

    /// What was shown is acknowledged while it goes on; when it is killed, nothing that was not shown is.
    @Test func whoFollowsAcknowledgesAsItGoes() {
        inWorld { world in
            world.startDaemon()
            for hundred in 0..<3 {
                world.apply((0..<100).map { Self.namespace("n\(hundred)-\($0)") }.joined())
            }
            World.until("all is published") { world.events().count >= 300 }
            let follower = world.begin("events", "--consumer", "audit", "-f", "--ack", "-o", "json")
            func shown() -> Int {
                World.read(follower.output).split(separator: "\n").compactMap { JSONReader.read(String($0)) }
                    .compactMap { $0["position"]?.int }.max() ?? 0
            }
            World.until("all that was there is acknowledged") { (acknowledged(world, "audit") ?? 0) >= 300 }
            world.apply(Self.namespace("later"))
            let last = world.events().last?["position"]?.int ?? 0
            World.until("what comes later is acknowledged, too") { (acknowledged(world, "audit") ?? 0) >= last }
            World.kill(follower.pid, SIGKILL)
            _ = World.wait(follower.pid)
            #expect(acknowledged(world, "audit") ?? 0 <= shown())
            world.apply(Self.namespace("last"))
            World.until("it goes on behind what was acknowledged") {
                world.events("--consumer", "audit").contains { $0[path: "object", "name"] == "last" }
            }
            #expect(world.events("--consumer", "audit").allSatisfy { ($0["position"]?.int ?? 0) > last })
        }
    }

    /// Whoever reads the stream acknowledges to its server; the daemon knows.
    @Test(arguments: NATSServer.variables) func aConsumerOfTheStreamAcknowledges(_ variable: String) throws {
        try inWorld { world in
            let server = try NATSServer(world, variable)
            server.start()
            let sink = "{name: events, nats: {servers: [\"\(server.address)\"], consumers: [mine]}}"
            let config = world.write("daemon.yaml", "sinks: [\(sink)]\n")
            #expect(world.start("--config", config).code == 0, "\(world.log)")
            world.apply(World.agent("one", World.stays), "--wait")
            World.until("that it is missed is told") { world.log.contains("has no consumer mine") }
            func consume(_ count: Int) throws {
                let result = try NATSServer.python(
                    world, "Tests/EndToEndTests/consume.py", [server.address, "AGENTOS", "mine", "\(count)"])
                #expect(result.code == 0, "\(result.text)")
            }
            try consume(0)
            World.until("the consumer is known") { acknowledged(world, "events.mine") != nil }
            world.apply(World.agent("one", World.stays, "priority: 1"), "--wait")
            func consistency(_ field: String) -> Int { world.status("one")?[path: "consistency", field]?.int ?? 0 }
            World.until("the change waits for the consumer") {
                consistency("publishedSequence") > consistency("acknowledgedSequence")
            }
            try consume(1_000)
            World.until("it is acknowledged") {
                consistency("publishedSequence") == consistency("acknowledgedSequence")
            }
            server.kill()
            world.apply(World.agent("one", World.stays, "priority: 2"), "--wait")
            World.until("while the server is away nothing is acknowledged") {
                consistency("publishedSequence") > consistency("acknowledgedSequence")
                    && world.log.contains("acknowledgements cannot be read")
            }
            server.start()
            let published = consistency("publishedSequence")
            World.until("the rest is consumed and acknowledged") {
                (try? consume(1_000)) != nil && consistency("acknowledgedSequence") >= published
            }
        }
    }
}
