import Manifests
import Planner
import Testing
import Values

@testable import Reconciler

/// Several changes as one: what is told before is what is done, or nothing is.
@Suite struct BatchTests {
    private var house = House()
    private var uids: UInt64 = 0

    private mutating func writes(_ items: [(ObjectKey, String)]) -> [Request.Write] {
        items.map { key, text in
            uids += 1
            return .apply(
                key: key, node: read(json: text), manager: "test", force: true, dryRun: false,
                source: "t.yaml:\(uids)", freshUID: UID(high: 9, low: uids))
        }
    }

    private func forecast(_ batch: Request.Batch) -> Forecast? {
        let request = Request(id: 1, principal: Principal(user: "test", via: .socket), verb: .batch(batch))
        guard
            case .forecast(let forecast)? = house.engine.rehearse([.request(request)], house.now).answers.first?.answer
        else { return nil }
        return forecast
    }

    private static func told(_ forecast: Forecast?) -> [String] {
        (forecast?.changes ?? []).map { change in
            let effects = change.effects.map { "\($0)" }.joined(separator: " ")
            let waits = change.waits.map { " waits: \($0.message)" } ?? ""
            return "\(change.action) \(change.key.name) \(effects)\(waits)"
        }
    }

    private static let web = #"{"spec":{"command":["x"]}}"#
    private static let api = #"{"spec":{"command":["x"],"dependsOn":[{"name":"web"}]}}"#

    @Test mutating func whatIsToldBeforeIsWhatIsDone() throws {
        house.write(.agent("late"), .apply(read(json: Self.api), force: true))
        let writes = writes([
            (.map("m"), #"{"data":{"k":"v"}}"#), (.agent("web"), Self.web), (.agent("api"), Self.api),
        ])
        let plan = try #require(forecast(Request.Batch(.writes(writes))))
        #expect(
            Self.told(plan) == [
                "create m ", "create web start(ordinal: 0)", "create api  waits: agent \"web\" is not Ready yet",
            ])
        #expect(house[.agent("web")] == nil, "nothing has come of it")
        guard case .forecast(let done)? = house.ask(.batch(Request.Batch(.writes(writes), expected: plan.standings)))
        else {
            Issue.record("it was not done")
            return
        }
        #expect(Self.told(done) == Self.told(plan))
        #expect(house[.agent("web")]?.agent?.replicas.first?.attempt == 1 && house[.map("m")] != nil)
        // Now it is as declared: nothing is left to do.
        #expect(Self.told(forecast(Request.Batch(.writes(writes)))).allSatisfy { $0.hasPrefix("keep") })
    }

