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

    mutating func applySource(_ directory: SimulatedDirectory) {
        let spec = Node.map([
            ("path", .text("/\(directory.source.name)")), ("pruneLimitPercent", 100),
            ("timeoutSeconds", .number(random.below(100) + 1)),
        ])
        request(.write(apply(directory.source, .map([("spec", spec)]))))
    }

    /// As the daemon does at each start: a crash may have lost the first.
    mutating func applyDefaultNamespace() {
        request(.write(apply(ObjectKey(.namespace, namespace: "", name: "default"), .emptyMap)))
    }

    mutating func applyNamespace() { request(.write(apply(team, .emptyMap))) }

    /// The team belongs to another namespace, and goes with it.
    mutating func giveTeamAnOwner() {
        request(.write(apply(owner, .emptyMap)))
        guard let uid = engine.state.objects[owner]?.uid else { return }
        let reference = Node.map([
            ("apiVersion", "v1"), ("kind", "Namespace"), ("name", .text(owner.name)), ("uid", .text(uid.text)),
            ("blockOwnerDeletion", Node(.bool(random.chance(50)))),
        ])
        request(.write(apply(team, .map([("metadata", .map([("ownerReferences", [reference])]))]))))
    }

    mutating func deleteOwner() {
        let propagation = Request.Propagation.allCases[random.below(3)]
        request(.delete(Request.Deletion(key: owner, propagation: propagation)))
    }

    /// What a controller keeps beside the daemon's status.
    mutating func noteStatus(_ key: ObjectKey) {
        let conditions: Node = [.map([("type", "Checked"), ("status", random.chance(50) ? "True" : "False")])]
        let status = Node.map([("conditions", conditions), ("seen", .number(random.below(10)))])
        request(
            .write(
                Request.Write(
                    key: key, subresource: .status, .update(.map([("status", status)])), manager: "controller",
                    freshUID: UID(high: random.next(), low: random.next()))))
    }

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
            ("suspendMode", random.chance(50) ? "Freeze" : "Stop"), ("paused", Node(.bool(random.chance(15)))),
            ("restartPolicy", .text(["Always", "Always", "OnFailure", "Never"][random.below(4)])),
            ("backoff", .map([("initialSeconds", .number(random.below(3))), ("maxSeconds", 10)])),
            ("terminationGracePeriodSeconds", .number(random.below(5))),
            ("priority", .number(random.below(3))), ("driver", random.chance(20) ? "sandbox" : nil),
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
        if random.chance(10) {
            let cause = Node.map([(AgentSpec.causeAnnotation, .text("because of \(random.below(3))"))])
            node["metadata"] = .map([("annotations", cause), ("finalizers", node[path: "metadata", "finalizers"])])
        }
        request(.write(apply(key, node)))
    }
}
