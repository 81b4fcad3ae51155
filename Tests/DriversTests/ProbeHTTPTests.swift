import Drivers
import Glibc
import Manifests
import Planner
import Reconciler
import Support
import Synchronization
import Testing
import Values

/// What probes ask and understand.
@Suite struct ProbeHTTPTests {
    @Test(
        arguments: [
            ("/health", "/health"), ("/a b", "/a%20b"), ("/a%20b?x=1&y=ü", "/a%20b?x=1&y=%C3%BC"),
            ("/\t\r\nHost: other", "/%09%0D%0AHost:%20other"),
        ])
    func aPathFitsIntoARequestLine(path: String, target: String) {
        #expect(ProbeRequest.target(path) == target)
    }

    @Test(
        arguments: [
            ("", .unfinished), ("HTTP/1.1 200", .unfinished), ("HTTP/1.1 200 OK\r\n", .status(200)),
            ("HTTP/1.0 503\n", .status(503)), ("SSH-2.0-OpenSSH\r\n", .foreign), ("HTTP/1.1 two\r\n", .foreign),
            ("HTTP/1.1 100 Continue\r\n", .unfinished), ("HTTP/1.1 100 Continue\r\n\r\n", .unfinished),
            ("HTTP/1.1 100 Continue\r\nA: b\r\n\r\nHTTP/1.1 404 Not Found\r\n", .status(404)),
            ("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n", .status(204)),
            ("HTTP/1.1 101 Switching Protocols\r\n\r\n", .status(101)),
        ] as [(String, ProbeAnswer)])
    func onlyAFinalAnswerCounts(text: String, answer: ProbeAnswer) {
        #expect(ProbeAnswer(Array(text.utf8)) == answer)
    }
}

/// Where probes find an agent, and what they say when they do not.
@Suite struct ProbeConnectionTests {
    /// A port of one address; listened on when asked to.
    private final class Port {
        let number: Int
        private let fd: Int32

        init(six: Bool, listens: Bool) throws {
            let fd = socket(six ? AF_INET6 : AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            self.fd = fd
            var one: Int32 = 1
            if six { setsockopt(fd, Int32(IPPROTO_IPV6), IPV6_V6ONLY, &one, 4) }
            // Family, port 0, and the address that means this machine.
            var bytes = [UInt8](repeating: 0, count: six ? 28 : 16)
            bytes[0] = UInt8(six ? AF_INET6 : AF_INET)
            if six { bytes[23] = 1 } else { bytes.replaceSubrange(4..<8, with: [127, 0, 0, 1]) }
            var length = socklen_t(bytes.count)
            let isBound = bytes.withUnsafeMutableBytes { raw in
                raw.withMemoryRebound(to: sockaddr.self) { place in
                    bind(fd, place.baseAddress!, length) == 0 && (!listens || listen(fd, 8) == 0)
                        && getsockname(fd, place.baseAddress!, &length) == 0
                }
            }
            number = Int(bytes[2]) << 8 | Int(bytes[3])
            try #require(isBound)
        }

        deinit { close(fd) }
    }

    private func verdict(port: Int) throws -> ProbeState {
        let answer = Answer<ProbeState>()
        let watcher = ProbeWatcher(drivers: []) { input in
            if case .probed(_, let state) = input { answer.give(state) }
        }
        let run = RunID(uid: UID(high: 1, low: 2), ordinal: 0, attempt: 1)
        let spec = AgentSpec(
            .map([
                ("driver", "process"),
                (
                    "readinessProbe",
                    .map([("tcpSocket", .map([("port", .number(Int64(port)))])), ("timeoutSeconds", 60)])
                ),
            ]))
        watcher.begin(
            ProbeTarget(
                run: run, driver: "process", readiness: spec.readinessProbe, address: "127.0.0.1", startedAtMs: 0))
        defer { watcher.end(run) }
        return try answer.wait()
    }

    @Test func anAgentThatListensOnTheOtherLocalhostIsFound() throws {
        let port = try Port(six: true, listens: true)
        let state = try verdict(port: port.number)
        #expect(state.isReady == true, "\(state)")
    }

    @Test func aRefusedConnectionNamesAddressAndPort() throws {
        let port = try Port(six: false, listens: false)
        let state = try verdict(port: port.number)
        #expect(state.isReady == false)
        #expect(state.message.contains("127.0.0.1:\(port.number): Connection refused"), "\(state.message)")
    }
}
