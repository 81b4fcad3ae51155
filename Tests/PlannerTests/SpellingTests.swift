import Drivers
import Manifests
import Planner
import Reconciler
import Testing
import Values

private let now = Moment(wallMs: 1_800_000_000_000, boot: 1, bootMs: 100_000)
private let key = ObjectKey(.agent, namespace: "default", name: "a")

/// What the engine makes of another spelling, and of what another version of the program has stored.
@Suite struct SpellingTests {
    private var engine = Engine(state: EngineState(), settings: EngineSettings(drivers: .all))

    private mutating func ask(_ verb: Request.Verb) -> Answer? {
        let principal = Principal(user: "test", via: .socket)
        let step = engine.step([.request(Request(id: 1, principal: principal, verb: verb))], now)
        engine.committed(step)
        return step.answers.first?.answer
    }

    private mutating func apply(_ key: ObjectKey, _ node: Node) -> Answer? {
        ask(
            .write(
                Request.Write.apply(
                    key: key, node: node, manager: "test", force: true, dryRun: false, source: "",
                    freshUID: UID(high: 1, low: UInt64(key.name.utf8.count)))))
    }

    private func spec(_ more: [(String, Node?)]) -> Node { .map([("spec", .map([("command", ["x"])] + more))]) }

    private static func cpu(_ text: Node) -> [(String, Node?)] {
        [("resources", .map([("limits", .map([("cpu", text)]))]))]
    }

    @Test mutating func anotherSpellingIsUnchangedAndRestartsNothing() {
        _ = apply(ObjectKey(.namespace, namespace: "", name: "default"), .emptyMap)
        _ = apply(key, spec(Self.cpu(1)))
        let before = engine.state.objects[key]
        let others: [[(String, Node?)]] = [
            Self.cpu("1"), Self.cpu("1000m"), Self.cpu(1) + [("args", [])],
            Self.cpu(1) + [("network", .map([("mode", "Host")]))],
        ]
        for more in others {
            guard case .applied(let applied)? = apply(key, spec(more)) else {
                Issue.record("\(more) was not applied")
                continue
            }
            #expect(applied.result == .unchanged && applied.restarts.isEmpty)
            #expect(engine.state.objects[key]?.generation == before?.generation)
            #expect(engine.state.objects[key]?.agent?.revision == 1)
        }
        guard case .applied(let applied)? = apply(key, spec(Self.cpu("2"))) else {
            Issue.record("a change was not applied")
            return
        }
        #expect(applied.result == .configured && applied.restarts == ["spec.resources"])
    }

    /// A stored spec that is refused today keeps neither the agent nor a finalizer.
    @Test mutating func whatIsRefusedTodayIsDeleted() {
        _ = apply(ObjectKey(.namespace, namespace: "", name: "default"), .emptyMap)
        let metadata = Node.map([("finalizers", ["a/b"])])
        var content = spec([("replicas", 0)] + Self.cpu("9000000000000000"))
        content["metadata"] = metadata
        var object = StoredObject(key: key, uid: UID(high: 7, low: 7), createdAtMs: 0, content: content)
        object.agent = AgentState(
            effective: EffectiveSpec(content["spec"] ?? .emptyMap), progressBy: Deadline(now, afterMs: 1))
        object.managers = [
            FieldManager(
                name: "test", operation: .apply, timeMs: 0,
                fields: FieldTree([["metadata", "finalizers"], ["spec", "replicas"]]))
        ]
        var state = engine.state
        state.objects[key] = object
        engine = Engine(state: state, settings: engine.settings)
        _ = ask(.delete(key, graceMs: nil))
        #expect(engine.state.objects[key]?.deletion != nil)
        _ = apply(key, .map([("spec", .map([("replicas", 0)]))]))
        #expect(engine.state.objects[key] == nil)
    }
}
