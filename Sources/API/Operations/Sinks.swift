import HTTP
import Manifests
import Planner
import Reconciler
import Values

/// Named sinks: how far they have got, what they have not taken, and what becomes of that.
extension Server {
    func sinks(_ call: Call) {
        let state = loop.engine.state
        let configured = Set(loop.engine.sinkRules.map(\.name))
        let items =
            loop.engine.sinkRules.map { sinkNode($0.name, $0) }
            + state.sinks.keys.sorted().filter { !configured.contains($0) }.map { sinkNode($0, nil) }
        call.respond(200, .map([("kind", "SinkList"), ("apiVersion", "agentos.dev/v1"), ("items", .list(items))]))
    }

    private func sinkNode(_ name: String, _ rule: SinkRule?) -> Node {
        let facts = loop.engine.sinkFacts(name)
        let cursor = loop.engine.state.sinks[name]
        let lag = loop.engine.sinkLag(name, nowMs: loop.nowMs)
        let kind: Node? = rule.map { .text($0.kind) }
        let place: [(String, Node?)] = [
            ("name", .text(name)), ("kind", kind), ("required", Node(.bool(rule?.isRequired == true))),
            ("configured", Node(.bool(rule != nil))), ("state", .text(loop.engine.sinkState(name).rawValue)),
        ]
        let progress: [(String, Node?)] = [
            ("position", .number(cursor?.position ?? 0)), ("offset", .number(cursor?.offset ?? 0)),
            ("lagEvents", .number(lag.events)), ("lagMilliseconds", .number(lag.ms)),
            ("delivered", .number(facts.delivered)), ("failures", .number(facts.failures)),
            ("refusals", .number(facts.refusals)), ("parked", .number(cursor?.parked.count ?? 0)),
            ("deadLetters", .number(cursor?.deadLetters ?? 0)),
            ("error", (cursor?.gone ?? facts.problem).map(Node.text)),
        ]
        return .map(place + progress)
    }

    /// What one sink has not taken, newest first; or all that is known of one event.
    func parked(_ call: Call, in sink: String, position: Int64?) {
        guard let cursor = loop.engine.state.sinks[sink] else { return call.fail(Failure(.noSink(sink))) }
        let state = loop.engine.state
        let rows = cursor.parked.filter { position == nil || $0.value.position == position }
            .sorted { ($0.value.position, $0.key) > ($1.value.position, $1.key) }
        guard let position else {
            let items = rows.prefix(Limits.listLimitMax).map { uid, parked in
                Self.node(parked, uid, state.keysByUID[uid], event: nil)
            }
            return call.respond(200, Self.recordList(Array(items)))
        }
        guard let (uid, parked) = rows.first.map({ ($0.key, $0.value) }) else {
            return call.fail(Failure(.notStuck(position: position)))
        }
        let key = state.keysByUID[uid]
        loop.read { store throws(StoreFailure) in
            try store.outbox(position: position, stuckOnly: false, limit: 1).first?.event
        } _: { result in
            let event = (try? result.get()).flatMap { $0 }.flatMap { JSONReader.read($0.payload) }
            call.respond(200, Self.recordList([Self.node(parked, uid, key, event: event)]))
        }
    }

    private static func recordList(_ items: [Node]) -> Node {
        .map([("kind", "OutboxRecordList"), ("apiVersion", "agentos.dev/v1"), ("items", .list(items))])
    }

    /// - Parameter event: as it was written; nil: only what is known beside it is shown.
    private static func node(_ parked: ParkedObject, _ uid: UID, _ key: ObjectKey?, event: Node?) -> Node {
        let object = Node.map([
            ("kind", key.map { .text($0.kind.rawValue) }), ("namespace", key.map { .text($0.namespace) }),
            ("name", key.map { .text($0.name) }), ("uid", .text(uid.text)),
        ])
        return .map([
            ("position", .number(parked.position)), ("state", .text(parked.phase.word)),
            ("attempts", .number(parked.attempts)), ("event_type", .text(parked.type)),
            ("error", .text(parked.reason)), ("event", event ?? .map([("object", object)])),
        ])
    }

    /// What becomes of one event, or of all that the sink has not taken.
    func resolve(_ call: Call, _ resolution: ParkedResolution, in sink: String, position: Int64?) {
        command(call, .resolve(resolution, sink: sink, position: position))
    }

    func forgetSink(_ call: Call) { command(call, .forgetSink(call.name)) }
}

extension ParkedObject.Phase {
    fileprivate var word: String {
        switch self {
        case .retrying: OutboxState.retrying.rawValue
        case .deadLettered: OutboxState.deadLettered.rawValue
        case .following: "Following"
        }
    }
}
