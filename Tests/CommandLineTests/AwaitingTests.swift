import Manifests
import Testing
import Values
import agentos_apply

/// An agent as the daemon shows it.
private func agent(
    _ phase: String, generation: Int = 1, observed: Int? = nil, ready: String = "False", progressing: String = "True",
    message: String = ""
) -> ObjectView {
    func condition(_ type: String, _ status: String) -> Node {
        .map([("type", .text(type)), ("status", .text(status)), ("message", .text(message))])
    }
    return ObjectView(
        .map([
            ("metadata", .map([("name", "a"), ("namespace", "default"), ("generation", .number(generation))])),
            (
                "status",
                .map([
                    ("observedGeneration", .number(observed ?? generation)), ("phase", .text(phase)),
                    ("replicas", 1),
                    ("conditions", [condition("Ready", ready), condition("Progressing", progressing)]),
                ])
            ),
        ]))
}

private let isReady = agent("Ready", ready: "True")

@Suite struct AwaitingTests {
    @Test func aGoalIsJudgedByWhatTheObjectSays() {
        let table: [(Goal, ObjectView?, Int, Goal.Verdict)] = [
            (.readyOrCompleted, isReady, 1, .met(phase: "Ready")),
            (.readyOrCompleted, agent("Completed"), 1, .met(phase: "Completed")),
            (.readyOrCompleted, agent("Suspended"), 1, .met(phase: "Suspended")),
            (.readyOrCompleted, agent("Starting"), 1, .notYet(phase: "Starting")),
            // Ready of an older generation says nothing.
            (
                .readyOrCompleted, agent("Ready", generation: 2, observed: 1, ready: "True"), 2,
                .notYet(phase: "Ready as of generation 1, and 2 is declared")
            ),
            (.readyOrCompleted, isReady, 2, .notYet(phase: "Ready as of generation 1, and 2 is declared")),
            (.readyOrCompleted, agent("Failed", progressing: "False", message: "gone"), 1, .failed("gone")),
            (.readyOrCompleted, agent("SyncFailed", message: "no such branch"), 1, .failed("no such branch")),
            (.phase("SyncFailed"), agent("SyncFailed"), 1, .met(phase: "SyncFailed")),
            (.condition("Ready"), isReady, 1, .met(phase: "Ready")), (.completed, isReady, 1, .notYet(phase: "Ready")),
            (.deleted, isReady, 1, .notYet(phase: "Ready, its deletion was not asked for")),
            (.deleted, nil, 1, .met(phase: nil)),
            (.readyOrCompleted, nil, 1, .gone),
        ]
        for (goal, object, generation, verdict) in table {
            #expect(goal.judge(object, generation: generation) == verdict, "\(goal) \(verdict)")
        }
    }

    private func awaited(_ name: String, _ kind: Kind = .agent, wasThere: Bool = true) -> Awaited {
        Awaited(kind, namespace: "default", name: name, wasThere: wasThere)
    }

    /// What is seen when, and what is to be done then.
    private enum Step {
        case see(Int, ObjectView?, Awaiting.News?)
        case next(Awaiting.Next)
    }

    private func run(
        _ objects: [Awaited], goal: Goal = .readyOrCompleted, deadlineMs: Int64 = 10_000,
        _ steps: [(Int64, Step)], _ what: String = #function
    ) {
        var waiting = Awaiting(objects, goal, deadlineMs: deadlineMs)
        for (number, (ms, step)) in steps.enumerated() {
            switch step {
            case .see(let index, let object, let news):
                #expect(waiting.observe(index, object, nowMs: ms) == news, "\(what), step \(number)")
            case .next(let next): #expect(waiting.next(nowMs: ms) == next, "\(what), step \(number)")
            }
        }
    }

    @Test func whatIsReadyMustStaySo() {
        run(
            [awaited("a")],
            [
                (0, .next(.look(.agent, followUntilMs: 10_000))),
                (0, .see(0, agent("Starting"), .progress("agent.agentos.dev/a: Starting"))),
                (1, .see(0, agent("Starting"), nil)), (2, .see(0, isReady, .result("agent.agentos.dev/a: Ready"))),
                (3, .next(.look(.agent, followUntilMs: 502))), (400, .see(0, isReady, nil)),
                (400, .next(.look(.agent, followUntilMs: 502))), (502, .next(.look(.agent, followUntilMs: nil))),
                (502, .see(0, isReady, nil)), (502, .next(.end(.met))),
            ])
    }

    @Test func whatCrashesAtOnceWasNeverUp() {
        run(
            [awaited("a")],
            [
                (0, .see(0, isReady, .result("agent.agentos.dev/a: Ready"))),
                (400, .see(0, agent("BackingOff"), .progress("agent.agentos.dev/a: BackingOff"))),
                (501, .next(.look(.agent, followUntilMs: 10_000))),
                (600, .see(0, isReady, .result("agent.agentos.dev/a: Ready"))),
                (601, .next(.look(.agent, followUntilMs: 1100))),
            ])
    }

    /// The one that cannot is named, not the Ready one.
    @Test func aTimeoutNamesWhatIsNotReady() {
        let coder = Awaiting.Late(kind: .agent, namespace: "default", name: "stuck", phase: "Starting")
        run(
            [awaited("coder"), awaited("stuck")],
            [
                (0, .see(0, agent("Starting"), .progress("agent.agentos.dev/coder: Starting"))),
                (0, .see(1, agent("Starting"), .progress("agent.agentos.dev/stuck: Starting"))),
                (1, .see(0, isReady, .result("agent.agentos.dev/coder: Ready"))),
                (9_999, .next(.look(.agent, followUntilMs: 10_000))), (10_000, .next(.end(.timedOut([coder])))),
            ])
    }

