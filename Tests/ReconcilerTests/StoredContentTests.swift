import Manifests
import Planner
import Simulation
import Testing
import Values

@testable import Reconciler

/// What is committed can be read again, whichever way it came in.
@Suite struct StoredContentTests {
    private var house = House()
    private let key = ObjectKey.namespace("one")

    private static func deep(_ levels: Int) -> Node {
        (0..<levels).reduce(Node("x")) { inner, level in level % 2 == 0 ? [inner] : .map([("a", inner)]) }
    }

    /// As the store does: a strict reader, of the text that was written.
    private func checkReadable(_ key: ObjectKey) {
        guard let object = house[key] else { return }
        #expect(JSONReader.read(JSONWriter.text(object.content)) == object.content, "\(key)")
        let managers = JSONWriter.text(object.managedFields)
        #expect(JSONReader.read(managers) != nil, "\(managers.prefix(200))")
    }

    @Test(arguments: Kind.allCases.filter(\.hasStatus)) mutating func aStatusHasOneListOfConditions(kind: Kind) {
        let key = ObjectKey(kind, namespace: kind.isNamespaced ? "default" : "", name: "one")
        let specs: [Kind: String] = [
            .agent: #"{"spec":{"command":["x"],"suspend":true}}"#, .source: #"{"spec":{"path":"/x","suspend":true}}"#,
        ]
        guard house.write(key, .create(read(json: specs[kind] ?? "{}")))?.applied != nil else { return }
        let conditions = #"[{"type":"Mine","status":"True"},{"type":"Yours","status":"False"}]"#
        let status = read(json: #"{"status":{"conditions":\#(conditions),"more":1}}"#)
        for operation in [Request.Write.Operation.update(status), .apply(status, force: true)] {
            #expect(house.write(key, operation, to: .status)?.applied != nil)
            checkReadable(key)
            #expect(house[key]?.content["status"]?.map?.entries.map(\.key).sorted() == ["conditions", "more"])
        }
    }

    @Test func whatIsStoredHasEachKeyOnce() {
        func problem(_ entries: [(String, Node)]) -> StoredProblem? { Node.map(entries).storedProblem }
        #expect(problem([("a", 1), ("b", 2)]) == nil)
        #expect(problem([("a", 1), ("b", .list([.map([("c", 1), ("c", 1)])]))]) == .doubleKey("c"))
        #expect(problem((0..<20).map { ("k\($0)", 1) } + [("k7", 2)]) == .doubleKey("k7"))
    }

    /// Each way in, with something that is nested too deep for who reads it, or too much.
    @Test(arguments: ["deep", "many", "long"]) mutating func whatCouldNotBeReadAgainIsRefused(_ what: String) throws {
        let poison: Node =
            switch what {
            case "deep": Self.deep(Limits.objectDepthMax)
            case "many": .list(Array(repeating: 0, count: Limits.objectNodesMax))
            default: .text(String(repeating: "x", count: Limits.objectBytesMax))
            }
        house.write(key, .create(read(json: #"{"spec":{"x":1}}"#)))
        let before = try #require(house[key])
        let (spec, status) = (Node.map([("spec", poison)]), Node.map([("status", .map([("mine", poison)]))]))
        let step = Node.map([("op", "add"), ("path", "/spec/y"), ("value", poison)])
        let ways: [(Request.Write.Operation, Request.Write.Subresource)] = [
            (.update(spec), .none), (.apply(spec, force: true), .none), (.patch(.merge(try MergePatch(spec))), .none),
            (.patch(.strategic(try StrategicMerge(spec))), .none), (.patch(.json(try JSONPatch([step]))), .none),
            (.update(status), .status), (.apply(status, force: true), .status),
            (.patch(.merge(try MergePatch(status))), .status),
        ]
        for (operation, part) in ways {
            guard case .invalid(_, let causes)? = house.write(key, operation, to: part)?.refusal else {
                Issue.record("\(what) was taken: \(part)")
                continue
            }
            #expect(causes.first?.reason == .tooLong)
        }
        #expect(house[key] == before)
        #expect(house.write(.namespace("two"), .create(spec))?.refusal != nil)
        #expect(house.write(.namespace("two"), .apply(spec, force: true))?.refusal != nil)
        // What is just small enough can be read with what it is shown in.
        house.write(key, .update(.map([("spec", Self.deep(Limits.objectDepthMax - 1))])))
        let list = Node.map([("items", .list([house[key]?.document(withManagers: true) ?? .emptyMap]))])
        #expect(house[key]?.generation == 2 && JSONReader.read(JSONWriter.text(list)) != nil)
    }

    /// The status of an object that ends is as bounded as that of another, and what a store has let in once holds nobody.
    @Test mutating func anObjectThatEndsLetsGoWhateverIsInIt() throws {
        let old = ObjectKey.namespace("old")
        var object = StoredObject(key: old, uid: UID(high: 7, low: 7), createdAtMs: 0, content: .emptyMap)
        object.content["metadata"] = .map([("finalizers", ["x.io/hold"])])
        object.content["spec"] = Self.deep(60)
        object.deletion = StoredObject.Deletion(atMs: 1, graceMs: nil)
        var state = house.engine.state
        state.objects[old] = object
        house.engine = Engine(state: state, settings: EngineSettings(drivers: .simulated))
        let patch = try MergePatch(read(json: #"{"metadata":{"finalizers":null}}"#))
        #expect(house.write(old, .patch(.merge(patch)))?.applied != nil)
        #expect(house[old] == nil)
    }

    @Test mutating func managersTogetherOwnOnlySoMuch() throws {
        let many = Node.map((0..<30_000).map { ("k\($0)", "v") })
        for index in 0..<10 {
            let answer = house.write(.map("a"), .apply(.map([("data", many)]), force: false), by: "m\(index)")
            if answer?.applied == nil {
                guard case .invalid? = answer?.refusal else { break }
                #expect(index > 1)
                return checkReadable(.map("a"))
            }
        }
        Issue.record("there is no bound")
    }

    // MARK: What a write does not touch

    /// A store of another version holds specs that this one would complete, or that its drivers refuse.
    @Test mutating func whatOnlyTouchesMetadataOrStatusLeavesTheSpecAlone() throws {
        let key = ObjectKey.agent("a")
        house.write(key, .create(read(json: #"{"spec":{"command":["x"],"suspend":true}}"#)))
        var state = house.engine.state
        state.objects[key]?.content["spec"] = read(json: #"{"command":["x"],"suspend":true}"#)
        let before = try #require(state.objects[key])
        let refusal = Refusal.Cause(message: "no such driver here", field: "spec.driver")
        house.engine = Engine(state: state, settings: EngineSettings(drivers: .simulated, refusals: { _ in [refusal] }))
        house.take([.observed(driver: "process", [:], complete: true)])
        let body = #"{"metadata":{"labels":{"a":"b"},"annotations":{"n":"1"}}}"#
        let label = house.write(key, .patch(.merge(try MergePatch(read(json: body)))))?.applied
        #expect(label?.result == .configured && label?.restarts == [])
        #expect(house.write(key, .update(read(json: #"{"status":{"mine":1}}"#)), to: .status)?.applied != nil)
        #expect(house[key]?.generation == before.generation && house[key]?.agent?.revision == before.agent?.revision)
        #expect(house[key]?.content["spec"] == before.content["spec"])
        let other = house.write(key, .patch(.merge(try MergePatch(read(json: #"{"spec":{"args":["y"]}}"#)))))
        #expect(other?.refusal == .invalid(key, [refusal]))
    }

    @Test mutating func anApplyOfScaleSaysHowMany() throws {
        let key = ObjectKey.agent("a")
        house.write(key, .create(read(json: #"{"spec":{"command":["x"],"suspend":true,"replicas":3}}"#)))
        for body in ["{}", #"{"spec":{}}"#, #"{"spec":{"replicas":null}}"#] {
            guard
                case .invalid(_, let causes)? = house.write(key, .apply(read(json: body), force: true), to: .scale)?
                    .refusal
            else {
                Issue.record("\(body) was taken")
                continue
            }
            #expect(causes.map(\.field) == ["spec.replicas"] && causes.first?.reason == .required)
        }
        #expect(house[key]?.content[path: "spec", "replicas"]?.int == 3)
        // Clients written in Go leave a zero out of a whole document.
        house.write(key, .update(read(json: #"{"spec":{}}"#)), to: .scale)
        #expect(house[key]?.content[path: "spec", "replicas"]?.int == 0)
    }

    /// A lease is renewed every few seconds: its history would be longer than that of all the rest.
    @Test(arguments: [Kind.lease, .event]) mutating func nothingIsToldOfWhatIsWrittenAgainAndAgain(kind: Kind) {
        let key = ObjectKey(kind, namespace: "default", name: "one")
        let body = kind == .lease ? "{}" : #"{"involvedObject":{"kind":"Agent","name":"a","namespace":"default"}}"#
        let position = house.engine.state.position
        #expect(house.write(key, .create(read(json: body)))?.applied != nil)
        let step = house.take([
            .request(
                Request(
                    id: 1, principal: .master,
                    verb: .write(
                        Request.Write(
                            key: key, .patch(.merge(MergePatch.labels)), manager: "m", freshUID: UID(high: 1, low: 1))))
            )
        ])
        #expect(step.changes.objects.count == 1 && step.changes.events.isEmpty && step.changes.audit.isEmpty)
        house.ask(.delete(key, graceMs: nil))
        #expect(house[key] == nil && house.engine.state.position == position)
    }
}

extension MergePatch {
    fileprivate static let labels: MergePatch = {
        do { return try MergePatch(read(json: #"{"metadata":{"labels":{"a":"b"}}}"#)) } catch { preconditionFailure() }
    }()
}
