import Glibc
import Manifests
import Support
import Testing
import Values

/// What lies in a directory beside manifests, and how clones are kept.
extension SourceTests {
    // MARK: Special files

    /// Nobody waits for a file that never ends or never begins; its name is told, and nothing is deleted meanwhile.
    @Test func specialFilesAreRefusedAtOnceAndHoldNobodyUp() {
        inFleet { world, directory in
            let other = "\(world.directory)/other"
            mkdir(other, 0o755)
            world.write("\(directory)/one.yaml", settings(1))
            world.write("\(directory)/two.yaml", settings(2))
            world.moreEnvironment.append("AGENTOS_SOURCE_PATH=\(world.directory):/proc")
            world.startDaemon()
            World.until("ready") { self.state(world) == "Ready" }
            // In the place of the file at once: one that is not there is no longer declared.
            mkfifo("\(directory)/.new", 0o644)
            rename("\(directory)/.new", "\(directory)/two.yaml")
            World.until("a FIFO is told") { self.message(world).contains("two.yaml: it is a FIFO") }
            #expect(world.get("settings-2", kind: "configmap") != nil)
            symlink("/dev/zero", "\(directory)/.new")
            rename("\(directory)/.new", "\(directory)/two.yaml")
            World.until("a link out is told") { self.message(world).contains("leads out of") }
            world.atOnce {
                unlink("\(directory)/two.yaml")
                mkfifo("\(directory)/.agentosignore", 0o644)
            }
            World.until("the file of patterns, too") { self.message(world).contains(".agentosignore: it is a FIFO") }
            #expect(world.get("settings-2", kind: "configmap") != nil)
            symlink("/dev/zero", "\(directory)/.new")
            rename("\(directory)/.new", "\(directory)/.agentosignore")
            World.until("also as a link") {
                self.message(world).contains(".agentosignore: the symbolic link leads out")
            }
            // Another Source is read at once meanwhile.
            world.write("\(other)/five.yaml", settings(5))
            world.apply(source("other", "path: \(other)"))
            World.until("the other is ready") { self.state(world, "other") == "Ready" }
            unlink("\(directory)/.agentosignore")
            World.until("all is well, and pruned") {
                self.state(world) == "Ready" && world.get("settings-2", kind: "configmap") == nil
            }
            // Secrets are read with the same care.
            mkfifo("\(world.directory)/key", 0o600)
        }
    }

    @Test func namesThatAreNotUTF8AreRefusedByName() {
        inFleet { world, directory in
            world.write("\(directory)/one.yaml", settings(1))
            world.startDaemon()
            World.until("ready") { self.state(world) == "Ready" }
            let odd = Array("\(directory)/odd".utf8) + [0xff] + Array(".yaml".utf8)
            func make(_ bytes: [UInt8]) {
                (bytes + [0]).withUnsafeBytes {
                    let name = $0.baseAddress!.assumingMemoryBound(to: CChar.self)
                    close(open(name, O_CREAT | O_WRONLY | O_CLOEXEC, 0o644))
                }
            }
            make(Array("\(directory)/photo".utf8) + [0xff] + Array(".jpg".utf8))
            #expect(world.run("sync", "watch-fleet").code == 0, "what is no manifest has the name it wants")
            make(odd)
            World.until("its name is told") { self.message(world).contains("odd\\xff.yaml: its name is not UTF-8") }
            let words = message(world)
            #expect(!words.contains("keep changing"), "\(words)")
        }
    }

    @Test func anEmptyOrCommentedFileDeclaresNothing() {
        inFleet { world, directory in
            world.write("\(directory)/one.yaml", settings(1))
            world.write("\(directory)/empty.yaml", "")
            world.write("\(directory)/later.yaml", "# kind: ConfigMap\n\n---\n# more\n")
            world.startDaemon()
            World.until("ready") { self.state(world) == "Ready" }
            #expect(self.count(world, "declared") == 1)
        }
    }

    /// An empty directory deletes nothing by itself; the last object goes when somebody says so.
    @Test func anEmptyNewPathDeletesNothing() {
        inFleet { world, directory in
            world.moreEnvironment.append("AGENTOS_SOURCE_PATH=\(world.directory)")
            world.write("\(directory)/one.yaml", settings(1))
            world.startDaemon()
            mkdir("\(world.directory)/new", 0o755)
            world.apply(source("fleet", "path: \(directory)"))
            world.apply(source("watch-fleet", "path: \(directory), suspend: true"))
            World.until("ready") { self.count(world, "declared") == 1 }
            world.apply(source("watch-fleet", "path: \(world.directory)/new, suspend: false"))
            world.apply(source("fleet", "path: \(world.directory)/new"))
            World.until("it waits") {
                self.state(world) == "PruneLimit" || self.state(world, "fleet") == "PruneLimit"
            }
            #expect(world.get("settings-1", kind: "configmap") != nil)
        }
    }

    // MARK: Time

    /// Times that files bear are not believed.
    @Test func aFileDatedInTheFutureFreezesNothing() {
        inFleet { world, directory in
            world.write("\(directory)/both.yaml", settings(1) + "---\n" + settings(2))
            world.startDaemon()
            World.until("ready") { self.state(world) == "Ready" }
            world.write("\(directory)/both.yaml", settings(1))
            let touch = world.spawn(["touch", "-d", "2 hours", "\(directory)/both.yaml"])
            #expect(touch.code == 0)
            World.until("what it lacks is pruned") { world.get("settings-2", kind: "configmap") == nil }
        }
    }

