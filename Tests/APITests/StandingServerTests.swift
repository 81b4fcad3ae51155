import Glibc
import Support
import Testing
import Values

@testable import HTTP

/// A server that stands: whatever many clients hold open, send slowly or leave unread.
@Suite(.serialized) struct StandingServerTests {
    private static func residentBytes(_ pid: pid_t) -> Int {
        let line = World.read("/proc/\(pid)/status").split(separator: "\n").first { $0.hasPrefix("VmRSS:") } ?? ""
        return (line.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first.flatMap { Int($0) } ?? 0)
            << 10
    }

    /// More connections than the daemon takes need more descriptors than a test has.
    private static func raiseOpenFiles() {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(7), &limit)  // RLIMIT_NOFILE
        limit.rlim_cur = min(limit.rlim_max, 8192)
        setrlimit(__rlimit_resource_t(7), &limit)
    }

    @Test func idleConnectionsGiveWayToNewOnes() {
        Self.raiseOpenFiles()
        inWorld { world in
            world.startDaemon()
            var idle: [RawClient] = []
            for index in 0..<2300 {
                let client = RawClient(world.socket)
                // Some have begun a head, some a body, some were served before.
                if index % 4 == 1 { client.send("GET /livez HTT") }
                if index % 4 == 2 { client.send("GET /livez HTTP/1.1\r\nHost: x\r\n\r\n") }
                idle.append(client)
                // The kernel holds so many that wait to be accepted, and refuses the next.
                if index % 256 == 255 {
                    World.until("it keeps up") { RawClient.ask(world.socket, "GET", "/livez")?.text == "ok" }
                }
            }
            for _ in 0..<20 { #expect(RawClient.ask(world.socket, "GET", "/livez")?.text == "ok") }
            #expect(world.run("get", "agents").code == 0)
            idle = []
            #expect(RawClient.ask(world.socket, "GET", "/livez")?.text == "ok")
        }
    }

    /// Streams do not take all connections.
    @Test func watchesLeaveRoomForRequests() {
        Self.raiseOpenFiles()
        inWorld { world in
            world.startDaemon()
            var clients: [RawClient] = []
            var statuses: [Int: Int] = [:]
            for _ in 0..<2060 {
                let client = RawClient(world.socket)
                client.send(RawClient.request("GET", "/apis/agentos.dev/v1/agents?watch=true"))
                clients.append(client)
                statuses[client.answer(body: false)?.status ?? 0, default: 0] += 1
            }
            #expect(statuses[200] ?? 0 > 1900 && statuses[429] ?? 0 > 50, "\(statuses)")
            #expect(RawClient.ask(world.socket, "GET", "/livez")?.text == "ok")
            world.apply(World.agent("one", "exec sleep 1000"), "--wait")
            #expect(clients[0].read { $0.contains("\"ADDED\"") }.contains("\"name\":\"one\""))
        }
    }

    /// Nor do those that come over TLS take all of theirs.
    @Test func watchesOverTLSLeaveRoomForRequests() throws {
        try inWorld { world in
            let client = try TLSClient(world)
            let adam = client.authority?.issue(.client(user: "adam", groups: ["system:masters"]), seconds: 600)
            let watches = (0..<400).map { _ in "GET /apis/agentos.dev/v1/agents?watch=true" }
            let codes = client.ask(watches + ["GET /version"], as: adam, version: "hold")
            let most = Limits.remoteConnectionsMax - Limits.connectionsReserved
            #expect(codes.prefix(most).allSatisfy { $0 == "200" }, "\(codes)")
            #expect(codes[most..<400].allSatisfy { $0 == "429" } && codes.last == "200", "\(codes)")
        }
    }

    @Test func aThousandWatchersCostLittleEach() {
        Self.raiseOpenFiles()
        inWorld { world in
            let pid = world.startDaemon()
            var clients: [RawClient] = []
            func watch(_ count: Int) {
                for _ in 0..<count {
                    let client = RawClient(world.socket)
                    client.send(RawClient.request("GET", "/apis/agentos.dev/v1/agents?watch=true"))
                    #expect(client.answer(body: false)?.status == 200)
                    clients.append(client)
                }
            }
            watch(100)
            let before = Self.residentBytes(pid)
            watch(1000)
            let each = (Self.residentBytes(pid) - before) / 1000
            #expect(each <= 20 << 10, "\(each) bytes")
        }
    }

    @Test func withoutDescriptorsTheDaemonWaitsAndLives() {
        inWorld { world in
            let pid = world.startDaemon()
            /// One more than the highest descriptor that is open.
            func open() -> Int { (World.names("/proc/\(pid)/fd").compactMap { Int($0) }.max() ?? 0) + 1 }
            func limit(_ count: Int) {
                #expect(world.spawn(["prlimit", "--pid", "\(pid)", "--nofile=\(count):"]).code == 0)
            }
            limit(open() + 8)
            var clients: [RawClient] = []
            for _ in 0..<40 {
                let client = RawClient(world.socket)
                client.send(RawClient.request("GET", "/apis/agentos.dev/v1/agents?watch=true"))
                clients.append(client)
            }
            var served: Set<Int> = []
            World.until("some are served") {
                for (index, client) in clients.enumerated()
                where client.answer(timeoutMs: 300, body: false)?.status == 200 { served.insert(index) }
                return !served.isEmpty
            }
            #expect(served.count < 40)
            #expect(World.isAlive(pid))
            clients = []
            World.until("it answers again") { RawClient.ask(world.socket, "GET", "/livez")?.text == "ok" }
            // A read of the store takes no descriptor.
            let last = RawClient(world.socket)
            last.send(RawClient.request("GET", "/livez"))
            #expect(last.answer()?.status == 200)
            limit(open())
            last.send(RawClient.request("GET", "/apis/agentos.dev/v1/outbox"))
            #expect(last.answer()?.status == 200)
            last.send(RawClient.request("GET", "/apis/agentos.dev/v1/usage"))
            #expect(last.answer()?.status == 200)
            limit(1024)
            #expect(world.daemonPID == pid && World.isAlive(pid))
        }
    }

    @Test func tooLargeABodyIsRefusedBeforeItIsSent() {
        inWorld { world in
            world.startDaemon()
            let client = RawClient(world.socket)
            client.send("PATCH /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 1099511627776\r\n\r\n")
            let answer = client.answer()
            #expect(answer?.status == 413 && answer?.text.contains("\"Status\"") == true)
            let chunked = RawClient(world.socket)
            chunked.send("PATCH /livez HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
            let chunk = [UInt8](repeating: 0x61, count: 1 << 20)
            var sent = 0
            while sent < 64, chunked.send("100000\r\n"), chunked.send(chunk), chunked.send("\r\n") { sent += 1 }
            #expect(sent < 64, "a body without a length ends at the limit, too")
        }
    }

    @Test(arguments: [
        "Host: x\r\nHost: y\r\n", "Host: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n",
        "Host: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n", "", "Host: x\r\nContent-Length: -1\r\n",
    ])
    func headsThatOthersMayReadDifferentlyAreRefused(head: String) {
        inWorld { world in
            world.startDaemon()
            let client = RawClient(world.socket)
            client.send("GET /livez HTTP/1.1\r\n\(head)\r\nabcd")
            #expect(client.answer(body: false)?.status == 400)
        }
    }

    /// Heads that were cut, doubled, filled with any bytes: the daemon answers or closes, and lives.
    @Test func noHeadEndsTheDaemon() {
        inWorld { world in
            let pid = world.startDaemon()
            var random = SplitMix(seed: 7)
            let whole = Array(
                RawClient.request("GET", "/apis/agentos.dev/v1/agents?limit=1&labelSelector=a%3Db", "{}").utf8)
            for round in 0..<2000 {
                var bytes = whole
                for _ in 0...Int.random(in: 0..<6, using: &random) {
                    let at = Int.random(in: 0..<bytes.count, using: &random)
                    switch Int.random(in: 0..<5, using: &random) {
                    case 0: bytes[at] = UInt8.random(in: 0...255, using: &random)
                    case 1: bytes.insert(UInt8.random(in: 0...255, using: &random), at: at)
                    case 2: bytes.remove(at: at)
                    case 3: bytes.insert(contentsOf: bytes[at...].prefix(40), at: at)
                    default: bytes.removeLast(min(bytes.count - 1, Int.random(in: 0..<20, using: &random)))
                    }
                }
                let client = RawClient(world.socket)
                client.send(bytes)
                if round % 8 == 0 { _ = client.answer(timeoutMs: 20, body: false) }
            }
            // The kernel refuses connections while too many wait to be accepted.
            World.until("it answers") { RawClient.ask(world.socket, "GET", "/livez")?.text == "ok" }
            #expect(world.daemonPID == pid && World.isAlive(pid))
        }
    }

    /// Promise 10, for streams: a client that reads nothing costs a bounded amount of memory.
    @Test func readersThatStandStillCostABoundedAmountOfMemory() {
        inWorld { world in
            let line = String(repeating: "x", count: 200)
            let writes = "i=0; while [ $i -lt 150000 ]; do echo \(line); i=$((i+1)); done"
            world.apply(World.agent("loud", "\(writes); echo full; exec sleep 1000"), "--wait")
            let pid = world.daemonPID
            World.until("the log is full", 240_000) { world.run("logs", "loud", "--tail", "1").output == "full\n" }
            let before = Self.residentBytes(pid)
            let path = "/apis/agentos.dev/v1/namespaces/default/agents/loud/log?follow=true"
            let readers = (0..<40).map { _ in RawClient(world.socket) }
            for reader in readers {
                reader.send(RawClient.request("GET", path))
                #expect(reader.answer(body: false)?.status == 200)
            }
            // A reader that reads gets everything meanwhile.
            let all = world.run("logs", "loud").output.utf8.count
            #expect(all > 5 << 20)
            #expect(Self.residentBytes(pid) - before < 64 << 20, "\((Self.residentBytes(pid) - before) >> 20) MiB")
        }
    }

    @Test func watchersThatStandStillAndTheRingOfChangesAreBounded() {
        inWorld { world in
            let pid = world.startDaemon()
            let watchers = (0..<10).map { _ in RawClient(world.socket) }
            for watcher in watchers {
                watcher.send(RawClient.request("GET", "/api/v1/configmaps?watch=true"))
                #expect(watcher.answer(body: false)?.status == 200)
            }
            let before = Self.residentBytes(pid)
            let path = "/api/v1/namespaces/default/configmaps/big?fieldManager=me&force=true"
            let client = RawClient(world.socket)
            for index in 0..<60 {
                let value = String(repeating: Character(UnicodeScalar(UInt8(97 + index % 26))), count: 700_000)
                let body = "{\"data\": {\"a\": \"\(value)\", \"n\": \"\(index)\"}}"
                client.send(RawClient.request("PATCH", path, body, type: "application/apply-patch+yaml"))
                #expect((client.answer()?.status ?? 0) < 300)
            }
            let grown = Self.residentBytes(pid) - before
            #expect(grown < 120 << 20, "\(grown >> 20) MiB")
            let end = watchers[0].read(timeoutMs: 2000) { _ in false }
            #expect(end.utf8.count < 12 << 20, "a watcher that is too far behind is let go")
        }
    }
}

/// Small, seeded, the same everywhere.
struct SplitMix: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
