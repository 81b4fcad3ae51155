import Loop
import Manifests
import Planner
import Reconciler
import Values

extension Metric {
    /// All that is served at `/metrics`, in this order.
    static let table: [Metric] = state + delivery + sinks + work + requests + program

    /// A metric of the table. Assumes: it is there.
    static func named(_ name: String) -> Metric? { table.first { $0.name == name } }

    private static let state = [
        Metric(.gauge, "agentos_objects", "Stored objects by kind.", by: .kind) { server in
            var counts: [Manifests.Kind: Int] = [:]
            for key in server.loop.engine.state.objects.keys { counts[key.kind, default: 0] += 1 }
            return Manifests.Kind.allCases.map { ([$0.rawValue], Double(counts[$0] ?? 0)) }
        },
        Metric(.gauge, "agentos_replicas", "Replicas by phase.", by: .phase) { server in
            var counts: [AgentPhase: Int] = [:]
            for object in server.loop.engine.state.objects.values {
                for replica in object.agent?.replicas ?? [] { counts[replica.phase.name, default: 0] += 1 }
            }
            return AgentPhase.allCases.map { ([$0.rawValue], Double(counts[$0] ?? 0)) }
        },
        Metric(.gauge, "agentos_resource_version", "Version of the last change.") {
            Double($0.loop.engine.state.resourceVersion)
        },
    ]

    private static let delivery = [
        Metric(.counter, "agentos_outbox_published_total", "Events delivered to the journal.") {
            Double($0.loop.counters.published)
        },
        Metric(.gauge, "agentos_outbox_backlog", "Events not delivered to the journal yet.") {
            Double($0.loop.engine.state.backlog)
        },
        Metric(.gauge, "agentos_outbox_dead_letters", "Objects whose delivery waits for a person.") {
            Double($0.loop.engine.state.ledgers.values.count { $0.stuck?.isDeadLetter == true })
        },
        Metric(.gauge, "agentos_event_position", "Position of the last event.") {
            Double($0.loop.engine.state.position)
        },
        Metric(
            .counter, "agentos_event_schema_violations_total",
            "What is not as the schemas say of the events that were compared with them."
        ) { Double($0.loop.counters.schemaViolations) },
        Metric(
            histogram: "agentos_delivery_duration_seconds",
            "From the writing of an event to its confirmation by a sink.", by: .sink
        ) { $0.loop.measures.deliveries.sorted { $0.key < $1.key }.map { ([$0.key], $0.value) } },
        Metric(
            histogram: "agentos_sink_call_duration_seconds", "Calls of a sink, whatever came of them.", by: .sink
        ) { $0.loop.measures.sinkCalls.sorted { $0.key < $1.key }.map { ([$0.key], $0.value) } },
    ]

    private static let sinks = [
        sink(.counter, "agentos_sink_delivered_total", "Events that a sink has confirmed.") { engine, name, _ in
            Double(engine.sinkFacts(name).delivered)
        },
        sink(.counter, "agentos_sink_failures_total", "Calls of a sink that have failed and are tried again.") {
            engine, name, _ in Double(engine.sinkFacts(name).failures)
        },
        sink(.counter, "agentos_sink_refusals_total", "Events that a sink has not taken, each time it was asked.") {
            engine, name, _ in Double(engine.sinkFacts(name).refusals)
        },
        sink(.gauge, "agentos_sink_lag_events", "Events behind the last one that a sink has.") { engine, name, now in
            Double(engine.sinkLag(name, nowMs: now).events)
        },
        sink(.gauge, "agentos_sink_lag_seconds", "Age of the oldest event that a sink has not taken.") {
            engine, name, now in Double(engine.sinkLag(name, nowMs: now).ms) / 1000
        },
        sink(.gauge, "agentos_sink_dead_letters", "Objects whose delivery to a sink waits for a person.") {
            engine, name, _ in Double(engine.state.sinks[name]?.deadLetters ?? 0)
        },
    ]

    /// What is measured of each named sink.
    private static func sink(
        _ kind: Kind, _ name: String, _ help: String, _ value: @escaping @Sendable (Engine, String, Int64) -> Double
    ) -> Metric {
        Metric(kind, name, help, by: .sink) { server in
            let loop = server.loop
            return loop.engine.sinkRules.map { ([$0.name], value(loop.engine, $0.name, loop.nowMs)) }
        }
    }

