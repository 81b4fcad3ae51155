import Conformance
import Manifests
import Planner
import Reconciler
import Simulation
import Testing
import Values

/// Named sinks behind the engine, in virtual time: the same calls as the loop makes.
private struct Wharf {
    var clerk: Clerk
    let journal = SimulatedJournal()
    /// What each sink was given, as `name sequence`.
    var taken: [String: [String]] = [:]
    /// What a sink does with an event; nil: it takes it.
    var outcome: (String, EventRecord) -> DeliveryVerdict.Outcome = { _, _ in .confirmed }
    var failure: (String) -> SinkFailure? = { _ in nil }

    init(_ rules: [SinkRule]) throws {
        clerk = try Clerk(SharedSimulatedStore())
        try clerk.take([.sinks(rules)])
        try clerk.note("default", "1")
        try settle()
    }

    /// Events reach the journal, and from there the sinks, until nothing is left to do now.
    mutating func settle() throws {
        try clerk.settle()
        for _ in 0..<100 {
            let events = try clerk.store.unpublished(limit: 100, excluding: [])
            for event in events { journal.append(event) }
            if !events.isEmpty {
                try clerk.settle([.delivered(events.map { DeliveryVerdict($0) }, end: journal.end)])
            }
            let requests = clerk.engine.sinkRequests(clerk.now, besides: { _ in false })
            if requests.isEmpty, events.isEmpty { return }
            for request in requests { try clerk.settle([.fed(answer(request))]) }
        }
        Issue.record("it does not come to rest")
    }

    private mutating func answer(_ request: SinkRequest) -> SinkReport {
        let batch = request.batch(of: journal)
        if let failure = failure(request.sink) { return batch.report(.failure(failure)) }
        var held: Set<UID> = []
        var verdicts: [DeliveryVerdict] = []
        for event in batch.events where !held.contains(event.uid) {
            let outcome = outcome(request.sink, event)
            if outcome == .confirmed {
                let name = JSONReader.read(event.payload)?[path: "object", "name"]?.string ?? ""
                taken[request.sink, default: []].append("\(name) \(event.sequence)")
            } else {
                held.insert(event.uid)
            }
            verdicts.append(DeliveryVerdict(event, outcome))
        }
        return batch.report(.success(verdicts))
    }

    func taken(_ sink: String, of name: String) -> [String] {
        (taken[sink] ?? []).filter { $0.hasPrefix("\(name) ") }.map { String($0.dropFirst(name.count + 1)) }
    }

    func cursor(_ name: String) -> SinkCursor? { clerk.engine.state.sinks[name] }
    func parked(_ name: String) -> ParkedObject? { cursor(name)?.parked.values.first }

    // MARK: An agent

    static let agent = ObjectKey(.agent, namespace: "default", name: "one")

    mutating func startAgent(_ more: [(String, Node?)] = []) throws {
        let spec: [(String, Node?)] = [("command", ["x"])] + more
        let answer = try clerk.apply(Self.agent, .map([("spec", .map(spec))]))
        #expect(answer?.failureWords == nil)
        try clerk.settle([.observed(driver: "process", [:], complete: true)])
        let run = try #require(clerk.engine.state.objects[Self.agent]?.agent?.replicas.first?.phase.run?.id)
        try clerk.settle([.observed(driver: "process", [run: .running(pid: 7, startedAtMs: 5)], complete: true)])
        try settle()
    }

    var phase: AgentPhase? { clerk.engine.state.objects[Self.agent]?.agent?.summary.phase }
    var published: Condition? {
        clerk.engine.state.objects[Self.agent]?.agent?.summary.condition(.published)
    }
}

extension Answer {
    fileprivate var failureWords: String? { if case .failure(let refusal) = self { refusal.words } else { nil } }
}

@Suite struct SinkTests {
    private static let archive = SinkRule(name: "archive", isRequired: true)
    private static let mirror = SinkRule(name: "mirror")

    // MARK: Filters

