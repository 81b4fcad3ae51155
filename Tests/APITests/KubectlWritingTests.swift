import Glibc
import Support
import Testing
import Values

/// Real kubectl writes: what people do by hand, and what they do it with.
@Suite(.serialized, .enabled(if: !Kubectl.programs.isEmpty)) struct KubectlWritingTests {
    private static let agent = """
        apiVersion: agentos.dev/v1
        kind: Agent
        metadata:
          name: one
          labels: {team: a}
        spec:
          command: [sleep, "1000"]
          replicas: 0

        """

    /// A kubectl in a world, and what its commands come to.
    private struct Hands {
        let world: World
        let kubectl: Kubectl

        @discardableResult
        func does(_ words: String..., needs texts: String..., code: Int32 = 0) -> World.Result {
            let result = kubectl.run(words)
            #expect(result.code == code, "\(words): \(result.text)")
            for text in texts { #expect(result.text.contains(text), "\(words): \(result.text)") }
            return result
        }

        func spec(_ field: String) -> Int? { world.get("one")?[path: "spec", field]?.int }
    }

    private func withHands(_ program: String, _ body: (Hands) -> Void) {
        inWorld { world in
            world.startDaemon()
            guard let kubectl = Kubectl(program, world) else { return }
            defer { kubectl.close() }
            body(Hands(world: world, kubectl: kubectl))
        }
    }

    @Test(arguments: Kubectl.programs) func objectsAreMadeAndReplaced(program: String) {
        withHands(program) { hands in
            let file = hands.world.write("one.yaml", Self.agent)
            hands.does("create", "-f", file, "--validate=false", needs: "created")
            hands.does("create", "-f", file, "--validate=false", needs: "AlreadyExists", code: 1)
            hands.world.write("one.yaml", Self.agent.replacing("replicas: 0", with: "replicas: 0\n  priority: 5"))
            hands.does("replace", "-f", file, "--validate=false", needs: "replaced")
            #expect(hands.spec("priority") == 5)
            hands.does("create", "configmap", "m", "--from-literal=k=v", needs: "created")
            hands.does("create", "secret", "generic", "s", "--from-literal=k=v", needs: "created")
            hands.does("create", "namespace", "team", needs: "created")
            hands.does("get", "configmap", "m", "-o", "jsonpath={.data.k}", needs: "v")
            hands.does("replace", "--force", "-f", file, "--validate=false", needs: "replaced")
            hands.does("delete", "namespace", "team", "--timeout=90s", needs: "deleted")
        }
    }

    @Test(arguments: Kubectl.programs) func objectsAreAppliedFromBothSides(program: String) {
        withHands(program) { hands in
            let file = hands.world.write("one.yaml", Self.agent)
            hands.does("apply", "-f", file, "--validate=false", needs: "created")
            hands.does("apply", "-f", file, "--validate=false", needs: "unchanged")
            hands.world.write("one.yaml", Self.agent.replacing("replicas: 0", with: "replicas: 0\n  priority: 5"))
            hands.does("apply", "-f", file, "--validate=false", needs: "configured")
            #expect(hands.spec("priority") == 5)
            hands.world.write("one.yaml", Self.agent)
            hands.does("apply", "-f", file, "--validate=false", needs: "configured")
            #expect(hands.spec("priority") == 0, "what is left out goes")

            let other = hands.world.write(
                "other.yaml", Self.agent.replacing("replicas: 0", with: "replicas: 0\n  priority: 7"))
            let server = ["apply", "--server-side", "--validate=false", "--field-manager=other", "-f"]
            // As in Kubernetes: the default that came back is what the other side has written last.
            let refused = hands.kubectl.run(server + [other])
            #expect(refused.code == 1 && refused.error.contains("\"kubectl-client-side-apply\""), "\(refused.text)")
            let taken = hands.kubectl.run(server + [other, "--force-conflicts"])
            #expect(taken.code == 0, "\(taken.text)")
            let second = hands.world.write(
                "second.yaml", Self.agent.replacing("replicas: 0", with: "replicas: 0\n  priority: 9"))
            let conflict = hands.kubectl.run(
                ["apply", "--server-side", "--validate=false", "--field-manager=third", "-f", second])
            #expect(conflict.code == 1 && conflict.error.contains("conflict with \"other\""), "\(conflict.text)")
            #expect(hands.spec("priority") == 7)
            let forced = hands.kubectl.run(
                [
                    "apply", "--server-side", "--validate=false", "--force-conflicts", "--field-manager=third", "-f",
                    second,
                ])
            #expect(forced.code == 0 && hands.spec("priority") == 9, "\(forced.text)")
            // The same program goes over from the one side to the other.
            hands.does(
                "apply", "--server-side", "--force-conflicts", "--validate=false", "-f", second, needs: "applied")
        }
    }

    @Test(arguments: Kubectl.programs) func objectsAreChangedInPlace(program: String) {
        withHands(program) { hands in
            let file = hands.world.write("one.yaml", Self.agent)
            hands.does("create", "-f", file, "--validate=false", needs: "created")
            hands.does("patch", "agent", "one", "--type=merge", "-p", #"{"spec":{"priority":1}}"#, needs: "patched")
            hands.does(
                "patch", "agent", "one", "--type=json", "-p",
                #"[{"op":"replace","path":"/spec/priority","value":2}]"#, needs: "patched")
            #expect(hands.spec("priority") == 2)
            hands.does("patch", "agent", "one", "-p", "{}", needs: "accepted media types", code: 1)
            hands.does("create", "configmap", "m", "--from-literal=k=v", needs: "created")
            hands.does("patch", "configmap", "m", "-p", #"{"data":{"l":"w"}}"#, needs: "patched")
            hands.does("label", "agent", "one", "team=b", "--overwrite", needs: "labeled")
            hands.does("label", "agent", "one", "team-", needs: "one")
            hands.does("annotate", "agent", "one", "note=x y", needs: "annotated")
            #expect(hands.world.get("one")?[path: "metadata", "annotations", "note"]?.string == "x y")
            #expect(hands.world.get("one")?[path: "metadata", "labels"]?.map?.isEmpty != false)
            hands.world.moreEnvironment = ["KUBE_EDITOR=sed -i s/priority:.2/priority:\\ 3/"]
            hands.does("edit", "agent", "one", "--validate=false", needs: "edited")
            #expect(hands.spec("priority") == 3)
            hands.world.moreEnvironment = []
            hands.does("scale", "agent", "one", "--replicas=1", needs: "scaled")
            #expect(hands.spec("replicas") == 1)
            hands.does("scale", "agent", "one", "--replicas=0", "--current-replicas=1", needs: "scaled")
            hands.does(
                "scale", "agent", "one", "--replicas=3", "--current-replicas=2", needs: "to be 2, was 0", code: 1)
            #expect(hands.spec("replicas") == 0)
        }
    }

    @Test(arguments: Kubectl.programs) func objectsAreDeletedInAllForms(program: String) {
        withHands(program) { hands in
            for name in ["a", "b", "c", "d", "e", "f"] {
                hands.does("create", "configmap", name, "--from-literal=k=v", needs: "created")
            }
            hands.does("label", "configmap", "a", "b", "team=x", needs: "labeled")
            hands.does("delete", "configmap", "-l", "team=x", needs: "\"a\" deleted", "\"b\" deleted")
            hands.does("delete", "configmap", "c", "--cascade=orphan", needs: "deleted")
            hands.does("delete", "configmap", "d", "--now", needs: "deleted")
            hands.does("delete", "configmap", "e", "--grace-period=0", "--force", needs: "deleted")
            hands.does("delete", "configmap", "f", "--wait=false", needs: "deleted")
            hands.does("delete", "configmap", "f", needs: "NotFound", code: 1)
            hands.does("delete", "configmap", "f", "--ignore-not-found")
            hands.does("create", "configmap", "g", needs: "created")
            hands.does("delete", "configmap", "--all", "--timeout=90s", needs: "\"g\" deleted")
        }
    }
}
