import Glibc
import Support
import Testing
import Values

/// How the server leaves its clients: each sees that what it had has ended, and none can take the daemon with it.
@Suite(.serialized) struct DrainTests {
    private static let agents = "/apis/agentos.dev/v1/namespaces/default/agents"

    /// All kinds of connections that a daemon may have when it ends.
    private struct Crowd {
        let watch: RawClient
        let others: [RawClient]

        init(_ world: World) {
            func open(_ text: String, _ status: Int) -> RawClient {
                let client = RawClient(world.socket)
                client.send(text)
                #expect(status == 0 || client.answer(body: false)?.status == status, "\(text)")
                return client
            }
            func upgraded(_ target: String) -> String {
                "GET \(target) HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                    + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            }
            let exec = "/api/v1/namespaces/default/pods/one-0/exec?command=sleep&command=1000&stdout=1"
            let loud = "/api/v1/namespaces/default/pods/one-0/exec?command=yes&stdout=1"
            watch = open(RawClient.request("GET", "\(agents)?watch=true&allowWatchBookmarks=true"), 200)
            others = [
                open(RawClient.request("GET", "\(agents)/one/log?follow=true"), 200),
                open(RawClient.request("GET", "/apis/agentos.dev/v1/eventlog?follow=true"), 200),
                open(upgraded(exec), 101), open(upgraded(loud), 101), open(upgraded("\(agents)?watch=true"), 101),
                open("GET /livez HT", 0), open("", 0),
                open("PATCH \(agents)/two HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{", 0),
                open(RawClient.request("GET", "/livez"), 200),
            ]
        }
    }

    /// The daemon as a child, whose exit code is its own.
    private static func start(_ world: World) -> pid_t {
        let pid = World.start(
            [World.program, "daemon"], world.environment, nil, "\(world.directory)/daemon.out",
            "\(world.directory)/daemon.err")
        World.until("the daemon serves") { RawClient.ask(world.socket, "GET", "/livez")?.status == 200 }
        world.apply(World.agent("one", "while :; do echo line; sleep 0.1; done"), "--wait")
        return pid
    }

    @Test func whenTheDaemonStopsEveryStreamEnds() {
        inWorld { world in
            let pid = Self.start(world)
            let agent = world.pid("one")
            let crowd = Crowd(world)
            World.kill(pid, SIGTERM)
            let seen = crowd.watch.read { $0.hasSuffix("0\r\n\r\n") }
            #expect(seen.hasSuffix("\r\n0\r\n\r\n"), "the watch ends as an answer that is whole: \(seen.suffix(80))")
            let exec = crowd.others[2].read { $0.contains("the daemon stops") }
            #expect(exec.contains("the daemon stops"), "\(exec)")
            #expect(World.wait(pid) == 0, "\(World.read("\(world.directory)/daemon.err"))")
            #expect(World.isAlive(agent), "agents run on")
        }
    }

    /// The library aborts when it is stopped at the wrong moment: no fault may end that way.
    @Test func afterAFatalErrorTheExitCodeIsItsOwnWhoeverIsConnected() {
        inWorld { world in
            let pid = Self.start(world)
            let crowd = Crowd(world)
            // Somebody takes the state directory away: what this daemon writes would be nobody's.
            #expect(rename("\(world.state)/lock", "\(world.state)/lock.gone") == 0)
            #expect(World.wait(pid) == 74, "\(World.read("\(world.directory)/daemon.err"))")
            _ = crowd.others.count
        }
    }
}
