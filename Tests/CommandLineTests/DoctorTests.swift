import Glibc
import Machine
import Support
import Testing
import Values
import agentos_apply

/// What a machine lacks is told with what it means and how to mend it; a bundle for others holds no secret.
@Suite struct DoctorTests {
    private func level(_ finding: Finding, _ part: String, at place: SourceLocation = #_sourceLocation) -> Finding.Level
    {
        #expect(finding.found.contains(part), "\(finding)", sourceLocation: place)
        let isSilent = finding.meaning.isEmpty && finding.mend.isEmpty
        #expect(isSilent || finding.level != .fine, "\(finding)", sourceLocation: place)
        if finding.level == .risk || finding.level == .fault {
            #expect(!finding.meaning.isEmpty && !finding.mend.isEmpty, "\(finding)", sourceLocation: place)
        }
        return finding.level
    }

    @Test func kernelsThatLackACallAreTold() {
        #expect(level(MachineChecks.kernel(release: "6.1.0-56-cloud-amd64"), "6.1.0") == .fine)
        #expect(level(MachineChecks.kernel(release: "5.4.0"), "5.4.0") == .fault)
        #expect(level(MachineChecks.kernel(release: "4.19"), "4.19") == .fault)
        #expect(level(MachineChecks.kernel(release: "?"), "?") == .note)
    }

    @Test func cgroupsOfEachVersionAreLookedAt() {
        func look(_ mounts: String, _ own: String, _ files: [String: String] = [:], isRoot: Bool = true) -> Finding {
            MachineChecks.cgroups(mounts: Mount.all(in: mounts), own: own, isRoot: isRoot) { files[$0] }
        }
        let unified = "cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid 0 0\n"
        let place = ["/sys/fs/cgroup/x/cgroup.controllers": "cpuset cpu io memory pids\n"]
        #expect(level(look(unified, "0::/x\n", place), "version 2 with") == .fine)
        #expect(level(look(unified, "0::/x\n"), "version 2 without cpu, memory, pids") == .risk)
        #expect(look(unified, "0::/x\n", isRoot: false).mend.contains("user service"))
        #expect(level(look("", "0::/x\n"), "no cgroups") == .fault)
        let old = ["cpu,cpuacct", "memory", "pids"].map { "cgroup /c/\($0) cgroup rw,\($0) 0 0\n" }.joined()
        #expect(level(look(old, "4:memory:/\n0::/\n"), "version 1 with") == .fine)
        #expect(level(look(old + "cgroup2 /c/u cgroup2 rw 0 0\n", "0::/\n"), "version 1 with") == .fine)
        #expect(level(look("cgroup /c/m cgroup rw,memory 0 0\n", "0::/\n"), "without cpu, pids") == .risk)
    }

    @Test func limitsAndClocksAreLookedAt() {
        #expect(level(MachineChecks.openFiles(hard: .max), "no limit") == .fine)
        #expect(level(MachineChecks.openFiles(hard: 524_288), "524288") == .fine)
        #expect(level(MachineChecks.openFiles(hard: 1024), "1024") == .risk)
        #expect(level(MachineChecks.processes(pidMax: 4_194_304, threadsMax: 100_000), "100000") == .fine)
        #expect(level(MachineChecks.processes(pidMax: 4096, threadsMax: 100_000), "4096") == .risk)
        #expect(level(MachineChecks.processes(pidMax: nil, threadsMax: nil), "could not") == .note)
        #expect(level(MachineChecks.watches(each: 524_288, instances: 1024), "524288") == .fine)
        #expect(level(MachineChecks.watches(each: 8192, instances: 1024), "8192") == .risk)
        #expect(level(MachineChecks.watches(each: nil, instances: 1024), "could not") == .note)
        let now: Int64 = 1_790_000_000_000
        #expect(level(MachineChecks.clock(wallMs: now, isSynchronised: true), "synchronised") == .fine)
        #expect(level(MachineChecks.clock(wallMs: now, isSynchronised: false), "by nobody") == .risk)
        #expect(level(MachineChecks.clock(wallMs: 0, isSynchronised: true), "1970") == .fault)
        #expect(level(MachineChecks.supervisor(nil), "not beside") == .fault)
        #expect(level(MachineChecks.filter(isThere: false), "cannot") == .fault)
    }

    @Test func placesThatLoseWhatIsKeptAreTold() {
        let mounts = Mount.all(
            in:
                """
                / / ext4 rw 0 0
                tmpfs /run tmpfs rw 0 0
                server:/x /srv/far nfs4 rw 0 0
                overlay /var overlay rw 0 0
                /dev/sdb /var/lib/a\\040b xfs ro 0 0
                /dev/sdc /fast ext4 rw,nobarrier 0 0
                """)
        func look(_ path: String) -> Finding { PlaceChecks.fileSystem(path, mounts) }
        #expect(level(look("/home"), "ext4 at /") == .fine)
        #expect(level(look("/runner"), "ext4 at /") == .fine)
        #expect(level(look("/run/x"), "tmpfs") == .risk)
        #expect(level(look("/srv/far"), "nfs4") == .risk)
        #expect(level(look("/var/lib/agentos"), "overlay") == .risk)
        #expect(level(look("/var/lib/a b/c"), "read-only") == .fault)
        #expect(level(look("/fast/x"), "without barriers") == .risk)
        #expect(level(PlaceChecks.room("/x", freeBytes: 5 << 30, freeFiles: 0, files: 0), "5 GiB") == .fine)
        #expect(level(PlaceChecks.room("/x", freeBytes: 500 << 20, freeFiles: 0, files: 0), "500 MiB") == .risk)
        #expect(level(PlaceChecks.room("/x", freeBytes: 5 << 30, freeFiles: 10, files: 100), "10 files") == .risk)
        #expect(level(PlaceChecks.room("/x", freeBytes: 1 << 20, freeFiles: 0, files: 0), "1 MiB") == .fault)
    }

    @Test func directoriesThatAgentsCannotEnterAreTold() {
        func look(_ modes: [(String, UInt32)], user: UInt32 = 0, owner: UInt32 = 0, canWrite: Bool = true) -> Finding {
            let steps = modes.map { PlaceChecks.Step($0.0, $0.1, owner: $0.0 == "/a/b" ? owner : 0) }
            return PlaceChecks.directory("/a/b", steps, user: user, canWrite: canWrite)
        }
        #expect(level(look([("/", 0o755), ("/a", 0o711), ("/a/b", 0o700)]), "is the daemon's own") == .fine)
        #expect(level(look([("/", 0o755), ("/a", 0o755)]), "is made at the first start") == .fine)
        #expect(level(look([("/", 0o755), ("/a", 0o700), ("/a/b", 0o711)]), "/a has mode 0700") == .risk)
        #expect(level(look([("/", 0o755), ("/a", 0o700), ("/a/b", 0o700)], user: 7, owner: 7), "own") == .fine)
        #expect(level(look([("/", 0o755), ("/a", 0o777), ("/a/b", 0o700)]), "/a has mode 0777") == .risk)
        #expect(level(look([("/", 0o755), ("/a", 0o1777), ("/a/b", 0o700)]), "own") == .fine)
        #expect(level(look([("/", 0o755), ("/a", 0o755), ("/a/b", 0o700)], user: 7), "belongs to user 0") == .fault)
        #expect(
            level(look([("/", 0o755), ("/a", 0o755)], user: 7, canWrite: false), "/a may not be written") == .fault)
    }

