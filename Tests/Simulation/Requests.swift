import Manifests
import Planner
import Reconciler
import Values

/// What people ask for, drawn at random.
extension Life {
    mutating func request(_ verb: Request.Verb) {
        nextRequest += 1
        pending.append(.request(Request(id: nextRequest, principal: Principal(user: "test", via: .socket), verb: verb)))
    }

    mutating func apply(_ key: ObjectKey, _ node: Node) -> Request.Write {
        Request.Write.apply(
            key: key, node: node, manager: "test", force: true, dryRun: false, source: "simulation:1",
            freshUID: UID(high: random.next(), low: random.next()))
    }

    mutating func applySource() {
        let spec = Node.map([
            ("path", "/fleet"), ("pruneLimitPercent", 100), ("timeoutSeconds", .number(random.below(100) + 1)),
        ])
        request(.write(apply(directory.source, .map([("spec", spec)]))))
    }

    /// As the daemon does at each start: a crash may have lost the first.
    mutating func applyDefaultNamespace() {
        request(.write(apply(ObjectKey(.namespace, namespace: "", name: "default"), .emptyMap)))
    }

    mutating func applyNamespace() { request(.write(apply(team, .emptyMap))) }

    mutating func applyConfigMap() {
        request(.write(apply(configMap, .map([("data", .map([("KEY", .text("value-\(random.below(100))"))]))]))))
    }

    mutating func applyAgent(_ key: ObjectKey) {
        let index = agents.firstIndex(of: key) ?? 0
        var spec = Node.map([
            (
                "command",
                .list([random.chance(10) ? "finish" : "run", .text(random.chance(30) ? "v\(random.below(3))" : "v0")])
            ),
            ("replicas", .number([1, 1, 1, 2, 3, 0][random.below(6)])),
            ("suspend", Node(.bool(random.chance(12)))),
            ("suspendMode", random.chance(50) ? "Freeze" : "Stop"),
            ("restartPolicy", .text(["Always", "Always", "OnFailure", "Never"][random.below(4)])),
            ("backoff", .map([("initialSeconds", .number(random.below(3))), ("maxSeconds", 10)])),
            ("terminationGracePeriodSeconds", .number(random.below(5))),
            ("priority", .number(random.below(3))),
            ("consistency", .map([("readyRequires", random.chance(70) ? "Published" : "OutboxWritten")])),
            ("updateStrategy", .map([("type", random.chance(70) ? "RollingUpdate" : "Recreate")])),
            ("resources", .map([("requests", .map([("cpu", .text("\(random.below(4) * 100)m"))]))])),
        ])
        if index > 0, random.chance(25) {
            spec["dependsOn"] = [
                .map([
                    ("name", .text(agents[random.below(index)].name)),
                    ("condition", random.chance(50) ? "Started" : "Ready"),
                ])
            ]
        }
        if random.chance(30) {
            for name in ["startupProbe", "readinessProbe", "livenessProbe"] where random.chance(60) {
                spec[name] = .map([
                    ("tcpSocket", .map([("port", 80)])), ("periodSeconds", 1), ("failureThreshold", 30),
                ])
            }
        }
        if random.chance(15) { spec["envFrom"] = [.map([("configMapRef", .map([("name", .text(configMap.name))]))])] }
        var node = Node.map([("spec", spec)])
        if random.chance(10) { node["metadata"] = .map([("finalizers", ["example.com/hold"])]) }
        request(.write(apply(key, node)))
    }
}
