import Conformance
import Glibc
import Messaging
import Reconciler
import Support
import Synchronization
import Testing
import Values

/// A server of NATS with JetStream on disk, read by a client that is not ours.
final class NATSPeer: PeerConformance.Peer, @unchecked Sendable {  // the world is used by one test
    static let servers = NATSServer.variables

    let world: World
    let told = Mutex<[String]>([])
    private let server: NATSServer
    private let more: [(String, Node?)]
    private let configuration: String

    /// - Parameters:
    ///   - variable: names the program.
    ///   - more: settings beside the address.
    ///   - configuration: further lines of the server's.
    init(
        _ world: World, _ variable: String = servers[0], _ more: [(String, Node?)] = [], configuration: String = ""
    ) throws {
        self.world = world
        self.more = more
        self.configuration = configuration
        server = try NATSServer(world, variable)
        try setAway(false)
    }

    var address: String { server.address }

    /// Times that are enough for any machine: what fails says so, and is not waited for.
    static let patience: [(String, Node?)] = [("timeout", "30s"), ("connectTimeout", "5s")]

    var settings: [(String, Node?)] {
        let given = Set(more.map(\.0))
        return [("servers", Node.list([.text(address)]))] + Self.patience.filter { !given.contains($0.0) } + more
    }

    func open() throws -> any EventSink {
        NATSSink(try NATSSettings.read(.map(settings), file: "test")) { words in
            self.told.withLock { $0.append(words) }
        }
    }

    func setAway(_ isAway: Bool) throws { if isAway { server.kill() } else { start(configuration) } }

    /// Starts the server with further lines of its configuration.
    func start(_ configuration: String) { server.start(configuration) }

    /// What the stream holds, with subjects and ids.
    func messages(_ stream: String = "AGENTOS", url: String? = nil) throws -> [Node] {
        let result = try python("stream", [url ?? address, stream])
        return result.output.split(separator: "\n").map { JSONReader.read(String($0)) ?? .text("no JSON: \($0)") }
    }

    /// Runs a script that speaks to the server.
    func python(_ script: String, _ words: [String]) throws -> World.Result {
        let result = try NATSServer.python(world, "Tests/MessagingTests/\(script).py", words)
        #expect(result.code == 0, "\(result.text.suffix(2000))")
        return result
    }

    func received() throws -> [Node] {
        try messages().map { message in
            message["content"]?.string.flatMap { JSONReader.read($0) }?["data"] ?? message
        }
    }
}
