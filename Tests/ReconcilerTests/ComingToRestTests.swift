import Manifests
import Planner
import Testing
import Values

@testable import Reconciler
@testable import Simulation

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

    private mutating func source(_ name: String) throws -> StoredObject {
        let key = ObjectKey(.source, namespace: "default", name: name)
        house.write(key, .apply(read(json: #"{"spec":{"path":"/\#(name)","timeoutSeconds":40}}"#), force: true))
        return try #require(house[key])
    }

    private let probed = Declared(
        key: .agent("a"),
        node: read(
            json: ##"{"spec":{"command":["run"],"consistency":{"readyRequires":"OutboxWritten"},"##
                + ##""readinessProbe":{"tcpSocket":{"port":80}}}}"##),
        file: "a.yaml", line: 1, column: 1, digest: 1, freshUID: UID(high: 9, low: 9))

    private func snapshot(_ revision: String, _ declared: [Declared]) -> SourceSnapshot {
        SourceSnapshot(revision: revision, declared: declared, errors: [], isWhole: true)
    }

    @Test mutating func aSourceIsNotJudgedByWhatAnotherHasTakenOver() throws {
        let (fleet, reserve) = (try source("fleet"), try source("reserve"))
        house.take([.sourceRead(fleet.uid, snapshot("1", [probed]), nil)])
        house.settle()
        #expect(house[fleet.key]?.source?.condition(.ready)?.reason == .progressing)
        house.take([.sourceRead(reserve.uid, snapshot("1", [probed]), nil)])
        house.take([.sourceRead(fleet.uid, snapshot("2", []), nil)])
        #expect(house[.agent("a")]?.origin?.source == reserve.uid)
        #expect(house[reserve.key]?.source?.condition(.ready)?.reason == .progressing)
        #expect(house[fleet.key]?.source?.condition(.ready)?.status == true)
    }

    @Test mutating func whoIsUnreadyAgainHasItsWholeTime() throws {
        let source = try source("fleet")
        let key = source.key
        house.take([.sourceRead(source.uid, snapshot("1", [probed]), nil)])
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

    /// As after a backup that was made before the agent was scaled up: its runs are there, and no record of their ordinals.
    @Test mutating func whatRanInAnOrdinalThatIsNotKnownYetIsNotRunAgain() throws {
        apply("web", #""replicas":0"#)
        let uid = try #require(house[.agent("web")]?.uid)
        let ended = Instance.exited(Exit(code: 0, reason: .completed, atMs: 1))
        let runs = [RunID(uid: uid, ordinal: 1, attempt: 4), RunID(uid: uid, ordinal: 1, attempt: 2)]
        house.take([.observed(driver: "process", [runs[0]: ended, runs[1]: ended], complete: false)])
        #expect(house.take([.observed(driver: "process", [runs[0]: ended], complete: false)]).changes.isEmpty)
        apply("web", #""replicas":2"#)
        #expect(house[.agent("web")]?.agent?.replicas.map(\.attempt) == [1, 5])
        #expect(phase("web") == .ready)
    }

    /// The log has dropped what an object was parked at before a sink is asked again.
    @Test func whatIsKeptOfAParkedObjectIsReadFromTheFirstEventOn() throws {
        let uid = UID(high: 1, low: 1)
        let log = SimulatedJournal()
        for sequence in 1...6 {
            let payload =
                #"{"event_type":"agent.created","sequence":\#(sequence),"tenant_id":"","object":{"uid":"\#(uid.hex)"}}"#
            log.append(
                EventRecord(
                    position: Int64(sequence), uid: uid, sequence: Int64(sequence), type: "agent.created",
                    namespace: "",
                    atMs: 0, payload: payload))
        }
        log.drop(before: 3)
        let places = [uid: SinkRequest.Place(offset: 1, sequence: 2)]
        let request = SinkRequest(sink: "a", filter: EventFilter(), from: 0, part: .parked(places, until: 6))
        #expect(request.batch(of: log).events.map(\.sequence) == [4, 5, 6])
    }
}
