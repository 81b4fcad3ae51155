import Drivers
import Manifests
import Planner
import Testing
import Values

private let now = Moment(wallMs: 1_800_000_000_000, boot: 1, bootMs: 100_000)

private func effective(_ more: [(String, Node?)] = []) -> EffectiveSpec {
    var diagnostics = Diagnostics()
    let object = Node.map([
        ("apiVersion", "agentos.dev/v1"), ("kind", "Agent"), ("metadata", .map([("name", "a")])),
        ("spec", .map([("command", ["x"])] + more)),
    ])
    let manifest = ManifestReader.read(
        JSONWriter.bytes(object), file: "f", drivers: .all, diagnostics: &diagnostics
    ).first
    return EffectiveSpec(manifest?.complete["spec"] ?? .emptyMap)
}

private func snapshot(_ effective: EffectiveSpec, _ replicas: [Replica] = []) -> Snapshot {
    Snapshot(uid: UID(high: 1, low: 2), effective: effective, revision: 1, replicas: replicas)
}

private func run(_ ordinal: Int, _ effective: EffectiveSpec, revision: Int = 1) -> Run {
    Run(
        id: RunID(uid: UID(high: 1, low: 2), ordinal: ordinal, attempt: 1), revision: revision, effective: effective,
        createdAtMs: 0, startBy: Deadline(now, afterMs: 30_000))
}

private func replica(_ ordinal: Int, _ phase: Phase) -> Replica {
    var replica = Replica(ordinal: ordinal)
    replica.attempt = 1
    replica.phase = phase
    return replica
}

@Suite struct PlannerTests {
    @Test func aNewAgentIsStartedInOneStep() {
        let plan = plan(snapshot(effective([("replicas", 2)])), now)
        #expect(plan.transitions.map(\.name) == [.scheduled, .scheduled, .starting, .starting])
        #expect(plan.operations.map(\.kind) == [.start, .start])
    }

    /// The same world gives an empty plan: nothing is asked twice and nothing is written.
    @Test func aSettledWorldGivesAnEmptyPlan() {
        let spec = effective()
        let run = run(0, spec)
        var snapshot = snapshot(spec, [replica(0, .ready(run))])
        snapshot.instances[run.id] = .running(pid: 7, startedAtMs: 0)
        let plan = plan(snapshot, now)
        #expect(plan.isEmpty && plan.replicas == snapshot.replicas && plan.wakeInMs == nil)
    }

    @Test func theGateHoldsReadyUntilItsEventsAreDelivered() {
        let spec = effective()
        let run = run(0, spec)
        var waiting = snapshot(spec, [replica(0, .starting(run, seen: false))])
        waiting.instances[run.id] = .running(pid: 7, startedAtMs: 0)
        waiting.lastSequence = 3
        let seen = plan(waiting, now)
        #expect(seen.transitions.map(\.name) == [.started])
        waiting.replicas = seen.replicas
        waiting.lastSequence = 4
        waiting.publishedSequence = 3
        #expect(plan(waiting, now).isEmpty)
        waiting.publishedSequence = 4
        #expect(plan(waiting, now).transitions.map(\.name) == [.ready])
        let open = effective([("consistency", .map([("readyRequires", "OutboxWritten")]))])
        var eager = snapshot(open, [replica(0, .starting(self.open(run, open), seen: false))])
        eager.instances[run.id] = .running(pid: 7, startedAtMs: 0)
        #expect(plan(eager, now).transitions.map(\.name) == [.started, .ready])
    }

    private func open(_ run: Run, _ effective: EffectiveSpec) -> Run {
        var run = run
        run.effective = effective
        return run
    }

    @Test func anOperationUnderWayIsNotAskedAgain() {
        let spec = effective()
        let run = run(0, spec)
        var snapshot = snapshot(spec, [replica(0, .starting(run, seen: false))])
        snapshot.operations[run.id] = .inFlight(number: 1)
        #expect(plan(snapshot, now).operations.isEmpty)
        snapshot.operations[run.id] = .failed(.start, message: "no", again: Deadline(now, afterMs: 2000))
        #expect(plan(snapshot, now).operations.isEmpty)
        #expect(plan(snapshot, now).wakeInMs == 2000)
        snapshot.operations[run.id] = .failed(.start, message: "no", again: Deadline(now, afterMs: 0))
        #expect(plan(snapshot, now).operations.map(\.kind) == [.start])
    }