    @Test(
        arguments: [
            ([], true), (["run.ready"], true), (["run.*"], true), (["*.ready"], true), (["*"], true),
            (["agent.*"], false),
            (["run"], false), (["run.ready.now"], false), (["agent.*", "*.ready"], true), (["run.rea*"], false),
        ] as [([String], Bool)]) func typesAreNamedOrMatched(_ types: [String], _ isWanted: Bool)
    {
        #expect(EventFilter(types: types).wants(type: "run.ready", namespace: "a", label: { _ in nil }) == isWanted)
    }

    @Test func namespacesAndLabelsChoose() throws {
        let filter = EventFilter(namespaces: ["team"], labels: try SelectorTerms("tier!=test"))
        #expect(filter.wants(type: "x.y", namespace: "team", label: { _ in nil }))
        #expect(!filter.wants(type: "x.y", namespace: "other", label: { _ in nil }))
        #expect(!filter.wants(type: "x.y", namespace: "team", label: { $0 == "tier" ? "test" : nil }))
    }

    @Test func aSinkIsGivenWhatItWants() throws {
        let filter = EventFilter(types: ["namespace.updated"], labels: try SelectorTerms("team=a"))
        var wharf = try Wharf([SinkRule(name: "mirror", filter: filter)])
        for (name, team) in [("one", "a"), ("two", "b"), ("one", "a")] {
            let metadata = Node.map([
                ("labels", .map([("team", .text(team))])),
                ("annotations", .map([("n", .text("\(wharf.clerk.engine.state.position)"))])),
            ])
            try wharf.clerk.apply(.namespace(name), .map([("metadata", metadata)]))
        }
        try wharf.settle()
        #expect(wharf.taken["mirror"] == ["one 2"])
        #expect(wharf.cursor("mirror")?.offset == wharf.journal.end, "what it does not want holds nothing up")
    }

    // MARK: Parking

    @Test func anEventThatIsNotTakenParksItsObjectForThatSinkAlone() throws {
        var wharf = try Wharf([Self.archive, Self.mirror])
        wharf.outcome = { sink, event in
            sink == "mirror" && event.type == "namespace.updated" ? .postponed("not now") : .confirmed
        }
        for note in ["1", "2", "3"] { try wharf.clerk.note("a", note) }
        try wharf.clerk.note("b", "1")
        try wharf.settle()
        #expect(wharf.taken("mirror", of: "a") == ["1"] && wharf.taken("mirror", of: "b") == ["1"])
        #expect(wharf.taken("archive", of: "a") == ["1", "2", "3"])
        #expect(wharf.parked("mirror")?.sequence == 2 && wharf.parked("mirror")?.reason == "not now")
        #expect(wharf.clerk.engine.sinkState("mirror") == .parked)
        // It comes again in its time, and what waits follows in its order.
        wharf.outcome = { _, _ in .confirmed }
        wharf.clerk.later(60_000)
        try wharf.settle()
        #expect(wharf.taken("mirror", of: "a") == ["1", "2", "3"] && wharf.parked("mirror") == nil)
        #expect(wharf.clerk.engine.sinkState("mirror") == .upToDate)
    }

    @Test func anEventIsADeadLetterAfterTheLimitOrAtOnce() throws {
        for outcome in [DeliveryVerdict.Outcome.postponed("not now"), .refused("never")] {
            var wharf = try Wharf([Self.mirror])
            wharf.outcome = { _, event in event.type == "namespace.updated" ? outcome : .confirmed }
            for note in ["1", "2"] { try wharf.clerk.note("a", note) }
            try wharf.settle()
            var tries = 1
            while wharf.parked("mirror")?.phase != .deadLettered, tries < 20 {
                wharf.clerk.later(Int64(Limits.publishBackoffMsMax) * 2)
                try wharf.settle()
                tries += 1
            }
            #expect(tries == (outcome == .refused("never") ? 1 : Limits.publishAttemptsMax))
            wharf.clerk.later(86_400_000)
            try wharf.settle()
            #expect(wharf.cursor("mirror")?.deadLetters == 1, "it waits for a person")
        }
    }

