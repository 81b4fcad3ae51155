import Glibc
import Support
import Testing
import Values

/// Real kubectl against the daemon, through a TCP port that leads to its socket.
@Suite(.serialized, .enabled(if: !Kubectl.programs.isEmpty)) struct KubectlTests {
    @Test(arguments: Kubectl.programs) func everydayCommandsWork(program: String) {
        inWorld { world in
            let two = "command: [sleep, \"1000\"]\n  suspend: true"
            world.apply(
                World.agent("one", "exec sleep 1000")
                    + "apiVersion: agentos.dev/v1\nkind: Agent\nmetadata: {name: two}\nspec:\n  \(two)\n", "--wait")
            guard let kubectl = Kubectl(program, world) else { return }
            defer { kubectl.close() }
            func works(_ words: String..., needs texts: [String]) {
                let result = kubectl.run(words)
                #expect(result.code == 0, "\(words): \(result.text)")
                for text in texts { #expect(result.output.contains(text), "\(words): \(result.text)") }
            }
            works(
                "get", "agents", needs: ["NAME", "DRIVER", "READY", "PHASE", "AGE", "one", "1/1", "two", "Suspended"])
            works("get", "agents", "--chunk-size=1", needs: ["one", "two"])
            works("get", "agents", "-o", "wide", needs: ["REVISION", "PIDS"])
            works("get", "ag", "-A", "-o", "name", needs: ["agent.agentos.dev/one", "agent.agentos.dev/two"])
            works("get", "agent", "one", "-o", "yaml", needs: ["kind: Agent", "observedGeneration: 1"])
            works("get", "agent", "one", "-o", "jsonpath={.status.phase}", needs: ["Ready"])
            works("get", "agents", "-l", "team in (a, b)", "-o", "json", needs: ["\"items\": []"])
            works("get", "namespaces", needs: ["default", "Active"])
            works("api-resources", needs: ["agents", "sources", "configmaps"])
            works("wait", "--for=condition=Ready", "agent/one", "--timeout=90s", needs: ["condition met"])
            works("delete", "agent", "one", "--dry-run=server", needs: ["one"])
            #expect(world.phase("one") == "Ready" && world.get("one")?[path: "metadata", "deletionTimestamp"] == nil)
            works("delete", "agent", "one", "--timeout=90s", needs: ["deleted"])
            #expect(world.phase("one") == "absent")
            let missing = kubectl.run(["get", "agent", "one"])
            #expect(missing.code == 1 && missing.error.contains("NotFound"), "\(missing.text)")
        }
    }
}

/// One kubectl with a home of its own, and the port that it talks to.
struct Kubectl {
    static let programs = [
        "/usr/bin/kubectl", "\(World.root)/.build/runtimes/trixie/usr/bin/kubectl",
        "\(World.root)/.build/runtimes/sid/usr/bin/kubectl",
    ].filter(World.isExecutable)

    private let program: String
    private let world: World
    private let relay: pid_t
    private let port: String

    init?(_ program: String, _ world: World) {
        self.program = program
        self.world = world
        let output = "\(world.directory)/relay.out"
        relay = World.start(
            ["/usr/bin/python3", "\(World.root)/scripts/relay.py", world.socket], world.environment, nil, output,
            "\(world.directory)/relay.err")
        World.until("the relay listens") { World.read(output).hasSuffix("\n") }
        port = World.read(output).filter(\.isNumber)
        if port.isEmpty { return nil }
    }

    func run(_ words: [String]) -> World.Result {
        world.spawn([program, "--server=http://127.0.0.1:\(port)"] + words)
    }

    func close() {
        World.kill(relay, SIGKILL)
        _ = World.wait(relay)
    }
}
