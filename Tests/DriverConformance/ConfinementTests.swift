import Glibc
import Manifests
import Support
import Testing
import Values

/// What holds an agent, and what it cannot reach. Documentation/security.md names these tests.
@Suite(.serialized) struct ConfinementTests {
    private func value(_ world: World, _ name: String, _ script: String) -> String {
        let result = world.run("exec", name, "--", "sh", "-c", script)
        return result.output.trimming()
    }

    @Test(arguments: Isolation.allCases) func theEnvironmentIsExact(isolation: Isolation) throws {
        try inIsolation(isolation) { world, _ in
            world.ready(
                world.agent(
                    "one", isolation, "env | sort; umask; \(World.stays)",
                    "env: [{name: A, value: x}, {name: B, value: \"$(A)-y\"}]"))
            world.untilLog("one", "0022")
            let lines = world.log("one")
            var names = lines.filter { $0.contains("=") }.compactMap { $0.split(separator: "=").first.map(String.init) }
            names.removeAll { ["PWD", "SHLVL", "OLDPWD", "_"].contains($0) }  // the shell's own
            #expect(
                names == [
                    "A", "AGENTOS_AGENT", "AGENTOS_NAMESPACE", "AGENTOS_ORDINAL", "AGENTOS_RUN", "B", "HOME", "PATH",
                ], "\(lines)")
            #expect(lines.contains("B=x-y"))
        }
    }

    @Test(arguments: Isolation.containers) func usersAndRightsAreThoseAsked(isolation: Isolation) throws {
        try inIsolation(isolation) { world, _ in
            world.ready(
                world.agent("own", isolation, World.stays)
                    + world.agent(
                        "asked", isolation, World.stays, "securityContext: {runAsUser: 1234, runAsGroup: 5678}")
                    + world.agent("root", isolation, World.stays, "securityContext: {runAsUser: 0}")
                    + world.agent(
                        "bare", isolation, World.stays,
                        "workingDir: /tmp\nsecurityContext: {runAsUser: 0, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}"
                    ))
            #expect((Int(value(world, "own", "id -u")) ?? 0) >= 200_000, "a user of its own, not root")
            #expect(value(world, "asked", "id -u; id -g") == "1234\n5678")
            #expect(value(world, "root", "id -u") == "0")
            #expect(value(world, "root", "touch /made && echo made") == "made")
            // The fewer rights of the last hold for commands beside it, too.
            #expect(value(world, "bare", "pwd") == "/tmp")
            #expect(value(world, "bare", "touch /made && echo made || echo refused") == "refused")
            #expect(value(world, "bare", "grep CapEff /proc/self/status").hasSuffix("0000000000000000"))
            #expect(value(world, "bare", "chown 1:1 /tmp && echo done || echo refused") == "refused")
            #expect(value(world, "root", "touch /own && chown 1:1 /own && echo done || echo refused") == "done")
            let rights = value(world, "root", "grep CapBnd /proc/self/status").split(separator: "\t").last ?? ""
            let bits = UInt64(rights, radix: 16) ?? .max
            // Bits 12, 16, 19, 21: CAP_NET_ADMIN, CAP_SYS_MODULE, CAP_SYS_PTRACE, CAP_SYS_ADMIN.
            for bit in [12, 16, 19, 21] { #expect(bits >> UInt64(bit) & 1 == 0, "capability \(bit) is held") }
        }
    }

    @Test(arguments: Isolation.containers) func rootInAContainerCannotGetOut(isolation: Isolation) throws {
        try inIsolation(isolation) { world, _ in
            world.ready(world.agent("root", isolation, World.stays, "securityContext: {runAsUser: 0}"))
            world.write("outside", "the machine's own")
            for (what, attempt) in [
                ("mount", "mkdir /m && mount -t tmpfs none /m"), ("mount a disk", "mount -t proc none /proc"),
                ("make a device", "mknod /disk b 8 0 && cat /disk"),
                ("see the machine's files", "cat \(world.directory)/outside"),
                ("set the clock", "! date -s 2001-01-01 2>&1 | grep -q \"can't set\""),
                ("name the machine", "hostname other"),
                ("load a module", "insmod /no.ko 2>&1 | grep -q 'No such' && false || insmod /bin/sh"),
                ("kernel settings", "echo 1 > /proc/sys/kernel/sysrq"), ("trigger", "echo h > /proc/sysrq-trigger"),
                ("see processes outside", "kill -0 \(getpid())"), ("a network", "ifconfig eth0 192.0.2.1 up"),
                ("a new namespace", "unshare -m true"),
                ("read the kernel's memory", "test -s /proc/kcore && head -c 1 /proc/kcore | grep -q ."),
                ("change the cgroups", "echo 1 > /sys/fs/cgroup/cgroup.procs"),
            ] {
                // In gVisor the kernel that it may change is its own.
                if isolation.hasOwnKernel,
                    ["name the machine", "mount", "mount a disk", "a new namespace"].contains(what)
                {
                    continue
                }
                #expect(
                    value(world, "root", "(\(attempt)) >/dev/null 2>&1 && echo done || echo refused") == "refused",
                    "\(what)")
            }
            #expect(value(world, "root", "grep NoNewPrivs /proc/self/status").hasSuffix("1") || isolation.hasOwnKernel)
            #expect(value(world, "root", "grep -c . /proc/net/dev") == "3", "only loopback")
            if !isolation.hasOwnKernel {
                #expect(value(world, "root", "grep Seccomp: /proc/self/status").hasSuffix("2"))
                let pid = world.pid("root")
                for namespace in ["pid", "net", "mnt", "ipc", "uts"] {
                    #expect(World.openPath(pid, "ns/\(namespace)") != World.openPath(getpid(), "ns/\(namespace)"))
                }
            } else {
                #expect(value(world, "root", "dmesg | head -1").contains("gVisor"), "another kernel")
            }
        }
    }

    @Test func aProcessCannotDoWhatTheFilterForbids() throws {
        try inIsolation(.process) { world, _ in
            world.ready(World.agent("root", World.stays, "securityContext: {runAsUser: 0}"))
            for attempt in [
                "mount -t tmpfs none /mnt", "unshare -m true", "hostname other", "chroot / true", "date -s 2001-01-01",
            ] {
                #expect(
                    value(world, "root", "(\(attempt)) >/dev/null 2>&1 && echo done || echo refused") == "refused",
                    "\(attempt)")
            }
            #expect(value(world, "root", "grep Seccomp: /proc/self/status").hasSuffix("2"))
            #expect(value(world, "root", "grep NoNewPrivs /proc/self/status").hasSuffix("1"))
        }
    }

    @Test func aConfinedProcessReachesOnlyItsPaths() throws {
        try inIsolation(.process) { world, _ in
            mkdir("\(world.directory)/seen", 0o755)
            mkdir("\(world.directory)/shared", 0o777)
            chmod("\(world.directory)/shared", 0o777)
            world.write("seen/file", "text")
            world.write("hidden", "secret")
            world.ready(
                World.agent(
                    "one", World.stays,
                    "filesystem: {read: [\(world.directory)/seen], write: [\(world.directory)/shared]}"))
            #expect(value(world, "one", "cat \(world.directory)/seen/file") == "text")
            for attempt in [
                "cat \(world.directory)/hidden", "echo x > \(world.directory)/seen/file", "ls \(world.state)",
                "cat /etc/shadow", "ls /root", "touch /tmp/agentos-escaped",
            ] {
                #expect(
                    value(world, "one", "(\(attempt)) >/dev/null 2>&1 && echo done || echo refused") == "refused",
                    "\(attempt)")
            }
            #expect(
                value(world, "one", "echo x > \(world.directory)/shared/file && echo x > $HOME/own && echo ok") == "ok")
        }
    }

    // MARK: Limits

    @Test(arguments: Isolation.containers) func limitsTakeEffect(isolation: Isolation) throws {
        try inIsolation(isolation) { world, _ in
            // A tail of no lines keeps all that it reads.
            let eats = "sleep 1; tail -c 300000000 /dev/zero"
            world.apply(
                world.agent("eater", isolation, eats, "restartPolicy: Never\nresources: {limits: {memory: 96Mi}}")
                    + world.agent("spinner", isolation, "while :; do :; done", "resources: {limits: {cpu: 200m}}")
                    + world.agent(
                        "forker", isolation,
                        "i=0; while [ $i -lt 40 ]; do sleep 100 & i=$((i+1)); done; echo all; wait",
                        "restartPolicy: Never\nresources: {limits: {pids: 20}}"))
            World.until("too much memory ends it") { world.phase("eater") == "Failed" }
            #expect(
                world.lastExit("eater")?["reason"]?.string == "OOMKilled",
                "\(world.run("describe", "agent", "eater").text)")
            World.until("the spinner runs") { world.phase("spinner") == "Ready" }
            // gVisor runs the agent's program in processes below its own.
            let spinner = world.pid("spinner")
            func used() -> Int { World.ticks(ofTree: spinner) }
            // The time is taken around what is used, so that a pause makes no share larger.
            let began = World.now()
            let before = used()
            World.until("it has used 0.4 s of a processor") { used() - before >= 40 }
            let share = Double(used() - before) * 10 / Double(World.now() - began)
            #expect(share < 0.4, "\(share) of a core")
            if !isolation.hasOwnKernel {
                World.until("forks fail") { world.log("forker").contains { $0.contains("fork") } }
                #expect(!world.log("forker").contains("all"))
            }
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
