import Glibc
import Manifests
import Support
import Testing

/// The directories that containers get.
@Suite(.serialized) struct VolumeTests {
    @Test(arguments: Isolation.containers) func volumesLastAsLongAsTheyShould(isolation: Isolation) throws {
        try inIsolation(isolation) { world, _ in
            world.apply(
                """
                apiVersion: v1
                kind: Secret
                metadata: {name: keys}
                stringData: {token: s3cret}
                ---
                apiVersion: v1
                kind: ConfigMap
                metadata: {name: settings}
                data: {mode: fast, level: "3"}
                ---

                """)
            mkdir("\(world.directory)/host", 0o777)
            chmod("\(world.directory)/host", 0o777)
            let volumes = """
                volumes: [{name: kept, persistent: {}}, {name: scratch, emptyDir: {}}, {name: host, hostPath: {path: \(world.directory)/host}}, {name: keys, secret: {secretName: keys}}, {name: settings, configMap: {name: settings, defaultMode: 0440}}]
                volumeMounts: [{name: kept, mountPath: /kept}, {name: scratch, mountPath: /scratch}, {name: host, mountPath: /host}, {name: keys, mountPath: /run/keys}, {name: settings, mountPath: /etc/settings, readOnly: true}]
                """
            let writes = "echo run >> /kept/runs; echo run >> /scratch/runs; echo run >> /host/runs"
            let script = "\(writes); echo done; \(World.stays)"
            world.ready(world.agent("one", isolation, script, volumes))
            world.untilLog("one", "done")
            func exec(_ script: String) -> String {
                world.run("exec", "one", "--", "sh", "-c", script).output.trimming()
            }
            #expect(exec("cat /run/keys/token") == "s3cret")
            #expect(exec("stat -c %a /run/keys/token /etc/settings/mode") == "400\n440")
            #expect(exec("cat /etc/settings/mode /etc/settings/level") == "fast3")
            #expect(exec("(echo x > /etc/settings/mode) 2>/dev/null || echo refused") == "refused")
            #expect(exec("wc -l < /kept/runs; wc -l < /scratch/runs") == "1\n1")
            // The secret is in memory, not on the disk.
            let places = ["containers", "sandboxes", "runs", "journal", "images"].map { "\(world.state)/\($0)" }
            let found = world.spawn(
                ["/bin/grep", "-rlsF", "-D", "skip", "s3cret"] + places.filter { access($0, F_OK) == 0 })
            #expect(found.output.isEmpty, "\(found.text)")
            #expect(World.read("/proc/self/mounts").contains("\(world.state)/memory tmpfs"))
            // Another spec: the run is replaced.
            world.ready(world.agent("one", isolation, script, volumes + "\nenv: [{name: A, value: b}]"))
            world.untilLog("one", "done")
            #expect(exec("wc -l < /kept/runs; wc -l < /scratch/runs; wc -l < /host/runs") == "2\n1\n2")
            #expect(world.run("delete", "agent", "one").code == 0)
            World.until("homes are gone") { World.names("\(world.state)/homes").isEmpty }
            World.until("nothing is in memory") { World.names("\(world.state)/memory").isEmpty }
            #expect(World.read("\(world.directory)/host/runs") == "run\nrun\n", "the machine's own stays")
        }
    }

