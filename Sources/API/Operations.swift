import CLinux
import Glibc
import HTTP
import Manifests
import Planner
import Reconciler
import Values

extension Server {
    /// Endpoints beside the objects: event journal, outbox, consumers, backup. False when the path is none of them.
    func routeOperations(_ exchange: Exchange, _ rest: [String]) -> Bool {
        switch (exchange.method, rest.first, rest.count) {
        case ("GET", "eventlog", 1): eventLog(exchange)
        case ("GET", "usage", 1): usage(exchange)
        case ("GET", "outbox", 1): outbox(exchange, position: nil)
        case ("GET", "outbox", 2): outbox(exchange, position: Int64(rest[1]))
        case ("POST", "outbox", 3): resolve(exchange, rest[1], rest[2])
        case ("GET", "consumers", 1): consumers(exchange)
        case ("POST", "consumers", 2): acknowledge(exchange, rest[1])
        case ("DELETE", "consumers", 2):
            loop.submit(actor: actor(exchange), .removeConsumer(rest[1])) { [self] in reply(exchange, $0, nil) }
        case ("POST", "backup", 1): backup(exchange)
        case ("POST", "restore", 1): restore(exchange)
        default: return false
        }
        return true
    }

    private func eventLog(_ exchange: Exchange) {
        let position = exchange.query("sincePosition").flatMap { Int64($0) } ?? 0
        var offset = position > 0 ? eventLog.offset(afterPosition: position) : 0
        if let name = exchange.query("consumer"), let consumer = loop.engine.state.consumers[name] {
            if consumer.isExpired {
                let message =
                    "consumer \"\(name)\" has expired: events after position \(consumer.position) were dropped before it "
                    + "acknowledged them; remove it with 'agentos-apply events --consumer \(name) --remove' to start anew"
                return fail(exchange, Failure(code: 410, reason: "Expired", message: message))
            }
            offset = consumer.journalOffset
        }
        let follower = EventFollower(
            server: self, exchange: exchange, offset: offset, afterPosition: position, follows: exchange.flag("follow"),
            namespace: exchange.query("namespace"))
        let id = ObjectIdentifier(follower)
        followers[id] = follower
        exchange.onClose = { [weak self] in self?.followers[id] = nil }
        exchange.startStream("application/x-ndjson")
        follower.pump()
    }

    /// What live runs use, as counters since their start: two answers make a rate.
    private func usage(_ exchange: Exchange) {
        loop.measure(namespace: exchange.query("namespace")) { usages in
            let items = usages.map { run, key, usage in
                Node.map([
                    ("namespace", .text(key.namespace)), ("agent", .text(key.name)), ("ordinal", .number(run.ordinal)),
                    ("run", .text(run.text)), ("cpuNanoseconds", .number(usage.cpuNs)),
                    ("memoryBytes", .number(usage.memoryBytes)), ("processes", .number(usage.processes)),
                ])
            }
            exchange.respond(
                200,
                .map([
                    ("kind", "UsageList"), ("apiVersion", "agentos.dev/v1"),
                    ("timestamp", .text(Timestamp.milliseconds(agentos_wall_ms()))), ("items", .list(items)),
                ]))
        }
    }

    private func outbox(_ exchange: Exchange, position: Int64?) {
        let stuckOnly = !exchange.flag("all")
        loop.read { store throws(StoreFailure) in
            try store.outbox(position: position, stuckOnly: stuckOnly, limit: Limits.listLimitMax)
        } _: { [self] result in
            switch result {
            case .success(let rows):
                if position != nil, rows.isEmpty {
                    return fail(
                        exchange,
                        Failure(code: 404, reason: "NotFound", message: "no event at this position in the outbox"))
                }
                exchange.respond(
                    200, .map([("kind", "OutboxRecordList"), ("apiVersion", "agentos.dev/v1"), ("items", .list(rows))]))
            case .failure: fail(exchange, .unavailable)
            }
        }
    }

