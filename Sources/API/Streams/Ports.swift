import Glibc
import HTTP
import Machine
import Manifests
import Planner
import Reconciler
import Resources
import Values

extension Server {
    /// Connections to ports of a replica: `…/pods/NAME-0/portforward` as kubectl has it, over SPDY or WebSocket, and
    /// `…/agents/NAME/portforward?ordinal=0&ports=80`.
    func forward(_ call: Call) {
        do throws(Failure) {
            let replica = try ReplicaName(call)
            let face = try PortFace(call)
            loop.submit(
                actor: call.principal, trace: call.trace.id,
                .forward(replica.agent, ordinal: replica.ordinal, ports: face.ports)
            ) { [self] answer in
                let found = loop.engine.state.objects[replica.agent]?.agent?.replicas.first {
                    $0.ordinal == replica.ordinal
                }
                guard case .execution(let id, let driver) = answer, let run = found?.phase.run, run.id == id else {
                    return call.reply(answer, loop.engine.state)
                }
                // What a client reaches is in the audit before it does.
                var told = Set(face.ports)
                let (principal, trace) = (call.principal, call.trace.id)
                relay(call, face) { [loop] port, report in
                    // The conversation may outlive the run, whose address somebody else has then.
                    let now = loop.engine.state.objects[replica.agent]?.agent?.replicas.first {
                        $0.ordinal == replica.ordinal
                    }
                    guard let phase = now?.phase, phase.isLive, let live = phase.run, live.id == run.id, !live.isFrozen
                    else { return report(.refused("its run has ended")) }
                    guard told.insert(port).inserted else {
                        return loop.dial(live, driver: driver, port: port, report: report)
                    }
                    loop.submit(
                        actor: principal, trace: trace,
                        .forward(replica.agent, ordinal: replica.ordinal, ports: [port])
                    ) { answer in
                        guard case .execution(live.id, _) = answer else {
                            return report(.refused("its run has ended, or the daemon cannot write of it"))
                        }
                        loop.dial(live, driver: driver, port: port, report: report)
                    }
                }
            }
        } catch {
            call.fail(error)
        }
    }

    private func relay(
        _ call: Call, _ face: PortFace, _ dial: @escaping (UInt16, @escaping @Sendable (DialResult) -> Void) -> Void
    ) {
        guard let connection = face.upgrade(call) else { return }
        let (channels, begun) = face.channels
        let relay = PortRelay(server: self, connection, channels, dial: dial)
        let id = relay.number
        portRelays[id] = relay
        call.exchange.onClose = { [weak self] in self?.portRelays.removeValue(forKey: id)?.hangUp() }
        relay.begin(begun)
    }

    /// Connections that were made; of one that nobody waits for any more nothing is left.
    func takeDialled(_ messages: [(relay: Int, link: UInt32, result: DialResult)]) {
        for (id, link, result) in messages {
            dials -= 1
            if let relay = portRelays[id] {
                relay.take(result, for: link)
            } else if case .connected(let fd) = result {
                close(fd)
            }
        }
    }
}

/// Which protocol a client of ports has asked for.
private enum PortFace {
    case spdy
    case tunnel(WebSocketHandshake)
    case webSocket(WebSocketHandshake, WebSocketPorts.Version, [UInt16])

    private static let upgrade = "SPDY/3.1"
    private static let version = "X-Stream-Protocol-Version"

    init(_ call: Call) throws(Failure) {
        if call.exchange.header("Upgrade")?.uppercased() == Self.upgrade {
            let asked = call.exchange.headers(Self.version).flatMap { line in
                line.split(separator: ",").map { String($0.drop { $0 == " " }.prefix { $0 != " " }) }
            }
            guard asked.contains(SPDYPorts.version) else {
                throw .badRequest("\(Self.version): expected \(SPDYPorts.version)")
            }
            self = .spdy
            return
        }
        guard WebSocketHandshake.isAsked(by: call.exchange) else {
            throw .badRequest(
                "this needs a connection that can be upgraded: 'Upgrade: websocket' or 'Upgrade: SPDY/3.1'")
        }
        let handshake: WebSocketHandshake
        do throws(WebSocketProblem) {
            handshake = try WebSocketHandshake(
                call.exchange, protocols: [TunnelledPorts.version] + WebSocketPorts.Version.allCases.map(\.rawValue))
        } catch {
            throw .badRequest(error.message)
        }
        if handshake.subprotocol == TunnelledPorts.version {
            self = .tunnel(handshake)
            return
        }
        let version = handshake.subprotocol.flatMap(WebSocketPorts.Version.init) ?? .v4
        self = .webSocket(handshake, version, try Self.read(call.parameters[Query.ports] ?? []))
    }

    /// The same port may be named twice: each time it is another connection.
    private static func read(_ words: [String]) throws(Failure) -> [UInt16] {
        let numbers = words.flatMap { $0.split(separator: ",").map(String.init) }
        let ports = numbers.compactMap { UInt16($0) }.filter { $0 > 0 }
        guard ports.count == numbers.count, (1...WebSocketPorts.portsMax).contains(ports.count) else {
            throw .badRequest("ports: expected 1 to \(WebSocketPorts.portsMax) numbers from 1 to 65535")
        }
        return ports
    }

    /// What is known before the first connection.
    var ports: [UInt16] {
        switch self {
        case .spdy, .tunnel: []
        case .webSocket(_, _, let ports): Set(ports).sorted()
        }
    }

    func upgrade(_ call: Call) -> UpgradedConnection? {
        switch self {
        case .spdy: call.upgrade(to: Self.upgrade, headers: [(Self.version, SPDYPorts.version)])
        case .tunnel(let handshake), .webSocket(let handshake, _, _): call.upgrade(handshake)
        }
    }

    var channels: (any PortChannels, PortChannelsReceived) {
        switch self {
        case .spdy: return (SPDYPorts(), PortChannelsReceived())
        case .tunnel: return (TunnelledPorts(), PortChannelsReceived())
        case .webSocket(_, let version, let ports):
            var channels = WebSocketPorts(version, ports)
            let begun = channels.begin()
            return (channels, begun)
        }
    }
}
