import Glibc
import Support
import Testing
import Values
import agentos_apply

/// The picture of all agents.
@Suite(.serialized) struct StatusTests {
    private func agent(
        _ name: String, _ phase: String, needs: [String] = [], reason: String = "", namespace: String = "default",
        stale: [String] = []
    ) -> ObjectView {
        let ready = phase == "Ready"
        let run = Node.map([
            ("ordinal", 0), ("phase", .text(phase)),
            ("staleInputs", stale.isEmpty ? nil : .list(stale.map(Node.text))),
        ])
        return ObjectView(
            .map([
                (
                    "metadata",
                    .map([
                        ("name", .text(name)), ("namespace", .text(namespace)),
                        ("creationTimestamp", "1970-01-01T00:00:00Z"),
                    ])
                ),
                (
                    "spec",
                    .map([
                        ("driver", "process"), ("dependsOn", .list(needs.map { .map([("name", .text($0))]) })),
                    ])
                ),
                (
                    "status",
                    .map([
                        ("phase", .text(phase)), ("replicas", 1), ("readyReplicas", ready ? 1 : 0), ("restarts", 2),
                        ("runs", [run]),
                        (
                            "conditions",
                            [
                                .map([
                                    ("type", "Ready"), ("status", ready ? "True" : "False"),
                                    ("reason", "CrashLoopBackOff"), ("message", .text(reason)),
                                ])
                            ]
                        ),
                    ])
                ),
            ]))
    }

    private func picture(_ agents: [ObjectView], hasColor: Bool = false) -> StatusPicture {
        StatusPicture(agents, isWide: false, hasColor: hasColor, nowMs: 7_200_000)
    }

    private var fleet: [ObjectView] {
        [
            agent("api", "Starting", needs: ["db", "nobody"], reason: "0 of 1 replicas are ready"),
            agent("db", "Ready"),
            agent("web", "BackingOff", needs: ["api"], reason: "replica 0 exited with code 3, attempt 7\nand more"),
            agent("lone", "Ready", namespace: "team", stale: ["Secret/llm"]),
        ]
    }

    @Test func problemsStandFirst() {
        #expect(
            picture(fleet).table == """
                NAMESPACE  NAME  DRIVER   READY  PHASE       RESTARTS  AGE
                default    web   process  0/1    BackingOff  2         2h
                default    api   process  0/1    Starting    2         2h
                default    db    process  1/1    Ready       2         2h
                team       lone  process  1/1    Ready       2         2h

                """)
        #expect(picture(fleet).summary == "4 agents: 1 broken, 1 on their way, 2 as they should be")
        #expect(
            picture(fleet).problems == [
                StatusPicture.Problem(
                    namespace: "default", agent: "web",
                    text: "default/web: CrashLoopBackOff: replica 0 exited with code 3, attempt 7", ordinal: 0),
                StatusPicture.Problem(
                    namespace: "team", agent: "lone",
                    text:
                        "team/lone: runs with old values of Secret/llm; 'agentos-apply restart lone -n team' renews them",
                    ordinal: nil),
            ])
    }

    @Test func aTreeShowsWhoNeedsWhom() {
        #expect(
            picture(fleet).tree == """
                default
                └─ db  Ready 1/1
                   └─ api  Starting 0/1  0 of 1 replicas are ready  needs nobody (which is not there)
                      └─ web  BackingOff 0/1  replica 0 exited with code 3, attempt 7
                team
                └─ lone  Ready 1/1

                """)
        #expect(
            picture(
                [agent("a", "Ready"), agent("b", "Ready"), agent("c", "Ready", needs: ["a", "b"])], hasColor: true
            )
            .tree == """
                default
                ├─ a  \u{1b}[32mReady\u{1b}[0m 1/1
                │  └─ c  \u{1b}[32mReady\u{1b}[0m 1/1  needs b
                └─ b  \u{1b}[32mReady\u{1b}[0m 1/1

                """)
    }

    @Test func usesAreSorted() {
        let uses = [("b", 5, 1 << 20), ("a", 5, 3 << 20), ("c", nil, 2 << 20)].map { name, cpu, bytes in
            ReplicaUse(namespace: "n", agent: name, ordinal: 0, cpuMilli: cpu, memoryBytes: bytes, processes: 1)
        }
        func names(_ order: ReplicaUse.Order) -> [Substring] {
            ReplicaUse.table(uses, by: order).split(separator: "\n").dropFirst().map {
                $0.split(separator: " ")[1]
            }
        }
        #expect(
            names(.name) == ["a", "b", "c"] && names(.cpu) == ["a", "b", "c"] && names(.memory) == ["a", "c", "b"])
        #expect(ReplicaUse.table([uses[2]], by: .cpu).hasSuffix("n          c     0        -    2Mi     1\n"))
        var limited = uses[0]
        limited.limits = .init(cpuMilli: 500, memoryBytes: 64 << 20)
        #expect(
            ReplicaUse.table([limited], by: .name, isWide: true) == """
                NAMESPACE  NAME  ORDINAL  CPU  MEMORY  PROCESSES  CPU-LIMIT  MEMORY-LIMIT  PROCESS-LIMIT
                n          b     0        5m   1Mi     1          500m       64Mi          -

                """)
    }

    /// A real crash, on a real terminal of two widths and without one.
    @Test func whatCrashedIsToldWithItsLastLines() {
        inWorld { world in
            world.apply(
                World.agent(
                    "bad", "echo one; echo 'the \u{1b}[31mreason'; exit 3",
                    "backoff: {initialSeconds: 86400, maxSeconds: 86400}") + World.agent("good", World.stays))
            World.until("one has crashed") { world.phase("bad") == "BackingOff" && world.phase("good") == "Ready" }
            let plain = world.run("status")
            #expect(plain.code == 0 && plain.output.contains("\ndefault/bad: "), "\(plain.text)")
            #expect(plain.output.contains("  | one\n  | the \u{fffd}[31mreason\n"), "\(plain.text)")
            #expect(!plain.output.contains("\u{1b}"))
            #expect(world.run("status", "--tree").output.hasPrefix("default\n├─ bad  "))
            #expect(world.run("status", "agent/good").output.split(separator: "\n").count == 2)
            #expect(world.run("status", "nobody", "good").code == 1)
            #expect(world.run("status", "--tree", "-o", "json").code == 64 && world.run("status", "cm/x").code == 64)

            func onTerminal(_ columns: Int, _ command: String, _ variables: String = "") -> [String] {
                [
                    "script", "-qec",
                    "stty cols \(columns) rows 10; \(variables) TERM=xterm \(World.program) \(command)", "/dev/null",
                ]
            }
            for columns in [60, 200] {
                #expect(world.spawn(onTerminal(columns, "status")).output.contains("\u{1b}[32mReady\u{1b}[0m"))
                #expect(!world.spawn(onTerminal(columns, "status", "NO_COLOR=1")).output.contains("\u{1b}"))
            }
            // Drawn in place until it is asked to end; what has no room is counted.
            let watched = "\(world.directory)/watched"
            let watching = World.start(
                onTerminal(60, "status -w --tree"), world.environment, nil, watched, "\(watched).err")
            World.until("it is drawn") {
                World.read(watched).contains("2 agents: 1 broken, 0 on their way, 1 as they should be")
            }
            #expect(World.read(watched).contains("\u{1b}[?7l\u{1b}[2J\u{1b}[Hdefault\u{1b}[K"))
            World.kill(watching, SIGTERM)
            _ = World.wait(watching)
        }
    }
}