    private func resolve(_ exchange: Exchange, _ position: String, _ verb: String) {
        guard let position = Int64(position), verb == "replay" || verb == "skip" else {
            return fail(exchange, notFound(exchange))
        }
        loop.submit(actor: actor(exchange), verb == "replay" ? .replay(position: position) : .skip(position: position))
        { [self] in
            reply(exchange, $0, nil)
        }
    }

    private func consumers(_ exchange: Exchange) {
        let items = loop.engine.state.consumers.values.sorted { $0.name < $1.name }.map { consumer in
            Node.map([
                ("name", .text(consumer.name)), ("position", .number(consumer.position)),
                ("offset", .number(consumer.journalOffset)),
                ("expired", Node(.bool(consumer.isExpired))),
            ])
        }
        exchange.respond(
            200, .map([("kind", "ConsumerList"), ("apiVersion", "agentos.dev/v1"), ("items", .list(items))]))
    }

    private func acknowledge(_ exchange: Exchange, _ name: String) {
        let position = exchange.query("position").flatMap { Int64($0) } ?? 0
        let offset = exchange.query("offset").flatMap { Int64($0) } ?? 0
        guard offset >= 0, offset <= eventLog.end, position >= 0 else {
            return fail(
                exchange,
                Failure(
                    code: 400, reason: "BadRequest", message: "position and offset must be of an event that was read"))
        }
        loop.submit(actor: actor(exchange), .acknowledge(consumer: name, position: position, journalOffset: offset)) {
            [self] in
            reply(exchange, $0, nil)
        }
    }

    func objectEvents(_ exchange: Exchange, _ key: ObjectKey) {
        guard let uid = loop.engine.state.objects[key]?.uid else { return fail(exchange, .notFound(key)) }
        loop.read { store throws(StoreFailure) in
            try store.events(of: uid, limit: 50)
        } _: { [self] result in
            switch result {
            case .success(let events):
                let items = events.reversed().compactMap { JSONReader.read($0) }
                exchange.respond(
                    200, .map([("kind", "EventList"), ("apiVersion", "agentos.dev/v1"), ("items", .list(items))]))
            case .failure: fail(exchange, .unavailable)
            }
        }
    }

    // MARK: Sources

    /// Reads and applies a Source; answers with it when that is done.
    func sync(_ exchange: Exchange, _ key: ObjectKey) {
        guard let object = loop.engine.state.objects[key], object.source != nil else {
            return fail(exchange, .notFound(key))
        }
        if object.content[path: "spec", "suspend"]?.bool == true {
            let message = "source \"\(key.name)\" is suspended; set spec.suspend to false first"
            return fail(exchange, Failure(code: 409, reason: "Conflict", message: message, key: key))
        }
        loop.refresh(object.uid, force: exchange.flag("force"), actor: actor(exchange)) { [self] in
            guard let object = loop.engine.state.objects[key] else { return fail(exchange, .notFound(key)) }
            exchange.respond(200, shown(object, secrets: false))
        }
    }

    /// What the next sync of a Source would change: pairs of `live` and `merged`, one of them absent for what is made
    /// or deleted.
    func preview(_ exchange: Exchange, _ key: ObjectKey) {
        guard loop.engine.state.objects[key] != nil else { return fail(exchange, .notFound(key)) }
        guard let (changed, pruned) = loop.engine.preview(key) else {
            let message = "source \"\(key.name)\" was not read yet"
            return fail(exchange, Failure(code: 409, reason: "Conflict", message: message, key: key))
        }
        let items = changed.map { item in
            let kind = item.merged["kind"]?.string.flatMap(Kind.init) ?? .agent
            return Node.map([
                ("live", item.live.map { hideSecrets($0, kind, shown: false) }),
                ("merged", hideSecrets(item.merged, kind, shown: false)),
            ])
        }
        let gone = pruned.map { Node.map([("live", shown($0, secrets: false))]) }
        exchange.respond(
            200, .map([("kind", "PreviewList"), ("apiVersion", "agentos.dev/v1"), ("items", .list(items + gone))]))
    }

