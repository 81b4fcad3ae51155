import Manifests
import Planner
import Testing
import Values

@testable import Reconciler

/// Objectives as the engine looks at them, and what it refuses while a budget is spent.
@Suite struct FreezeTests {
    private var house = House()
    private let objective = ObjectKey(.objective, namespace: "", name: "api")
    private let agent = ObjectKey.agent("a")

    init() {
        house.principal = .master
        let spec = #"{"spec":{"indicator":"RequestSuccess","target":99,"window":"24h","freeze":true}}"#
        house.write(objective, .create(read(json: spec)))
        house.write(agent, .create(Self.agent("one")))
        house.write(agent, .update(Self.agent("two")))
    }

    private static func agent(_ word: String, replicas: Int = 1, suspend: Bool = false, reason: String? = nil) -> Node {
        let annotation = reason.map { #","annotations":{"\#(Freeze.annotation)":"\#($0)"}"# } ?? ""
        return read(
            json: """
                {"metadata":{"labels":{"x":"y"}\(annotation)},
                 "spec":{"command":["run","\(word)"],"replicas":\(replicas),"suspend":\(suspend)}}
                """)
    }

    /// What has been measured is looked at a moment later.
    @discardableResult private mutating func measure(good: Int, bad: Int) -> [String] {
        house.take([.measured([.requests: Counts(good: good, bad: bad)])])
        return pass(6_000)
    }

    private mutating func pass(_ ms: Int64) -> [String] {
        house.now.bootMs += ms
        house.now.wallMs += ms
        return house.take([]).changes.events.map(\.type).filter { $0.hasPrefix("objective.") }
    }

    private var phase: ObjectivePhase? { house[objective]?.objective?.reading.phase }

    @Test mutating func anObjectiveTellsWhenItsBudgetBurnsIsSpentAndRecovers() {
        #expect(measure(good: 1000, bad: 0) == [])
        #expect(phase == .met)
        _ = pass(2 * 3_600_000)
        #expect(measure(good: 20, bad: 8) == ["objective.burning"])
        #expect(measure(good: 0, bad: 8) == ["objective.spent"])
        #expect(house[objective]?.objective?.conditions.map(\.condition.status) == [false, true])
        #expect(pass(26 * 3_600_000) == ["objective.recovered"])
        #expect(phase == .noData)
    }

    @Test mutating func whatIsNoNewsIsNotWritten() {
        measure(good: 1000, bad: 0)
        let version = house[objective]?.resourceVersion
        measure(good: 1, bad: 0)
        #expect(house[objective]?.resourceVersion == version, "its numbers are written once a minute")
        _ = pass(61_000)
        #expect(house[objective]?.resourceVersion != version)
    }

    @Test mutating func whileABudgetIsSpentOnlyWhatHelpsIsTaken() throws {
        measure(good: 10, bad: 10)
        #expect(phase == .spent && house.engine.state.freezing == objective)
        func isFrozen(_ answer: Answer?) -> Bool {
            if case .forbidden(_, .frozen("api", _))? = answer?.refusal { true } else { false }
        }
        for change in [Self.agent("three"), Self.agent("two", replicas: 2)] {
            #expect(isFrozen(house.write(agent, .update(change))))
        }
        #expect(isFrozen(house.write(.agent("b"), .create(Self.agent("one")))))
        #expect(isFrozen(house.write(agent, .update(Self.agent("one")))), "nobody has said that this was before")
        let labels = read(json: #"{"metadata":{"labels":{"x":"z"}}}"#)
        let patch = try MergePatch(labels)
        #expect(house.write(agent, .patch(.merge(patch)))?.applied != nil, "that is no spec")
        #expect(house.write(.map("m"), .create(read(json: #"{"data":{"a":"b"}}"#)))?.applied != nil)

        var undo = Request.Write(
            key: agent, .update(Self.agent("one")), manager: "test", freshUID: UID(high: 9, low: 9))
        undo.earlierTemplates = [AgentSpec.template(of: Self.agent("one")["spec"] ?? .emptyMap)]
        let earlier = house[agent].map { AgentSpec.template(of: $0.content["spec"] ?? .emptyMap) }
        undo.earlierTemplates.append(
            .map((earlier?.map?.entries ?? []).map { ($0.key, $0.key == "command" ? ["run", "one"] : $0.value) }))
        var scaled = undo
        scaled.operation = .update(Self.agent("one", replicas: 3))
        #expect(isFrozen(house.ask(.write(scaled))), "it is more than a rollback")
        #expect(house.ask(.write(undo))?.applied?.result == .configured)
        #expect(house.write(agent, .update(Self.agent("one", suspend: true)))?.applied != nil)
        #expect(isFrozen(house.write(agent, .update(Self.agent("one")))), "to resume is a change")
        let thaw = try MergePatch(read(json: #"{"spec":{"freeze":false}}"#))
        #expect(house.write(objective, .patch(.merge(thaw)))?.applied != nil)
        #expect(house.write(agent, .update(Self.agent("one")))?.applied != nil)
    }

    @Test mutating func anOverrideNeedsItsRightAndAReasonEachTimeAndIsInTheAudit() {
        measure(good: 10, bad: 10)
        house.principal = Principal(user: "mallory", via: .token)
        let refused = house.write(agent, .update(Self.agent("three", reason: "mine")))?.refusal
        #expect(refused == .forbidden(agent, .freezeOverride(objective: "api", user: "mallory")))
        house.principal = .master
        var write = Request.Write(
            key: agent, .update(Self.agent("three", reason: "the fix")), manager: "test", freshUID: UID(high: 9, low: 9)
        )
        let step = house.take([.request(Request(id: 99, principal: .master, verb: .write(write)))])
        let entry = step.changes.audit.first { $0.verb == "override-freeze" }
        #expect(entry?.detail == "objective api: the fix" && entry?.principal.user == "root" && entry?.key == agent)
        write.operation = .update(Self.agent("four", reason: "the fix"))
        #expect(house.ask(.write(write))?.refusal != nil, "the same reason again")
    }

    @Test mutating func whatWasMeasuredIsWrittenWithOthersOrAloneAndNotEachTime() {
        func writes(_ step: Step) -> Int { step.changes.measurements.count }
        _ = pass(120_000)
        house.take([.measured([.requests: Counts(good: 1)])])
        house.now.bootMs += 1000
        #expect(writes(house.take([.measured([.requests: Counts(good: 1)])])) == 0)
        let due = house.engine.nextWakeBootMs() ?? .max
        #expect(due <= house.now.bootMs + 30_000)
        house.now.bootMs += 31_000
        house.now.wallMs += 31_000
        #expect(writes(house.take([])) >= 2, "the clock and the bucket")
        #expect(writes(house.take([])) == 0)
    }
}
