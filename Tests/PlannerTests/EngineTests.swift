import Drivers
import Manifests
import Planner
import Reconciler
import Testing
import Values

private let somebody = Principal(user: "test", via: .socket)

/// The engine beside a store that takes everything, or nothing.
private struct House {
    var engine: Engine
    var now = Moment(wallMs: 1_800_000_000_000, boot: 1, bootMs: 1000)
    private var requests = 0

    init(_ state: EngineState = EngineState(), observers: Set<String> = []) {
        let settings = EngineSettings(startsInFlight: 1, drivers: .all, observers: observers)
        engine = Engine(state: state, settings: settings)
        apply(ObjectKey(.namespace, namespace: "", name: "default"), .emptyMap)
        take([.observed(driver: "process", [:], complete: true)])
    }

    @discardableResult
    mutating func take(_ inputs: [Input]) -> Step {
        let step = engine.step(inputs, now)
        engine.committed(step)
        return step
    }

    mutating func input(_ key: ObjectKey, _ node: Node, dryRun: Bool = false) -> Input {
        requests += 1
        let apply = Request.Write.apply(
            key: key, node: node, manager: "test", force: true, dryRun: dryRun, source: "t:1",
            freshUID: UID(high: 1, low: UInt64(requests)))
        return .request(Request(id: requests, principal: somebody, verb: .write(apply)))
    }

    @discardableResult
    mutating func apply(_ key: ObjectKey, _ node: Node, dryRun: Bool = false) -> Answer.Applied? {
        let input = input(key, node, dryRun: dryRun)
        guard case .applied(let applied)? = take([input]).answers.first?.answer else { return nil }
        return applied
    }

    func agent(_ name: String) -> StoredObject? { engine.state.objects[key(name)] }
}

private func key(_ name: String) -> ObjectKey { ObjectKey(.agent, namespace: "default", name: name) }

private func spec(_ more: [(String, Node?)] = []) -> Node { .map([("spec", .map([("command", ["x"])] + more))]) }

@Suite struct EngineTests {
    /// A store may hold the last user id that there is.
    @Test func afterTheLastUserComesNone() {
        #expect(UInt32(200_000).next == 200_001 && UInt32.max.next == .max)
    }

    /// Seen on the machine, then a commit that fails: the attempt is not used again, whether or not the observation is
    /// handed in once more; and nothing is started beside what lives.
    @Test func anAttemptSeenAheadOutlivesAFailedCommit() throws {
        var house = House()
        house.apply(key("a"), spec([("suspend", true)]))
        let uid = try #require(house.agent("a")?.uid)
        let stray = RunID(uid: uid, ordinal: 0, attempt: 7)
        let lost = house.engine.step(
            [.observed(driver: "process", [stray: .running(pid: 9, startedAtMs: 1)], complete: false)], house.now)
        _ = house.engine.failed(lost)
        #expect(house.apply(key("a"), spec())?.waits == .stray)
        #expect(house.agent("a")?.agent?.replicas.first?.phase.name == .stopped)
        let exit = Exit(signal: 9, reason: .error, atMs: 2)
        house.engine.committed(
            house.engine.step([.observed(driver: "process", [stray: .exited(exit)], complete: false)], house.now))
        guard case .starting(let run, _)? = house.agent("a")?.agent?.replicas.first?.phase else {
            Issue.record("it was not started")
            return
        }
        #expect(run.id.attempt == 8)
    }

    /// The backup is of the time before the agent went to another driver, where it lives.
    @Test func afterARestoreNothingStartsBeforeAllDriversWereSeen() throws {
        var restored = EngineState()
        restored.isRestored = true
        var house = House(restored, observers: ["process", "containerd"])
        #expect(house.apply(key("a"), spec())?.waits == .restored(["containerd"]))
        let uid = try #require(house.agent("a")?.uid)
        let stray = RunID(uid: uid, ordinal: 0, attempt: 7)
        let ended = house.take(
            [.observed(driver: "containerd", [stray: .running(pid: 9, startedAtMs: 1)], complete: true)])
        #expect(ended.operations.map(\.kind) == [.kill] && house.engine.state.isRestored)
        #expect(house.agent("a")?.agent?.replicas.first?.phase == .created)
        let exit = Exit(signal: 9, reason: .error, atMs: 2)
        let last = house.take([.observed(driver: "containerd", [stray: .exited(exit)], complete: false)])
        #expect(last.changes.endsRestore && !house.engine.state.isRestored)
        #expect(house.agent("a")?.agent?.replicas.first?.phase.run?.id.attempt == 8)
        #expect(!house.take([.observed(driver: "process", [:], complete: true)]).changes.endsRestore)
    }

    @Test func aFailedCommitLosesNoWork() {
        var house = House()
        let input = house.input(key("a"), spec())
        let lost = house.engine.step([input], house.now)
        #expect(house.engine.failed(lost).isEmpty, "requests are answered, not repeated")
        #expect(house.agent("a") == nil && !house.engine.isIdle)
        #expect(house.engine.step([], house.now).changes.isEmpty)
    }

