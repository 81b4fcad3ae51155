import Glibc
import Support
import Testing
import Values

/// One daemon takes the place of another while people work.
@Suite(.serialized) struct ReplacementTests {
    /// Makes one ConfigMap after the other, and ends at the first that fails. Nothing is tried again but by the program.
    private static let load = """
        i=0
        while [ ! -e "$1/enough" ]; do
          i=$((i+1))
          "$2" create configmap "c$i" --from-literal "n=$i" || { echo "failed: $i"; exit 1; }
        done
        echo "made: $i"
        """

    private func lines(_ path: String) -> Int { World.read(path).split(separator: "\n").count }

    @Test func agentsRunOnAndNobodyIsRefused() throws {
        try inWorld { world in
            world.startDaemon()
            world.apply(World.agent("web", World.stays, "replicas: 2"), "--wait")
            let pids = [world.pid("web", 0), world.pid("web", 1)]
            #expect(pids.allSatisfy(World.isAlive))
            let watch = world.begin("get", "agents", "-w")
            let (out, err) = ("\(world.directory)/load.out", "\(world.directory)/load.err")
            let load = World.start(
                ["sh", "-c", Self.load, "sh", world.directory, World.program], world.environment, nil, out, err)
            var daemons = [world.daemonPID]
            for _ in 0..<3 {
                let made = lines(out)
                World.until("the load goes on") { lines(out) > made + 2 }
                let result = world.run("daemon", "start", "--replace")
                #expect(result.code == 0, "\(result.text)\(world.log)")
                #expect(result.output.contains("in the place of that with pid \(daemons.last ?? 0); agents run on"))
                daemons.append(world.daemonPID)
            }
            #expect(Set(daemons).count == 4, "\(daemons)")
            #expect(daemons.dropLast().allSatisfy { !World.isAlive($0) })
            world.write("enough", "")
            #expect(World.wait(load) == 0, "\(World.read(out).suffix(300))\(World.read(err))")
            let made = try #require(Int(World.read(out).split(separator: "\n").last?.dropFirst("made: ".count) ?? ""))
            let maps = world.run("get", "configmaps", "-o", "name").output.split(separator: "\n")
            #expect(Set(maps) == Set((1...made).map { "configmap/c\($0)" }))

            #expect([world.pid("web", 0), world.pid("web", 1)] == pids)
            #expect(world.status("web")?["restarts"]?.int ?? 0 == 0)
            // Who watches is told what happens under the new one.
            world.apply(World.agent("later", World.stays), "--wait")
            World.until("the watch tells of it") {
                World.read(watch.output).split(separator: "\n").contains {
                    $0.contains("later") && $0.contains("Ready")
                }
            }
            #expect(World.isAlive(watch.pid))
            World.kill(watch.pid, SIGKILL)
            waitpid(watch.pid, nil, 0)
            #expect(World.names(world.state).filter { $0.hasPrefix("agentos.sock") } == ["agentos.sock"])
        }
    }