    /// However long ago, also for the next daemon.
    @Test func aDeadLetterHasItsAge() throws {
        var wharf = try Wharf([Self.mirror])
        wharf.outcome = { _, event in event.type == "namespace.updated" ? .refused("never") : .confirmed }
        for note in ["1", "2"] { try wharf.clerk.note("a", note) }
        let madeAt = wharf.clerk.now.wallMs
        try wharf.settle()
        wharf.clerk.later(3_600_000)
        for _ in 0..<2 {
            let lag = wharf.clerk.engine.sinkLag("mirror", nowMs: wharf.clerk.now.wallMs)
            #expect(lag.ms == wharf.clerk.now.wallMs - madeAt)
            try wharf.clerk.restart()
            try wharf.clerk.take([.sinks([Self.mirror])])
        }
    }

    /// A call with parked objects alone that fails says nothing of others.
    @Test func parkedObjectsThatFailHoldNothingNewUp() throws {
        var wharf = try Wharf([Self.mirror])
        wharf.outcome = { _, event in event.sequence == 2 ? .postponed("not now") : .confirmed }
        for note in ["1", "2"] { try wharf.clerk.note("a", note) }
        try wharf.settle()
        #expect(wharf.cursor("mirror")?.parked.count == 1)
        wharf.clerk.later(60_000)
        let request = try #require(wharf.clerk.engine.sinkRequests(wharf.clerk.now, besides: { _ in false }).first)
        if case .news = request.part { Issue.record("\(request.part)") }
        try wharf.clerk.settle([.fed(SinkReport(request, .lost("500")))])
        #expect(wharf.clerk.engine.sinkRequests(wharf.clerk.now, besides: { _ in false }).isEmpty, "in its time")
        #expect(wharf.clerk.engine.nextSinkBootMs(besides: { _ in false }) ?? 0 > wharf.clerk.now.bootMs)
        try wharf.clerk.note("b", "1")
        try wharf.settle()
        #expect(wharf.taken("mirror", of: "b") == ["1"])
    }

