import Drivers
import Manifests
import Planner
import Reconciler
import Testing
import Values

private let now = Moment(wallMs: 1_800_000_000_000, boot: 1, bootMs: 100_000)
private let uid = UID(high: 1, low: 2)

/// What is told of an agent by a plan for it.
func conditions(_ snapshot: Snapshot, _ plan: Plan) -> [Condition.Kind: Condition] {
    let summary = Summary(snapshot, plan, progressDue: false)
    return Dictionary(summary.conditions.map { ($0.kind, $0) }, uniquingKeysWith: { first, _ in first })
}

/// What a store holds that this version of the program would not take.
@Suite struct StoredSpecTests {
    private static let poison = EffectiveSpec(
        .map([
            ("command", ["x"]), ("resources", .map([("limits", .map([("cpu", "9000000000000000")]))])),
        ]))

    @Test func anAgentWhoseSpecIsRefusedIsNotStartedAndSaysSo() {
        let snapshot = Snapshot(uid: uid, effective: Self.poison, revision: 1, replicas: [])
        let plan = plan(snapshot, now)
        #expect(plan.operations.isEmpty && plan.transitions.isEmpty)
        let conditions = conditions(snapshot, plan)
        #expect(conditions[.scheduled]?.status == false && conditions[.scheduled]?.reason == .invalidSpec)
        #expect(conditions[.ready]?.message.contains("spec.resources.limits.cpu: ") == true)
    }

    /// A run that an earlier version started goes on; the condition tells of the spec all the same.
    @Test func itsLiveRunGoesOn() {
        let run = Run(
            id: RunID(uid: uid, ordinal: 0, attempt: 1), revision: 1, effective: Self.poison, createdAtMs: 0,
            startBy: Deadline(now, afterMs: 30_000))
        var replica = Replica(ordinal: 0)
        replica.attempt = 1
        replica.phase = .ready(run)
        var snapshot = Snapshot(uid: uid, effective: Self.poison, revision: 1, replicas: [replica])
        snapshot.instances[run.id] = .running(pid: 7, startedAtMs: 0)
        let plan = plan(snapshot, now)
        #expect(plan.isEmpty && conditions(snapshot, plan)[.scheduled]?.reason == .invalidSpec)
        #expect(conditions(snapshot, plan)[.ready]?.status == true)
        #expect(run.spec.resources.limitCpuMilli == 1_000_000_000)
    }

    @Test func itIsDeleted() {
        var snapshot = Snapshot(uid: uid, effective: Self.poison, revision: 1, replicas: [Replica(ordinal: 0)])
        snapshot.isDeleting = true
        let plan = plan(snapshot, now)
        #expect(plan.replicas.allSatisfy { !$0.phase.isLive })
    }

    /// Arguments and variables may refer to what every agent is given, and nothing replaces that.
    @Test func givenVariablesExpand() {
        let effective = EffectiveSpec(
            .map([
                ("command", ["x", "--id=$(AGENTOS_ORDINAL)"]),
                ("args", ["$(AGENTOS_AGENT)/$(WHO)", "$$(AGENTOS_RUN)"]),
                (
                    "env",
                    [
                        .map([("name", "WHO"), ("value", "$(AGENTOS_NAMESPACE)-$(AGENTOS_ORDINAL)-$(LATER)")]),
                        .map([("name", "LATER"), ("value", "y")]),
                    ]
                ),
                ("envFrom", [.map([("configMapRef", .map([("name", "c")]))])]),
            ]))
        var state = EngineState()
        let map = StoredObject(
            key: ObjectKey(.configMap, namespace: "team", name: "c"), uid: UID(high: 3, low: 3), createdAtMs: 0,
            content: .map([("data", .map([("AGENTOS_ORDINAL", "99"), ("B", "z")]))]))
        var agent = StoredObject(
            key: ObjectKey(.agent, namespace: "team", name: "a"), uid: uid, createdAtMs: 0, content: .emptyMap)
        agent.agent = AgentState(effective: effective, progressBy: Deadline(now, afterMs: 1))
        for object in [map, agent] { state.objects[object.key] = object }
        let run = Run(
            id: RunID(uid: uid, ordinal: 7, attempt: 1), revision: 1, effective: effective, createdAtMs: 0,
            startBy: Deadline(now, afterMs: 1))
        let context = Engine(state: state, settings: EngineSettings(drivers: .all)).startContext(run)
        #expect(context?.arguments == ["x", "--id=7", "a/team-7-$(LATER)", "$(AGENTOS_RUN)"])
        let names = context?.environment.map(\.name) ?? []
        #expect(names == ["B", "WHO", "LATER", "AGENTOS_NAMESPACE", "AGENTOS_AGENT", "AGENTOS_ORDINAL", "AGENTOS_RUN"])
        #expect(context?.environment.first { $0.name == "AGENTOS_ORDINAL" }?.value == "7")
    }
}
