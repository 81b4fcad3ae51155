import Glibc
import Manifests
import Support
import Testing

/// Replicas, dependencies, updates, suspension and deletion as people see them.
@Suite(.serialized) struct SchedulingTests {
    @Test func dependentsStartLastAndStopFirst() {
        inWorld { world in
            let manifest =
                World.agent("front", World.stays, "dependsOn: [{name: base, condition: Ready}]")
                + World.agent("base", World.stays)
            #expect(world.apply(manifest, "--wait").code == 0)
            #expect(world.run("delete", "agents", "--all").code == 0)
            var order: [String] = []
            // The last of them is published a moment after it has happened.
            World.until("all is told") {
                order = world.events().compactMap { event -> String? in
                    guard let type = event["event_type"]?.string, type == "run.started" || type == "run.stopped" else {
                        return nil
                    }
                    return "\(event[path: "object", "name"]?.string ?? "") \(type)"
                }
                return order.count >= 4
            }
            #expect(order == ["base run.started", "front run.started", "front run.stopped", "base run.stopped"])
        }
    }

    @Test func aMissingDependencyIsNamedAndNothingElseWaits() {
        inWorld { world in
            world.apply(
                World.agent("front", World.stays, "dependsOn: [{name: base}]") + World.agent("other", World.stays))
            World.until("other is Ready") { world.phase("other") == "Ready" }
            let condition = world.condition("front", "Scheduled")
            #expect(condition?["reason"]?.string == "DependencyNotFound")
            #expect(condition?["message"]?.string == "agent \"base\" does not exist in this namespace")
            world.apply(World.agent("base", World.stays))
            World.until("front is Ready") { world.phase("front") == "Ready" }
        }
    }

    @Test func scalingKeepsIdentities() {
        inWorld { world in
            world.apply(World.agent("one", World.stays, "replicas: 3"), "--wait")
            let (zero, two) = (world.pid("one", 0), world.pid("one", 2))
            let home = World.openPath(two, "cwd")
            world.write("\(home)/kept", "x")
            world.apply(World.agent("one", World.stays, "replicas: 1"), "--wait")
            World.until("ordinal 2 is gone") { !World.isAlive(two) }
            #expect(world.pid("one", 0) == zero)
            world.apply(World.agent("one", World.stays, "replicas: 3"), "--wait")
            #expect(World.openPath(world.pid("one", 2), "cwd") == home)
            #expect(World.read("\(home)/kept") == "x")
            // The attempt goes on counting over the scale-down.
            #expect(world.runOf("one", 2)?["id"]?.string?.hasSuffix("00002-0000000002") == true)
        }
    }

