import Manifests
package import Planner
package import Reconciler
import Simulation
package import Values

/// The engine over a store, in virtual time: the same calls as the loop makes, without its threads.
package struct Clerk {
    package private(set) var engine: Engine
    package let store: any Store
    package var now = Clerk.start
    private var requests = 0

    package static let start = Moment(wallMs: 1_800_000_000_000, boot: 1, bootMs: 1000)

    package init(_ store: any Store) throws {
        self.store = store
        engine = Engine(state: try store.load(), settings: EngineSettings(drivers: .simulated))
    }

    /// As after a crash: only what is stored is known.
    package mutating func restart() throws {
        engine = Engine(state: try store.load(), settings: EngineSettings(drivers: .simulated))
    }

    @discardableResult
    package mutating func take(_ inputs: [Input]) throws -> [Answer] {
        let step = engine.step(inputs, now)
        if !step.changes.isEmpty { try store.commit(step.changes) }
        engine.committed(step)
        return step.answers.map(\.answer)
    }

    /// Takes inputs until nothing follows.
    package mutating func settle(_ inputs: [Input] = []) throws {
        try take(inputs)
        while !engine.isIdle { try take([]) }
    }

    @discardableResult
    package mutating func request(_ verb: Request.Verb, once: Request.Once? = nil) throws -> Answer? {
        requests += 1
        var request = Request(id: requests, principal: Principal(user: "test", via: .socket), verb: verb)
        request.once = once
        return try take([.request(request)]).first
    }

    /// An object that is new gets an id made of its name.
    @discardableResult
    package mutating func apply(_ key: ObjectKey, _ node: Node, once: Request.Once? = nil) throws -> Answer? {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in "\(key.kind.rawValue)/\(key.namespace)/\(key.name)".utf8 {
            hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3
        }
        return try request(
            .write(
                Request.Write.apply(
                    key: key, node: node, manager: "test", force: true, dryRun: false, source: "test.yaml:1",
                    freshUID: UID(high: hash, low: UInt64(requests)))), once: once)
    }

    package mutating func delete(_ key: ObjectKey) throws { _ = try request(.delete(key, graceMs: 0)) }

    /// Changes a namespace, which makes one event.
    @discardableResult
    package mutating func note(_ name: String, _ note: String, once: Request.Once? = nil) throws -> Answer? {
        let metadata = Node.map([("annotations", .map([("note", .text(note))]))])
        return try apply(.namespace(name), .map([("metadata", metadata)]), once: once)
    }

    /// Hands over what waits, as far as the sink takes it; what it says of each event is taken.
    package mutating func deliver(to sink: any EventSink, limit: Int = 100) throws {
        let batch = try store.unpublished(limit: limit, excluding: engine.parkedObjects(now))
        if !batch.isEmpty { try take([.delivered(try sink.append(batch))]) }
    }

    package mutating func later(_ ms: Int64) {
        now.bootMs += ms
        now.wallMs += ms
    }

    package func uid(_ key: ObjectKey) -> UID? { engine.state.objects[key]?.uid }
}

extension ObjectKey {
    package static func namespace(_ name: String) -> ObjectKey { ObjectKey(.namespace, namespace: "", name: name) }
}

/// A sink that keeps nothing and takes everything, but for the types of events that it refuses.
package struct Acceptor: EventSink {
    var refuses: Set<String> = []

    package init(refuses: Set<String> = []) { self.refuses = refuses }

    package func append(_ events: [EventRecord]) throws(SinkFailure) -> [DeliveryVerdict] {
        var refused: Set<UID> = []
        return events.compactMap { event in
            if refused.contains(event.uid) { return nil }
            let isRefused = refuses.contains(event.type)
            if isRefused { refused.insert(event.uid) }
            return DeliveryVerdict(event, isRefused ? .postponed("no") : .confirmed)
        }
    }
}