    /// A daemon that starts while the directory is rewritten deletes nothing that is only not there yet.
    @Test func aRewriteDuringTheStartDeletesNothing() {
        inFleet { world, directory in
            for index in 0..<8 { world.write("\(directory)/\(index).yaml", settings(index)) }
            world.startDaemon()
            World.until("ready") { self.state(world) == "Ready" }
            func uid() -> String? { world.get("settings-6", kind: "configmap")?[path: "metadata", "uid"]?.string }
            for round in 0..<5 {
                let before = uid()
                world.killDaemon()
                for index in 0..<8 { unlink("\(directory)/\(index).yaml") }
                for index in 0..<5 { world.write("\(directory)/\(index).yaml", settings(index, "\(round)")) }
                let readers = Readers(of: directory)
                let starts = world.begin("daemon", "start")
                // Somebody works on the directory until it is read, and goes on after that.
                var touchedMs = 0
                World.until("the half is read") {
                    if readers.haveRead { return true }
                    touchedMs = World.now()
                    unlink(world.write("\(directory)/notes.txt", ""))
                    return false
                }
                for index in 5..<8 { world.write("\(directory)/\(index).yaml", settings(index, "\(round)")) }
                // What is at rest for a second is believed: a writer that was held up for so long proves nothing.
                let isInTime = World.now() - touchedMs < 900
                _ = World.wait(starts.pid)
                world.startDaemon()
                World.until("all is new") {
                    world.get("settings-6", kind: "configmap")?[path: "data", "value"]?.string == "\(round)"
                }
                guard isInTime else { continue }
                #expect(uid() == before)
                break
            }
        }
    }

    @Test func aSwitchedLinkIsSeenAtOnce() {
        inFleet { world, directory in
            for release in ["one", "two"] {
                mkdir("\(directory)/\(release)", 0o755)
                world.write("\(directory)/\(release)/a.yaml", settings(1, release))
            }
            world.moreEnvironment = ["AGENTOS_SOURCE_PATH=\(world.directory)"]
            symlink("one", "\(directory)/current")
            world.apply(source("fleet", "path: \(directory)/current, interval: 1h"))
            World.until("ready") { self.state(world, "fleet") == "Ready" }
            symlink("two", "\(directory)/next")
            rename("\(directory)/next", "\(directory)/current")
            World.until("the other release is applied") {
                world.get("settings-1", kind: "configmap")?[path: "data", "value"]?.string == "two"
            }
        }
    }

    // MARK: Handing over

    /// A file that moves from one Source to another takes its agent along: the same object, the same run, the same home.
    @Test func anAgentIsHandedOverWithItsFile() {
        inFleet { world, directory in
            let other = "\(world.directory)/other"
            mkdir(other, 0o755)
            world.write("\(directory)/keep.yaml", settings(1))
            world.write("\(directory)/one.yaml", agent("one"))
            world.write("\(other)/keep.yaml", settings(2))
            world.moreEnvironment.append("AGENTOS_SOURCE_PATH=\(world.directory)")
            world.startDaemon()
            world.apply(source("other", "path: \(other)"))
            World.until("both are ready") { self.state(world) == "Ready" && self.state(world, "other") == "Ready" }
            let before = (world.get("one")?[path: "metadata", "uid"]?.string, world.pid("one"))
            for (from, to, owner) in [(directory, other, "other"), (other, directory, "watch-fleet")] {
                rename("\(from)/one.yaml", "\(to)/one.yaml")
                World.until("it is the other's") {
                    world.get("one")?[path: "metadata", "declaredBy", "file"]?.string == "\(to)/one.yaml"
                        && self.state(world, owner) == "Ready"
                }
                #expect(world.get("one")?[path: "metadata", "uid"]?.string == before.0 && world.pid("one") == before.1)
            }
            #expect(!world.events().contains { $0["event_type"]?.string == "object.pruned" })
        }
    }

    /// What is still ending is not "as declared", and is made again at once when it is gone.
    @Test func whatIsEndingIsMadeAgainAtOnce() {
        inFleet { world, directory in
            world.moreEnvironment = ["AGENTOS_SOURCE_PATH=\(world.directory)"]
            world.apply(
                agent("one", "terminationGracePeriodSeconds: 600")
                    .replacing("exit 0", with: "test -e end && exit 0").replacing("while", with: "touch up; while"))
            World.until("it runs") { world.phase("one") == "Ready" }
            let uid = world.get("one")?[path: "metadata", "uid"]?.string
            let home = World.openPath(world.pid("one"), "cwd")
            World.until("it does not end when it is asked") { World.exists("\(home)/up") }
            #expect(world.run("delete", "agent", "one", "--no-wait").code == 0)
            world.write("\(directory)/one.yaml", agent("one"))
            world.apply(source("fleet", "path: \(directory), interval: 1h"))
            World.until("the end is awaited") { self.message(world, "fleet").contains("the end of agent") }
            #expect(self.state(world, "fleet") == "Progressing")
            world.write("\(home)/end", "")
            // The first signal may be looked at only now, so that it has ended already.
            let pid = world.pid("one")
            if pid > 1 { World.kill(pid, SIGTERM) }
            World.until("it is there again") {
                world.phase("one") == "Ready" && world.get("one")?[path: "metadata", "uid"]?.string != uid
            }
            World.until("and the Source is ready") { self.state(world, "fleet") == "Ready" }
        }
    }

    func source(_ name: String, _ spec: String) -> String {
        "apiVersion: agentos.dev/v1\nkind: Source\nmetadata: {name: \(name)}\nspec: {\(spec)}\n"
    }
}
