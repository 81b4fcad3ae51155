import CLinux
import Glibc
import HTTP
import Machine
import Manifests
import Synchronization
import Values

struct PortForward: Verb {
    static let name = "port-forward"
    static let usage = "port-forward AGENT [LOCAL:]REMOTE…"
    static let text =
        "Lead ports of this machine to ports of a replica, from where it listens, until it is interrupted."
    static let operands = Operands.names(.agent)

    let namespace = NamespaceOption()
    @Option("replica", value: "ORDINAL", in: 0...Limits.replicasMax, "of this replica (default: 0)") var ordinal: Int?
    @Option("address", value: "ADDRESS", "listen there: localhost or numeric; may be repeated (default: localhost)")
    var addresses: [String]

    /// One port that is listened on.
    private struct Listener {
        var fd: Int32
        var local: ListenAddress
        var remote: UInt16
    }

    func run(_ invocation: Invocation) throws -> ExitCode {
        let words = invocation.words
        guard words.count >= 2 else { throw invocation.usage("give an AGENT and at least one port") }
        let hasKind = !words[0].contains("/") && Kind.named(words[0]) != nil && words.count >= 3
        let target = try invocation.targets(
            Array(words.prefix(hasKind ? 2 : 1)), usual: .agent, among: [.agent], does: "forwarded to")[0]
        let pairs = try words.dropFirst(hasKind ? 2 : 1).map { word in
            guard let pair = PortPair(word) else {
                throw invocation.usage("\"\(word)\": expected LOCAL:REMOTE, PORT or :REMOTE, from 1 to 65535")
            }
            return pair
        }
        let session = try invocation.session()
        let path = Session.path(.agent, namespace: namespace.name, name: target.name)
        try check(session, path)
        let listeners = try pairs.flatMap { try listen($0, invocation) }
        for listener in listeners {
            try Terminal.print("Forwarding from \(listener.local.text) -> \(listener.remote)")
        }
        try serve(listeners, session, path)
    }

    /// It runs, as far as can be seen before somebody connects.
    private func check(_ session: Session, _ path: String) throws {
        let agent = AgentView(ObjectView(try session.node("GET", path)))
        let wanted = ordinal ?? 0
        guard let run = agent.runs.first(where: { $0.ordinal == wanted }) else {
            throw CommandProblem(.failure, "it has no replica \(wanted)")
        }
        guard ["Ready", "Starting", "Stopping"].contains(run.phase) else {
            throw CommandProblem(.conflict, "replica \(wanted) does not run (\(run.phase)); nothing listens there")
        }
    }

    // MARK: Listening

    private func listen(_ pair: PortPair, _ invocation: Invocation) throws -> [Listener] {
        var found: [Listener] = []
        var problem = ""
        // The name stands for both; one of them is enough.
        let isName = addresses.isEmpty || addresses == ["localhost"]
        var port = pair.local
        for address in isName ? ["127.0.0.1", "::1"] : addresses.map({ $0 == "localhost" ? "127.0.0.1" : $0 }) {
            guard let place = ListenAddress(address.contains(":") ? "[\(address)]:\(port)" : "\(address):\(port)")
            else {
                throw invocation.usage("--address \(address): expected localhost or a numeric address")
            }
            if let (fd, local) = place.listen() {
                found.append(Listener(fd: fd, local: local, remote: pair.remote))
                // The one that the kernel has chosen is the same for all addresses.
                port = local.port
            } else {
                problem = "cannot listen on \(place.text): \(String(cString: strerror(errno)))"
                if !isName || place.address == "127.0.0.1" { throw CommandProblem(.failure, problem) }
            }
        }
        return found
    }

    /// Connections at a time.
    private static let connectionsMax = 256

    /// Until this program is ended.
    private func serve(_ listeners: [Listener], _ session: Session, _ path: String) throws -> Never {
        agentos_ignore_sigpipe()
        OpenFiles.raise()
        let room = Room(Self.connectionsMax)
        let (endpoint, ordinal) = (session.endpoint, ordinal ?? 0)
        while true {
            // Who comes then waits in the kernel.
            if room.isFull {
                usleep(50_000)
                continue
            }
            var polls = listeners.map { pollfd(fd: $0.fd, events: Int16(POLLIN), revents: 0) }
            guard poll(&polls, nfds_t(polls.count), -1) > 0 else { continue }
            for (index, listener) in listeners.enumerated() where polls[index].revents != 0 {
                let near = accept(listener.fd, nil, nil)
                guard near >= 0 else {
                    // Without a descriptor left, a moment later there may be one.
                    if errno != EINTR, errno != ECONNABORTED { usleep(100_000) }
                    continue
                }
                room.enter()
                let (remote, local) = (listener.remote, listener.local)
                startThread(name: "port") {
                    defer { room.leave() }
                    if let problem = Self.carry(
                        near, Session(endpoint), "\(path)/portforward?ordinal=\(ordinal)&ports=\(remote)")
                    {
                        Terminal.printError("a connection from \(local.text) to port \(remote): \(problem)")
                    }
                }
            }
        }
    }

    /// What went wrong, or nil.
    private static func carry(_ near: Int32, _ session: Session, _ path: String) -> String? {
        do {
            var connection = PortConnection(
                near: near, far: try session.upgrade(path, to: "v5.channel.k8s.io", body: []))
            return connection.carry()
        } catch {
            close(near)
            return (error as? CommandProblem)?.message ?? "\(error)"
        }
    }
}

/// Counts connections, of which there are so many at a time.
private final class Room: Sendable {
    private let count = Mutex(0)
    private let most: Int

    init(_ most: Int) { self.most = most }

    var isFull: Bool { count.withLock { $0 >= most } }
    func enter() { count.withLock { $0 += 1 } }
    func leave() { count.withLock { $0 -= 1 } }
}
