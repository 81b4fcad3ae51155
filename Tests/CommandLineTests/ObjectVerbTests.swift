import Glibc
import Support
import Testing
import Values

/// Verbs that change objects one by one, with a real daemon.
@Suite(.serialized) struct ObjectVerbTests {
    @Test func createMakesWhatIsNotThere() {
        inWorld { world in
            world.startDaemon()
            let file = world.write("tls.key", "key\n")
            let variables = world.write("v.env", "A=1\n#no\nB=two words\n")
            #expect(world.run("create", "namespace", "team").output == "namespace/team created\n")
            let again = world.run("create", "ns", "team")
            #expect(again.code == 7 && again.error.contains("already exists"), "\(again.text)")
            let secret = world.run(
                "create", "secret", "generic", "s", "-n", "team", "--from-literal", "token=abc", "--from-file", file)
            #expect(secret.output == "secret/s created\n", "\(secret.text)")
            let data = world.get("s", kind: "secret", namespace: "team")?["data"]
            #expect(data?.stringMap.keys.sorted() == ["tls.key", "token"])
            #expect(world.run("create", "cm", "c", "--from-env-file", variables).output == "configmap/c created\n")
            #expect(world.get("c", kind: "cm")?["data"]?.stringMap == ["A": "1", "B": "two words"])
            #expect(
                world.run("create", "configmap", "d", "--from-literal=a=b", "--dry-run=client", "-o", "yaml").output
                    == """
                    apiVersion: v1
                    kind: ConfigMap
                    metadata:
                      name: d
                      namespace: default
                    data:
                      a: b

                    """)
            #expect(world.get("d", kind: "cm") == nil)
            let binary = world.spawn(
                [
                    "/bin/sh", "-c",
                    "printf '\\377\\000' > \(world.directory)/b; \(World.program) create cm b --from-file \(world.directory)/b",
                ])
            #expect(binary.code == 64 && binary.error.contains("\"b\" is no text"), "\(binary.text)")
            for words in [
                ["create"], ["create", "agent", "x"], ["create", "secret", "x"], ["create", "cm"],
                ["create", "ns", "x", "--from-literal", "a=b"], ["create", "cm", "x", "--from-literal", "a"],
            ] {
                let result = world.run(words)
                #expect(result.code == 64 && result.output.isEmpty, "\(words): \(result.text)")
            }
            let missing = world.run("create", "cm", "x", "--from-file", "/no/such")
            #expect(missing.code == 3 && missing.error.contains("/no/such: cannot be read"), "\(missing.text)")
            let manifest = world.write("a.yaml", World.agent("one", World.stays))
            #expect(world.run("create", "-f", manifest).output == "agent.agentos.dev/one created\n")
            #expect(world.run("create", "-f", manifest).code == 7)
        }
    }

    @Test func labelsAndAnnotationsAreSetAndRemoved() {
        inWorld { world in
            world.startDaemon()
            for name in ["a", "b"] { world.run("create", "cm", name) }
            #expect(
                world.run("label", "cm", "a", "b", "tier=front", "x.dev/y=1").output
                    == "configmap/a labeled\nconfigmap/b labeled\n")
            #expect(world.run("label", "cm/a", "tier=front").output == "configmap/a not labeled\n")
            let taken = world.run("label", "cm/a", "tier=back")
            #expect(taken.code == 1 && taken.error.contains("give --overwrite to change it"), "\(taken.text)")
            #expect(
                world.run("label", "cm/a", "tier=back", "x.dev/y-", "--overwrite").output == "configmap/a labeled\n")
            #expect(world.run("label", "cm/a", "--list").output == "configmap/a\n  tier=back\n")
            #expect(world.run("get", "cm", "-l", "tier=front", "-o", "name").output == "configmap/b\n")
            #expect(world.run("annotate", "cm", "-l", "tier=front", "note=a b").output == "configmap/b annotated\n")
            #expect(world.get("b", kind: "cm")?[path: "metadata", "annotations", "note"] == "a b")
            #expect(world.run("annotate", "cm", "--all", "note-").output.contains("configmap/a not annotated\n"))
            #expect(world.run("label", "cm/a", "other=!").code == 3)
            #expect(world.run("label", "cm/a").code == 64)
            #expect(world.run("label", "cm/nobody", "a=b").code == 1)
            // One that is not there does not hold the others up.
            let some = world.run("label", "cm", "nobody", "a", "z=1")
            #expect(some.code == 1 && some.output == "configmap/a labeled\n", "\(some.text)")
        }
    }

    /// As kubectl chooses: by labels, fields and files, here and everywhere.
    @Test func objectsAreChosenInEachWay() {
        inWorld { world in
            world.startDaemon()
            world.run("create", "ns", "team")
            for place in ["default", "team"] {
                for name in ["a", "b"] { world.run("create", "cm", name, "-n", place) }
            }
            let both = world.run("label", "cm", "--all", "-A", "x=1")
            #expect(
                both.output == String(repeating: "configmap/a labeled\nconfigmap/b labeled\n", count: 2), "\(both.text)"
            )
            let field = world.run("annotate", "cm", "--field-selector", "metadata.name=a", "-A", "y=2")
            #expect(field.output == "configmap/a annotated\nconfigmap/a annotated\n", "\(field.text)")
            let listed = world.run("get", "cm", "-A", "--field-selector", "metadata.name=a", "-o", "name")
            #expect(listed.output == "configmap/a\nconfigmap/a\n", "\(listed.text)")
            let file = world.write(
                "f.yaml",
                ["default", "team"].map {
                    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: \($0)}\n---\n"
                }.joined())
            #expect(world.run("get", "-f", file, "-o", "name").output == "configmap/a\nconfigmap/a\n")
            #expect(world.run("label", "-f", file, "z=3").output == "configmap/a labeled\nconfigmap/a labeled\n")
            #expect(world.get("a", kind: "cm", namespace: "team")?[path: "metadata", "labels", "z"] == "3")
            #expect(world.run("wait", "-f", file, "--for", "jsonpath={.metadata.labels.z}=3").code == 0)
            #expect(world.run("describe", "-f", file).output.split(separator: "UID:").count == 3)
            #expect(world.run("delete", "-f", file).output == "configmap \"a\" deleted\nconfigmap \"a\" deleted\n")
            let gone = world.run("get", "cm", "a", "b", "--ignore-not-found", "-o", "name")
            #expect(gone.code == 0 && gone.output == "configmap/b\n" && gone.error == "", "\(gone.text)")
            #expect(world.run("get", "cm/a", "--ignore-not-found").text == "exit 0\n")
            #expect(world.run("get", "cm/a").code == 1)
            let rest = world.run("delete", "cm", "-l", "x=1", "-A")
            #expect(rest.output == "configmap \"b\" deleted\nconfigmap \"b\" deleted\n", "\(rest.text)")
            let none = world.run("delete", "cm", "-l", "x=1", "-A")
            #expect(none.code == 0 && none.error == "No such configmaps.\n", "\(none.text)")
            for words in [
                ["delete", "cm", "a", "-A"], ["delete", "-f", file, "--all"], ["delete", "cm", "a", "--all"],
                ["restart", "-f", file], ["get", "cm", "-f", file], ["delete", "cm"],
            ] {
                let result = world.run(words)
                #expect(result.code == 64 && result.output == "", "\(words): \(result.text)")
            }
        }
    }

    @Test func scalingSuspendingAndRestarting() {
        inWorld { world in
            world.apply(World.agent("one", World.stays, "replicas: 2"), "--wait")
            #expect(
                world.run("scale", "one", "--replicas", "3", "--wait").output.hasPrefix(
                    "agent.agentos.dev/one scaled\n"))
            #expect(world.status("one")?["readyReplicas"] == 3)
            #expect(world.run("scale", "agent/one", "--replicas=3").output.contains("has 3 replicas already"))
            let moved = world.run("scale", "one", "--replicas", "1", "--current-replicas", "2")
            #expect(moved.code == 7 && moved.error.contains("expected 2 replicas, found 3"), "\(moved.text)")
            world.run("scale", "one", "--replicas", "2", "--current-replicas", "3", "--wait")

            let before = (0...1).map { world.pid("one", $0) }
            let restarted = world.run("restart", "one", "--wait")
            #expect(
                restarted.code == 0 && restarted.output.hasPrefix("agent.agentos.dev/one restarted\n"),
                "\(restarted.text)")
            let after = (0...1).map { world.pid("one", $0) }
            #expect(Set(before).isDisjoint(with: after) && !after.contains(-1))
            #expect(world.status("one")?["revision"] == 2)
            #expect(world.run("rollout", "restart", "agent", "one").code == 0)
            let rolled = world.run("rollout", "status", "agent/one")
            #expect(rolled.code == 0 && rolled.output.hasSuffix("agent.agentos.dev/one: Ready\n"), "\(rolled.text)")
            #expect(world.status("one")?["revision"] == 3)
            // What is applied again restarts nothing.
            world.apply(World.agent("one", World.stays, "replicas: 2"), "--wait")
            #expect(world.status("one")?["revision"] == 3)
            #expect(world.run("annotate", "agent/one", "agentos.dev/restarted-at-").code == 0)
            #expect(world.status("one")?["revision"] == 3)

            #expect(world.run("suspend", "one").output == "agent.agentos.dev/one suspended\n")
            World.until("nothing runs") { world.phase("one") == "Suspended" }
            #expect(world.run("suspend", "one").output == "agent.agentos.dev/one is suspended already\n")
            let useless = world.run("restart", "one")
            #expect(useless.code == 3 && useless.error.contains("it is suspended"), "\(useless.text)")
            #expect(world.run("resume", "-l", "none=such").error == "No such agents in namespace default.\n")
            #expect(world.run("resume", "--all").output == "agent.agentos.dev/one resumed\n")
            World.until("it is back") { world.phase("one") == "Ready" }
            for (words, message) in [
                (["scale", "secret/s", "--replicas", "1"], "a Secret cannot be scaled: expected agent"),
                (["scale", "one"], "give --replicas N"), (["restart"], "give at least one AGENT"),
                (["suspend", "source/x", "--freeze"], "a Source cannot be frozen: expected agent"),
                (["rollout", "status", "one", "--revision", "1"], "are for rollout history"),
                (["rollout", "pause", "one", "--dry-run"], "are for rollout undo"),
                (["rollout", "statsu", "one"], "did you mean \"status\"?"),
                (["restart", "one", "--all"], "give either names"),
            ] {
                let result = world.run(words)
                #expect(result.code == 64 && result.error.contains(message), "\(words): \(result.text)")
            }
        }
    }

    /// What somebody wrote is never lost, and nothing is overwritten that he did not see.
    @Test func editingLosesNothing() {
        inWorld { world in
            world.startDaemon()
            world.run("create", "cm", "c", "--from-literal", "a=b")
            func edit(_ script: String) -> World.Result {
                let editor = world.write("editor", "#!/bin/sh\n\(script)\n")
                chmod(editor, 0o755)
                world.moreEnvironment = ["AGENTOS_EDITOR=\(editor)", "TMPDIR=\(world.directory)"]
                return world.run("edit", "cm/c")
            }
            func value() -> Node? { world.get("c", kind: "cm")?[path: "data", "a"] }
            func kept() -> [String] { World.names(world.directory).filter { $0.hasPrefix("agentos-edit.") } }
            #expect(edit("true").output == "configmap/c not changed\n")
            #expect(edit(": > \"$1\"").output == "configmap/c not changed\n")
            #expect(edit("sed -i 's/a: b/a: c/' \"$1\"").output == "configmap/c edited\n")
            #expect(value() == "c" && kept().isEmpty)

            // Opened again with the reason; mended there.
            let mended = edit(
                "grep -q 'unknown field' \"$1\" && sed -i 's/dat:/data:/; s/a: c/a: d/' \"$1\" || sed -i 's/^data:/dat:/' \"$1\""
            )
            #expect(mended.output == "configmap/c edited\n" && value() == "d", "\(mended.text)")
            let given = edit("sed -i 's/^data:/dat:/' \"$1\"")
            #expect(given.code == 3 && given.error.contains("dat: unknown field"), "\(given.text)")
            #expect(kept().count == 1 && given.error.contains(kept().first ?? "?"), "\(given.text)")
            #expect(World.read("\(world.directory)/\(kept().first ?? "?")").contains("dat:"))
            for name in kept() { unlink("\(world.directory)/\(name)") }

            // Somebody else is faster.
            let late = edit("\(World.program) label cm/c x=y > /dev/null; sed -i 's/a: d/a: e/' \"$1\"")
            #expect(late.code == 7 && late.error.contains("Your text is kept in "), "\(late.text)")
            #expect(value() == "d" && World.read("\(world.directory)/\(kept().first ?? "?")").contains("a: e"))
            for name in kept() { unlink("\(world.directory)/\(name)") }

            let fails = edit("exit 9")
            #expect(fails.code == 1 && fails.error.contains("ended with code 9"), "\(fails.text)")
            #expect(world.run("edit", "cm/nobody").code == 1 && world.run("edit", "cm").code == 64)
        }
    }

    @Test func rightsAndResourcesAreShown() {
        inWorld { world in
            world.startDaemon()
            #expect(world.run("auth", "can-i", "delete", "agents").output == "yes\n")
            #expect(world.run("auth", "can-i", "get", "/metrics").output == "yes\n")
            #expect(world.run("auth", "whoami").output.contains("groups: "))
            let all = world.run("auth", "can-i", "--list")
            #expect(all.code == 0 && all.output.hasPrefix("RESOURCE"), "\(all.text)")
            #expect(world.run("auth", "can-i", "delete").code == 64 && world.run("auth").code == 64)
            let resources = world.run("api-resources")
            #expect(resources.output.contains("agents"), "\(resources.text)")
            let rows = resources.output.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
            #expect(rows.contains(["agents", "ag", "agentos.dev/v1", "true", "Agent"]), "\(resources.text)")
            #expect(rows.contains(["namespaces", "ns", "v1", "false", "Namespace"]))
            #expect(world.run("api-resources", "-o", "name").output.contains("agents.agentos.dev\n"))
        }
    }

    @Test func bothFormsOfNamesWorkEverywhere() {
        inWorld { world in
            world.apply(World.agent("one", "echo hello; \(World.stays)"), "--wait")
            world.run("create", "cm", "c")
            let mixed = world.run("get", "agent/one", "cm/c", "-o", "name")
            #expect(mixed.output == "configmap/c\nagent.agentos.dev/one\n", "\(mixed.text)")
            #expect(world.run("get", "agent/one", "cm/c", "-o", "json").code == 64)
            #expect(world.run("describe", "agent/one", "cm/c").output.contains("Name:          c\n"))
            #expect(world.run("exec", "agent/one", "--", "echo", "x").output == "x\n")
            #expect(world.run("-n", "default", "wait", "agent/one", "--for", "Ready").code == 0)
            #expect(world.run("exec", "cm/c", "--", "echo", "x").code == 64)
            #expect(world.run("delete", "agent/one", "cm/c").code == 0)
            #expect(world.get("one") == nil && world.get("c", kind: "cm") == nil)
        }
    }

    /// Every verb that prints fails when what it prints is lost.
    @Test func lostOutputIsNoSuccess() {
        inWorld { world in
            world.apply(World.agent("one", World.stays), "--wait")
            world.run("create", "cm", "c")
            let commands = [
                "label cm/c a=b", "annotate cm/c a=b", "scale one --replicas 1", "suspend one", "resume one",
                "restart one",
                "rollout status one", "create cm new", "auth whoami", "auth can-i --list", "api-resources",
                "explain agent",
                "auth can-i get agents",
            ]
            for command in commands {
                for place in ["> /dev/full", ">&-"] {
                    let result = world.spawn(
                        ["/bin/sh", "-c", "\(World.program) \(command) \(place)"])
                    #expect(result.code == 1 || result.code == 7, "\(command) \(place): \(result.text)")
                    #expect(result.error.contains("cannot write standard output") || result.code == 7, "\(result.text)")
                }
            }
        }
    }
}
