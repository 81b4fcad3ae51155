import HTTP
import Manifests
import Planner
import Reconciler
import Values

extension Server {
    /// Prometheus text format, with the names of its conventions: base units, `_total` for counters.
    func metrics(_ call: Call) {
        call.respond(200, "text/plain; version=0.0.4", [Array(metrics().utf8)])
    }

    private func metrics() -> String {
        let state = loop.engine.state
        var out = ""
        func metric(_ name: String, _ type: String, _ help: String, _ values: [(String, Double)]) {
            out += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
            for (labels, value) in values {
                out += "\(name)\(labels) \(value == value.rounded() ? String(Int64(value)) : String(value))\n"
            }
        }
        var phases: [String: Int] = [:]
        var objects: [Kind: Int] = [:]
        for object in state.objects.values {
            objects[object.key.kind, default: 0] += 1
            for replica in object.agent?.replicas ?? [] { phases[replica.phase.name.rawValue, default: 0] += 1 }
        }
        let counters = loop.counters
        metric(
            "agentos_objects", "gauge", "Stored objects by kind.",
            Kind.allCases.map { ("{kind=\"\($0.rawValue)\"}", Double(objects[$0] ?? 0)) })
        metric(
            "agentos_replicas", "gauge", "Replicas by phase.",
            phases.sorted { $0.key < $1.key }.map { ("{phase=\"\($0.key)\"}", Double($0.value)) })
        metric("agentos_reconcile_steps_total", "counter", "Steps of the engine.", [("", Double(counters.steps))])
        metric("agentos_store_commits_total", "counter", "Transactions committed.", [("", Double(counters.commits))])
        metric(
            "agentos_store_commit_failures_total", "counter", "Transactions refused.",
            [("", Double(counters.commitFailures))])
        metric(
            "agentos_driver_operations_total", "counter", "Operations given to drivers.",
            [("", Double(counters.operations))])
        metric(
            "agentos_outbox_published_total", "counter", "Events delivered to the sink.",
            [("", Double(counters.published))])
        metric(
            "agentos_event_schema_violations_total", "counter",
            "What is not as the schemas say of the events that were compared with them.",
            [("", Double(counters.schemaViolations))])
        metric("agentos_outbox_backlog", "gauge", "Events not delivered yet.", [("", Double(state.backlog))])
        metric(
            "agentos_outbox_dead_letters", "gauge", "Objects whose delivery waits for a person.",
            [("", Double(state.ledgers.values.count { $0.stuck?.isDeadLetter == true }))])
        for (name, type, help, value) in Self.sinkMetrics {
            let values = loop.engine.sinkRules.map { rule in
                ("{sink=\"\(rule.name)\"}", value(loop.engine, rule.name, loop.nowMs))
            }
            if !values.isEmpty { metric(name, type, help, values) }
        }
        metric("agentos_watches", "gauge", "Open watches.", [("", Double(watches.count))])
        metric("agentos_event_position", "counter", "Position of the last event.", [("", Double(state.position))])
        metric(
            "agentos_resource_version", "counter", "Version of the last change.", [("", Double(state.resourceVersion))])
        metric(
            "agentos_api_requests_total", "counter", "Requests by what they did and how they ended.",
            Dictionary(requests.map { ($0.key.labels, Double($0.value)) }, uniquingKeysWith: +).sorted {
                $0.key < $1.key
            })
        metric("agentos_api_streams", "gauge", "Answers that go on without an end.", [("", Double(http.openStreams))])
        metric(
            "process_start_time_seconds", "gauge", "Start time of the daemon since 1970.",
            [("", Double(settings.startedAtMs) / 1000)])
        metric("agentos_build_info", "gauge", "Version of the daemon.", [("{version=\"\(settings.version)\"}", 1)])
        return out
    }
}

extension Server {
    /// What is measured of each named sink.
    fileprivate static let sinkMetrics: [(String, String, String, @Sendable (Engine, String, Int64) -> Double)] = [
        (
            "agentos_sink_delivered_total", "counter", "Events that a sink has confirmed.",
            { engine, name, _ in Double(engine.sinkFacts(name).delivered) }
        ),
        (
            "agentos_sink_failures_total", "counter", "Calls of a sink that have failed and are tried again.",
            { engine, name, _ in Double(engine.sinkFacts(name).failures) }
        ),
        (
            "agentos_sink_refusals_total", "counter", "Events that a sink has not taken, each time it was asked.",
            { engine, name, _ in Double(engine.sinkFacts(name).refusals) }
        ),
        (
            "agentos_sink_lag_events", "gauge", "Events behind the last one that a sink has.",
            { engine, name, now in Double(engine.sinkLag(name, nowMs: now).events) }
        ),
        (
            "agentos_sink_lag_seconds", "gauge", "Age of the oldest event that a sink has not taken.",
            { engine, name, now in Double(engine.sinkLag(name, nowMs: now).ms) / 1000 }
        ),
        (
            "agentos_sink_dead_letters", "gauge", "Objects whose delivery to a sink waits for a person.",
            { engine, name, _ in Double(engine.state.sinks[name]?.deadLetters ?? 0) }
        ),
    ]
}

/// How requests are counted: by what the table of routes says, so that there is a bounded number of them.
struct RequestCount: Hashable {
    private let route: Route
    private let action: Action
    private let code: Int

    init(_ call: Call, _ code: Int) {
        route = call.route
        action = call.action
        self.code = code
    }

    static func == (a: RequestCount, b: RequestCount) -> Bool {
        a.route === b.route && a.action.verb == b.action.verb && a.code == b.code
    }

    func hash(into hasher: inout Hasher) {
        hasher.combine(ObjectIdentifier(route))
        hasher.combine(code)
    }

    /// As Prometheus has labels; some routes have the same.
    var labels: String {
        let resource =
            switch action.object {
            case .path(let path): path
            case .resource(_, let name, let subresource): subresource.isEmpty ? name : "\(name)/\(subresource)"
            }
        return "{verb=\"\(action.verb.rawValue)\",resource=\"\(resource)\",code=\"\(code)\"}"
    }
}
