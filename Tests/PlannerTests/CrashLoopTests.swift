import Drivers
import Manifests
import Planner
import Testing
import Values

/// What is told of a replica that fails again and again.
@Suite struct CrashLoopTests {
    /// One replica of an agent without a backoff, in a machine that does at once what it is asked for.
    private struct Life {
        var now = Moment(wallMs: 1_800_000_000_000, boot: 1, bootMs: 100_000)
        var snapshot: Snapshot
        var told: [(atMs: Int64, transition: Transition)] = []

        init() {
            var diagnostics = Diagnostics()
            let text = """
                {"apiVersion": "agentos.dev/v1", "kind": "Agent", "metadata": {"name": "a"},
                 "spec": {"command": ["x"], "backoff": {"initialSeconds": 0, "maxSeconds": 0}}}
                """
            let manifest = ManifestReader.read(
                Array(text.utf8), file: "f", drivers: .all, diagnostics: &diagnostics
            ).first
            snapshot = Snapshot(
                uid: UID(high: 1, low: 2), effective: EffectiveSpec(manifest?.complete["spec"] ?? .emptyMap),
                revision: 1, replicas: [])
        }

        var run: Run? { snapshot.replicas.first?.phase.run }

        mutating func look() {
            let plan = plan(snapshot, now)
            snapshot.replicas = plan.replicas
            told += plan.transitions.map { (now.wallMs, $0) }
            snapshot.lastSequence += Int64(plan.transitions.count)
            snapshot.publishedSequence = snapshot.lastSequence
            for operation in plan.operations {
                snapshot.operations[operation.run] = .done(operation.kind, again: Deadline(now, afterMs: 2000))
            }
        }

        mutating func pass(ms: Int64) {
            now.wallMs += ms
            now.bootMs += ms
            look()
        }

        mutating func report(_ instance: Instance) {
            if let run { snapshot.instances[run.id] = instance }
            look()
            look()
        }

        /// The program is started, is Ready, and ends after some time.
        mutating func fail(afterMs: Int64 = 0) {
            look()
            report(.running(pid: 7, startedAtMs: now.wallMs))
            pass(ms: afterMs)
            report(.exited(Exit(code: 1, reason: .error, atMs: now.wallMs)))
            pass(ms: 1000 - afterMs)
        }
    }

    private static let attempt: [TransitionName] = [.scheduled, .starting, .started, .ready, .failed, .backingOff]

    /// Whether it ends at once, later, or right before the next attempt.
    @Test(arguments: [Int64(0), 300, 999, 1000]) func oneAttemptOfAMinuteIsTold(livesMs: Int64) {
        var life = Life()
        life.now.wallMs += 500
        for _ in 0..<3600 { life.fail(afterMs: livesMs) }
        // What people see is true all the time.
        #expect(life.snapshot.replicas[0].attempt >= 3600 && life.snapshot.replicas[0].restarts >= 3599)
        let told = Dictionary(grouping: life.told, by: { $0.atMs / 60_000 }).sorted { $0.key < $1.key }
        #expect(told.count >= 60)
        for (minute, transitions) in told.dropFirst() {
            let names = transitions.map(\.transition.name)
            #expect(names.count <= 2 * Self.attempt.count && Set(names).isSubset(of: Self.attempt))
            #expect(names.contains(.failed) && names.contains(.backingOff) || minute == told.last?.key)
        }
        let counts = life.told.compactMap(\.transition.failures)
        #expect(counts == counts.sorted() && counts.prefix(3) == [1, 2, 3] && counts.last ?? 0 > 3500)
        #expect(life.told.count < 70 * Self.attempt.count)
    }

    @Test func anAttemptThatLivesIsToldAfterAll() throws {
        var life = Life()
        for _ in 0..<10 { life.fail(afterMs: 300) }
        life.look()
        let before = life.told.count
        life.report(.running(pid: 7, startedAtMs: life.now.wallMs))
        #expect(life.snapshot.replicas[0].phase.name == .ready && life.told.count == before)
        life.pass(ms: 9000)
        #expect(life.told.count == before)
        life.pass(ms: 2000)
        #expect(life.told.dropFirst(before).map(\.transition.name) == [.started, .ready])
        // Its end is told, too.
        life.report(.exited(Exit(code: 1, reason: .error, atMs: life.now.wallMs)))
        #expect(life.told.dropFirst(before + 2).map(\.transition.name).starts(with: [.failed, .backingOff]))
    }

    @Test func whatPeopleAskForIsAlwaysTold() {
        var life = Life()
        for _ in 0..<10 { life.fail() }
        life.look()
        life.report(.running(pid: 7, startedAtMs: life.now.wallMs))
        let before = life.told.count
        life.snapshot.isDeleting = true
        life.look()
        #expect(life.told.dropFirst(before).map(\.transition.name) == [.stopping])
    }

    @Test func killedChildrenAreToldWhenTheirNumberDoubles() {
        var life = Life()
        life.look()
        for kills in 0...100 {
            life.report(.running(pid: 7, startedAtMs: 0, facts: InstanceFacts(childOOMKills: kills)))
            #expect(life.run?.facts.childOOMKills == kills)
        }
        let told = life.told.filter { $0.transition.name == .childOOMKilled }
        #expect(told.map(\.transition.childOOMKills) == [1, 2, 4, 8, 16, 32, 64])
        life.report(.exited(Exit(code: 1, reason: .error, atMs: life.now.wallMs, childOOMKills: 128)))
        #expect(life.told.map(\.transition.name).suffix(5).starts(with: [.childOOMKilled, .failed, .backingOff]))
    }
}
