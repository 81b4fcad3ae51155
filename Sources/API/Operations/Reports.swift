import CLinux
import Glibc
import HTTP
import Manifests
import Reconciler
import Values

extension Server {
    /// What live runs use, as counters since their start: two answers make a rate.
    func usage(_ call: Call) {
        loop.measure(namespace: call.parameters[Query.namespace]) { [loop] usages in
            let items = usages.map { run, key, usage in
                let agent = loop.engine.state.objects[key]?.agent
                let limits = agent?.replicas.first { $0.phase.run?.id == run }?.phase.run?.spec.resources
                return Node.map([
                    ("namespace", .text(key.namespace)), ("agent", .text(key.name)), ("ordinal", .number(run.ordinal)),
                    ("run", .text(run.text)), ("cpuNanoseconds", .number(usage.cpuNs)),
                    ("memoryBytes", .number(usage.memoryBytes)), ("processes", .number(usage.processes)),
                    ("cpuLimitMilli", limits?.limitCpuMilli.map { .number($0) }),
                    ("memoryLimitBytes", limits?.limitMemoryBytes.map { .number($0) }),
                    ("processesLimit", limits?.limitPids.map { .number($0) }),
                ])
            }
            call.respond(
                200,
                .map([
                    ("kind", "UsageList"), ("apiVersion", "agentos.dev/v1"),
                    ("timestamp", .text(Timestamp.milliseconds(agentos_wall_ms()))), ("items", .list(items)),
                ]))
        }
    }

    func objectEvents(_ call: Call) {
        let key = call.key
        guard let uid = loop.published[key.kind][key.namespace, key.name]?.uid else { return call.fail(.notFound(key)) }
        loop.read { store throws(StoreFailure) in
            try store.events(of: uid, limit: 50)
        } _: { result in
            switch result {
            case .success(let events):
                let items = events.reversed().compactMap { JSONReader.read($0.payload) }
                call.respond(
                    200, .map([("kind", "EventList"), ("apiVersion", "agentos.dev/v1"), ("items", .list(items))]))
            case .failure: call.fail(.unavailable)
            }
        }
    }

    // MARK: Health

    func alive(_ call: Call) { call.respond(200, "text/plain", [Array("ok".utf8)]) }

    func ready(_ call: Call) {
        if let problem = loop.storeProblem {
            return call.respond(503, "text/plain", [Array("the store refuses writes: \(problem)\n".utf8)])
        }
        alive(call)
    }

    // MARK: Backup

    /// Leaves a copy in the state directory for the caller, who may read it, to take away.
    func backup(_ call: Call) {
        let path = "\(settings.stateDirectory)/store/backup-\(UInt64.random(in: 0...UInt64.max)).tmp"
        loop.backup(to: path) { result in
            switch result {
            case .success:
                call.respond(200, .map([("kind", "Backup"), ("apiVersion", "agentos.dev/v1"), ("path", .text(path))]))
            case .failure(.retry(let why)), .failure(.fatal(let why)):
                unlink(path)
                call.fail(Failure(code: 503, reason: "ServiceUnavailable", message: "no backup was made: \(why)"))
            }
        }
    }

    func restore(_ call: Call) {
        if let problem = onRestore() {
            return call.fail(Failure(code: 422, reason: "Invalid", message: "nothing was restored: \(problem)"))
        }
        call.respond(
            202,
            .map([
                ("kind", "Status"), ("apiVersion", "v1"), ("status", "Success"),
                ("message", "the daemon restarts with the restored database; agents run on"),
            ]))
    }
}