    // MARK: Logs

    func log(_ exchange: Exchange, _ key: ObjectKey) {
        guard let object = loop.engine.state.objects[key], let agent = object.agent else {
            return fail(exchange, .notFound(key))
        }
        let ordinal = exchange.query("ordinal").flatMap { Int($0) } ?? 0
        guard let replica = agent.replicas.first(where: { $0.ordinal == ordinal }), replica.attempt > 0 else {
            let message = "replica \(ordinal) of agent \"\(key.name)\" has not run yet"
            return fail(exchange, Failure(code: 404, reason: "NotFound", message: message, key: key))
        }
        let attempt = replica.attempt - (exchange.flag("previous") ? 1 : 0)
        guard attempt > 0 else {
            let message = "replica \(ordinal) of agent \"\(key.name)\" has no previous run"
            return fail(exchange, Failure(code: 404, reason: "NotFound", message: message, key: key))
        }
        let run = RunID(uid: object.uid, ordinal: ordinal, attempt: attempt)
        let follower = LogFollower(
            server: self, exchange: exchange, key: key, run: run, timestamps: exchange.flag("timestamps"))
        let id = ObjectIdentifier(follower)
        logFollowers[id] = follower
        exchange.onClose = { [weak self] in self?.logFollowers[id] = nil }
        exchange.startStream("text/plain")
        follower.start(
            tail: exchange.query("tailLines").flatMap { Int($0) },
            follows: exchange.flag("follow") && !exchange.flag("previous"))
    }

    // MARK: Backup

    /// Leaves a copy in the state directory for the caller, who may read it, to take away.
    private func backup(_ exchange: Exchange) {
        let path = "\(settings.stateDirectory)/store/backup-\(UInt64.random(in: 0...UInt64.max)).tmp"
        loop.read { store throws(StoreFailure) in
            try store.backup(to: path)
        } _: { [self] result in
            switch result {
            case .success:
                exchange.respond(
                    200, .map([("kind", "Backup"), ("apiVersion", "agentos.dev/v1"), ("path", .text(path))]))
            case .failure(.retry(let why)), .failure(.fatal(let why)):
                unlink(path)
                fail(exchange, Failure(code: 503, reason: "ServiceUnavailable", message: "no backup was made: \(why)"))
            }
        }
    }

    private func restore(_ exchange: Exchange) {
        if let problem = onRestore() {
            return fail(exchange, Failure(code: 422, reason: "Invalid", message: "nothing was restored: \(problem)"))
        }
        exchange.respond(
            202,
            .map([
                ("kind", "Status"), ("apiVersion", "v1"), ("status", "Success"),
                ("message", "the daemon restarts with the restored database; agents run on"),
            ]))
    }

    // MARK: Metrics

    /// Prometheus text format, with the names of its conventions: base units, `_total` for counters.
    func metrics() -> String {
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
            for replica in object.agent?.replicas ?? [] { phases[replica.phase.name, default: 0] += 1 }
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
        metric("agentos_outbox_backlog", "gauge", "Events not delivered yet.", [("", Double(state.backlog))])
        metric(
            "agentos_outbox_dead_letters", "gauge", "Objects whose delivery waits for a person.",
            [("", Double(state.ledgers.values.count { $0.stuck?.isDeadLetter == true }))])
        metric("agentos_watches", "gauge", "Open watches.", [("", Double(watches.count))])
        metric("agentos_event_position", "counter", "Position of the last event.", [("", Double(state.position))])
        metric(
            "agentos_resource_version", "counter", "Version of the last change.", [("", Double(state.resourceVersion))])
        metric(
            "process_start_time_seconds", "gauge", "Start time of the daemon since 1970.",
            [("", Double(settings.startedAtMs) / 1000)])
        metric("agentos_build_info", "gauge", "Version of the daemon.", [("{version=\"\(settings.version)\"}", 1)])
        return out
    }
}