    @Test func aTimeoutNamesItsConditionAndWhatIsLacking() throws {
        let starting = agent("Starting", message: "1 of 2 replicas are ready\nmore")
        let table: [(String, ObjectView, String)] = [
            (
                "Ready", starting,
                "to have the condition Ready=True, after 3 s: Starting, Ready is False: 1 of 2 replicas are ready"
            ),
            (
                "condition=Mended", starting,
                "to have the condition Mended=True, after 3 s: Starting, it has no condition Mended"
            ),
            (
                "jsonpath={.status.replicas}=2", starting,
                "to have .status.replicas=2, after 3 s: Starting, .status.replicas is 1"
            ),
            ("jsonpath={.status.x}", starting, "to have .status.x, after 3 s: Starting, .status.x is not there"),
            ("phase=Completed", starting, "to be in the phase Completed, after 3 s: Starting"),
            ("delete", starting, "to be deleted, after 3 s: Starting, its deletion was not asked for"),
        ]
        for (condition, object, words) in table {
            let goal = try Goal(condition)
            var waiting = Awaiting([awaited("a")], goal, deadlineMs: 3000)
            _ = waiting.observe(0, object, nowMs: 0)
            guard case .end(.timedOut(let late)) = waiting.next(nowMs: 3000) else {
                Issue.record("\(condition) did not time out")
                continue
            }
            #expect(
                late.map { $0.text(goal, afterMs: 3000) } == [
                    "timed out waiting for agent.agentos.dev/a \(words); see 'agentos-apply describe agent a -n default'"
                ])
        }
    }

    /// The line of progress names one object until that is done, however often others come and go.
    @Test func theLineOfProgressDoesNotFlip() {
        var waiting = Awaiting([awaited("a"), awaited("b"), awaited("c")], .readyOrCompleted, deadlineMs: 10_000)
        var lines: [String] = []
        for (ms, index, object) in [
            (0, 0, agent("Starting")), (1, 1, agent("Starting")), (2, 0, isReady), (3, 0, agent("BackingOff")),
            (4, 0, isReady), (5, 0, agent("BackingOff")), (6, 1, isReady),
        ] {
            _ = waiting.observe(index, object, nowMs: Int64(ms))
            lines.append(waiting.summary ?? "")
        }
        #expect(
            lines.map { $0.split(separator: "(").last ?? "" } == [
                "a: Starting)", "a: Starting)", "b: Starting)", "b: Starting)", "b: Starting)", "b: Starting)",
                "a: BackingOff)",
            ])
    }

    @Test func readyAtTheDeadlineIsReady() {
        run(
            [awaited("a")], deadlineMs: 100,
            [
                (90, .see(0, isReady, .result("agent.agentos.dev/a: Ready"))),
                (90, .next(.look(.agent, followUntilMs: 100))), (100, .next(.end(.met))),
            ])
    }

    @Test func anObjectThatNeverWasIsMissingAndOneThatWasIsDeleted() {
        run(
            [awaited("a", wasThere: false)],
            [(0, .see(0, nil, nil)), (0, .next(.end(.missing(["agents.agentos.dev \"a\""]))))])
        run(
            [awaited("a", wasThere: false)],
            [
                (0, .see(0, agent("Starting"), .progress("agent.agentos.dev/a: Starting"))),
                (1, .see(0, nil, .result("agent.agentos.dev/a: failed: it was deleted"))), (1, .next(.end(.failed))),
            ])
        run(
            [awaited("a")],
            [(0, .see(0, nil, .result("agent.agentos.dev/a: failed: it was deleted"))), (0, .next(.end(.failed)))])
        run([awaited("a", wasThere: false)], goal: .deleted, [(0, .see(0, nil, nil)), (0, .next(.end(.met)))])
    }

    @Test func agentsComeBeforeTheirSourcesAndAllMustStayUp() {
        run(
            [awaited("s", .source), awaited("a")],
            [
                (0, .next(.look(.agent, followUntilMs: 10_000))),
                (10, .see(1, isReady, .result("agent.agentos.dev/a: Ready"))),
                (10, .next(.look(.source, followUntilMs: 10_000))),
                (2000, .see(0, isReady, .result("source.agentos.dev/s: Ready"))),
                // Long past its own moment, the agent is looked at once more.
                (2000, .next(.look(.agent, followUntilMs: nil))), (2000, .see(1, isReady, nil)),
                (2000, .next(.look(.source, followUntilMs: 2500))), (2500, .next(.look(.source, followUntilMs: nil))),
                (2500, .see(0, isReady, nil)), (2500, .next(.end(.met))),
            ])
    }

    @Test func deletionSaysNothingUntilItIsDone() {
        run(
            [awaited("a"), awaited("b")], goal: .deleted,
            [
                (0, .see(0, agent("Stopping"), nil)), (0, .see(1, nil, nil)),
                (0, .next(.look(.agent, followUntilMs: 10_000))), (5, .see(0, nil, nil)), (5, .next(.end(.met))),
            ])
    }

    @Test func oneDefiniteFailureEndsTheWait() {
        run(
            [awaited("a"), awaited("b")],
            [
                (
                    0,
                    .see(
                        0, agent("Failed", progressing: "False", message: "exited with code 7"),
                        .result("agent.agentos.dev/a: failed: exited with code 7"))
                ), (0, .next(.end(.failed))),
            ])
    }

    @Test func dependentsAreDeletedBeforeWhatTheyUse() {
        let waves = DeletionOrder.waves(["web": ["api"], "api": ["db", "cache"], "db": [], "cache": [], "alone": []])
        #expect(waves == ["web": 0, "api": 1, "db": 2, "cache": 2, "alone": 0])
    }
}
