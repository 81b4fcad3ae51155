import Glibc
import Manifests
import Support
import Testing
import Values

/// The key of Secrets in the hands of an operator.
@Suite(.serialized) struct SecretKeyTests {
    private static let secret = """
        apiVersion: v1
        kind: Secret
        metadata: {name: llm}
        stringData: {KEY: swordfish-in-the-moat}
        ---

        """
    private static let reader = World.agent(
        "one", "printf '%s' \"$KEY\"; \(World.stays)",
        "env: [{name: KEY, valueFrom: {secretKeyRef: {name: llm, key: KEY}}}]")

    private func key(_ world: World, _ name: String = "secrets.key") -> String { World.read("\(world.state)/\(name)") }

    private func runsWithItsSecret(_ world: World) -> Bool {
        World.environment(of: world.pid("one")).contains("KEY=swordfish-in-the-moat")
    }

    @Test func aKeyIsRotatedWhileAgentsRun() {
        inWorld { world in
            #expect(world.apply(Self.secret + Self.reader, "--wait").code == 0)
            let (before, pid) = (key(world), world.pid("one"))
            #expect(world.run("backup", "\(world.directory)/old.db").output.contains("secrets.key"))
            let rotated = world.run("secrets", "rotate")
            #expect(rotated.code == 0 && rotated.output.contains("older backups need the key "), "\(rotated.text)")
            let kept = World.names(world.state).filter { $0.hasPrefix("secrets.key.") }
            #expect(key(world) != before && kept.count == 1 && key(world, kept.first ?? "") == before)
            #expect(World.isAlive(pid))
            // The next daemon reads with the new key alone.
            #expect(world.run("daemon", "stop").code == 0)
            let old = "\(world.state)/\(kept.first ?? "")"
            rename(old, "\(world.directory)/away")
            world.startDaemon()
            World.kill(pid, SIGKILL)
            World.until("it runs again with its Secret") { world.pid("one") != pid && runsWithItsSecret(world) }
            // A backup that is older says what it needs, and gets it.
            let refused = world.run("restore", "\(world.directory)/old.db")
            #expect(refused.code == 3 && refused.error.contains("sealed with the key"), "\(refused.text)")
            rename("\(world.directory)/away", old)
            #expect(world.run("restore", "\(world.directory)/old.db").code == 0)
            #expect(world.get("llm", kind: "secret") != nil)
        }
    }

    @Test func aRotationThatWasCutOffIsFinishedByTheNextDaemon() {
        inWorld { world in
            let (a, b) = (String(repeating: "a1", count: 32), String(repeating: "b2", count: 32))
            let file = world.write("key", "\(a)\n")
            chmod(file, 0o600)
            func start() -> World.Result { world.start("--secrets-key-file", file) }
            let code = """
                import sqlite3, sys
                database = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)
                print(database.execute("SELECT key_id FROM secrets").fetchone()[0])
                """
            func sealedWith() -> String {
                world.spawn(["python3", "-c", code, "\(world.state)/store/agentos.db"]).output
            }
            #expect(start().code == 0)
            #expect(world.apply(Self.secret).code == 0)
            let old = sealedWith()
            // The new key was taken, and the daemon died before anything was sealed with it.
            world.killDaemon()
            world.write("key", "\(b)\n\(a)\n")
            #expect(start().code == 0)
            World.until("all is sealed with the new key") { !["", old].contains(sealedWith()) }
            #expect(world.run("daemon", "stop").code == 0)
            world.write("key", "\(b)\n")
            #expect(start().code == 0)
            #expect(world.get("llm", kind: "secret") != nil)
        }
    }

    @Test func aLostKeyStopsTheDaemonAndNoAgent() {
        inWorld { world in
            #expect(world.apply(Self.secret + Self.reader, "--wait").code == 0)
            let pid = world.pid("one")
            #expect(world.run("daemon", "stop").code == 0)
            rename("\(world.state)/secrets.key", "\(world.directory)/away")
            let refused = world.start()
            #expect(refused.error.contains("default/llm") && refused.error.contains("put it back"), "\(refused.text)")
            #expect(World.isAlive(pid))
            rename("\(world.directory)/away", "\(world.state)/secrets.key")
            world.startDaemon()
            #expect(world.pid("one") == pid && runsWithItsSecret(world))
        }
    }

    @Test func theKeyMayComeFromAFileOrACommand() {
        inWorld { world in
            let (a, b) = (String(repeating: "a1", count: 32), String(repeating: "b2", count: 32))
            let file = world.write("key", "\(a)\n")
            chmod(file, 0o600)
            #expect(world.start("--secrets-key-file", file).code == 0)
            #expect(world.apply(Self.secret, "--wait").code == 0)
            #expect(!World.exists("\(world.state)/secrets.key"))
            // Whoever gives the key gives the next one, too.
            let same = world.run("secrets", "rotate")
            #expect(same.code == 1 && same.error.contains("put a new one before it"), "\(same.text)")
            world.write("key", "\(b)\n\(a)\n")
            #expect(world.run("secrets", "rotate").code == 0)
            world.write("key", "\(b)\n")
            #expect(world.run("daemon", "stop").code == 0)
            #expect(world.start("--secrets-key-command", "cat \(file)").code == 0)
            #expect(world.get("llm", kind: "secret") != nil)
            #expect(world.run("daemon", "stop").code == 0)
            let failed = world.start("--secrets-key-command", "echo no key here >&2; exit 3")
            #expect(failed.code == 4 && failed.error.contains("no key here"), "\(failed.text)")
        }
    }
}
