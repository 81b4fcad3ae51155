import Support
import Testing
import Values

/// Agents as Kubernetes' clients see them that know no agents: Pods, Deployments, metrics.
@Suite(.serialized) struct ViewTests {
    private static let pods = "/api/v1/namespaces/default/pods"

    @Test(.enabled(if: !Kubectl.programs.isEmpty), arguments: Kubectl.programs)
    func kubectlSeesReplicasAsPods(program: String) {
        inWorld { world in
            let labels = "{name: one, labels: {team: x}}"
            world.apply(
                "apiVersion: agentos.dev/v1\nkind: Agent\nmetadata: \(labels)\nspec:\n  replicas: 2\n"
                    + "  command: [sh, -c, \"echo hello; exec sleep 1000\"]\n", "--wait")
            World.until("both have said it") {
                ["0", "1"].allSatisfy { world.run("logs", "one", "--replica", $0).output.contains("hello") }
            }
            guard let kubectl = Kubectl(program, world) else { return }
            defer { kubectl.close() }
            func works(_ words: String..., needs texts: [String], lacks: [String] = []) {
                let result = kubectl.run(words)
                #expect(result.code == 0, "\(words): \(result.text)")
                for text in texts { #expect(result.output.contains(text), "\(words): \(result.text)") }
                for text in lacks { #expect(!result.output.contains(text), "\(words): \(result.text)") }
            }
            works("get", "all", needs: ["one", "2/2"], lacks: ["pod", "deployment"])
            works("get", "pods", "-o", "wide", needs: ["one-0", "one-1", "1/1", "Running", "IP", "NODE"])
            works("get", "pods", "-l", "agentos.dev/agent=one,team=x", "-o", "name", needs: ["pod/one-0", "pod/one-1"])
            works("get", "pods", "--field-selector=metadata.name=one-1", needs: ["one-1"], lacks: ["one-0"])
            works("get", "pods", "--field-selector=status.phase!=Running", "-o", "name", needs: [], lacks: ["one"])
            works("get", "pod", "one-0", "-o", "jsonpath={.metadata.ownerReferences[0].kind}", needs: ["Agent"])
            works("logs", "one-0", needs: ["hello"])
            works("logs", "deploy/one", "--tail=1", needs: ["hello"])
            works("logs", "-l", "agentos.dev/agent=one", "--limit-bytes=3", needs: ["hel"], lacks: ["hello"])
            works("rollout", "status", "deploy/one", "--timeout=90s", needs: ["successfully rolled out"])
            works("wait", "--for=condition=Ready", "pod/one-0", "--timeout=90s", needs: ["condition met"])
            World.until("both are measured") {
                let shown = kubectl.run(["top", "pod"]).output
                return ["CPU(cores)", "one-0", "one-1"].allSatisfy { shown.contains($0) }
            }
            works("describe", "pod", "one-0", needs: ["Controlled By:  Agent/one", "Running"])
            let missing = kubectl.run(["logs", "one-7"])
            #expect(missing.code == 1 && missing.error.contains("pods \"one-7\" not found"), "\(missing.text)")
        }
    }

    /// A change of an agent is told of its Pods by their names: what comes, what goes, and no more than that.
    @Test func aWatchOfPodsFollowsItsAgents() {
        inWorld { world in
            func replicas(_ count: Int) {
                world.apply(
                    "apiVersion: agentos.dev/v1\nkind: Agent\nmetadata: {name: one}\nspec:\n  replicas: \(count)\n"
                        + "  command: [sleep, \"1000\"]\n  terminationGracePeriodSeconds: 0\n", "--wait")
            }
            replicas(1)
            let client = RawClient(world.socket)
            client.send(RawClient.request("GET", "\(Self.pods)?watch=true"))
            #expect(client.answer(body: false)?.status == 200)
            replicas(2)
            replicas(1)
            func events(_ text: String) -> [String] {
                text.split(whereSeparator: \.isNewline).filter { $0.hasPrefix("{\"type\"") }.compactMap {
                    JSONReader.read(String($0))
                }.map { "\($0["type"]?.string ?? "") \($0[path: "object", "metadata", "name"]?.string ?? "")" }
            }
            // One replica is ready while the other still goes.
            _ = client.read { events($0).contains("DELETED one-1") }
            world.run("delete", "agent", "one")
            let text = client.read { events($0).contains("DELETED one-0") }
            let found = events(text)
            #expect(found.filter { $0.hasPrefix("ADDED") } == ["ADDED one-0", "ADDED one-1"], "\(text)")
            #expect(found.filter { $0.hasPrefix("DELETED") } == ["DELETED one-1", "DELETED one-0"], "\(text)")
        }
    }

    @Test func viewsAreReadOnly() {
        inWorld { world in
            world.startDaemon()
            for method in ["PUT", "DELETE", "PATCH"] {
                let answer = RawClient.ask(world.socket, method, "\(Self.pods)/one-0", "{}")
                #expect(answer?.status == 405 && answer?.head.contains("Allow: GET, HEAD") == true)
            }
        }
    }
}