    @Test(arguments: ParkedResolution.allCases)
    func aDeadLetterIsReplayedSkippedOrDropped(_ resolution: ParkedResolution) throws {
        var wharf = try Wharf([Self.mirror])
        wharf.outcome = { _, event in event.sequence == 2 ? .refused("never") : .confirmed }
        for note in ["1", "2", "3"] { try wharf.clerk.note("a", note) }
        try wharf.settle()
        let position = try #require(wharf.parked("mirror")?.position)
        #expect(
            try wharf.clerk.request(.resolve(.skip, sink: "mirror", position: position + 50))?.failureWords != nil)
        #expect(try wharf.clerk.request(.resolve(.skip, sink: "other", position: position))?.failureWords != nil)
        wharf.outcome = { _, _ in .confirmed }
        try wharf.clerk.request(.resolve(resolution, sink: "mirror", position: position))
        try wharf.settle()
        try wharf.clerk.note("a", "4")
        try wharf.settle()
        switch resolution {
        case .replay: #expect(wharf.taken("mirror", of: "a") == ["1", "2", "3", "4"])
        case .skip: #expect(wharf.taken("mirror", of: "a") == ["1", "3", "4"])
        case .drop: #expect(wharf.taken("mirror", of: "a") == ["1", "4"])
        }
        #expect(wharf.parked("mirror") == nil)
    }

    // MARK: Failures

    @Test func aSinkThatIsAwayIsAskedAgainInItsTime() throws {
        var wharf = try Wharf([Self.archive, Self.mirror])
        wharf.failure = { $0 == "mirror" ? .lost("connection refused") : nil }
        try wharf.clerk.note("a", "1")
        try wharf.settle()
        #expect(wharf.taken("archive", of: "a") == ["1"] && wharf.taken("mirror", of: "a") == [])
        #expect(wharf.clerk.engine.sinkState("mirror") == .retrying)
        #expect(wharf.clerk.engine.sinkFacts("mirror").problem == "connection refused")
        #expect(wharf.clerk.engine.sinkLag("mirror", nowMs: wharf.clerk.now.wallMs + 500).ms == 500)
        let at = try #require(wharf.clerk.engine.nextSinkBootMs(besides: { _ in false }))
        #expect((150...250).contains(at - wharf.clerk.now.bootMs), "\(at - wharf.clerk.now.bootMs) ms")
        wharf.failure = { _ in .busy("later", afterMs: 7000) }
        wharf.clerk.later(1000)
        try wharf.settle()
        let asked = try #require(wharf.clerk.engine.nextSinkBootMs(besides: { _ in false }))
        #expect(asked == wharf.clerk.now.bootMs + 7000, "as it has asked for")
        wharf.failure = { _ in nil }
        wharf.clerk.later(7000)
        try wharf.settle()
        #expect(wharf.taken("mirror", of: "a") == ["1"])
    }

    @Test func aSinkThatWantsNothingMoreIsSwitchedOffAndOnAgain() throws {
        var wharf = try Wharf([Self.mirror])
        wharf.failure = { _ in .gone("410") }
        try wharf.clerk.note("a", "1")
        try wharf.settle()
        #expect(wharf.clerk.engine.sinkState("mirror") == .switchedOff && wharf.cursor("mirror")?.gone == "410")
        let told = try wharf.clerk.store.outbox(position: nil, stuckOnly: false, limit: 10).map(\.event.type)
        #expect(told.filter { $0 == "sink.gone" }.count == 1, "\(told)")
        wharf.failure = { _ in nil }
        wharf.clerk.later(86_400_000)
        try wharf.clerk.restart()
        try wharf.clerk.take([.sinks([Self.mirror])])
        try wharf.settle()
        #expect(wharf.taken("mirror", of: "a") == [], "it stays off")
        try wharf.clerk.request(.resolve(.replay, sink: "mirror", position: nil))
        try wharf.clerk.take([.delivered([], end: wharf.journal.end)])
        try wharf.settle()
        #expect(wharf.taken("mirror", of: "a") == ["1"])
    }

    @Test func aSinkGoesOnWhereItWasWhenItIsConfiguredAgain() throws {
        var wharf = try Wharf([Self.mirror])
        try wharf.clerk.note("a", "1")
        try wharf.settle()
        try wharf.clerk.take([.sinks([])])
        try wharf.clerk.note("a", "2")
        try wharf.settle()
        #expect(wharf.taken("mirror", of: "a") == ["1"] && wharf.clerk.engine.sinkState("mirror") == .notConfigured)
        #expect(wharf.clerk.engine.leastWantedOffset == nil, "it holds nothing up")
        try wharf.clerk.take([.sinks([Self.mirror, SinkRule(name: "new")])])
        try wharf.clerk.note("a", "3")
        try wharf.settle()
        #expect(wharf.taken("mirror", of: "a") == ["1", "2", "3"])
        #expect(wharf.taken("new", of: "a") == ["3"], "a new one begins with what comes")
    }

    @Test func aSinkThatTheJournalHasLeftBehindGoesOnAndIsTold() throws {
        var wharf = try Wharf([Self.mirror])
        wharf.failure = { _ in .lost("away") }
        for note in ["1", "2"] { try wharf.clerk.note("a", note) }
        try wharf.settle()
        #expect(wharf.clerk.engine.leastWantedOffset == wharf.cursor("mirror")?.offset)
        try wharf.clerk.take([.retained(from: wharf.journal.end)])
        wharf.failure = { _ in nil }
        wharf.clerk.later(60_000)
        try wharf.clerk.note("a", "3")
        try wharf.settle()
        #expect(wharf.taken("mirror", of: "a") == ["3"])
        let told = try wharf.clerk.store.outbox(position: nil, stuckOnly: false, limit: 10).map(\.event.type)
        #expect(told.contains("sink.expired"), "\(told)")
    }

    // MARK: Starts

    @Test func aStartWaitsForTheSinksThatAreRequired() throws {
        var wharf = try Wharf([Self.archive, Self.mirror])
        wharf.failure = { _ in .lost("away") }
        try wharf.startAgent()
        #expect(wharf.phase == .starting && wharf.published?.status == false)
        #expect(wharf.published?.reason == .waitingForSink && wharf.published?.message.contains("archive") == true)
        wharf.failure = { $0 == "mirror" ? .lost("away") : nil }
        wharf.clerk.later(60_000)
        try wharf.settle()
        #expect(wharf.phase == .ready && wharf.published?.status == true, "no other sink is waited for")
        // An outage takes Ready from nobody.
        wharf.failure = { _ in .gone("410") }
        try wharf.clerk.note("a", "1")
        try wharf.settle()
        #expect(wharf.phase == .ready)
    }

    @Test func aStartThatNeedsTheOutboxOnlyWaitsForNoSink() throws {
        var wharf = try Wharf([Self.archive])
        wharf.failure = { _ in .lost("away") }
        try wharf.startAgent([("consistency", .map([("readyRequires", "OutboxWritten")]))])
        #expect(wharf.phase == .ready)
    }

    @Test func aStartSaysWhichSinkHasRefusedItsEvents() throws {
        var wharf = try Wharf([Self.archive])
        wharf.outcome = { _, event in event.type == "run.starting" ? .refused("never") : .confirmed }
        try wharf.startAgent()
        let position = try #require(wharf.parked("archive")?.position)
        #expect(wharf.published?.reason == .deadLettered)
        #expect(wharf.published?.message.contains("position \(position)") == true, "\(wharf.published?.message ?? "")")
        try wharf.clerk.request(.resolve(.skip, sink: "archive", position: position))
        try wharf.settle()
        #expect(wharf.phase == .ready)
    }

    @Test func aStartWaitsOnThroughARestart() throws {
        var wharf = try Wharf([Self.archive])
        wharf.failure = { _ in .lost("away") }
        try wharf.startAgent()
        let run = try #require(wharf.clerk.engine.state.objects[Wharf.agent]?.agent?.replicas.first?.phase.run?.id)
        try wharf.clerk.restart()
        try wharf.clerk.settle([
            .delivered([], end: wharf.journal.end), .sinks([Self.archive]),
            .observed(driver: "process", [run: .running(pid: 7, startedAtMs: 5)], complete: true),
        ])
        #expect(wharf.phase == .starting && wharf.published?.reason == .waitingForSink)
        wharf.failure = { _ in nil }
        wharf.clerk.later(60_000)
        try wharf.settle()
        #expect(wharf.phase == .ready)
    }

    // MARK: Admission

    @Test func aRequiredSinkThatIsFarBehindHoldsNewWorkUp() throws {
        var wharf = try Wharf([Self.archive, Self.mirror])
        wharf.failure = { _ in .lost("away") }
        try wharf.clerk.take([.delivered([], end: Limits.sinkBehindBytesMax + wharf.journal.end)])
        let refused = try wharf.clerk.note("a", "1")
        guard case .failure(.deliveryBehind(sink: "archive", let afterMs))? = refused else {
            Issue.record("\(String(describing: refused))")
            return
        }
        #expect(afterMs >= 1000)
        #expect(try wharf.clerk.request(.resolve(.replay, sink: "archive", position: nil))?.failureWords == nil)
        try wharf.clerk.take([.sinks([Self.mirror])])
        #expect(try wharf.clerk.note("a", "1")?.failureWords == nil, "only what is required is waited for")
    }

    @Test func anOutboxThatIsFullHoldsNewWorkUp() throws {
        let wharf = try Wharf([])
        var state = try wharf.clerk.store.load()
        state.backlog = Limits.outboxPendingMax
        var engine = Engine(state: state, settings: EngineSettings())
        func ask(_ verb: Request.Verb, _ principal: Principal) -> Refusal? {
            let request = Request(id: 1, principal: principal, verb: verb)
            guard case .failure(let refusal)? = engine.step([.request(request)], wharf.clerk.now).answers.first?.answer
            else { return nil }
            return refusal
        }
        let user = Principal(user: "test", via: .socket)
        let write = Request.Write.apply(
            key: .namespace("b"), node: .emptyMap, manager: "test", force: true, dryRun: false, source: "",
            freshUID: UID(high: 1, low: 2))
        guard case .deliveryBehind(sink: nil, _)? = ask(.write(write), user) else {
            Issue.record("a new object was taken")
            return
        }
        #expect(ask(.write(write), .daemon) == nil)
        #expect(
            ask(.delete(.namespace("c"), graceMs: 0), user) == .notFound(.namespace("c")), "what ends things goes on")
    }
}
