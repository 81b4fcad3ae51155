import Manifests
import Planner
import Testing
import Values

@testable import Reconciler

/// What was not at rest, or never came to it, in a life of the simulation.
@Suite struct ComingToRestTests {
    private var house = House()

    private mutating func apply(_ name: String, _ spec: String) {
        let node = read(json: #"{"spec":{"command":["run"],"consistency":{"readyRequires":"OutboxWritten"},\#(spec)}}"#)
        house.write(.agent(name), .apply(node, force: true))
        house.settle()
    }

    private func phase(_ name: String) -> AgentPhase? { house[.agent(name)]?.agent?.summary.phase }

    @Test(arguments: [("Freeze", true), ("Stop", false)])
    mutating func whatIsFrozenHoldsNobodyUp(_ mode: String, livesOn: Bool) {
        apply("base", #""replicas":1"#)
        let dependent = #""dependsOn":[{"name":"base","condition":"Started"}]"#
        apply("user", dependent)
        #expect(phase("user") == .ready)
        apply("user", dependent + #","suspend":true,"suspendMode":"\#(mode)""#)
        #expect(house[.agent("user")]?.agent?.summary.hasLive == livesOn)
        _ = house.ask(.delete(Request.Deletion(key: .agent("base"), propagation: .background)))
        house.settle()
        #expect(house[.agent("base")] == nil)
    }

    @Test mutating func whoIsUnreadyAgainHasItsWholeTime() throws {
        let key = ObjectKey(.source, namespace: "default", name: "fleet")
        house.write(key, .apply(read(json: #"{"spec":{"path":"/fleet","timeoutSeconds":40}}"#), force: true))
        let source = try #require(house[key])
        let declared = Declared(
            key: .agent("a"),
            node: read(
                json: ##"{"spec":{"command":["run"],"consistency":{"readyRequires":"OutboxWritten"},"##
                    + ##""readinessProbe":{"tcpSocket":{"port":80}}}}"##),
            file: "a.yaml", line: 1, column: 1, digest: 1, freshUID: UID(high: 9, low: 9))
        let snapshot = SourceSnapshot(revision: "1", declared: [declared], errors: [], isWhole: true)
        house.take([.sourceRead(source.uid, snapshot, nil)])
        house.settle()
        let run = try #require(house[.agent("a")]?.agent?.replicas.first?.phase.run?.id)
        house.take([.probed(run, ProbeState(hasStarted: true, isReady: true))])
        #expect(house[key]?.source?.condition(.ready)?.status == true)
        house.now.bootMs += 3_600_000
        house.now.wallMs += 3_600_000
        house.take([.probed(run, ProbeState(hasStarted: true, isReady: false))])
        #expect(house[.agent("a")]?.agent?.summary.isReady == false)
        #expect(house[.agent("a")]?.agent?.summary.condition(.progressing)?.reason == .working)
        #expect(house[key]?.source?.condition(.ready)?.reason == .progressing)
    }
}
