import Glibc
import Manifests
import Support
import Testing
import Values

/// Probes: the same for all isolations.
@Suite(.serialized) struct ProbeTests {
    /// A script that stays; `ready` and `dead` in its home decide. What begins is alive before it has done anything.
    private let script = "rm -f $HOME/dead; \(World.stays)"

    @Test(arguments: Isolation.allCases) func readinessKeepsTheRunAndLivenessRestartsIt(isolation: Isolation) throws {
        try inIsolation(isolation) { world, _ in
            world.apply(
                world.agent(
                    "one", isolation, script,
                    """
                    readinessProbe: {exec: {command: [sh, -c, 'test -e $HOME/ready']}, periodSeconds: 1, timeoutSeconds: 60, failureThreshold: 1}
                    livenessProbe: {exec: {command: [sh, -c, 'test ! -e $HOME/dead']}, periodSeconds: 1, timeoutSeconds: 60, failureThreshold: 2}
                    backoff: {initialSeconds: 0}
                    """))
            World.until("it runs") { world.pid("one") > 1 }
            func exec(_ script: String) { #expect(world.run("exec", "one", "--", "sh", "-c", script).code == 0) }
            func message(_ name: String) -> String { world.condition(name, "Ready")?["message"]?.string ?? "" }
            World.until("its probe says no") { message("one").contains("the readiness probe fails") }
            #expect(world.phase("one") == "Starting", "not ready before its probe says so")
            exec("touch $HOME/ready")
            World.until("ready") { world.phase("one") == "Ready" }
            let run = world.runOf("one")?["id"]?.string
            exec("rm $HOME/ready")
            World.until("not ready") { world.condition("one", "Ready")?["status"]?.string == "False" }
            #expect(world.runOf("one")?["id"]?.string == run, "the run is kept")
            exec("touch $HOME/ready")
            World.until("ready again") { world.condition("one", "Ready")?["status"]?.string == "True" }
            // Verdicts go on over a restart of the daemon.
            world.killDaemon()
            world.startDaemon()
            exec("touch $HOME/dead")
            World.until("another run") {
                world.runOf("one")?["id"]?.string != run && world.phase("one") == "Ready"
            }
            #expect(
                world.lastExit("one")?["reason"]?.string == "Unhealthy", "\(String(describing: world.lastExit("one")))")
        }
    }

    @Test(arguments: Isolation.allCases) func aProbeThatHangsIsKilledWhole(isolation: Isolation) throws {
        try inIsolation(isolation) { world, _ in
            // The probe's own child writes on while it lives.
            let hangs = "sh -c 'i=0; while :; do i=$((i+1)); echo $i > $HOME/beat; sleep 0.1; done'; true"
            world.apply(
                world.agent(
                    "one", isolation, World.stays,
                    """
                    readinessProbe: {exec: {command: [sh, -c, \(JSONWriter.text(.text(hangs)))]}, periodSeconds: 10, timeoutSeconds: 6, failureThreshold: 1}
                    """))
            World.until("it runs") { world.pid("one") > 1 }
            let home = try #require(World.names("\(world.state)/homes").first)
            let beat = "\(world.state)/homes/\(home)/0/beat"
            World.until("the probe runs") { !World.read(beat).isEmpty }
            World.until("it is killed with its child") {
                !World.changes(within: 400) { World.read(beat) }
            }
            #expect(world.phase("one") == "Starting")
        }
    }

    @Test(arguments: Isolation.allCases) func serversAreProbedWhereTheyListen(isolation: Isolation) throws {
        try inIsolation(isolation) { world, _ in
            let port = World.freePort()
            let server: String
            if isolation.isContainer {
                server = "mkdir -p /tmp/www; echo fine > /tmp/www/health; exec busybox httpd -f -p \(port) -h /tmp/www"
            } else {
                server =
                    "mkdir -p www; echo fine > www/health; exec python3 -m http.server -b 127.0.0.1 -d www \(port)"
            }
            let network = isolation.isContainer ? "network: {mode: Host}\n" : ""
            let times = "periodSeconds: 1, timeoutSeconds: 30"
            world.ready(
                world.agent(
                    "http", isolation, server,
                    network + "readinessProbe: {httpGet: {path: /health, port: \(port)}, \(times)}")
                    + world.agent(
                        "tcp", isolation, World.stays,
                        network + "readinessProbe: {tcpSocket: {port: \(port)}, \(times)}"))
            world.apply(
                world.agent(
                    "missing", isolation, World.stays,
                    network + "readinessProbe: {httpGet: {path: /none, port: \(port)}, \(times)}"))
            World.until("404 is no success") {
                world.condition("missing", "Ready")?["message"]?.string?.contains("HTTP status 404") == true
            }
            #expect(world.phase("missing") == "Starting")
            #expect(world.run("delete", "agent", "http").code == 0)
            World.until("what depends on it is not ready") {
                world.condition("tcp", "Ready")?["status"]?.string == "False"
            }
        }
    }
}