    @Test func theExitCodeIsThatOfTheWorst() {
        func code(_ levels: Finding.Level...) -> Int32 { levels.map { Finding("x", $0, "") }.exitCode.rawValue }
        #expect(code() == 0 && code(.fine, .note) == 0 && code(.fine, .risk) == 1 && code(.fault, .risk) == 2)
    }

    /// The real program on this machine, with a state directory below one that agents cannot enter.
    @Test func thisMachineIsLookedAtWithoutADaemon() {
        inWorld { world in
            let json = world.run("doctor", "-o", "json")
            #expect((0...2).contains(json.code), "\(json.text)")
            let items = JSONReader.read(json.output)?["items"]?.list ?? []
            let checks = Set(items.compactMap { $0["check"]?.string })
            #expect(checks.isSuperset(of: ["settings", "cgroups", "disk", "runc"]), "\(checks)")
            let faults = items.filter { $0["level"]?.string == "fault" }
            #expect(faults.isEmpty == (json.code != 2), "\(json.text)")
            #expect(!World.exists(world.state), "nothing was made")
            if World.isRoot {
                mkdir("\(world.directory)/closed", 0o700)
                let closed = world.run("doctor", "--state-dir", "\(world.directory)/closed/state")
                #expect(
                    closed.code == max(1, json.code)
                        && closed.output.contains("Mend it: chmod o+x \(world.directory)/closed"),
                    "\(closed.text)")
            }
            world.moreEnvironment = ["AGENTOS_LOG_FORMAT=xml"]
            let settings = world.run("doctor")
            #expect(settings.code == 2 && settings.output.contains("AGENTOS_LOG_FORMAT"), "\(settings.text)")
        }
    }

    // MARK: The bundle

    /// Each secret of the world is planted where it belongs, and one in the log, too; none is in the bundle.
    @Test func aBundleHoldsNoSecret() {
        inWorld { world in
            let tokens = world.write("tokens.csv", "planted-token-of-jane,jane,7\n")
            chmod(tokens, 0o600)
            let key = String(repeating: "ab", count: 32)
            world.moreEnvironment = [
                "AGENTOS_SECRETS_KEY_COMMAND=echo \(key)", "AGENTOS_TOKEN_AUTH_FILE=\(tokens)",
            ]
            world.startDaemon()
            let manifest = world.write(
                "a.yaml",
                """
                apiVersion: v1
                kind: Secret
                metadata: {name: s}
                stringData: {key: planted-value-of-a-secret}
                ---
                apiVersion: v1
                kind: ConfigMap
                metadata: {name: c}
                data: {key: planted-value-of-a-map}
                ---
                apiVersion: agentos.dev/v1
                kind: Agent
                metadata: {name: a}
                spec:
                  command: [/bin/sh, -c, "echo planted-output; exec sleep 1000", planted-argument]
                  env:
                    - {name: PLAIN, value: planted-variable}
                    - {name: KEY, valueFrom: {secretKeyRef: {name: s, key: key}}}
                """)
            #expect(world.run("apply", "-f", manifest, "--wait").code == 0)
            World.until("its events are published, and the log is begun") {
                world.events().contains { $0["event_type"]?.string == "run.ready" }
                    && world.log.contains("daemon serves")
            }
            let log = fopen("\(world.state)/daemon.log", "a")
            if let log {
                fputs("a line about planted-token-of-jane\n", log)
                fclose(log)
            }
            let path = "\(world.directory)/bundle.tar.gz"
            let made = world.run("support-bundle", path)
            #expect(made.code == 0, "\(made.text)")
            let taken = world.spawn(["/bin/tar", "-xzvf", path, "-C", world.directory])
            #expect(taken.code == 0 && taken.output.split(separator: "\n").count >= 8, "\(taken.text)")
            let files = World.files("\(world.directory)/agentos-support")
            let text = files.map { World.read($0) }.joined()
            #expect(text.contains("\"name\":\"a\"") && text.contains("run.ready") && text.contains("daemon serves"))
            for file in files {
                let text = World.read(file)
                for planted in ["planted", key, "the-daemons-own-environment"] {
                    #expect(!text.contains(planted), "\(file) holds \(planted)")
                }
            }
            #expect(!text.contains(key) && !text.contains("echo \(key)"))
        }
    }

    @Test func aBundleIsMadeWithoutADaemon() {
        inWorld { world in
            let path = "\(world.directory)/bundle.tar.gz"
            let made = world.run("support-bundle", path)
            #expect(made.code == 0 && made.output.contains("missing.txt"), "\(made.text)")
            let listed = world.spawn(["/bin/tar", "-tzf", path])
            #expect(listed.code == 0 && listed.output.contains("agentos-support/doctor.json\n"), "\(listed.text)")
            #expect(World.names(world.directory).contains("bundle.tar.gz"))
        }
    }
}
