package import Glibc
import Testing

/// A real server of NATS with JetStream on disk, which may be killed and started again.
package final class NATSServer {
    /// Debian's server, and a newer one.
    package static let variables = ["AGENTOS_TEST_NATS_SERVER", "AGENTOS_TEST_NATS_SERVER_NEW"]

    package let world: World
    package let port: Int
    package private(set) var pid: pid_t = -1
    private let program: String
    private let name: String

    /// - Parameters:
    ///   - variable: names the program.
    ///   - name: of its files, where a world has several servers.
    package init(_ world: World, _ variable: String = variables[0], name: String = "nats", port: Int? = nil) throws {
        self.world = world
        self.name = name
        program = try #require(
            World.variable(variable).flatMap { World.isExecutable($0) ? $0 : nil },
            "\(variable) names no nats-server; scripts/test gets it")
        self.port = port ?? World.freePort()
    }

    package var address: String { "nats://127.0.0.1:\(port)" }
    package var log: String { World.read("\(world.directory)/\(name).err") }

    /// Starts it, with further lines of its configuration.
    package func start(_ configuration: String = "") {
        launch(configuration)
        World.until("the server is ready") { log.contains("Server is ready") }
    }

    /// Starts it and does not wait: a server of a cluster is ready when others are there.
    package func launch(_ configuration: String = "") {
        let file = world.write(
            "\(name).conf",
            """
            listen: "127.0.0.1:\(port)"
            jetstream { store_dir: "\(world.directory)/\(name)-jetstream" }
            \(configuration)

            """)
        unlink("\(world.directory)/\(name).err")
        pid = World.start(
            [program, "-c", file], world.environment, nil, "\(world.directory)/\(name).out",
            "\(world.directory)/\(name).err")
    }

    package func kill() {
        World.kill(pid, SIGKILL)
        _ = World.wait(pid)
    }

    /// Runs a script of this repository with the Python that has NATS' client, to its end.
    package static func python(
        _ world: World, _ script: String, _ words: [String], input: String? = nil
    ) throws -> World.Result {
        let python = try #require(
            World.variable("AGENTOS_TEST_CLIENTS"), "AGENTOS_TEST_CLIENTS names no Python; scripts/test gets it")
        return world.spawn(
            [python, "-B", script.hasPrefix("/") ? script : "\(World.root)/\(script)"] + words, input: input)
    }
}
