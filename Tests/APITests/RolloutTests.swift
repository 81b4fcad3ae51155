import Support
import Testing
import Values

/// `kubectl rollout` of the Deployment that shows an agent.
@Suite(.serialized) struct RolloutTests {
    private static let deployment = "/apis/apps/v1/namespaces/default/deployments/one"

    private static func agent(_ word: String) -> String {
        "apiVersion: agentos.dev/v1\nkind: Agent\nmetadata: {name: one, labels: {team: x}}\nspec:\n"
            + "  command: [sleep, \"\(word)\"]\n  terminationGracePeriodSeconds: 0\n  replicas: 2\n"
            + "  livenessProbe: {exec: {command: [test, \"\(word)\", -gt, \"0\"]}, timeoutSeconds: 60}\n"
    }

    @Test(.enabled(if: !Kubectl.programs.isEmpty), arguments: Kubectl.programs)
    func kubectlRollsBackAndPauses(program: String) {
        inWorld { world in
            world.apply(Self.agent("1001"), "--wait")
            world.run("annotate", "agent/one", "kubernetes.io/change-cause=the first")
            world.apply(Self.agent("1002"), "--wait")
            guard let kubectl = Kubectl(program, world) else { return }
            defer { kubectl.close() }
            func works(_ words: String..., needs texts: [String], lacks: [String] = []) {
                let result = kubectl.run(words)
                #expect(result.code == 0, "\(words): \(result.text)")
                for text in texts { #expect(result.output.contains(text), "\(words): \(result.text)") }
                for text in lacks { #expect(!result.output.contains(text), "\(words): \(result.text)") }
            }
            works("rollout", "history", "deploy/one", needs: ["REVISION", "CHANGE-CAUSE", "1 ", "the first", "2 "])
            works(
                "rollout", "history", "deploy/one", "--revision=1", needs: ["with revision #1", "1001"], lacks: ["1002"]
            )
            works("get", "rs", needs: ["one-r1", "one-r2", "DESIRED"])
            works(
                "get", "rs", "one-r2", "-o", "jsonpath={.spec.template.spec.containers[0].command[1]}", needs: ["1002"])
            works("rollout", "undo", "deploy/one", "--dry-run=server", needs: ["rolled back"])
            #expect(world.get("one")?[path: "spec", "command"] == ["sleep", "1002"])
            works("rollout", "undo", "deploy/one", needs: ["rolled back"])
            works("rollout", "status", "deploy/one", "--timeout=90s", needs: ["successfully rolled out"])
            #expect(world.status("one")?["revision"] == 3)
            #expect(world.get("one")?[path: "spec", "command"] == ["sleep", "1001"])
            // Also what no Pod shows comes back.
            #expect(
                world.get("one")?[path: "spec", "livenessProbe", "exec", "command"] == ["test", "1001", "-gt", "0"])
            works("rollout", "undo", "deploy/one", "--to-revision=2", needs: ["rolled back"])
            works("rollout", "status", "deploy/one", "--timeout=90s", needs: ["successfully rolled out"])
            #expect(kubectl.run(["rollout", "undo", "deploy/one", "--to-revision=77"]).code == 1)

            works("rollout", "restart", "deploy/one", needs: ["restarted"])
            works("rollout", "status", "deploy/one", "--timeout=90s", needs: ["successfully rolled out"])
            #expect(world.status("one")?["revision"] == 5)

            works("rollout", "pause", "deploy/one", needs: ["paused"])
            world.apply(Self.agent("1003"))
            #expect(world.status("one")?["revision"] == 5)
            works("get", "deploy", "one", "-o", "jsonpath={.status.conditions[*].reason}", needs: ["DeploymentPaused"])
            let late = kubectl.run(["rollout", "status", "deploy/one", "--timeout=2s"])
            #expect(late.code != 0, "\(late.text)")
            #expect(kubectl.run(["rollout", "undo", "deploy/one"]).error.contains("paused"))
            #expect(kubectl.run(["rollout", "restart", "deploy/one"]).error.contains("paused"))
            works("rollout", "resume", "deploy/one", needs: ["resumed"])
            works("rollout", "status", "deploy/one", "--timeout=90s", needs: ["successfully rolled out"])
            #expect(world.status("one")?["revision"] == 6)
        }
    }

    /// A Deployment is a view: what it cannot carry to its agent is refused by name.
    @Test func otherFieldsOfADeploymentAreNotWritten() {
        inWorld { world in
            world.apply(Self.agent("1001"), "--wait")
            func patch(_ body: String, _ type: String = "application/merge-patch+json") -> (code: Int, text: String) {
                let answer = RawClient.ask(world.socket, "PATCH", Self.deployment, body, type: type)
                return (answer?.status ?? 0, answer?.text ?? "")
            }
            for (body, field) in [
                (#"{"spec":{"replicas":5}}"#, "spec.replicas"),
                (#"{"metadata":{"labels":{"a":"b"}}}"#, "metadata.labels.a"),
                (#"{"spec":{"template":{"spec":{"priority":7}}}}"#, "spec.template"),
            ] {
                let (code, text) = patch(body)
                #expect(
                    code == 422 && text.contains("\"field\":\"\(field)\"") && text.contains("change the agent"),
                    "\(text)")
            }
            #expect(patch("{}").code == 200 && patch("[]", "application/json-patch+json").code == 200)
            #expect(patch("{}", "application/json").code == 415)
            let undo = #"{"spec":{"template":{"metadata":{"annotations":{"agentos.dev/revision":"9"}}}}}"#
            #expect(patch(undo).text.contains("revision 9 of agent \\\"one\\\" is not kept"))
            #expect(patch(#"{"spec":{"paused":true}}"#, "application/strategic-merge-patch+json").code == 200)
            #expect(world.get("one")?[path: "spec", "paused"] == true)
            let missing = RawClient.ask(
                world.socket, "PATCH", Self.deployment + "x", "{}", type: "application/merge-patch+json")
            #expect(missing?.status == 404)
        }
    }
}
