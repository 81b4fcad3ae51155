import Glibc
import Support
import Testing
import Values

/// Kills of either side in the midst of delivery to a real server of NATS, looked at by a client that is not ours.
@Suite(.serialized) struct DeliveryKillTests {
    private static let objects = 12
    /// `AGENTOS_TEST_KILLS` says how many; a sample without it.
    private static let kills = World.variable("AGENTOS_TEST_KILLS").flatMap { Int($0) } ?? 10

    private static func manifest(_ note: Int) -> String {
        (0..<objects).map { number in
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c\(number)}\ndata: {note: '\(note)'}\n---\n"
        }.joined()
    }

    private struct Message {
        let id, uid, name: String
        let sequence, position: Int

        init?(_ line: Substring) {
            guard let node = JSONReader.read(String(line)), let id = node["id"]?.string,
                let event = node["content"]?.string.flatMap({ JSONReader.read($0) })?["data"],
                let uid = event[path: "object", "uid"]?.string, let name = event[path: "object", "name"]?.string,
                let sequence = event["sequence"]?.int, let position = event["position"]?.int
            else { return nil }
            (self.id, self.uid, self.name, self.sequence, self.position) = (id, uid, name, sequence, position)
        }
    }

    @Test(arguments: NATSServer.variables) func killsOfEitherSideLoseDoubleAndReorderNothing(_ variable: String) throws
    {
        try inWorld { world in
            let server = try NATSServer(world, variable)
            server.start()
            let nats = "{servers: [\"\(server.address)\"], timeout: 2s, connectTimeout: 2s}"
            let config = world.write("daemon.yaml", "sinks: [{name: events, nats: \(nats)}]\n")
            func start() { #expect(world.start("--config", config).code == 0, "\(world.log.suffix(2000))") }
            func messages() throws -> [Message] {
                let result = try NATSServer.python(
                    world, "Tests/MessagingTests/stream.py", [server.address, "AGENTOS"])
                #expect(result.code == 0, "\(result.text.suffix(1000))")
                let lines = result.output.split(separator: "\n")
                let read = lines.compactMap { Message($0) }
                #expect(read.count == lines.count)
                return read
            }
            start()
            for kill in 1...Self.kills {
                let path = world.write("round.yaml", Self.manifest(kill))
                let applying = world.begin("-f", path)
                World.pass(ms: kill * 37 % 230)
                if kill % 2 == 0 {
                    world.killDaemon()
                    start()
                } else {
                    server.kill()
                    World.pass(ms: kill * 13 % 60)
                    server.start()
                }
                _ = World.wait(applying.pid)
            }
            #expect(world.apply(Self.manifest(0)).code == 0)
            var found: [Message] = []
            let last = world.events().last?["position"]?.int ?? 0
            World.until("all has come", 2 * World.patienceMs) {
                found = (try? messages()) ?? []
                return found.contains { $0.position == last }
            }
            #expect(Set(found.map(\.id)).count == found.count, "there are doubles")
            var sequences: [String: Int] = [:]
            for message in found {
                #expect(message.sequence == (sequences[message.uid] ?? 0) + 1, "\(message)")
                sequences[message.uid] = message.sequence
            }
            let first = found.map(\.position).min() ?? 0
            #expect(Set(found.map(\.position)) == Set(first...max(first, last)), "nothing is lost")
        }
    }
}