    @Test(arguments: Isolation.allCases) func whatIsTheAgentsFollowsItsUser(isolation: Isolation) throws {
        try inIsolation(isolation) { world, _ in
            let volumes =
                isolation.isContainer
                ? "volumes: [{name: kept, persistent: {}}]\nvolumeMounts: [{name: kept, mountPath: /kept}]\n" : ""
            let places = isolation.isContainer ? "$HOME /kept" : "$HOME"
            let script = """
                umask 077; for place in \(places); do mkdir -p $place/deep/er; \
                cat $place/deep/er/file 2>/dev/null; echo by $(id -u) >> $place/deep/er/file || exit 9; \
                ln -sf /etc/passwd $place/deep/link; done; echo done; \(World.stays)
                """
            func agent(_ user: Int) -> String {
                world.agent("one", isolation, script, volumes + "securityContext: {runAsUser: \(user)}")
            }
            for user in [5001, 5002, 5001, 0, 5003] {
                world.ready(agent(user))
                world.untilLog("one", "done")
            }
            let count = isolation.isContainer ? 2 : 1
            let expected = ["by 5001", "by 5002", "by 5001", "by 0"]
            #expect(world.log("one") == Array(repeating: expected, count: count).flatMap(\.self) + ["done"])
            // What links lead to is nobody's.
            var status = stat()
            #expect(stat("/etc/passwd", &status) == 0 && status.st_uid == 0)
            // A crash between making a home and giving it away.
            let home = try #require(World.names("\(world.state)/homes").first)
            world.apply(agent(5003).replacing("securityContext", with: "suspend: true\n  securityContext"))
            World.until("it is stopped") { world.phase("one") == "Suspended" }
            chown("\(world.state)/homes/\(home)/0", 0, 0)
            world.ready(agent(5003))
            world.untilLog("one", "done")
            #expect(world.log("one").suffix(2) == ["by 5003", "done"])
        }
    }

    @Test(arguments: Isolation.containers) func aGroupMayShareVolumes(isolation: Isolation) throws {
        try inIsolation(isolation) { world, _ in
            func agent(_ user: Int, _ more: String) -> String {
                world.agent(
                    "one", isolation,
                    "id -G; ls -ldn /kept /kept/file | cut -d' ' -f1; cat /kept/file; umask 077; echo by $(id -u) >> /kept/file; echo done; \(World.stays)",
                    """
                    volumes: [{name: kept, persistent: {}}]
                    volumeMounts: [{name: kept, mountPath: /kept}]
                    securityContext: {runAsUser: \(user), fsGroup: 4321\(more)}
                    """)
            }
            world.ready(agent(5001, ""))
            world.untilLog("one", "done")
            world.ready(agent(5002, ", fsGroupChangePolicy: OnRootMismatch"))
            world.untilLog("one", "done")
            let lines = world.log("one")
            #expect(lines.first?.split(separator: " ").contains("4321") == true, "\(lines)")
            #expect(
                lines.contains("drwxrws---") && lines.contains("-rw-rw----") && lines.contains("by 5001"), "\(lines)")
            let refused = world.apply(
                World.agent("plain", "true", "driver: process\nsecurityContext: {fsGroup: 1}"))
            #expect(refused.code == 3 && refused.error.contains("spec.securityContext.fsGroup"), "\(refused.text)")
        }
    }

    @Test func directoriesOfTheMachineNeedLeave() throws {
        try inIsolation(.containerd) { world, _ in
            func refusal(_ path: String) -> String {
                let volumes =
                    "volumes: [{name: host, hostPath: {path: \(path)}}]\nvolumeMounts: [{name: host, mountPath: /host}]"
                let result = world.apply(world.agent("one", .containerd, World.stays, volumes))
                return result.code == 3 ? result.error : "applied: \(result.text)"
            }
            #expect(refusal("/etc").contains("spec.volumes[0].hostPath.path") && refusal("/etc").contains("/tmp"))
            #expect(refusal("/tmp/../etc").contains("hostPath"))
            #expect(refusal("/tmpfoo").contains("hostPath"))
            // A link that leads out is seen when the run starts.
            symlink("/etc", "\(world.directory)/link")
            let volumes =
                "volumes: [{name: host, hostPath: {path: \(world.directory)/link}}]\nvolumeMounts: [{name: host, mountPath: /host}]"
            world.apply(world.agent("two", .containerd, World.stays, volumes + "\nrestartPolicy: Never"))
            World.until("it is refused") { world.phase("two") == "Failed" }
            #expect(world.lastExit("two")?["message"]?.string?.contains("\(world.directory)/link") == true)
        }
    }
}
