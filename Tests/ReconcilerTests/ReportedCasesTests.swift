import Manifests
import Planner
import Testing
import Values

@testable import Reconciler

/// What was reported of other servers of this API: each has one test here.
@Suite struct ReportedCasesTests {
    private var house = House()
    private let map = ObjectKey.map("a")
    private let agent = ObjectKey.agent("a")

    private static func merge(_ text: String) throws -> Request.Write.Operation {
        .patch(.merge(try MergePatch(read(json: text))))
    }
    private static func json(_ text: String) throws -> Request.Write.Operation {
        .patch(.json(try JSONPatch(read(json: text))))
    }
    private func owned(_ key: ObjectKey, by name: String) -> [[String]] {
        house[key]?.managers.first { $0.name == name }?.fields.paths ?? []
    }
    private mutating func makeAgent() {
        house.write(agent, .create(read(json: #"{"spec":{"command":["x"],"suspend":true}}"#)), by: "maker")
    }

    /// kubernetes/kubernetes#68202
    @Test mutating func aFailedTestIsTheClientsMatterAndChangesNothing() throws {
        house.write(map, .create(read(json: #"{"data":{"k":"1"}}"#)))
        let before = house[map]
        let patch = try Self.json(
            #"[{"op":"replace","path":"/data/k","value":"2"},{"op":"test","path":"/metadata/resourceVersion","value":"0"}]"#
        )
        #expect(
            house.write(map, patch)?.refusal == .unfitting(map, .unfitting(step: 1, .test("/metadata/resourceVersion")))
        )
        #expect(house[map] == before)
    }

    /// kubernetes/kubernetes#75564
    @Test mutating func applyOwnsNothingThatIsPassedOver() {
        let body = read(
            json: #"{"spec":{"command":["x"],"suspend":true},"status":{"mine":1},"metadata":{"generation":9}}"#)
        house.write(agent, .apply(body, force: false), by: "file")
        #expect(owned(agent, by: "file") == [["spec", "command"], ["spec", "suspend"]])
    }

    /// kubernetes/kubernetes#88901
    @Test mutating func theStatusIsAppliedWithOwnersOfItsOwn() {
        makeAgent()
        func apply(_ status: String, by manager: String, force: Bool = false) -> Answer? {
            house.write(agent, .apply(read(json: "{\"status\":\(status)}"), force: force), to: .status, by: manager)
        }
        #expect(apply(#"{"check":{"a":1,"b":1}}"#, by: "one")?.applied?.result == .configured)
        #expect(owned(agent, by: "one") == [["status", "check", "a"], ["status", "check", "b"]])
        guard case .conflict(_, .managers)? = apply(#"{"check":{"a":2}}"#, by: "two")?.refusal else {
            Issue.record("no conflict")
            return
        }
        _ = apply(#"{"check":{"b":1}}"#, by: "one")
        #expect(house[agent]?.content["status"] == read(json: #"{"check":{"b":1}}"#))
        #expect(house[agent]?.generation == 1)
    }

    /// The documentation of server-side apply: first the reset, then the change.
    @Test mutating func aResetWithAChangeLeavesTheChangesOwner() throws {
        house.write(map, .apply(read(json: #"{"data":{"a":"1"}}"#), force: false), by: "gone")
        let both = try Self.merge(#"{"metadata":{"managedFields":[{}]},"data":{"b":"1"}}"#)
        house.write(map, both, by: "admin")
        #expect(house[map]?.managers.map(\.name) == ["admin"] && owned(map, by: "admin") == [["data", "b"]])
    }

    /// kubernetes/kubernetes#58793: what only servers write is sent back, as null or with an old value.
    @Test mutating func metadataOfTheServersIsPassedOver() throws {
        house.write(map, .create(read(json: #"{"data":{"k":"1"}}"#)))
        let before = house[map]
        let patch =
            #"{"metadata":{"creationTimestamp":null,"deletionTimestamp":null,"generation":0,"uid":null,"selfLink":"x"}}"#
        #expect(house.write(map, try Self.merge(patch))?.applied?.result == .unchanged)
        #expect(house[map] == before)
    }

    /// kubernetes/kubernetes#15416
    @Test mutating func aPatchWithAnOldVersionIsRefusedAndNotTriedAgain() throws {
        house.write(map, .create(.emptyMap))
        let version = try #require(house[map]?.resourceVersion)
        let patch = try Self.merge(#"{"metadata":{"resourceVersion":"\#(version)"},"data":{"k":"1"}}"#)
        #expect(house.write(map, patch)?.applied?.result == .configured)
        #expect(house.write(map, patch)?.refusal == .conflict(map, .modified))
    }

    /// Two appliers of the same value share it; the one that lets go takes nothing away.
    @Test mutating func sharedFieldsStayUntilTheLastLetsGo() {
        for name in ["one", "two"] {
            house.write(map, .apply(read(json: #"{"data":{"a":"1"}}"#), force: false), by: name)
        }
        house.write(map, .apply(.emptyMap, force: false), by: "one")
        #expect(house[map]?.content[path: "data", "a"]?.string == "1" && house[map]?.managers.map(\.name) == ["two"])
        house.write(map, .apply(.emptyMap, force: false), by: "two")
        #expect(house[map]?.content["data"] == nil && house[map]?.managers == [])
    }

    /// A scale that was changed by hand is not taken back by an apply that does not speak of it.
    @Test mutating func theScaleIsItsWriters() throws {
        makeAgent()
        house.write(agent, try Self.merge(#"{"spec":{"replicas":3}}"#), to: .scale, by: "scaler")
        let apply = Request.Write.Operation.apply(read(json: #"{"spec":{"command":["x"]}}"#), force: true)
        house.write(agent, apply, by: "file")
        #expect(house[agent]?.content[path: "spec", "replicas"]?.int == 3)
        let other = Request.Write.Operation.apply(read(json: #"{"spec":{"replicas":1}}"#), force: false)
        guard case .conflict(_, .managers(let owners))? = house.write(agent, other, by: "file")?.refusal else {
            Issue.record("no conflict")
            return
        }
        #expect(owners.map(\.manager) == ["scaler"])
    }

    /// The status address changes no metadata, also when a whole object is sent to it.
    @Test mutating func aWholeObjectSentToTheStatusChangesTheStatusAlone() throws {
        makeAgent()
        let body = #"{"metadata":{"labels":{"x":"y"},"finalizers":["a.io/b"]},"spec":{"priority":9},"status":{"n":1}}"#
        #expect(house.write(agent, .update(read(json: body)), to: .status)?.applied?.result == .configured)
        #expect(house[agent]?.labels == [:] && house[agent]?.finalizers == [])
        #expect(house[agent]?.content[path: "spec", "priority"]?.int == 0)
    }

    /// Values of a Secret are given plain beside those that are encoded; the plain ones count.
    @Test mutating func plainValuesGoBeforeEncodedOnes() throws {
        let key = ObjectKey(.secret, namespace: "default", name: "s")
        house.write(key, .create(read(json: #"{"data":{"a":"b2xk","b":"b2xk"}}"#)))
        house.write(key, .patch(.strategic(try StrategicMerge(read(json: #"{"stringData":{"a":"new"}}"#)))))
        #expect(house[key]?.content["data"] == read(json: #"{"a":"bmV3","b":"b2xk"}"#))
        #expect(house[key]?.content["stringData"] == nil)
    }
}
