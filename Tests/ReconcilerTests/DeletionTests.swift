import Manifests
import Planner
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
