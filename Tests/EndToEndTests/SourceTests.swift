import Glibc
import Manifests
import Support
import Testing
import Values

/// Directories and Git branches that the daemon keeps true: real files, a real repository, the real daemon.
@Suite(.serialized) struct SourceTests {
    /// A world whose daemon watches a directory, `default/watch-fleet`.
    func inFleet(_ more: [String] = [], _ body: (World, String) throws -> Void) rethrows {
        try inWorld { world in
            let directory = "\(world.directory)/fleet"
            mkdir(directory, 0o755)
            world.moreEnvironment = ["AGENTOS_WATCH=\(directory)"] + more
            try body(world, directory)
        }
    }

    func source(_ world: World, _ name: String = "watch-fleet") -> Node? { world.get(name, kind: "source") }

    func state(_ world: World, _ name: String = "watch-fleet") -> String {
        source(world, name)?[path: "status", "phase"]?.string ?? "absent"
    }

    func count(_ world: World, _ field: String, _ name: String = "watch-fleet") -> Int {
        source(world, name)?[path: "status", field]?.int ?? -1
    }

    func message(_ world: World, _ name: String = "watch-fleet") -> String {
        world.run("describe", "source", name).output
    }

    func agent(_ name: String, _ more: String = "") -> String { World.agent(name, World.stays, more) }

    /// A small object, for tests with many.
    func settings(_ index: Int, _ value: String = "x") -> String {
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings-\(index)}\ndata: {value: \"\(value)\"}\n"
    }

    func git(_ world: World, _ directory: String, _ words: String...) -> String {
        let result = world.spawn(
            ["git", "-C", directory, "-c", "user.name=t", "-c", "user.email=t@example.com"] + words)
        #expect(result.code == 0, "git \(words): \(result.text)")
        return result.output
    }

    // MARK: What is declared becomes true