    private static let work = [
        Metric(.counter, "agentos_reconcile_steps_total", "Steps of the engine.") { Double($0.loop.counters.steps) },
        Metric(.counter, "agentos_store_commits_total", "Transactions committed.") {
            Double($0.loop.counters.commits)
        },
        Metric(.counter, "agentos_store_commit_failures_total", "Transactions refused.") {
            Double($0.loop.counters.commitFailures)
        },
        Metric(
            histogram: "agentos_store_commit_duration_seconds", "From a step of the engine to its durable transaction."
        ) { [([], $0.loop.measures.commits)] },
        Metric(.counter, "agentos_driver_operations_total", "Operations given to drivers.") {
            Double($0.loop.counters.operations)
        },
        Metric(
            histogram: "agentos_driver_operation_duration_seconds",
            "Operations of drivers, until they were done or given up.", by: .driver, .operation, .result
        ) { server in
            server.loop.measures.operations.map { kind, histogram in
                ([kind.driver, kind.kind.rawValue, kind.failed ? "failed" : "done"], histogram)
            }.sorted { $0.0.lexicographicallyPrecedes($1.0) }
        },
        Metric(
            histogram: "agentos_start_stage_duration_seconds",
            "Stages of starts, each from the stage before it.", by: .stage
        ) { server in
            StartStage.allCases.compactMap { stage in
                server.loop.measures.starts.stages[stage].map { ([stage.rawValue], $0) }
            }
        },
        Metric(
            histogram: "agentos_start_duration_seconds",
            "Starts of replicas, from the request or from the decision to start again to ready."
        ) { [([], $0.loop.measures.starts.wholes)] },
    ]

    private static let requests = [
        Metric(
            .counter, "agentos_api_requests_total", "Requests by what they did and how they ended.", by: .verb,
            .resource, .code
        ) { server in
            var counts: [[String]: UInt64] = [:]
            for (request, histogram) in server.requests {
                counts[[request.verb, request.resource, String(request.code)], default: 0] += histogram.count
            }
            for (code, histogram) in server.rejections {
                counts[[Label.unknown, Label.unknown, String(code)], default: 0] += histogram.count
            }
            return counts.sorted { $0.key.lexicographicallyPrecedes($1.key) }.map { ($0.key, Double($0.value)) }
        },
        Metric(
            histogram: "agentos_api_request_duration_seconds",
            "Requests from their head to their answer; to its beginning where it goes on without an end.", by: .verb,
            .resource, .codeClass
        ) { server in
            var sums: [[String]: Histogram] = [:]
            for (request, histogram) in server.requests {
                let labels = [request.verb, request.resource, "\(request.code / 100)xx"]
                sums[labels, default: Histogram(.short)].add(histogram)
            }
            for (code, histogram) in server.rejections {
                sums[[Label.unknown, Label.unknown, "\(code / 100)xx"], default: Histogram(.short)].add(histogram)
            }
            return sums.sorted { $0.key.lexicographicallyPrecedes($1.key) }.map { ($0.key, $0.value) }
        },
        Metric(.gauge, "agentos_api_streams", "Answers that go on without an end.") { Double($0.http.openStreams) },
        Metric(.gauge, "agentos_watches", "Open watches.") { Double($0.watches.count) },
    ]

    private static let program = [
        Metric(.counter, "agentos_trace_spans_total", "Spans by what has become of them.", by: .spanResult) {
            let counts = $0.spanCounts()
            return [(["sent"], Double(counts.sent)), (["dropped"], Double(counts.dropped))]
        },
        Metric(.gauge, "process_start_time_seconds", "Start time of the daemon since 1970.") {
            Double($0.settings.startedAtMs) / 1000
        },
        Metric(.gauge, "agentos_build_info", "Version of the daemon.", by: .version) { [([$0.settings.version], 1)] },
    ]
}

extension Metric.Label {
    /// Of a request that was refused before it was known what it wants.
    static let unknown = "unknown"

    static let kind = Metric.Label(name: "kind", values: "kinds of objects")
    static let phase = Metric.Label(name: "phase", values: "phases of replicas")
    static let sink = Metric.Label(name: "sink", values: "`journal`, and the sinks of the settings")
    static let driver = Metric.Label(name: "driver", values: "drivers of this machine")
    static let operation = Metric.Label(name: "operation", values: "operations of drivers")
    static let result = Metric.Label(name: "result", values: "`done` or `failed`")
    static let spanResult = Metric.Label(name: "result", values: "`sent` or `dropped`")
    static let stage = Metric.Label(name: "stage", values: "stages of a start")
    static let verb = Metric.Label(name: "verb", values: "verbs of the API, or `unknown`")
    static let resource = Metric.Label(name: "resource", values: "resources and paths of the API, or `unknown`")
    static let code = Metric.Label(name: "code", values: "codes of HTTP that the API answers with")
    static let codeClass = Metric.Label(name: "code_class", values: "`2xx`, `4xx` and so on")
    static let version = Metric.Label(name: "version", values: "the daemon's version")
}