    /// The answer of a dry run is that of the change itself, and nothing comes of it.
    @Test func aDryRunSaysWhatWouldRestartAndWait() {
        var house = House()
        house.apply(key("a"), spec())
        let version = house.engine.state.resourceVersion
        let slow = house.apply(key("b"), spec(), dryRun: true)
        #expect(slow?.result == .created && slow?.waits == .slot)
        let lonely = house.apply(key("b"), spec([("dependsOn", [.map([("name", "nobody")])])]), dryRun: true)
        #expect(lonely?.waits?.reason == .dependencyNotFound)
        let changed = house.apply(key("a"), .map([("spec", .map([("command", ["y"])]))]), dryRun: true)
        #expect(changed?.result == .configured && changed?.restarts == ["spec.command"])
        #expect(house.engine.state.resourceVersion == version && house.agent("b") == nil)
        let real = house.apply(key("b"), spec())
        #expect(real?.waits == slow?.waits && real?.result == slow?.result)
    }

    @Test func aDryRunDeletesNothingAndChecksWhatIsMeant() {
        var house = House()
        house.apply(key("a"), spec())
        for (deletion, isRefused) in [
            (Request.Deletion(key: key("a"), dryRun: true), false),
            (Request.Deletion(key: key("a"), preconditions: Request.Preconditions(uid: "x")), true),
        ] {
            let request = Request(id: 99, principal: somebody, verb: .delete(deletion))
            let answer = house.take([.request(request)]).answers.first?.answer
            if case .failure(.conflict)? = answer { #expect(isRefused) } else { #expect(!isRefused) }
            #expect(house.agent("a")?.deletion == nil)
        }
    }
}

/// The preview of a Source is what the sync after it does.
@Suite struct PreviewTests {
    private let source = ObjectKey(.source, namespace: "default", name: "fleet")

    private func declared(_ name: String, _ priority: Int) -> Declared {
        Declared(
            key: key(name), node: spec([("priority", .number(priority))]), file: "f/\(name).yaml", line: 1, column: 1,
            digest: UInt64(priority), freshUID: UID(high: 9, low: UInt64(name.utf8.first ?? 0)))
    }

    private func house(_ more: [(String, Node?)], _ items: [Declared]) throws -> (House, UID) {
        var house = House()
        house.apply(source, .map([("spec", .map([("path", "/f")] + more))]))
        let uid = try #require(house.engine.state.objects[source]?.uid)
        house.take([.sourceRead(uid, snapshot(items), nil)])
        return (house, uid)
    }

    private func snapshot(_ items: [Declared], errors: [String] = []) -> SourceSnapshot {
        SourceSnapshot(
            revision: "r\(items.count)\(errors.count)", declared: items, errors: errors, isWhole: errors.isEmpty)
    }

    /// Names as `+made`, `~changed`, `-deleted`.
    private func words(_ preview: Preview?) -> String {
        (preview?.changes ?? []).map { change in
            let name = (change.merged ?? change.live)?.key.name ?? ""
            return (change.live == nil ? "+" : change.merged == nil ? "-" : "~") + name
        }.joined(separator: " ")
    }

    private func done(_ before: EngineState, _ after: EngineState) -> String {
        Set(before.objects.keys).union(after.objects.keys).sorted().compactMap { key in
            let (old, new) = (before.objects[key], after.objects[key])
            if key.kind != .agent || old?.content == new?.content && old?.deletion == new?.deletion { return nil }
            return (old == nil ? "+" : new == nil || new?.deletion != nil ? "-" : "~") + key.name
        }.joined(separator: " ")
    }

    @Test(
        arguments: [
            ("prune", [("prune", true)], [1], "~a -b"), ("no prune", [("prune", false)], [1], "~a"),
            ("a new one", [("prune", true)], [1, 2, 3], "~a ~b +c"),
            ("nothing while it is suspended", [("suspend", true)], [1], ""),
        ] as [(String, [(String, Node?)], [Int], String)])
    func itIsWhatTheNextSyncDoes(_ what: String, _ more: [(String, Node?)], _ count: [Int], _ expected: String) throws {
        var (house, uid) = try house([], [declared("a", 1), declared("b", 2)])
        house.apply(source, .map([("spec", .map([("path", "/f")] + more))]))
        let next = zip(["a", "b", "c"], count).map { declared($0, $1 + 10) }
        let read = Input.sourceRead(uid, snapshot(next), nil)
        let rehearsed = house.engine.rehearse([read], house.now)
        let before = house.engine.state
        let step = house.take([read])
        #expect(done(before, house.engine.state) == expected, "\(what)")
        #expect(rehearsed.changes.events.map(\.type) == step.changes.events.map(\.type))
        #expect(words(house.engine.preview(source, house.now)) == "", "it was done")
    }

    @Test func whatOthersChangedIsOnlyToldWhereItIsNotCorrected() throws {
        for (drift, expected) in [("Correct", "~a"), ("Warn", "")] {
            var (house, _) = try house([("drift", .text(drift))], [declared("a", 1)])
            // Its own change makes the Source correct it in the same step, unless it only warns.
            house.apply(key("a"), spec([("priority", 5)]))
            let preview = house.engine.preview(source, house.now)
            #expect(words(preview) == "" && preview?.source.drifted.isEmpty == (drift == "Correct"), "\(expected)")
            #expect(house.agent("a")?.content[path: "spec", "priority"]?.int == (drift == "Correct" ? 1 : 5))
        }
    }

    @Test func whatIsRefusedIsInIt() throws {
        var (house, uid) = try house([], [declared("a", 1)])
        house.take([.sourceRead(uid, snapshot([], errors: ["f/a.yaml:1:1: broken"]), nil)])
        let preview = house.engine.preview(source, house.now)
        #expect(words(preview) == "" && preview?.source.errors == ["f/a.yaml:1:1: broken"])
        #expect(preview?.source.pruneWaits == 1)
    }
}
