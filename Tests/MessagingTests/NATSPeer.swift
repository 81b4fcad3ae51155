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
    /// Debian's server, and a newer one.
    static let servers = ["AGENTOS_TEST_NATS_SERVER", "AGENTOS_TEST_NATS_SERVER_NEW"]

    let world: World
    let told = Mutex<[String]>([])
    private let program: String
    private let more: [(String, Node?)]
    private let configuration: String
    private var pid: pid_t = -1
    let port: Int

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
        program = try #require(
            World.variable(variable).flatMap { World.isExecutable($0) ? $0 : nil },
            "\(variable) names no nats-server; scripts/test gets it")
        port = World.freePort()
        try setAway(false)
    }

    var address: String { "nats://127.0.0.1:\(port)" }

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

    func setAway(_ isAway: Bool) throws {
        if isAway {
            World.kill(pid, SIGKILL)
            _ = World.wait(pid)
        } else {
            start(configuration)
        }
    }

    /// Starts the server with further lines of its configuration.
    func start(_ configuration: String) {
        world.write(
            "nats.conf",
            """
            listen: "127.0.0.1:\(port)"
            jetstream { store_dir: "\(world.directory)/jetstream" }
            \(configuration)

            """)
        pid = World.start(
            [program, "-c", "\(world.directory)/nats.conf"], world.environment, nil, "\(world.directory)/nats.out",
            "\(world.directory)/nats.err")
        let log = "\(world.directory)/nats.err"
        World.until("the server is ready") { World.read(log).contains("Server is ready") }
    }

    /// What the stream holds, with subjects and ids.
    func messages(_ stream: String = "AGENTOS", url: String? = nil) throws -> [Node] {
        let result = try python("stream", [url ?? address, stream])
        return result.output.split(separator: "\n").map { JSONReader.read(String($0)) ?? .text("no JSON: \($0)") }
    }

    /// Runs a script that speaks to the server.
    func python(_ script: String, _ words: [String]) throws -> World.Result {
        let python = try #require(
            World.variable("AGENTOS_TEST_CLIENTS"), "AGENTOS_TEST_CLIENTS names no Python; scripts/test gets it")
        let path = "\(World.root)/Tests/MessagingTests/\(script).py"
        let result = world.spawn([python, "-B", path] + words)
        #expect(result.code == 0, "\(result.text.suffix(2000))")
        return result
    }

    func received() throws -> [Node] {
        try messages().map { message in
            message["content"]?.string.flatMap { JSONReader.read($0) }?["data"] ?? message
        }
    }
}