    @Test func filesAreAppliedChangedAndPruned() {
        inFleet { world, directory in
            world.write("\(directory)/one.yaml", agent("one"))
            mkdir("\(directory)/more", 0o755)
            world.write("\(directory)/more/two.yaml", agent("two", "replicas: 2"))
            world.write("\(directory)/notes.txt", "no manifest")
            world.write("\(directory)/.hidden.yaml", agent("hidden"))
            world.write("\(directory)/.agentosignore", "# not these\n/skipped/\n*.draft.yaml\n")
            mkdir("\(directory)/skipped", 0o755)
            world.write("\(directory)/skipped/three.yaml", agent("three"))
            world.write("\(directory)/four.draft.yaml", "this: [is, no, manifest")
            world.startDaemon()
            World.until("all are ready") { self.state(world) == "Ready" && self.count(world, "declared") == 2 }
            #expect(world.run("get", "agents", "-o", "name").output.split(separator: "\n").count == 2)
            #expect(
                world.get("two")?[path: "metadata", "declaredBy", "file"]?.string == "\(directory)/more/two.yaml")
            let run = world.runOf("one")?["id"]?.string
            // An editor that writes through a temporary file.
            world.write("\(directory)/.two.yaml.swp", agent("two", "replicas: 1"))
            rename("\(directory)/.two.yaml.swp", "\(directory)/more/two.yaml")
            World.until("the change is there") { world.status("two")?["replicas"]?.int == 1 }
            #expect(world.runOf("one")?["id"]?.string == run, "what did not change runs on")
            unlink("\(directory)/more/two.yaml")
            World.until("what is gone is pruned") { world.get("two") == nil }
            World.until("that was all") { self.count(world, "pruned") == 1 && self.state(world) == "Ready" }
            let types = world.events().compactMap { $0["event_type"]?.string }
            for type in ["source.created", "source.synced", "object.pruned"] {
                #expect(types.contains(type), "\(type)")
            }
            let table = world.run("get", "sources").output
            #expect(table.contains("REVISION") && table.contains("Ready"), "\(table)")
        }
    }

    @Test func aBrokenFileStopsNothingElseAndNothingIsPruned() {
        inFleet { world, directory in
            for index in 0..<3 { world.write("\(directory)/\(index).yaml", settings(index)) }
            world.startDaemon()
            World.until("ready") { self.state(world) == "Ready" }
            world.write("\(directory)/1.yaml", settings(1) + "surplus: 1\n")
            World.until("the error is told") { self.state(world) == "SyncFailed" }
            unlink("\(directory)/2.yaml")
            world.write("\(directory)/0.yaml", settings(0, "changed"))
            #expect(message(world).contains("\(directory)/1.yaml:5:1: surplus: "), "\(message(world))")
            World.until("the good file is applied") {
                world.get("settings-0", kind: "configmap")?[path: "data", "value"]?.string == "changed"
            }
            #expect(world.get("settings-1", kind: "configmap") != nil, "the last good version stays")
            #expect(world.get("settings-2", kind: "configmap") != nil, "nothing is pruned meanwhile")
            let failed = world.run("sync", "watch-fleet")
            #expect(failed.code == 1 && failed.error.contains("1.yaml:5:1"), "\(failed.text)")
            World.until("an event tells it") { world.events().contains { $0["event_type"]?.string == "source.failed" } }
            world.write("\(directory)/1.yaml", settings(1))
            World.until("all is well, and pruned") {
                self.state(world) == "Ready" && world.get("settings-2", kind: "configmap") == nil
            }
        }
    }

    @Test func aFileThatIsStillBeingWrittenDeletesNothing() {
        inFleet { world, directory in
            world.write("\(directory)/both.yaml", settings(1) + "---\n" + settings(2))
            world.startDaemon()
            World.until("ready") { self.state(world) == "Ready" }
            func uid() -> String? { world.get("settings-2", kind: "configmap")?[path: "metadata", "uid"]?.string }
            // A slow writer: the first half is a whole manifest by itself, and the daemon has read it.
            let readers = Readers(of: "\(directory)/both.yaml")
            var rounds = 0
            for round in 0..<30 where rounds < 3 {
                let before = uid()
                _ = readers.haveRead
                var unreadMs = World.now()
                world.write("\(directory)/both.yaml", settings(1))
                World.until("the half is read") {
                    let now = World.now()
                    if readers.haveRead { return true }
                    unreadMs = now
                    return false
                }
                world.write("\(directory)/both.yaml", settings(1, "\(round)") + "---\n" + settings(2, "\(round)"))
                // What has been so for a second is believed: a writer that was held up for so long proves nothing.
                let isInTime = World.now() - unreadMs < 900
                World.until("the end is there") {
                    world.get("settings-2", kind: "configmap")?[path: "data", "value"]?.string == "\(round)"
                }
                if isInTime {
                    rounds += 1
                    #expect(uid() == before)
                }
            }
            world.write("\(directory)/both.yaml", settings(1))
            World.until("what stays away is pruned") { world.get("settings-2", kind: "configmap") == nil }
            // What is shown can be applied.
            let shown = world.run("get", "configmap", "settings-1", "-o", "yaml").output
            #expect(world.apply(shown).output == "configmap/settings-1 unchanged\n")
        }
    }

    @Test func driftIsCorrectedOrTold() {
        inFleet { world, directory in
            world.write("\(directory)/one.yaml", agent("one", "priority: 3"))
            world.startDaemon()
            World.until("ready") { self.state(world) == "Ready" }
            #expect(world.apply(agent("one", "priority: 7\nterminationGracePeriodSeconds: 4")).code == 0)
            World.until("the declared field is corrected") { world.get("one")?[path: "spec", "priority"]?.int == 3 }
            #expect(
                world.get("one")?[path: "spec", "terminationGracePeriodSeconds"]?.int == 4, "other fields are theirs")
            World.until("an event tells it") {
                world.events().contains { $0["event_type"]?.string == "object.drifted" }
            }
            #expect(world.run("delete", "agent", "one").code == 0)
            World.until("what was deleted by hand comes back") { world.phase("one") == "Ready" }
            // Only told.
            world.apply(
                "apiVersion: agentos.dev/v1\nkind: Source\nmetadata: {name: watch-fleet}\nspec: {path: \(directory), drift: Warn}\n"
            )
            #expect(world.apply(agent("one", "priority: 9")).code == 0)
            World.until("the drift is told") { self.count(world, "drifted") == 1 }
            #expect(message(world).contains("agent.agentos.dev/one"))
            #expect(world.get("one")?[path: "spec", "priority"]?.int == 9)
            let diff = world.run("diff", "--source", "watch-fleet")
            #expect(diff.code == 0 && diff.output.isEmpty, "the next sync only warns: \(diff.text)")
            #expect(diff.error.contains("agent.agentos.dev/one was changed by others"), "\(diff.text)")
            // Another version of the file is applied all the same.
            world.write("\(directory)/one.yaml", agent("one", "priority: 4"))
            World.until("the new version") { world.get("one")?[path: "spec", "priority"]?.int == 4 }
            #expect(world.run("diff", "--source", "watch-fleet").code == 0)
        }
    }

    // MARK: What is not touched

    @Test func twoSourcesAndHandsKeepToTheirOwn() {
        inFleet { world, directory in
            let other = "\(world.directory)/other"
            mkdir(other, 0o755)
            world.write("\(directory)/a.yaml", settings(1))
            world.moreEnvironment.append("AGENTOS_SOURCE_PATH=\(world.directory)")
            world.startDaemon()
            World.until("ready") { self.state(world) == "Ready" }
            world.apply(settings(5))
            world.write("\(other)/b.yaml", "\n" + settings(1, "other"))
            world.apply(
                "apiVersion: agentos.dev/v1\nkind: Source\nmetadata: {name: other}\nspec: {path: \(other)}\n")
            World.until("the second reports the conflict") { self.state(world, "other") == "SyncFailed" }
            let words = message(world, "other")
            #expect(
                words.contains("\(other)/b.yaml:2:1") && words.contains("default/watch-fleet at \(directory)/a.yaml:1"),
                "\(words)")
            #expect(world.get("settings-1", kind: "configmap")?[path: "data", "value"]?.string == "x")
            // The first lets go: then it is the other's.
            unlink("\(directory)/a.yaml")
            World.until("the other takes it over") {
                self.state(world, "other") == "Ready"
                    && world.get("settings-1", kind: "configmap")?[path: "data", "value"]?.string == "other"
            }
            #expect(world.run("delete", "source", "other").code == 0)
            World.until("the Source is gone") { self.source(world, "other") == nil }
            #expect(world.get("settings-1", kind: "configmap") != nil, "what it declared stays")
            #expect(world.get("settings-5", kind: "configmap") != nil, "what was applied by hand stays")
        }
    }

    @Test func namespacesAndPathsNeedLeave() {
        inFleet(["AGENTOS_SOURCE_NAMESPACES=default/watch-fleet=team"]) { world, directory in
            let namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: team}\n"
            world.write(
                "\(directory)/agents.yaml",
                World.agent("one", World.stays).replacing("{name: one}", with: "{name: one, namespace: team}"))
            world.write("\(directory)/z-namespace.yaml", namespace)
            world.write("\(directory)/kept.yaml", settings(3))
            world.startDaemon()
            World.until("namespaces come before what is in them") { self.state(world) == "Ready" }
            #expect(world.get("one", namespace: "team") != nil)
            world.write(
                "\(directory)/other.yaml",
                settings(1).replacing("{name: settings-1}", with: "{name: x, namespace: other}"))
            World.until("another namespace is refused") { self.state(world) == "SyncFailed" }
            #expect(message(world).contains("--source-namespaces default/watch-fleet=other"), "\(message(world))")
            unlink("\(directory)/other.yaml")
            World.until("ready again") { self.state(world) == "Ready" }
            // A namespace that is no longer declared takes nothing of others with it.
            world.apply(settings(7), "-n", "team")
            world.atOnce {
                unlink("\(directory)/agents.yaml")
                unlink("\(directory)/z-namespace.yaml")
            }
            World.until("its own is pruned") {
                world.get("one", namespace: "team") == nil && self.state(world) == "Ready"
            }
            #expect(world.get("settings-7", kind: "configmap", namespace: "team") != nil)
            World.until("the namespace is told") { self.message(world).contains("kept: the namespace team") }
            #expect(world.run("delete", "configmap", "settings-7", "-n", "team").code == 0)
            #expect(world.run("sync", "watch-fleet").code == 0)
            World.until("the empty namespace goes") { world.get("team", kind: "namespace", namespace: "") == nil }
            for (name, path) in [("outside", "/etc"), ("dots", "\(directory)/../../etc")] {
                let result = world.apply(
                    "apiVersion: agentos.dev/v1\nkind: Source\nmetadata: {name: \(name)}\nspec: {path: \(path)}\n")
                if name == "dots" {
                    #expect(result.code == 3 && result.error.contains("spec.path"), "\(result.text)")
                } else {
                    World.until("a path that is not allowed is refused") { self.state(world, name) == "SyncFailed" }
                    #expect(message(world, name).contains("--source-path"), "\(message(world, name))")
                }
            }
        }
    }

    @Test func linksThatLeadOutAreRefused() {
        inFleet { world, directory in
            world.write("outside.yaml", settings(9))
            world.write("\(directory)/real.yaml", settings(1))
            symlink("real.yaml", "\(directory)/inside.yaml")
            world.startDaemon()
            // A link inside the directory is one more file: the object is declared twice.
            World.until("a link inside is read") { self.message(world).contains("declared twice") }
            unlink("\(directory)/inside.yaml")
            World.until("ready") { self.state(world) == "Ready" }
            symlink("\(world.directory)/outside.yaml", "\(directory)/escape.yaml")
            World.until("one that leads out is refused") { self.message(world).contains("leads out of") }
            #expect(world.get("settings-9", kind: "configmap") == nil)
            unlink("\(directory)/escape.yaml")
            symlink("/etc", "\(directory)/etc")
            World.until("ready again") { self.state(world) == "Ready" }
            #expect(self.count(world, "declared") == 1)
        }
    }

    @Test func aDirectoryThatVanishesDeletesNothing() {
        inFleet { world, directory in
            for index in 0..<4 { world.write("\(directory)/\(index).yaml", settings(index)) }
            world.startDaemon()
            World.until("ready") { self.state(world) == "Ready" }
            rename(directory, "\(directory).away")
            World.until("it is missed") { self.state(world) == "SyncFailed" }
            #expect(world.run("sync", "watch-fleet").code == 1)
            #expect((0..<4).allSatisfy { world.get("settings-\($0)", kind: "configmap") != nil })
            rename("\(directory).away", directory)
            World.until("it is back") { self.state(world) == "Ready" }
            world.write("\(directory)/0.yaml", settings(0, "after"))
            World.until("and watched again") {
                world.get("settings-0", kind: "configmap")?[path: "data", "value"]?.string == "after"
            }
            #expect((0..<4).allSatisfy { world.get("settings-\($0)", kind: "configmap") != nil })
            // Another directory in its place, as some tools deploy.
            mkdir("\(directory).new", 0o755)
            for index in 1..<4 { world.write("\(directory).new/\(index).yaml", settings(index, "rewritten")) }
            rename(directory, "\(directory).old")
            rename("\(directory).new", directory)
            World.until("all of it was read anew") {
                world.get("settings-0", kind: "configmap") == nil
                    && (1..<4).allSatisfy {
                        world.get("settings-\($0)", kind: "configmap")?[path: "data", "value"]?.string == "rewritten"
                    }
            }
        }
    }

    @Test func muchIsDeletedOnlyWhenSomebodySaysSo() {
        inFleet { world, directory in
            for index in 0..<20 { world.write("\(directory)/\(index).yaml", settings(index)) }
            world.write(
                "\(directory)/kept.yaml",
                "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: kept, annotations: {agentos.dev/prune: disabled}}\n")
            world.startDaemon()
            World.until("ready") { self.state(world) == "Ready" }
            world.atOnce {
                for index in 0..<15 { unlink("\(directory)/\(index).yaml") }
                unlink("\(directory)/kept.yaml")
            }
            World.until("it waits") { self.state(world) == "PruneLimit" }
            #expect(message(world).contains("agentos-apply sync watch-fleet -n default --force"), "\(message(world))")
            #expect((0..<15).allSatisfy { world.get("settings-\($0)", kind: "configmap") != nil })
            #expect(world.run("sync", "watch-fleet").code == 1)
            let forced = world.run("sync", "watch-fleet", "--force")
            #expect(forced.code == 0, "\(forced.text)")
            #expect((0..<15).allSatisfy { world.get("settings-\($0)", kind: "configmap") == nil })
            #expect(world.get("settings-17", kind: "configmap") != nil)
            #expect(world.get("kept", kind: "configmap") != nil, "what is protected stays")
            #expect(self.state(world) == "Ready")
        }
    }

    // MARK: Health

    @Test func aSourceIsReadyWhenItsAgentsAre() {
        inFleet { world, directory in
            world.write("\(directory)/one.yaml", World.agent("one", "exit 3", "restartPolicy: Never"))
            world.startDaemon()
            World.until("a definite failure is told at once") { self.state(world) == "AgentFailed" }
            #expect(message(world).contains("default/one") && message(world).contains("code 3"), "\(message(world))")
            // A bad revision does not hold the next one up.
            world.write("\(directory)/one.yaml", agent("one"))
            World.until("ready") { self.state(world) == "Ready" }
            world.write("\(directory)/two.yaml", agent("two", "dependsOn: [{name: nobody}]"))
            World.until("it waits") { self.state(world) == "Progressing" }
            world.apply(
                "apiVersion: agentos.dev/v1\nkind: Source\nmetadata: {name: watch-fleet}\nspec: {path: \(directory), timeoutSeconds: 1}\n"
            )
            // The time begins with each sync that changes something.
            world.write("\(directory)/more.yaml", settings(1))
            World.until("not for ever") { self.state(world) == "HealthTimeout" }
            #expect(message(world).contains("default/two"))
            world.apply(
                "apiVersion: agentos.dev/v1\nkind: Source\nmetadata: {name: watch-fleet}\nspec: {path: \(directory), suspend: true}\n"
            )
            World.until("suspended") { self.state(world) == "Suspended" }
            unlink("\(directory)/two.yaml")
            #expect(world.run("sync", "watch-fleet").code == 7)
            #expect(world.get("two") != nil)
            // Nor does the next daemon, which reads everything anew.
            world.killDaemon()
            world.startDaemon()
            #expect(world.run("sync", "watch-fleet").code == 7)
            #expect(world.get("two") != nil)
        }
    }
}

extension String {
    func trimming() -> String {
        var text = self[...]
        while let last = text.last, last.isWhitespace { text = text.dropLast() }
        return String(text)
    }
}