    @Test func aRollingUpdateGoesOneByOneFromTheHighestOrdinal() {
        inWorld { world in
            world.apply(World.agent("one", World.stays, "replicas: 3\nenv: [{name: V, value: a}]"), "--wait")
            let position = world.events().last?["position"]?.int ?? 0
            #expect(
                world.apply(World.agent("one", World.stays, "replicas: 3\nenv: [{name: V, value: b}]"), "--wait").code
                    == 0)
            var down: Set<Int> = []
            var most = 0
            var order: [Int] = []
            for event in world.events("--since-position", String(position)) {
                guard let ordinal = event[path: "data", "ordinal"]?.int else { continue }
                switch event["event_type"]?.string {
                case "run.stopping":
                    down.insert(ordinal)
                    order.append(ordinal)
                case "run.ready": down.remove(ordinal)
                default: break
                }
                most = max(most, down.count)
            }
            #expect(most == 1)
            #expect(order == [2, 1, 0])
        }
    }

    @Test func aBadRevisionCanBeCorrected() {
        inWorld { world in
            world.apply(World.agent("one", World.stays, "replicas: 3"), "--wait")
            world.apply(
                World.agent("one", World.stays, "replicas: 3\nprogressDeadlineSeconds: 1").replacing(
                    "[sh, -c,", with: "[/no/such/program,"))
            World.until("the deadline is exceeded") {
                world.condition("one", "Progressing")?["reason"]?.string == "ProgressDeadlineExceeded"
            }
            #expect(world.status("one")?["readyReplicas"]?.int == 2)
            #expect(world.apply(World.agent("one", World.stays, "replicas: 3"), "--wait").code == 0)
        }
    }

    @Test func suspendStopsAndKeepsTheRest() {
        inWorld { world in
            world.apply(World.agent("one", World.stays), "--wait")
            let pid = world.pid("one")
            world.apply(World.agent("one", World.stays, "suspend: true"), "--wait")
            World.until("it is suspended") { world.phase("one") == "Suspended" }
            #expect(!World.isAlive(pid))
            world.apply(World.agent("one", World.stays), "--wait")
            #expect(world.phase("one") == "Ready")
        }
    }

    @Test func restartPoliciesDecideWhatFollowsAnEnd() {
        inWorld { world in
            let manifest =
                World.agent("done", "exit 0", "restartPolicy: OnFailure")
                + World.agent("never", "exit 3", "restartPolicy: Never")
                + World.agent(
                    "always", "exit 0", "restartPolicy: Always\nbackoff: {initialSeconds: 86400, maxSeconds: 86400}")
            world.apply(manifest)
            World.until("done is Completed") { world.phase("done") == "Completed" }
            World.until("never is Failed") { world.phase("never") == "Failed" }
            World.until("always backs off") { world.phase("always") == "BackingOff" }
            #expect(world.runOf("always")?["nextRetryAt"]?.string != nil)
        }
    }

    /// Promise 5, with what holds a deletion up.
    @Test func aNamespaceGoesWithAllThatIsInIt() {
        inWorld { world in
            let namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: team}\n---\n"
            world.apply(namespace)
            let held = World.agent("held", World.stays).replacing(
                "{name: held}", with: "{name: held, finalizers: [example.com/hold]}")
            #expect(world.apply(held + World.agent("one", World.stays), "-n", "team", "--wait").code == 0)
            #expect(world.run("delete", "namespace", "team", "--no-wait").code == 0)
            #expect(world.apply(World.agent("two", World.stays), "-n", "team").code == 3)
            World.until("only the held agent is left") {
                world.run("get", "agents", "-n", "team", "-o", "name").output == "agent.agentos.dev/held\n"
            }
            World.until("the namespace says what it waits for") {
                let left = world.get("team", kind: "namespace", namespace: "")?["status"]
                return left?["phase"]?.string == "Terminating"
                    && left?["conditions"]?.list?.first?["message"]?.string == "waiting for agent.agentos.dev/held"
            }
            World.until("the condition names the finalizer") {
                let conditions = world.get("held", namespace: "team")?[path: "status", "conditions"]?.list ?? []
                return conditions.contains { $0["message"]?.string == "waiting for finalizers: example.com/hold" }
            }
            #expect(world.apply(World.agent("held", World.stays), "-n", "team").code == 0)
            World.until("the namespace is gone") { world.get("team", kind: "namespace", namespace: "") == nil }
        }
    }

    @Test func aConfigMapThatIsMissingIsWaitedForAndAChangeRestartsNothing() {
        inWorld { world in
            func config(_ value: String) -> String {
                "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: common}\ndata: {WORD: \(value)}\n"
            }
            world.apply(
                World.agent("one", "echo word $WORD; \(World.stays)", "envFrom: [{configMapRef: {name: common}}]"))
            World.until("it waits") { world.condition("one", "Scheduled")?["reason"]?.string == "InputNotFound" }
            world.apply(config("first"))
            World.until("it is Ready") { world.phase("one") == "Ready" }
            let pid = world.pid("one")
            World.until("it saw the value") { world.run("logs", "one").output == "word first\n" }
            world.apply(config("second"))
            #expect(world.pid("one") == pid)
            World.until("status names the old input") {
                world.runOf("one")?["staleInputs"]?.list?.first?.string == "ConfigMap/common"
            }
        }
    }

    @Test func whatDoesNotFitIntoTheMachineWaits() {
        inWorld { world in
            world.apply(World.agent("big", World.stays, "resources: {requests: {memory: 100Ti}}"))
            World.until("it waits") {
                world.condition("big", "Scheduled")?["reason"]?.string == "InsufficientResources"
            }
            #expect(world.condition("big", "Scheduled")?["message"]?.string?.contains("free") == true)
        }
    }
}
