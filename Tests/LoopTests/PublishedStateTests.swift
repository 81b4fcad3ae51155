import Manifests
import Planner
import Reconciler
import Testing
import Values

@testable import Loop

@Suite struct PublishedStateTests {
    private let key = ObjectKey(.agent, namespace: "default", name: "one")

    private func shown(_ published: PublishedState, _ engine: Engine) -> String {
        let bytes = published[.agent]["default", "one"]?.text(engine.state) {
            Array("\($0.agent?.summary.phase.rawValue ?? "")".utf8)
        }
        return String(decoding: bytes ?? [], as: UTF8.self)
    }

    /// Nobody is shown as Ready who is not, and nothing else of what could not be stored is shown.
    @Test func whatEndsWhileNothingCanBeStoredIsNotReady() throws {
        let process = DriverCapabilities(
            name: "process", program: .command(why: "there are no images"), usualNetwork: .host, hasOwnUsers: false,
            features: Set(AgentFeature.allCases))
        var engine = Engine(state: EngineState(), settings: EngineSettings(drivers: DriverTable([process])))
        var published = PublishedState(engine.state)
        let now = Moment(wallMs: 1_800_000_000_000, boot: 1, bootMs: 1000)
        var lastRequest = 0
        func apply(_ key: ObjectKey, _ node: Node) -> Input {
            lastRequest += 1
            let write = Request.Write.apply(
                key: key, node: node, manager: "test", force: true, dryRun: false, source: "",
                freshUID: UID(high: 1, low: UInt64(lastRequest)))
            return .request(
                Request(id: lastRequest, principal: Principal(user: "test", via: .socket), verb: .write(write)))
        }
        func step(_ inputs: [Input], isStored: Bool = true) {
            let step = engine.step(inputs, now)
            guard isStored else {
                _ = engine.failed(step)
                return published.refuse(step, engine.state)
            }
            let keys = published.supersede(step, engine.state)
            engine.committed(step)
            _ = published.take(step, keys, engine.state)
        }
        let spec = Node.map([
            ("command", ["x"]), ("consistency", .map([("readyRequires", "OutboxWritten")])),
            ("backoff", .map([("initialSeconds", 9)])),
        ])
        step([apply(ObjectKey(.namespace, namespace: "", name: "default"), .emptyMap)])
        step([.observed(driver: "process", [:], complete: true), apply(key, .map([("spec", spec)]))])
        let run = try #require(engine.state.objects[key]?.agent?.replicas.first?.phase.run?.id)
        step([.observed(driver: "process", [run: .running(pid: 7, startedAtMs: 1)], complete: false)])
        step([])
        #expect(shown(published, engine) == "Ready")

        let exit = Input.observed(
            driver: "process", [run: .exited(Exit(signal: 9, reason: .error, atMs: 2))], complete: false)
        let other = ObjectKey(.namespace, namespace: "", name: "other")
        step([exit, apply(other, .emptyMap)], isStored: false)
        #expect(engine.state.objects[key]?.agent?.summary.isReady == true)
        #expect(["Failed", "BackingOff"].contains(shown(published, engine)))
        #expect(published[.namespace]["", "other"] == nil)
        // It can be stored again, and what is stored is shown.
        step([])
        #expect(shown(published, engine) == engine.state.objects[key]?.agent?.summary.phase.rawValue)
        #expect(engine.state.objects[key]?.agent?.summary.isReady == false)
    }
}