    /// A run whose end is not proven is given up by its claim before anything replaces it.
    @Test func aVanishedInstanceIsGivenUpBeforeItIsReplaced() {
        let spec = effective()
        let run = run(0, spec)
        let gone = plan(snapshot(spec, [replica(0, .ready(run))]), now)
        #expect(gone.transitions.isEmpty && gone.operations.map(\.kind) == [.giveUp])
        var proven = snapshot(spec, [replica(0, .ready(run))])
        proven.instances[run.id] = .absent
        #expect(plan(proven, now).transitions.map(\.name) == [.lost])
    }

    /// What was removed is seen no more, and that is its end.
    @Test func aStopEndsWithTheRemoval() {
        let spec = effective([("replicas", 0)])
        let run = run(0, spec)
        var snapshot = snapshot(
            spec, [replica(0, .stopping(run, .scaledDown, killAt: Deadline(now, afterMs: 1000)))])
        snapshot.operations[run.id] = .done(.remove, again: Deadline(now, afterMs: 2000))
        for instance in [Instance.exited(Exit(code: 0, reason: .completed, atMs: 1)), nil] {
            snapshot.instances[run.id] = instance
            let plan = plan(snapshot, now)
            #expect(plan.transitions.map(\.name) == [.stopped] && plan.operations.isEmpty)
        }
    }

    @Test func nothingIsStartedBeforeTheDriversAreObserved() {
        var snapshot = snapshot(effective())
        snapshot.isObserved = false
        let plan = plan(snapshot, now)
        #expect(plan.isEmpty && plan.waiting == .observation)
    }

    @Test func slotsAndRoomAreGivenToSomeAndTheRestWaits() {
        var few = snapshot(effective([("replicas", 3)]))
        few.startSlots = 2
        #expect(plan(few, now).operations.count == 2)
        #expect(plan(few, now).waiting == .slot)
        var small = snapshot(
            effective([("replicas", 3), ("resources", .map([("requests", .map([("cpu", "400m")]))]))]))
        small.freeCpuMilli = 1000
        #expect(plan(small, now).operations.count == 2)
        #expect(plan(small, now).waiting?.reason == .insufficientResources)
    }

    @Test func outdatedReplicasThatAreNotReadyGoFirstAndDoNotCount() {
        let spec = effective([("replicas", 3)])
        let runs = (0..<3).map { run($0, spec) }
        var snapshot = snapshot(
            spec,
            [replica(0, .starting(runs[0], seen: true)), replica(1, .ready(runs[1])), replica(2, .ready(runs[2]))])
        snapshot.revision = 2
        for run in runs { snapshot.instances[run.id] = .running(pid: 7, startedAtMs: 0) }
        let plan = plan(snapshot, now)
        // Ordinal 0 is unavailable already and uses up maxUnavailable: no Ready one may stop.
        #expect(plan.transitions.map(\.name) == [.stopping] && plan.transitions.map(\.ordinal) == [0])
    }

    /// A new revision that finishes its work is as good as one that is Ready.
    @Test func aRollToAProgramThatFinishesGoesOn() {
        let spec = effective([("replicas", 2), ("restartPolicy", "OnFailure")])
        let (old, new) = (run(0, spec), run(1, spec, revision: 2))
        var snapshot = snapshot(spec, [replica(0, .ready(old)), replica(1, .completed(new, removed: true))])
        snapshot.revision = 2
        snapshot.instances[old.id] = .running(pid: 7, startedAtMs: 0)
        #expect(plan(snapshot, now).transitions.map(\.name) == [.stopping])
    }

    /// Without a backoff a program that always fails is started once a second; one failure alone costs nothing.
    @Test(arguments: [(0, 0), (1, 1000), (9, 1000)]) func attemptsHaveAFloor(_ failures: Int, _ expected: Int64) {
        let spec = effective([("backoff", .map([("initialSeconds", 0), ("maxSeconds", 0)]))])
        var run = run(0, spec)
        run.createdAtMs = now.wallMs
        var ended = replica(0, .failed(run, removed: true))
        ended.backoffStep = failures
        ended.lastExit = Exit(code: 1, reason: .error, atMs: now.wallMs)
        #expect(plan(snapshot(spec, [ended]), now).transitions.first?.retryInMs == expected)
    }

