import Manifests
import Planner
package import Reconciler
import Simulation
import Testing
import Values

/// What every store must do. A store is handed to it as a function that opens it: each time the same one, with all that
/// was committed.
package struct StoreConformance {
    package enum Check: String, CaseIterable, Sendable {
        case aNewStoreHoldsNothing, whatIsCommittedIsThereAfterAReopen, aLifeOfTheSimulationIsHeld
        case aCommitThatFailsLeavesNothing, numbersNeverGoBack, everyKindOfTextComesBack, secretsComeBack
        case aStatusIsWrittenAlone, aRemovedObjectLeavesOnlyItsEvents, tombstonesStayUntilTheyAreCleared
        case unpublishedEventsComeInOrder, eachStateOfDeliveryIsKept, consumersAreKept, sinksAreKept
        case eventsOfAnObjectComeNewestFirst, recordsOfTheOutboxAreFound, whatWaitsIsNeverTrimmed
        case answersAreKept, revisionsAreKept, whatIsPausedIsHeld
    }

    let open: () throws -> any Store

    package init(open: @escaping () throws -> any Store) { self.open = open }

    package func run(_ check: Check) throws {
        switch check {
        case .aNewStoreHoldsNothing: try aNewStoreHoldsNothing()
        case .whatIsCommittedIsThereAfterAReopen: try whatIsCommittedIsThereAfterAReopen()
        case .aLifeOfTheSimulationIsHeld: try aLifeOfTheSimulationIsHeld()
        case .aCommitThatFailsLeavesNothing: try aCommitThatFailsLeavesNothing()
        case .numbersNeverGoBack: try numbersNeverGoBack()
        case .everyKindOfTextComesBack: try everyKindOfTextComesBack()
        case .secretsComeBack: try secretsComeBack()
        case .aStatusIsWrittenAlone: try aStatusIsWrittenAlone()
        case .aRemovedObjectLeavesOnlyItsEvents: try aRemovedObjectLeavesOnlyItsEvents()
        case .tombstonesStayUntilTheyAreCleared: try tombstonesStayUntilTheyAreCleared()
        case .unpublishedEventsComeInOrder: try unpublishedEventsComeInOrder()
        case .eachStateOfDeliveryIsKept: try eachStateOfDeliveryIsKept()
        case .consumersAreKept: try consumersAreKept()
        case .sinksAreKept: try sinksAreKept()
        case .eventsOfAnObjectComeNewestFirst: try eventsOfAnObjectComeNewestFirst()
        case .recordsOfTheOutboxAreFound: try recordsOfTheOutboxAreFound()
        case .whatWaitsIsNeverTrimmed: try whatWaitsIsNeverTrimmed()
        case .answersAreKept: try answersAreKept()
        case .revisionsAreKept: try revisionsAreKept()
        case .whatIsPausedIsHeld: try whatIsPausedIsHeld()
        }
    }

    func clerk() throws -> Clerk { try Clerk(open()) }

    private static let agent = ObjectKey(.agent, namespace: "default", name: "one")

    /// A clerk with a namespace, an agent of two replicas and a run of the first.
    private func busyClerk() throws -> Clerk {
        var clerk = try clerk()
        try clerk.note("default", "1")
        try clerk.apply(Self.agent, .map([("spec", .map([("command", ["x"]), ("replicas", 2)]))]))
        try clerk.settle([.observed(driver: "process", [:], complete: true)])
        return clerk
    }

    // MARK: Objects

    private func aNewStoreHoldsNothing() throws {
        let state = try open().load()
        #expect(state.objects.isEmpty && state.ledgers.isEmpty && state.consumers.isEmpty && state.tombstones.isEmpty)
        #expect(state.resourceVersion == 0 && state.position == 0 && state.backlog == 0)
        #expect(try open().unpublished(limit: 10, excluding: []).isEmpty)
    }

    private func whatIsCommittedIsThereAfterAReopen() throws {
        var clerk = try busyClerk()
        let uid = try #require(clerk.uid(Self.agent))
        let run = RunID(uid: uid, ordinal: 0, attempt: 1)
        try clerk.settle([.observed(driver: "process", [run: .running(pid: 7, startedAtMs: 5)], complete: true)])
        let exit = Exit(code: 3, reason: .error, message: "bad \u{0}\u{2028}", atMs: clerk.now.wallMs)
        try clerk.settle([.observed(driver: "process", [run: .exited(exit)], complete: true)])
        #expect(try Self.difference(open().load(), clerk.engine.state) == nil)
        #expect(clerk.engine.state.objects[Self.agent]?.agent?.replicas.first?.lastExit == exit)
    }

    /// What is loaded after a crash is what was committed.
    private func aLifeOfTheSimulationIsHeld() throws {
        var store = try open()
        let shadow = Shadow { changes in
            do {
                try store.commit(changes)
                return nil
            } catch { return "\(error)" }
        } compare: { expected in
            do {
                store = try self.open()
                return Self.difference(try store.load(), expected)
            } catch { return "\(error)" }
        }
        #expect(simulate(seed: 5, shadow: shadow).violation == nil)
    }

    /// Promise 3: a transaction holds all of a change set or nothing.
    private func aCommitThatFailsLeavesNothing() throws {
        let clerk = try busyClerk()
        let before = try clerk.store.load()
        var engine = clerk.engine
        let uid = try #require(clerk.uid(Self.agent))
        let run = RunID(uid: uid, ordinal: 0, attempt: 1)
        var step = engine.step(
            [.observed(driver: "process", [run: .running(pid: 7, startedAtMs: 5)], complete: true)], clerk.now)
        #expect(!step.changes.events.isEmpty && !step.changes.replicas.isEmpty)
        // The same position twice is refused at the end of the transaction.
        step.changes.events += step.changes.events
        #expect(throws: StoreFailure.self) { try clerk.store.commit(step.changes) }
        for store in [clerk.store, try open()] { #expect(Self.difference(try store.load(), before) == nil) }
    }

    private func numbersNeverGoBack() throws {
        var clerk = try clerk()
        for name in ["a", "b"] { try clerk.note(name, "1") }
        try clerk.delete(.namespace("b"))
        let state = try open().load()
        #expect(state.position == clerk.engine.state.position && state.position > 2)
        #expect(state.resourceVersion == clerk.engine.state.resourceVersion && state.resourceVersion > 2)
    }

    private func everyKindOfTextComesBack() throws {
        let texts = [
            "", " ", "'", "\"", "\\", "\r\n\t", "\u{2028}\u{fffe}\u{ffff}", "\u{1f600}e\u{301}", "null",
            "9223372036854775808", String(repeating: "x", count: 100_000),
        ]
        var clerk = try clerk()
        let data = Node.map(texts.enumerated().map { ("KEY_\($0)", .text($1)) })
        try clerk.note("default", "1")
        let key = ObjectKey(.configMap, namespace: "default", name: "texts")
        let answer = try clerk.apply(key, .map([("data", data)]))
        #expect(clerk.uid(key) != nil, "\(String(describing: answer))")
        #expect(try open().load().objects[key]?.content["data"] == data)
        #expect(try Self.difference(open().load(), clerk.engine.state) == nil)
    }

    /// The data of a Secret, and of one that is replaced by another of the same name.
    private func secretsComeBack() throws {
        var clerk = try clerk()
        try clerk.note("default", "1")
        let key = ObjectKey(.secret, namespace: "default", name: "token")
        func set(_ value: String) throws { try clerk.apply(key, .map([("stringData", .map([("KEY", .text(value))]))])) }
        func stored() throws -> String? { try open().load().objects[key]?.content[path: "data", "KEY"]?.string }
        try set("first")
        #expect(try stored() == "Zmlyc3Q=")
        try set("second")
        #expect(try stored() == "c2Vjb25k")
        try clerk.delete(key)
        #expect(try stored() == nil)
        try set("first")
        #expect(try stored() == "Zmlyc3Q=")
    }

    private func aStatusIsWrittenAlone() throws {
        let clerk = try busyClerk()
        var engine = clerk.engine
        let uid = try #require(clerk.uid(Self.agent))
        let run = RunID(uid: uid, ordinal: 0, attempt: 1)
        var step = engine.step(
            [.observed(driver: "process", [run: .running(pid: 7, startedAtMs: 5)], complete: true)], clerk.now)
        let index = try #require(step.changes.objects.firstIndex { $0.object.uid == uid && $0.statusOnly })
        let content = step.changes.objects[index].object.content
        step.changes.objects[index].object.content = .emptyMap
        try clerk.store.commit(step.changes)
        let object = try #require(try open().load().objects[Self.agent])
        #expect(
            object.content == content && object.resourceVersion == step.changes.objects[index].object.resourceVersion)
        #expect(object.agent?.summary == step.changes.objects[index].object.agent?.summary)
    }

    private func aRemovedObjectLeavesOnlyItsEvents() throws {
        var clerk = try clerk()
        try clerk.note("a", "1")
        let uid = try #require(clerk.uid(.namespace("a")))
        try clerk.delete(.namespace("a"))
        try clerk.settle()
        let state = try open().load()
        let last = try #require(clerk.engine.state.ledgers[uid]?.lastSequence)
        #expect(state.objects.isEmpty && state.ledgers[uid]?.lastSequence == last && state.backlog == Int(last))
        try clerk.deliver(to: Acceptor())
        #expect(try open().load().ledgers[uid] == nil)
        #expect(try open().events(of: uid, limit: 10).map(\.sequence) == Array((1...last).reversed()))
    }

    private func tombstonesStayUntilTheyAreCleared() throws {
        var clerk = try clerk()
        try clerk.note("default", "1")
        try clerk.apply(Self.agent, .map([("spec", .map([("command", ["x"]), ("suspend", true)]))]))
        try clerk.settle([.observed(driver: "process", [:], complete: true)])
        let uid = try #require(clerk.uid(Self.agent))
        try clerk.delete(Self.agent)
        try clerk.settle()
        #expect(clerk.uid(Self.agent) == nil)
        #expect(try open().load().tombstones == [uid])
        try clerk.settle([.homesRemoved(uid)])
        #expect(try open().load().tombstones.isEmpty)
    }

    private func answersAreKept() throws {
        var clerk = try clerk()
        func note(_ text: String) throws -> Answer? {
            try clerk.note("team", text, once: Request.Once(key: "k", digest: text))
        }
        if case .applied = try note("one") {} else { Issue.record("the first is carried out") }
        #expect(try Self.difference(open().load(), clerk.engine.state) == nil)
        #expect(clerk.engine.state.keptAnswers.count == 1)
        try clerk.restart()
        if case .kept = try note("one") {} else { Issue.record("the same again is not carried out") }
        if case .failure(.keyReused) = try note("two") {} else { Issue.record("another is refused") }
        clerk.now.wallMs += Limits.keptAnswerMs + 1
        if case .applied = try note("two") {} else { Issue.record("after a day the key is free") }
        try open().trim(nowMs: clerk.now.wallMs)
        #expect(try open().load().keptAnswers.all.map(\.digest) == ["two"])
        try open().trim(nowMs: clerk.now.wallMs + Limits.keptAnswerMs + 1)
        #expect(try open().load().keptAnswers.count == 0)
    }

    // MARK: Differences

    /// What of a state is not as expected, if anything.
    package static func difference(_ found: EngineState, _ expected: EngineState) -> String? {
        for key in Set(found.objects.keys).union(expected.objects.keys).sorted()
        where found.objects[key] != expected.objects[key] {
            guard let (a, b) = found.objects[key].flatMap({ a in expected.objects[key].map { (a, $0) } }) else {
                return "\(key) is not in both"
            }
            // The part that differs, not the whole.
            for (part, isSame) in [
                ("content", a.content == b.content), ("managers", a.managers == b.managers),
                ("deletion", a.deletion == b.deletion), ("version", a.resourceVersion == b.resourceVersion),
                ("status", a.agent?.summary == b.agent?.summary), ("source", a.source == b.source),
            ] where !isSame { return "\(key): \(part)" }
            return
                "\(key): \(String(describing: a.agent?.replicas)) is not \(String(describing: b.agent?.replicas)), \(String(describing: a.agent?.progressBy)) \(String(describing: b.agent?.progressBy))"
        }
        for uid in Set(found.ledgers.keys).union(expected.ledgers.keys).sorted()
        where found.ledgers[uid] != expected.ledgers[uid] {
            return
                "ledger \(uid.hex): \(String(describing: found.ledgers[uid])) is not \(String(describing: expected.ledgers[uid]))"
        }
        if found.consumers != expected.consumers { return "consumers" }
        if found.sinks != expected.sinks {
            return "sinks \(found.sinks) are not \(expected.sinks)"
        }
        if found.keptAnswers != expected.keptAnswers { return "answers" }
        if found.tombstones != expected.tombstones { return "tombstones" }
        if found.isRestored != expected.isRestored { return "restored" }
        if found.backlog != expected.backlog { return "backlog \(found.backlog) is not \(expected.backlog)" }
        return (found.resourceVersion, found.position) == (expected.resourceVersion, expected.position)
            ? nil : "numbers"
    }
}