    /// What waits for something of the batch is told beside it.
    @Test mutating func whatFollowsIsTold() throws {
        let needs = #"{"spec":{"command":["x"],"envFrom":[{"configMapRef":{"name":"m"}}]}}"#
        house.write(.agent("reader"), .apply(read(json: needs), force: true))
        let writes = writes([(.map("m"), #"{"data":{"k":"v"}}"#)])
        #expect(
            Self.told(forecast(Request.Batch(.writes(writes)))) == ["create m ", "follow reader start(ordinal: 0)"])
    }

    @Test mutating func oneRefusalRefusesAll() throws {
        let writes = writes([(.map("m"), #"{"data":{"k":"v"}}"#), (.agent("bad"), #"{"spec":{"command":"x"}}"#)])
        guard case .forecast(let forecast)? = house.ask(.batch(Request.Batch(.writes(writes)))) else {
            Issue.record("no forecast")
            return
        }
        #expect(forecast.isRefused && forecast.changes.map(\.action) == [.create, .refuse])
        #expect(house[.map("m")] == nil)
    }

    /// Nothing is done of a plan that things have moved away from, and what has moved is said.
    @Test(arguments: [
        ("declared", "agent.agentos.dev/web was changed"), ("made", "configmap/m was made"),
        ("gone", "configmap/k was deleted"), ("anew", "configmap/k was deleted and made again"),
        ("replica", "replica 0 of agent.agentos.dev/web was starting and is down"),
        ("waits", "agent.agentos.dev/api waited for DependencyNotReady and waits for nothing"),
    ])
    mutating func aPlanThatThingsHaveMovedAwayFromIsRefused(_ what: String, _ words: String) throws {
        house.write(.agent("web"), .apply(read(json: Self.web), force: true))
        house.write(.map("k"), .apply(read(json: #"{"data":{"k":"1"}}"#), force: true))
        let writes = writes([
            (.map("m"), #"{"data":{"k":"v"}}"#), (.map("k"), #"{"data":{"k":"2"}}"#),
            (.agent("web"), #"{"spec":{"command":["y"]}}"#),
            (.agent("api"), Self.api),
        ])
        let plan = try #require(forecast(Request.Batch(.writes(writes))))
        let run = try #require(house[.agent("web")]?.agent?.replicas.first?.phase.run?.id)
        switch what {
        case "declared":
            house.write(
                .agent("web"), .patch(.merge(try MergePatch(read(json: #"{"metadata":{"labels":{"a":"b"}}}"#)))))
        case "made": house.write(.map("m"), .apply(read(json: #"{"data":{"k":"other"}}"#), force: true))
        case "gone", "anew":
            house.ask(.delete(.map("k"), graceMs: nil))
            if what == "anew" { house.write(.map("k"), .apply(read(json: #"{"data":{"k":"1"}}"#), force: true)) }
        case "replica":
            let exit = Exit(code: 1, reason: .error, atMs: house.now.wallMs)
            house.take([.observed(driver: "process", [run: .exited(exit)], complete: true)])
        case "waits":
            var old = plan.standings
            let place = try #require(old.firstIndex { $0.key.name == "api" })
            // As it was: the dependency of a batch is never Ready in its own step.
            #expect(old[place].waits == .dependencyNotReady)
            old[place].waits = nil
            let answer = house.ask(.batch(Request.Batch(.writes(writes), expected: old)))
            #expect(answer?.refusal?.words.contains("waited for nothing and waits for DependencyNotReady") == true)
            return
        default: break
        }
        let before = house[.map("m")]
        let answer = house.ask(.batch(Request.Batch(.writes(writes), expected: plan.standings)))
        guard case .conflict(_, .moved)? = answer?.refusal else {
            Issue.record("\(what): \(String(describing: answer))")
            return
        }
        #expect(answer?.refusal?.words.contains(words) == true, "\(answer?.refusal?.words ?? "")")
        #expect(house[.map("m")] == before, "nothing was done")
    }

    /// The driver has answered for the first start.
    private mutating func begun(_ run: RunID) {
        guard let started = house[.agent("web")]?.agent?.replicas.first?.phase.run else { return }
        var start = Operation(run: run, driver: "process", verb: .start(started))
        start.number = 1
        house.take([.finished(start, .done)])
    }

    /// All that the drivers are asked for is done.
    private mutating func settle(_ inputs: [Input]) {
        var step = house.take(inputs)
        while !step.operations.isEmpty { step = house.take(step.operations.map { .finished($0, .done) }) }
    }

    /// What a crash loop does in a moment does not stand against its mending.
    @Test mutating func aCrashLoopIsOneThingWhateverItDoesNow() throws {
        house.write(.agent("web"), .apply(read(json: Self.web), force: true))
        begun(try #require(house[.agent("web")]?.agent?.replicas.first?.phase.run?.id))
        func phase() -> String { house[.agent("web")]?.agent?.replicas.first.map { "\($0.phase.name)" } ?? "" }
        var standings: Set<String> = []
        var phases: Set<String> = []
        let writes = writes([(.agent("web"), #"{"spec":{"command":["y"]}}"#)])
        for round in 0..<40 {
            house.now.bootMs += 30_000
            house.now.wallMs += 30_000
            var inputs: [Input] = []
            if let run = house[.agent("web")]?.agent?.replicas.first?.phase.run?.id, phase() == "starting" {
                inputs = [
                    .observed(
                        driver: "process", [run: .exited(Exit(code: 1, reason: .error, atMs: house.now.wallMs))],
                        complete: true)
                ]
            }
            settle(inputs)
            guard round > 24 else { continue }
            phases.insert(phase())
            let forecast = forecast(Request.Batch(.writes(writes)))
            standings.insert(forecast?.standings.first?.replicas.map(\.rawValue).joined() ?? "")
        }
        #expect(standings == ["in a crash loop"] && phases.count > 1, "\(standings) \(phases)")
    }
}