    /// Each line once, under whichever daemon it was written; and who follows learns that none serves any more.
    @Test func logsAreFollowedOn() {
        inWorld { world in
            let loud = "i=0; while [ ! -e enough ]; do i=$((i+1)); echo line $i; sleep 0.01; done; printf end; exit 0"
            world.apply(World.agent("loud", loud, "restartPolicy: OnFailure"))
            world.apply(World.agent("quiet", "echo here; \(World.stays)"), "--wait")
            let one = world.begin("logs", "-f", "loud")
            let all = world.begin("logs", "-f", "-A", "--timestamps")
            let quiet = world.begin("logs", "-f", "quiet")
            for _ in 0..<3 {
                let shown = [one, all].map { lines($0.output) }
                World.until("they are followed") { zip([one, all], shown).allSatisfy { lines($0.output) > $1 + 5 } }
                #expect(world.run("daemon", "start", "--replace").code == 0, "\(world.log)")
            }
            world.killDaemon()
            world.startDaemon()
            world.write("\(World.openPath(world.pid("loud"), "cwd"))/enough", "")
            #expect(World.wait(one.pid) == 0)
            let written = World.read(one.output)
            let count = lines(one.output) - 1
            #expect(
                count > 15 && written == (1...count).map { "line \($0)\n" }.joined() + "end\n", "\(written.suffix(500))"
            )
            func told() -> [String] {
                World.read(all.output).split(separator: "\n").filter { $0.contains("loud") }.map {
                    $0.split(separator: "Z ").last.map(String.init) ?? ""
                }
            }
            World.until("all of it is there, too") { told().last == "end" }
            let isSame = told() == (1...count).map { "line \($0)" } + ["end"]
            #expect(isSame, "\(told().suffix(5))")
            #expect(World.isAlive(all.pid) && World.isAlive(quiet.pid))
            #expect(world.run("daemon", "stop").code == 0)
            #expect(World.wait(quiet.pid) == 4, "the daemon is gone, and that is no end of the log")
            #expect(World.wait(all.pid) == 4)
            #expect(World.read(quiet.output) == "here\n")
        }
    }

    @Test func whereNoDaemonServesOneIsStarted() {
        inWorld { world in
            let result = world.run("daemon", "start", "--replace")
            #expect(result.code == 0 && result.output.hasPrefix("daemon started; it serves"), "\(result.text)")
            for word in ["stop", "status", "reload"] {
                #expect(world.run("daemon", word, "--replace").code == 64)
            }
        }
    }

    /// The other one runs on, and serves, when the new one could not do its work.
    private func isRefused(_ world: World, _ code: Int32, _ words: String..., by options: [String] = []) {
        let pid = world.daemonPID
        let result = world.run(["daemon", "start", "--replace"] + options)
        #expect(result.code == code, "\(result.text)")
        for word in words { #expect(result.error.contains(word), "\(word) in: \(result.text)") }
        #expect(world.daemonPID == pid && World.isAlive(pid))
        #expect(world.run("daemon", "status").code == 0)
    }

    @Test func theWayBackToAnOlderProgramIsRefusedWithTheReason() {
        inWorld { world in
            world.startDaemon()
            makeNewer(world)
            isRefused(world, 3, "runs on: the database ", "has version 999, newer than this program's", "backup")
        }
    }

    /// The other way of the same: no daemon serves, and an older program is started on what a newer one has left.
    @Test func aNewerDatabaseIsLeftAsItIsWithWordsOfWhatToDo() {
        inWorld { world in
            world.apply(World.agent("one", World.stays), "--wait")
            let agent = world.pid("one")
            #expect(world.run("daemon", "stop").code == 0)
            makeNewer(world)
            let start = world.run("daemon", "start")
            #expect(start.code == 4 && world.run("daemon").code == 74, "\(start.text)")
            for words in ["has version 999, newer than this program's", "use the newer program, or restore a backup"] {
                #expect(start.error.contains(words), "\(start.text)")
            }
            let version = ["version", "\(world.state)/store/agentos.db", "999"]
            let kept = world.spawn(["python3", "\(World.root)/Tests/StorageTests/Schemas/databases.py"] + version)
            #expect(kept.code == 0 && World.isAlive(agent), "nothing was undone, and agents run on: \(kept.text)")
        }
    }

    /// What a newer program has made of the database, where this one would find it.
    private func makeNewer(_ world: World) {
        let code = """
            import os, sqlite3, subprocess, sys
            path = sys.argv[1]
            copy = path + "-copy"
            sqlite3.connect(f"file:{path}?mode=ro", uri=True).execute("VACUUM INTO ?", [copy])
            db = sqlite3.connect(copy)
            db.execute("INSERT INTO migrations VALUES (999, 'later', 'x', 1)")
            db.commit()
            db.close()
            subprocess.run([sys.executable, sys.argv[2], "seal", copy], check=True)
            for end in ("-wal", "-shm"):
                if os.path.exists(path + end): os.unlink(path + end)
            os.rename(copy, path)
            """
        let made = world.spawn(
            [
                "python3", "-c", code, "\(world.state)/store/agentos.db",
                "\(World.root)/Tests/StorageTests/Schemas/databases.py",
            ])
        #expect(made.code == 0, "\(made.text)")
    }

    @Test(
        arguments: [
            (["--listen", "127.0.0.1:0", "--tls-cert-file", "FILE", "--tls-private-key-file", "FILE"], "certificate"),
            (["--token-auth-file", "FILE"], "expected TOKEN,USER,UID"),
            (["--secrets-key-file", "FILE"], "does not hold keys"),
            (["--secrets-key-command", "cat FILE"], "does not print keys"),
        ])
    func whatTheNewOneCannotReadIsToldWhileTheOtherRunsOn(_ options: [String], _ words: String) {
        inWorld { world in
            world.startDaemon()
            world.write("wrong", "neither this nor that\n")
            let path = "\(world.directory)/wrong"
            chmod(path, 0o600)
            isRefused(
                world, 3, "runs on: ", words, by: options.map { $0.replacing("FILE", with: path) })
            #expect(World.names(world.state).filter { $0.hasPrefix("agentos.sock") } == ["agentos.sock"])
        }
    }

    @Test func whatAServiceManagerHasStartedIsLeftToIt() {
        inWorld { world in
            world.moreEnvironment = ["NOTIFY_SOCKET=\(world.directory)/nobody"]
            world.startDaemon()
            world.moreEnvironment = []
            isRefused(world, 3, "a service manager has started it", "systemctl restart agentos")
        }
    }

    @Test func aDaemonThatDoesNotAnswerIsNotAskedToEnd() {
        inWorld { world in
            world.startDaemon()
            let pid = world.daemonPID
            World.kill(pid, SIGSTOP)
            let result = world.run("daemon", "start", "--replace")
            #expect(result.code != 0, "\(result.text)")
            World.kill(pid, SIGCONT)
            World.until("it serves as before") { world.run("daemon", "status").code == 0 }
            #expect(world.daemonPID == pid)
        }
    }
}

/// What a daemon needs is asked for before it begins.
@Suite struct DaemonNeedsTests {
    private static let library = "/usr/lib/x86_64-linux-gnu/libmicrohttpd.so.12"

    private static let canMount =
        World.isRoot && World.exists(library)
        && World.wait(
            World.start(["unshare", "-m", "--propagation", "private", "true"], [], nil, "/dev/null", "/dev/null")) == 0

    @Test(.enabled(if: canMount, "needs mounts of its own, and the library of Debian for x86-64"))
    func aLibraryThatIsMissingIsNamedBeforeAnythingIsMade() {
        inWorld { world in
            let result = world.spawn(
                [
                    "unshare", "-m", "--propagation", "private", "sh", "-c",
                    "mount --bind /dev/null \(Self.library) && exec \"$0\" daemon", World.program,
                ])
            #expect(result.code == 1, "\(result.text)")
            #expect(result.error.contains("install libmicrohttpd12"), "\(result.text)")
            #expect(!World.exists(world.state))
        }
    }
}
