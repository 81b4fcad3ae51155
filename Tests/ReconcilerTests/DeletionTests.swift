import Manifests
import Planner
import Simulation
import Testing
import Values

@testable import Reconciler

/// Finalizers, owners, and what goes with what.
@Suite struct DeletionTests {
    private var house = House()

    private mutating func make(_ name: String, owner: String? = nil, _ more: String = "", blocks: Bool = false) {
        let reference = owner.flatMap { house[.map($0)] }.map {
            #""ownerReferences":[{"apiVersion":"v1","kind":"ConfigMap","name":"\#($0.key.name)","uid":"\#($0.uid.text)","blockOwnerDeletion":\#(blocks)}]"#
        }
        let metadata = [reference, more.isEmpty ? nil : more].compactMap { $0 }.joined(separator: ",")
        house.write(.map(name), .create(read(json: "{\"metadata\":{\(metadata)},\"data\":{\"k\":\"v\"}}")))
    }

    private mutating func delete(_ name: String, _ propagation: Request.Propagation = .background) -> Answer? {
        house.ask(.delete(Request.Deletion(key: .map(name), propagation: propagation)))
    }

    @Test mutating func finalizersHoldAnObjectAndItsMetadataMayChange() throws {
        make("a", #""finalizers":["x.io/hold"]"#)
        guard case .deleted(let ending?)? = delete("a") else {
            Issue.record("it is gone")
            return
        }
        #expect(ending.deletion != nil && ending.generation == 2)
        guard case .deleted(.some)? = delete("a") else {
            Issue.record("it is deleted once only")
            return
        }
        #expect(house[.map("a")]?.generation == 2)
        func merge(_ text: String) throws -> Answer? {
            house.write(.map("a"), .patch(.merge(try MergePatch(read(json: text)))))
        }
        #expect(try merge(#"{"metadata":{"annotations":{"kopf":"1"}}}"#)?.applied?.result == .configured)
        #expect(try merge(#"{"data":{"k":"w"}}"#)?.refusal == .conflict(.map("a"), .beingDeleted))
        #expect(
            try merge(#"{"metadata":{"finalizers":["x.io/hold","y.io/new"]}}"#)?.refusal
                == .conflict(.map("a"), .beingDeleted))
        #expect(try merge(#"{"metadata":{"finalizers":null,"annotations":{"kopf":"2"}}}"#)?.applied != nil)
        #expect(house[.map("a")] == nil)
    }

    @Test mutating func whatBelongsToADeletedObjectGoesAfterIt() {
        make("a")
        make("b", owner: "a")
        make("c", owner: "b")
        make("d")
        _ = delete("a")
        #expect(house[.map("a")] == nil && house[.map("b")] == nil && house[.map("c")] == nil)
        #expect(house[.map("d")] != nil)
    }

    @Test mutating func oneOwnerIsEnoughToStay() throws {
        make("a")
        make("b")
        let owners = ["a", "b"].compactMap { house[.map($0)] }.map {
            #"{"apiVersion":"v1","kind":"ConfigMap","name":"\#($0.key.name)","uid":"\#($0.uid.text)"}"#
        }
        house.write(
            .map("c"), .create(read(json: #"{"metadata":{"ownerReferences":[\#(owners.joined(separator: ","))]}}"#)))
        _ = delete("a")
        #expect(house[.map("c")] != nil)
        _ = delete("b")
        #expect(house[.map("c")] == nil)
    }

    /// The owner of that name is another one than was meant, or of a kind that lives elsewhere.
    @Test mutating func ownersAreKnownByTheirUid() {
        make("a")
        let reference =
            #"{"apiVersion":"v1","kind":"ConfigMap","name":"a","uid":"00000000-0000-0000-0000-0000000000ff"}"#
        house.write(.map("b"), .create(read(json: #"{"metadata":{"ownerReferences":[\#(reference)]}}"#)))
        #expect(house[.map("b")] == nil, "it is collected in the step that made it")
        let foreign = #"{"apiVersion":"apps/v1","kind":"Deployment","name":"x","uid":"1"}"#
        house.write(.map("c"), .create(read(json: #"{"metadata":{"ownerReferences":[\#(foreign)]}}"#)))
        #expect(house[.map("c")] != nil)
    }

    @Test mutating func orphansStayWithoutTheirOwner() {
        make("a")
        make("b", owner: "a")
        _ = delete("a", .orphan)
        #expect(house[.map("a")] == nil && house[.map("b")]?.owners == [])
    }

    @Test mutating func inTheForegroundTheOwnerWaits() throws {
        make("a")
        make("b", owner: "a", #""finalizers":["x.io/hold"]"#, blocks: true)
        make("c", owner: "a")
        guard case .deleted(let held?)? = delete("a", .foreground) else {
            Issue.record("it is gone")
            return
        }
        #expect(held.finalizers == ["foregroundDeletion"])
        #expect(house[.map("b")]?.deletion != nil && house[.map("c")] == nil)
        house.write(.map("b"), .patch(.merge(try MergePatch(read(json: #"{"metadata":{"finalizers":[]}}"#)))))
        #expect(house[.map("a")] == nil && house[.map("b")] == nil)
    }

    @Test mutating func anOwnerWaitsForNothingThatIsNoLongerItsOwn() throws {
        make("a")
        make("b", owner: "a", #""finalizers":["x.io/hold"]"#, blocks: true)
        _ = delete("a", .foreground)
        let patch = try MergePatch(read(json: #"{"metadata":{"ownerReferences":null}}"#))
        house.write(.map("b"), .patch(.merge(patch)))
        #expect(house[.map("a")] == nil && house[.map("b")] != nil)
    }

    @Test mutating func ownersInACircleEndAllTheSame() throws {
        make("a")
        make("b", owner: "a", blocks: true)
        let uid = try #require(house[.map("b")]?.uid.text)
        let reference = #"{"apiVersion":"v1","kind":"ConfigMap","name":"b","uid":"\#(uid)","blockOwnerDeletion":true}"#
        let patch = try MergePatch(read(json: #"{"metadata":{"ownerReferences":[\#(reference)]}}"#))
        house.write(.map("a"), .patch(.merge(patch)))
        _ = delete("a", .foreground)
        #expect(house[.map("a")] == nil && house[.map("b")] == nil)
    }

    private static func owned(by object: StoredObject) -> String {
        #"{"metadata":{"ownerReferences":[{"apiVersion":"v1","kind":"\#(object.key.kind.rawValue)","name":"\#(object.key.name)","uid":"\#(object.uid.text)","blockOwnerDeletion":true}]}}"#
    }

    /// Namespaces can have owners, too: what is in one goes with it, whatever makes it end.
    @Test(arguments: [Request.Propagation.background, .foreground])
    mutating func aCollectedNamespaceEndsWithAllThatIsInIt(propagation: Request.Propagation) throws {
        let (owner, owned) = (ObjectKey.namespace("a"), ObjectKey.namespace("b"))
        house.write(owner, .create(.emptyMap))
        house.write(owned, .create(read(json: Self.owned(by: try #require(house[owner])))))
        house.write(ObjectKey(.configMap, namespace: "b", name: "in"), .create(.emptyMap))
        house.ask(.delete(Request.Deletion(key: owner, propagation: propagation)))
        for key in [owner, owned, ObjectKey(.configMap, namespace: "b", name: "in")] {
            #expect(house[key] == nil, "\(key)")
        }
    }

    /// What nobody may delete is not collected either, and holds no owner up.
    @Test(arguments: Request.Propagation.allCases)
    mutating func theDefaultNamespaceIsNotCollected(propagation: Request.Propagation) throws {
        house.write(.namespace("a"), .create(.emptyMap))
        let body = read(json: Self.owned(by: try #require(house[.namespace("a")])))
        #expect(house.write(.agentNamespace, .patch(.merge(try MergePatch(body))))?.applied != nil)
        make("kept")
        house.ask(.delete(Request.Deletion(key: .namespace("a"), propagation: propagation)))
        #expect(house[.namespace("a")] == nil)
        #expect(house[.agentNamespace]?.deletion == nil && house[.map("kept")]?.deletion == nil)
    }

    /// A store of a version that forgot what is in a namespace that it collected.
    @Test mutating func aNamespaceThatEndsEndsWhateverIsInItStill() {
        let key = ObjectKey.namespace("a")
        house.write(key, .create(.emptyMap))
        house.write(ObjectKey(.configMap, namespace: "a", name: "in"), .create(.emptyMap))
        var state = house.engine.state
        state.objects[key]?.deletion = StoredObject.Deletion(atMs: 1, graceMs: nil)
        house.engine = Engine(state: state, settings: EngineSettings(drivers: .simulated))
        house.take([])
        #expect(house[key] == nil && house[ObjectKey(.configMap, namespace: "a", name: "in")] == nil)
    }

    /// Each object ends in the foreground of the one before: no stack is as long as what people can declare.
    @Test mutating func aLongChainOfOwnersEnds() throws {
        var state = house.engine.state
        let count = 4000
        for index in 0..<count {
            let uid = UID(high: 9, low: UInt64(index))
            var object = StoredObject(key: .map("c\(index)"), uid: uid, createdAtMs: 0, content: .emptyMap)
            var metadata = Node.map([("finalizers", ["foregroundDeletion"])])
            if index > 0 {
                metadata["ownerReferences"] = [
                    .map([
                        ("apiVersion", "v1"), ("kind", "ConfigMap"), ("name", .text("c\(index - 1)")),
                        ("uid", .text(UID(high: 9, low: UInt64(index - 1)).text)), ("blockOwnerDeletion", true),
                    ])
                ]
            }
            object.content["metadata"] = metadata
            state.objects[object.key] = object
        }
        house.engine = Engine(state: state, settings: EngineSettings(drivers: .simulated))
        house.take([])
        _ = delete("c0", .foreground)
        while !house.engine.isIdle { house.take([]) }
        #expect(house.engine.state.list(.configMap, namespace: nil).isEmpty)
    }

    @Test mutating func malformedOwnersAreRefused() {
        for (owners, field) in [
            (#"[{"apiVersion":"v1","kind":"ConfigMap","name":"a"}]"#, "metadata.ownerReferences[0].uid"),
            (
                #"[{"apiVersion":"v1","kind":"A","name":"a","uid":"1","controller":true},{"apiVersion":"v1","kind":"B","name":"b","uid":"2","controller":true}]"#,
                "metadata.ownerReferences"
            ),
        ] {
            let body = read(json: #"{"metadata":{"ownerReferences":\#(owners)}}"#)
            guard case .invalid(_, let causes)? = house.write(.map("x"), .create(body))?.refusal else {
                Issue.record("\(owners) was taken")
                continue
            }
            #expect(causes.map(\.field) == [field])
        }
    }
}
