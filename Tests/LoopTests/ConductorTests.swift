import Loop
import Planner
import Reconciler
import Testing
import Values

/// The order of things between step, commit, delivery and stop.
@Suite struct ConductorTests {
    private var conductor = Conductor(engine: Engine(state: EngineState(), settings: EngineSettings()))
    private var now = Moment(wallMs: 1_800_000_000_000, boot: 1, bootMs: 1000)

    /// What named sinks were asked last.
    private var asked: [String: SinkRequest] = [:]

    private mutating func take(_ report: Conductor.Report) -> [String] {
        let actions = conductor.take(report, now)
        for case .feed(let request) in actions { asked[request.sink] = request }
        return actions.map { action in
            switch action {
            case .commit: "commit"
            case .release: "release"
            case .refuse: "refuse"
            case .fetch: "fetch"
            case .deliver(let events): "deliver \(events.map(\.position))"
            case .feed(let request): "feed \(request.sink) from \(request.from)"
            case .close: "close"
            case .exit(let ending): "exit \(ending)"
            }
        }
    }

    private static func request(_ name: String) -> Input {
        let apply = Request.Write.apply(
            key: ObjectKey(.namespace, namespace: "", name: name), node: .emptyMap, manager: "test", force: true,
            dryRun: false, source: "", freshUID: UID(high: 1, low: UInt64(name.utf8.first ?? 0)))
        return .request(Request(id: 1, principal: Principal(user: "test", via: .socket), verb: .write(apply)))
    }

    private static func verdict(_ position: Int64, _ name: String) -> DeliveryVerdict {
        DeliveryVerdict(
            EventRecord(
                position: position, uid: UID(high: 1, low: UInt64(name.utf8.first ?? 0)), sequence: 1, type: "x",
                namespace: "", atMs: 1, payload: "{}"))
    }

    @Test mutating func inputsGatherWhileACommitIsUnderWay() {
        #expect(take(.inputs([Self.request("a")])) == ["commit"])
        #expect(take(.inputs([Self.request("b")])) == [])
        #expect(take(.committed(nil)) == ["release", "deliver [1]", "commit"])
        #expect(take(.committed(nil)) == ["release"], "a second delivery waits for the first")
    }

    @Test mutating func aDeliveryEndsWithTheCommitOfItsVerdicts() {
        _ = take(.inputs([Self.request("a")]))
        #expect(take(.committed(nil)) == ["release", "deliver [1]"])
        #expect(take(.delivered(.success([Self.verdict(1, "a")]))) == ["commit"])
        #expect(take(.woken) == [])
        #expect(take(.committed(nil)) == ["release"])
        #expect(conductor.engine.state.backlog == 0)
    }

    @Test mutating func aSinkThatCannotBeReachedIsTriedAgainInItsTime() {
        _ = take(.inputs([Self.request("a")]))
        _ = take(.committed(nil))
        #expect(take(.delivered(.failure(.lost("down")))) == ["release"])
        now.bootMs = conductor.wakeAtBootMs(now) ?? 0
        #expect(take(.woken) == ["fetch", "release"])
    }

    @Test mutating func aFailedCommitIsRefusedAndItsInputsWait() {
        let left = UID(high: 9, low: 9)
        _ = take(.inputs([Self.request("a"), .homesRemoved(left)]))
        #expect(take(.committed(.retry("full"))) == ["refuse"])
        #expect(conductor.storeProblem == "full" && conductor.engine.state.objects.isEmpty)
        #expect(take(.inputs([Self.request("b")])) == [], "a full disk does not spin")
        #expect(conductor.wakeAtBootMs(now) == now.bootMs + Limits.storeRetryMs)
        now.bootMs += Limits.storeRetryMs
        #expect(take(.woken) == ["commit"])
        #expect(conductor.committing?.changes.tombstonesCleared == [left])
        _ = take(.committed(nil))
        #expect(conductor.storeProblem == nil && conductor.engine.state.objects.keys.map(\.name) == ["b"])
    }

    @Test mutating func aStopWaitsForTheCommitThatIsUnderWay() {
        _ = take(.inputs([Self.request("a")]))
        #expect(take(.stop) == [] && !conductor.takesRequests)
        #expect(take(.committed(nil)) == ["release", "close"])
        #expect(take(.closed) == ["exit stopped"])
        #expect(take(.inputs([Self.request("b")])) == [] && conductor.wakeAtBootMs(now) == nil)
    }

    @Test mutating func aStopDoesNotWaitForEverForAStoreThatHangs() {
        _ = take(.inputs([Self.request("a")]))
        _ = take(.stop)
        now.bootMs = conductor.wakeAtBootMs(now) ?? 0
        #expect(take(.woken) == ["close"])
        #expect(take(.woken) == ["exit stopped"])
    }

    /// Of a commit, of a fetch, of anything beside them: the daemon ends, once.
    @Test(arguments: [0, 1, 2]) mutating func aFatalErrorOfTheStoreEndsTheDaemon(_ place: Int) {
        _ = take(.inputs([Self.request("a")]))
        let failure = StoreFailure.fatal("input/output error")
        let report: Conductor.Report =
            switch place {
            case 0: .committed(failure)
            case 1: .fetched(.failure(failure))
            default: .storeFailed(failure)
            }
        #expect(take(report) == ["exit storeFailed(\"input/output error\")"])
        #expect(take(report) == [])
    }
}

/// Named sinks beside the journal.
extension ConductorTests {
    private mutating func publish(_ name: String, _ position: Int64) {
        _ = take(.inputs([Self.request(name)]))
        _ = take(.committed(nil))
        _ = take(.delivered(.success([Self.verdict(position, name)]), end: position))
    }

    private func report(_ sink: String, _ failure: SinkFailure) -> Conductor.Report? {
        asked[sink].map { .fed(SinkReport($0, failure)) }
    }

    @Test mutating func aSinkThatIsSlowSlowsNoOther() throws {
        let rules = [SinkRule(name: "fast"), SinkRule(name: "slow")]
        #expect(take(.inputs([.sinks(rules)])) == ["commit"])
        _ = take(.committed(nil))
        publish("a", 1)
        #expect(take(.committed(nil)) == ["release", "feed fast from 0", "feed slow from 0"])
        // One of the two fails and is left alone for a moment; the other is busy all the time.
        #expect(take(try #require(report("fast", .lost("down")))) == ["release"])
        now.bootMs = conductor.wakeAtBootMs(now) ?? 0
        #expect(take(.woken) == ["feed fast from 0"])
        // What comes late from a call that was given up is nobody's.
        let late = asked["slow"]
        #expect(take(try #require(report("slow", .lost("no answer")))) == ["release"])
        now.bootMs += 10_000
        #expect(take(.woken) == ["feed slow from 0"])
        #expect(take(.fed(SinkReport(try #require(late), .lost("late")))) == [])
    }
}
