import Glibc
import Manifests
import Support
import Testing

/// Addresses of containers.
@Suite(.serialized) struct NetworkTests {
    private let server = "mkdir -p /tmp/www; echo $AGENTOS_ORDINAL > /tmp/www/who; exec httpd -f -p 8080 -h /tmp/www"

    @Test(arguments: Isolation.containers) func eachReplicaHasAnAddressOfItsOwn(isolation: Isolation) throws {
        try inIsolation(isolation) { world, _ in
            world.ready(
                world.agent(
                    "net", isolation, server,
                    """
                    replicas: 2
                    network: {mode: Bridge}
                    readinessProbe: {httpGet: {path: /who, port: 8080}, periodSeconds: 1, timeoutSeconds: 30}
                    livenessProbe: {tcpSocket: {port: 8080}, periodSeconds: 1, timeoutSeconds: 30}
                    """))
            let addresses = (0..<2).compactMap { world.runOf("net", $0)?["address"]?.string }
            #expect(Set(addresses).count == 2, "\(addresses)")
            #expect(world.bridges.count == 1)
            // Agents of one network reach each other.
            for (ordinal, address) in addresses.enumerated() {
                let fetched = world.run(
                    "exec", "net", "--replica", String(1 - ordinal), "--", "wget", "-q", "-O", "-",
                    "http://\(address):8080/who")
                #expect(fetched.output == "\(ordinal)\n", "\(fetched.text)")
            }
            // Addresses are kept by what runs, whatever happens to the daemon.
            for _ in 0..<2 {
                world.killDaemon()
                world.startDaemon()
                World.until("it is ready") { world.phase("net") == "Ready" }
            }
            #expect((0..<2).compactMap { world.runOf("net", $0)?["address"]?.string } == addresses)
            #expect(world.run("delete", "agent", "net").code == 0)
            World.until("no network is left") { World.names("\(world.state)/network") == [".addresses"] }
            World.until("addresses are given back") {
                World.files("\(world.state)/network/.addresses").allSatisfy {
                    $0.contains("last") || $0.hasSuffix("lock")
                }
            }
            let bridges = world.bridges
            #expect(world.run("daemon", "stop").code == 0)
            for bridge in bridges { #expect(access("/sys/class/net/\(bridge)", F_OK) != 0, "the bridge is gone") }
        }
    }

    @Test(arguments: Isolation.containers, ["None", "Host", "Bridge"]) func namesOfTheContainerResolve(
        isolation: Isolation, mode: String
    ) throws {
        try inIsolation(isolation) { world, _ in
            let port = World.freePort()
            let server = "mkdir -p /tmp/www; echo here > /tmp/www/who; exec httpd -f -p \(port) -h /tmp/www"
            world.ready(
                world.agent(
                    "net", isolation, server,
                    """
                    network: {mode: \(mode)}
                    readinessProbe: {exec: {command: [wget, -q, -O, /dev/null, 'http://127.0.0.1:\(port)/who']}, periodSeconds: 1, timeoutSeconds: 30}
                    """))
            func exec(_ script: String) -> String {
                let result = world.run("exec", "net", "--", "sh", "-c", script)
                return result.code == 0 ? result.output.trimming() : result.text
            }
            for name in ["localhost", "net-0"] {
                #expect(exec("wget -q -O - http://\(name):\(port)/who") == "here", "\(name)")
            }
            #expect(exec("hostname; cat /etc/hostname") == "net-0\nnet-0")
            #expect(exec("id -un; id -gn; echo ~") == "agent\nagent\n/home/agent")
            // The image's own entries are still there.
            #expect(exec("grep -c ^root: /etc/passwd /etc/group") == "/etc/passwd:1\n/etc/group:1")
        }
    }

    @Test(arguments: Isolation.containers) func crashesLeaveNoNetworkBehind(isolation: Isolation) throws {
        try inIsolation(isolation) { world, _ in
            world.startDaemon()
            world.apply(world.agent("many", isolation, server, "replicas: 4\nnetwork: {mode: Bridge}"))
            for round in 0..<4 {
                World.until("starts have begun") {
                    ["containers", "sandboxes"].flatMap { World.names("\(world.state)/\($0)") }.count > round
                }
                world.killDaemon()
                world.startDaemon()
            }
            World.until("all are ready", 240_000) { world.status("many")?["readyReplicas"]?.int == 4 }
            let addresses = (0..<4).compactMap { world.runOf("many", $0)?["address"]?.string }
            #expect(Set(addresses).count == 4, "\(addresses)")
            #expect(world.run("delete", "agent", "many").code == 0)
            World.until("no network is left") {
                World.names("\(world.state)/network") == [".addresses"]
                    && !World.read("/proc/self/mounts").contains("\(world.state)/network")
            }
        }
    }

    @Test func aNetworkThatThisMachineLacksIsRefused() throws {
        try inIsolation(.sandbox) { world, _ in
            world.moreEnvironment.append("AGENTOS_CNI_PLUGINS=/none")
            let result = world.apply(world.agent("net", .sandbox, server, "network: {mode: Bridge}"))
            #expect(
                result.code == 3 && result.error.contains("spec.network.mode")
                    && result.error.contains("containernetworking-plugins"), "\(result.text)")
            let reference = world.apply(
                World.agent("ref", "true", "driver: gvisor\nimage: localhost/busybox:latest"))
            #expect(reference.code == 3 && reference.error.contains("imageArchive"), "\(reference.text)")
        }
    }
}