    @Test func whatWaitsForAFailedJobIsToldSo() {
        var waiting = snapshot(effective())
        waiting.dependencies = [
            Snapshot.Dependency(name: "job", condition: .completed, met: false, found: true, hasFailed: true)
        ]
        let plan = plan(waiting, now)
        #expect(plan.waiting?.reason == .dependencyFailed)
        #expect(plan.waiting?.message == "agent \"job\" has failed for good and is not Completed")
    }

    @Test func recreateStopsAllBeforeItStartsAny() {
        let spec = effective([("replicas", 2), ("updateStrategy", .map([("type", "Recreate")]))])
        let runs = (0..<2).map { run($0, spec) }
        var snapshot = snapshot(spec, [replica(0, .ready(runs[0])), replica(1, .stopped(.replaced))])
        snapshot.revision = 2
        snapshot.instances[runs[0].id] = .running(pid: 7, startedAtMs: 0)
        let plan = plan(snapshot, now)
        #expect(plan.transitions.map(\.name) == [.stopping])
        #expect(plan.operations.map(\.kind) == [.signal])
    }

    /// It would wait for ever, and nobody would know why.
    @Test func whatAPauseAndRecreateHoldUpIsTold() {
        let spec = effective([("replicas", 2), ("paused", true), ("updateStrategy", .map([("type", "Recreate")]))])
        let old = run(0, spec)
        var snapshot = snapshot(spec, [replica(0, .ready(old)), Replica(ordinal: 1)])
        snapshot.revision = 2
        snapshot.instances[old.id] = .running(pid: 7, startedAtMs: 0)
        let plan = plan(snapshot, now)
        #expect(plan.isEmpty && plan.waiting?.reason == .waitingForEarlierRevision)
        #expect(conditions(snapshot, plan)[.scheduled]?.status == false)
    }

    @Test(arguments: [(0, 900...1100), (1, 1800...2200), (2, 3600...4400), (20, 270_000...330_000)])
    func backoffGrowsToItsCapWithJitter(_ step: Int, _ expected: ClosedRange<Int64>) {
        let spec = effective()
        var ended = replica(0, .failed(run(0, spec), removed: true))
        ended.backoffStep = step
        ended.lastExit = Exit(code: 1, reason: .error, atMs: now.wallMs)
        let plan = plan(snapshot(spec, [ended]), now)
        #expect(plan.transitions.map(\.name) == [.backingOff])
        #expect(expected.contains(plan.transitions[0].retryInMs ?? -1))
        // The jitter depends on the run alone.
        #expect(Planner.plan(snapshot(spec, [ended]), now).transitions == plan.transitions)
    }

    @Test func aRestartOfTheMachineIsNoReasonToBackOff() {
        let spec = effective([("restartPolicy", "Never")])
        var ended = replica(0, .failed(run(0, spec), removed: true))
        ended.lastExit = Exit(reason: .machineRestarted, atMs: now.wallMs)
        #expect(plan(snapshot(spec, [ended]), now).transitions.map(\.name) == [.backingOff, .scheduled, .starting])
    }

    @Test func deadlinesGoOnInTheSameBootAndAreClampedInAnother() {
        let deadline = Deadline(now, afterMs: 5000)
        #expect(deadline.remainingMs(Moment(wallMs: 0, boot: 1, bootMs: 103_000)) == 2000)
        #expect(deadline.remainingMs(Moment(wallMs: now.wallMs + 4000, boot: 2, bootMs: 10)) == 1000)
        #expect(deadline.remainingMs(Moment(wallMs: now.wallMs - 3_600_000, boot: 2, bootMs: 10)) == 5000)
        // Once anchored, a clock that stays behind does not hold it up.
        let back = Moment(wallMs: now.wallMs - 3_600_000, boot: 2, bootMs: 10)
        #expect(deadline.anchored(back).remainingMs(Moment(wallMs: back.wallMs, boot: 2, bootMs: 5010)) == 0)
    }

    @Test func runIDsAreReadBackAndOrdered() {
        let id = RunID(uid: UID(high: 0xabc, low: 0xdef), ordinal: 12, attempt: 345)
        #expect(id.text == "0000000000000abc0000000000000def-00012-0000000345")
        #expect(RunID(id.text) == id)
        for text in ["", "x", "abc-0-1", id.text + "0", id.text.replacing("-", with: "_")] {
            #expect(RunID(text) == nil)
        }
        #expect(RunID(uid: id.uid, ordinal: 2, attempt: 9) < RunID(uid: id.uid, ordinal: 10, attempt: 1))
    }
}

/// The decision about a sync of a Source.
@Suite struct SyncPlanTests {
    private func view(
        _ declared: [DeclaredView], missing: [Bool] = [], owned: Int = 10, isWhole: Bool = true,
        drift: SourceSpec.Drift = .correct, prunes: Bool = true, isForced: Bool = false, percent: Int = 50
    ) -> SyncView {
        SyncView(
            declared: declared, missing: missing, ownedCount: owned, isWhole: isWhole, drift: drift, prunes: prunes,
            pruneLimitPercent: percent, isForced: isForced)
    }

    private let elsewhere = ObjectKey(.source, namespace: "default", name: "elsewhere")

    @Test func whatIsAsDeclaredIsLeftAlone() {
        #expect(planSync(view([DeclaredView(live: .mine(isNew: false, differs: false))])) == SyncPlan())
    }

    @Test func driftIsAppliedOnlyWhereItIsCorrected() {
        let changed = [DeclaredView(live: .mine(isNew: false, differs: true)), DeclaredView(live: .absent)]
        #expect(planSync(view(changed)).apply == [0, 1])
        let warned = planSync(view(changed, drift: .warn))
        #expect(warned.apply == [1] && warned.drifted == [0])
        #expect(planSync(view([DeclaredView(live: .mine(isNew: true, differs: true))], drift: .warn)).apply == [0])
    }

    /// Nothing is deleted because it could not be read, or while something else is wrong.
    @Test func deletionsNeedAWholeView() {
        #expect(planSync(view(kept, missing: [false, true])).prune == .delete([0]))
        #expect(planSync(view([], missing: [false], isWhole: false)).prune == .waitsForErrors(1))
        #expect(
            planSync(view([DeclaredView(live: .foreign(elsewhere, place: "b.yaml:1"))], missing: [false])).prune
                == .waitsForErrors(1))
        #expect(
            planSync(
                view(
                    [DeclaredView(live: .absent, refusal: .namespace("team", of: elsewhere))], missing: [false],
                    isForced: true)
            ).prune
                == .waitsForErrors(1))
        #expect(planSync(view([], missing: [false], prunes: false)).prune == .nothing)
        #expect(planSync(view([], missing: [true])).prune == .nothing)
    }

    private let kept = [DeclaredView(live: .mine(isNew: false, differs: false))]

    /// What one sync deletes by itself, of how many, with which limit.
    @Test(arguments: [
        (1, 2, 50, true), (2, 4, 50, true), (3, 5, 50, false), (2, 5, 50, true), (1, 5, 0, false), (1, 3, 1, true),
        (2, 3, 1, false), (5, 6, 100, true), (99, 100, 99, true), (100, 100, 99, false),
    ])
    func theShareIsRoundedDownAndOneAtLeast(_ missing: Int, _ owned: Int, _ percent: Int, _ isDeleted: Bool) {
        let candidates = Array(repeating: false, count: missing)
        let plan = planSync(view(kept, missing: candidates, owned: owned, percent: percent))
        #expect(plan.prune == (isDeleted ? .delete(Array(0..<missing)) : .waitsForForce(missing)))
    }

    /// An empty directory deletes nothing by itself, not even one object.
    @Test func nothingDeclaredDeletesNothing() {
        #expect(planSync(view([], missing: [false], owned: 1)).prune == .waitsForForce(1))
        #expect(planSync(view([], missing: [false], owned: 1, isForced: true)).prune == .delete([0]))
        #expect(planSync(view([], missing: [false], owned: 1, percent: 100)).prune == .delete([0]))
    }

    @Test func whatIsEndingIsAwaited() {
        let plan = planSync(view([DeclaredView(live: .ending)]))
        #expect(plan.awaitsEnd && plan.apply.isEmpty)
    }

    @Test func muchIsDeletedOnlyByForce() {
        let many = Array(repeating: false, count: 6)
        #expect(planSync(view(kept, missing: many, owned: 6)).prune == .waitsForForce(6))
        #expect(planSync(view(kept, missing: many, owned: 6, isForced: true)).prune == .delete(Array(0..<6)))
        #expect(planSync(view(kept, missing: many, owned: 12)).prune == .delete(Array(0..<6)))
    }
}
