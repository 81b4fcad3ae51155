import Manifests
import Planner
import Testing
import Values

@testable import Reconciler

/// The one verb that writes: what each operation does to one object, and to those who own its fields.
@Suite struct WriteTests {
    private var house = House()
    private let key = ObjectKey.map("a")

    private static func merge(_ text: String) throws -> Request.Write.Operation {
        .patch(.merge(try MergePatch(read(json: text))))
    }
    private static func json(_ text: String) throws -> Request.Write.Operation {
        .patch(.json(try JSONPatch(read(json: text))))
    }
    private static func owners(_ object: StoredObject?) -> [String] {
        (object?.managers ?? []).map { manager in
            let part = manager.subresource == .none ? "" : "/\(manager.subresource.rawValue)"
            let fields = manager.fields.paths.map { $0.joined(separator: ".") }.joined(separator: " ")
            return "\(manager.name)/\(manager.operation.rawValue)\(part): \(fields)"
        }
    }

    // MARK: Existence and version

    @Test mutating func createNeedsAFreePlaceAndTheOthersAnObject() throws {
        let body = read(json: #"{"data":{"k":"v"}}"#)
        #expect(house.write(key, .update(body))?.refusal == .notFound(key))
        #expect(house.write(key, try Self.merge("{}"))?.refusal == .notFound(key))
        let created = house.write(key, .create(body))?.applied
        #expect(created?.result == .created && created?.object.generation == 1)
        #expect(house.write(key, .create(body))?.refusal == .conflict(key, .exists))
        let nowhere = ObjectKey(.configMap, namespace: "nowhere", name: "a")
        #expect(
            house.write(nowhere, .create(body))?.refusal
                == .notFound(ObjectKey(.namespace, namespace: "", name: "nowhere")))
    }

    @Test mutating func everyWriteChecksTheVersionItWasMadeFrom() throws {
        house.write(key, .create(read(json: #"{"data":{"k":"1"}}"#)))
        let old = try #require(house[key])
        house.write(key, .update(read(json: #"{"data":{"k":"2"}}"#)))
        let body = read(json: #"{"metadata":{"resourceVersion":"\#(old.resourceVersion)"},"data":{"k":"3"}}"#)
        #expect(house.write(key, .update(body))?.refusal == .conflict(key, .modified))
        #expect(house.write(key, .apply(body, force: true))?.refusal == .conflict(key, .modified))
        let patch = #"[{"op":"replace","path":"/metadata/resourceVersion","value":"\#(old.resourceVersion)"}]"#
        #expect(house.write(key, try Self.json(patch))?.refusal == .conflict(key, .modified))
        #expect(
            house.write(key, try Self.merge(#"{"metadata":{"resourceVersion":"1"},"data":{"k":"3"}}"#))?.refusal
                == .conflict(key, .modified))
        #expect(house.write(.map("b"), .create(body))?.refusal == .malformed(.map("b"), .versionOfNew))
        let other = read(json: #"{"metadata":{"uid":"00000000-0000-0000-0000-000000000000"},"data":{}}"#)
        let uid = try #require(house[key]?.uid)
        #expect(
            house.write(key, .update(other))?.refusal
                == .conflict(key, .uid(expected: "00000000-0000-0000-0000-000000000000", found: uid)))
        let condition = Request.Preconditions(resourceVersion: "1")
        let found = try #require(house[key]?.resourceVersion)
        #expect(
            house.write(key, try Self.merge("{}"), .strict, dryRun: false, condition)?.refusal
                == .conflict(key, .resourceVersion(expected: "1", found: found)))
        #expect(house[key]?.content[path: "data", "k"]?.string == "2")
    }

    @Test(arguments: [
        (#"{"metadata":{"name":"b"}}"#, "name"), (#"{"metadata":{"namespace":"other"}}"#, "namespace"),
        (#"{"kind":"Secret"}"#, "kind"), (#"{"apiVersion":"v2"}"#, "API version"),
    ]) mutating func aBodyIsAboutTheObjectOfItsAddress(_ body: String, _ field: String) throws {
        house.write(key, .create(.emptyMap))
        for operation in [
            Request.Write.Operation.update(read(json: body)), .apply(read(json: body), force: true),
            try Self.merge(body),
        ] {
            guard case .malformed(_, .identity(let named, _, _))? = house.write(key, operation)?.refusal else {
                Issue.record("\(operation) was not refused")
                continue
            }
            #expect(named == field)
        }
    }

    // MARK: What changes nothing

    @Test mutating func aWriteThatChangesNothingWritesNothing() throws {
        let body = read(json: #"{"metadata":{"labels":{"x":"y"}},"data":{"k":"1"}}"#)
        house.write(key, .create(body))
        house.write(key, .apply(body, force: true), by: "one")
        house.write(key, .apply(body, force: true), by: "two")
        let before = try #require(house[key])
        for (operation, manager) in [
            (.update(body), "x"), (try Self.merge(#"{"data":{"k":"1"}}"#), "y"), (try Self.merge("{}"), "z"),
            (try Self.json(#"[{"op":"test","path":"/data/k","value":"1"}]"#), "z"), (try Self.json("[]"), "z"),
            (.apply(body, force: false), "one"), (.apply(body, force: false), "two"),
            (.apply(body, force: false), "one"),
        ] as [(Request.Write.Operation, String)] {
            #expect(house.write(key, operation, by: manager)?.applied?.result == .unchanged)
        }
        #expect(house[key] == before)
        #expect(house.engine.state.resourceVersion == before.resourceVersion)
    }

    @Test mutating func aDryRunWritesNothing() throws {
        let answer = house.write(key, .create(read(json: #"{"data":{"k":"1"}}"#)), dryRun: true)?.applied
        #expect(answer?.result == .created && house[key] == nil)
    }

    // MARK: Status

    @Test mutating func theMainAddressIgnoresTheStatusAndTheOtherEverythingElse() throws {
        let key = ObjectKey.agent("a")
        house.write(key, .create(read(json: #"{"spec":{"command":["x"],"suspend":true},"status":{"mine":1}}"#)))
        #expect(house[key]?.content["status"] == nil)
        let before = try #require(house[key])
        let status = #"{"spec":{"command":["y"]},"status":{"kopf":{"progress":1},"phase":"Ready","replicas":7}}"#
        let answer = house.write(key, try Self.merge(status), to: .status, by: "kopf")?.applied
        #expect(answer?.result == .configured && answer?.object.generation == 1)
        #expect(house[key]?.content["status"] == read(json: #"{"kopf":{"progress":1}}"#))
        #expect(house[key]?.content["spec"] == before.content["spec"] && house[key]?.agent == before.agent)
        #expect(Self.owners(house[key]).last == "kopf/Update/status: status.kopf.progress")
        // A change of what is declared keeps it.
        house.write(key, try Self.merge(#"{"spec":{"priority":3},"status":null}"#))
        #expect(house[key]?.content[path: "status", "kopf", "progress"]?.int == 1)
        house.write(key, .update(read(json: #"{"spec":{"command":["x"]}}"#)))
        #expect(house[key]?.content[path: "status", "kopf", "progress"]?.int == 1)
        let done = try Self.merge(#"{"status":{"kopf":null}}"#)
        #expect(house.write(key, done, to: .status, by: "kopf")?.applied?.object.content["status"] == nil)
    }

    @Test mutating func conditionsOfOthersStandBesideOurs() throws {
        let key = ObjectKey.agent("a")
        house.write(key, .create(read(json: #"{"spec":{"command":["x"],"suspend":true}}"#)))
        func put(_ text: String) -> Answer? {
            let body = read(json: #"{"status":{"conditions":\#(text)}}"#)
            return house.write(key, .update(body), to: .status)
        }
        let ours = #"{"type":"Ready","status":"True"}"#
        #expect(put(#"[\#(ours),{"type":"Checked","status":"True"}]"#)?.applied?.result == .configured)
        let kept = house[key]?.content[path: "status", "conditions"]
        #expect(kept == read(json: #"[{"type":"Checked","status":"True"}]"#))
        #expect(
            ForeignStatus.joined(read(json: #"{"conditions":[\#(ours)]}"#), house[key]?.content["status"])?[
                "conditions"]?.list?.count == 2)
        for wrong in ["1", "[1]", "[{}]", #"[{"type":"A"},{"type":"A"}]"#] {
            guard case .invalid? = put(wrong)?.refusal else {
                Issue.record("\(wrong) was taken")
                continue
            }
        }
    }

    @Test mutating func onlyKindsWithAStatusHaveOne() {
        house.write(key, .create(.emptyMap))
        let body = read(json: #"{"status":{"a":1}}"#)
        #expect(house.write(key, .update(body), to: .status)?.refusal == .malformed(key, .subresource(.status)))
        #expect(house.write(key, .update(body), to: .scale)?.refusal == .malformed(key, .subresource(.scale)))
    }

    // MARK: Scale

    @Test mutating func theScaleIsTheNumberOfReplicas() throws {
        let key = ObjectKey.agent("a")
        house.write(key, .create(read(json: #"{"spec":{"command":["x"],"replicas":2,"suspend":true}}"#)))
        #expect(house[key]?.scale?[path: "spec", "replicas"]?.int == 2)
        let three = house.write(key, try Self.merge(#"{"spec":{"replicas":3}}"#), to: .scale, by: "kubectl")?.applied
        #expect(three?.object.agent?.effective.spec.replicas == 3 && three?.object.generation == 2)
        #expect(Self.owners(house[key]).last == "kubectl/Update/scale: spec.replicas")
        // Clients leave a zero out.
        let none = read(json: #"{"kind":"Scale","apiVersion":"autoscaling/v1","metadata":{"name":"a"},"spec":{}}"#)
        #expect(house.write(key, .update(none), to: .scale)?.applied?.object.agent?.effective.spec.replicas == 0)
        guard
            case .invalid(_, let causes)? = house.write(key, try Self.merge(#"{"spec":{"replicas":-1}}"#), to: .scale)?
                .refusal
        else {
            Issue.record("a negative scale was taken")
            return
        }
        #expect(causes.map(\.field) == ["spec.replicas"])
    }

    // MARK: Validation

    @Test mutating func unknownFieldsAreRefusedToldOrPassedOver() throws {
        let body = read(json: #"{"dta":{},"metadata":{"lables":{}},"data":{"k":"1"}}"#)
        guard case .malformed(_, .fields(let causes))? = house.write(key, .create(body))?.refusal else {
            Issue.record("unknown fields were taken")
            return
        }
        #expect(causes.map(\.field) == ["dta", "metadata.lables"])
        #expect(
            house.write(key, .create(body))?.refusal?.words
                == "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: strict decoding error: "
                + "unknown field \"dta\", unknown field \"metadata.lables\"")
        let warned = house.write(key, .create(body), .warn)?.applied
        #expect(warned?.warnings == ["unknown field \"dta\"", "unknown field \"metadata.lables\""])
        #expect(warned?.object.content == read(json: #"{"data":{"k":"1"}}"#))
        let ignored = house.write(key, try Self.merge(#"{"spam":1,"data":{"k":"2"}}"#), .ignore)?.applied
        #expect(ignored?.warnings == [] && ignored?.object.content[path: "data", "k"]?.string == "2")
        guard case .malformed? = house.write(key, try Self.json(#"[{"op":"add","path":"/spam","value":1}]"#))?.refusal
        else {
            Issue.record("a patch adds what the kind does not have")
            return
        }
    }

    // MARK: Owners of fields

    @Test mutating func whatIsWrittenOtherwiseChangesHands() throws {
        house.write(key, .apply(read(json: #"{"data":{"a":"1","b":"1"}}"#), force: false), by: "file")
        house.write(key, try Self.merge(#"{"data":{"b":"2","c":"1"}}"#), by: "edit")
        #expect(Self.owners(house[key]) == ["file/Apply: data.a", "edit/Update: data.b data.c"])
        // What the editor has now is a conflict for the file, unless it is forced.
        let again = Request.Write.Operation.apply(read(json: #"{"data":{"a":"1","b":"1"}}"#), force: false)
        guard case .conflict(_, .managers(let owners))? = house.write(key, again, by: "file")?.refusal else {
            Issue.record("no conflict")
            return
        }
        #expect(owners.map(\.manager) == ["edit"] && owners.map(\.path) == [".data.b"])
        house.write(key, .apply(read(json: #"{"data":{"a":"1","b":"1"}}"#), force: true), by: "file")
        #expect(Self.owners(house[key]) == ["file/Apply: data.a data.b", "edit/Update: data.c"])
        // What is removed belongs to nobody.
        house.write(key, try Self.merge(#"{"data":{"a":null,"c":null}}"#), by: "edit")
        #expect(Self.owners(house[key]) == ["file/Apply: data.b"])
    }

    @Test mutating func creationOwnsWhatWasSent() throws {
        let key = ObjectKey.agent("a")
        house.write(key, .create(read(json: #"{"spec":{"command":["x"],"suspend":true}}"#)), by: "kubectl-create")
        #expect(Self.owners(house[key]) == ["kubectl-create/Update: spec.command spec.suspend"])
        // A default that nobody has set is nobody's.
        let priority = Request.Write.Operation.apply(read(json: #"{"spec":{"priority":3}}"#), force: false)
        #expect(house.write(key, priority, by: "file")?.applied?.result == .configured)
    }

    @Test(arguments: ["[]", "[{}]"]) mutating func anEmptyListLetsEverybodyGo(_ list: String) throws {
        house.write(key, .apply(read(json: #"{"data":{"a":"1"}}"#), force: false), by: "gone")
        house.write(key, try Self.merge(#"{"metadata":{"managedFields":\#(list)}}"#), by: "admin")
        #expect(Self.owners(house[key]) == [])
        let next = Request.Write.Operation.apply(read(json: #"{"data":{"a":"2"}}"#), force: false)
        #expect(house.write(key, next, by: "new")?.applied?.result == .configured)
    }

    /// As kubectl takes over what it has applied from the client's side before.
    @Test mutating func aManagerIsRenamedByAPatchOfItsEntry() throws {
        house.write(key, .create(read(json: #"{"data":{"a":"1","b":"1"}}"#)), by: "kubectl-client-side-apply")
        let shown = try #require(house[key])
        var entry = try #require(shown.managedFields.list?.first)
        entry["manager"] = "kubectl"
        entry["operation"] = "Apply"
        let steps = Node.list([
            .map([("op", "replace"), ("path", "/metadata/managedFields"), ("value", .list([entry]))]),
            .map([
                ("op", "replace"), ("path", "/metadata/resourceVersion"),
                ("value", .text(String(shown.resourceVersion))),
            ]),
        ])
        house.write(key, .patch(.json(try JSONPatch(steps))), by: "kubectl")
        #expect(Self.owners(house[key]) == ["kubectl/Apply: data.a data.b"])
        // The renamed one owns it now: what it leaves out goes.
        house.write(key, .apply(read(json: #"{"data":{"a":"1"}}"#), force: false), by: "kubectl")
        #expect(house[key]?.content["data"] == read(json: #"{"a":"1"}"#))
        // The same patch again is of an old version.
        #expect(house.write(key, .patch(.json(try JSONPatch(steps))))?.refusal == .conflict(key, .modified))
    }

    @Test mutating func shownManagersSentBackAreNoChange() throws {
        house.write(key, .apply(read(json: #"{"data":{"a":"1"}}"#), force: false), by: "file")
        let before = try #require(house[key])
        let shown = before.document(withManagers: true)
        #expect(house.write(key, .update(shown), by: "client")?.applied?.result == .unchanged)
        #expect(house[key] == before)
        for wrong in [#"{"a":1}"#, #"[{"manager":1}]"#, #"[{"manager":"x","operation":"Spam","fieldsV1":{}}]"#] {
            let patch = try Self.merge(#"{"metadata":{"managedFields":\#(wrong)}}"#)
            #expect(house.write(key, patch)?.refusal == .malformed(key, .managedFields))
        }
    }

    @Test mutating func manyWritersAreKeptAsTheLatestAndOneMore() throws {
        for number in 0..<30 {
            house.write(
                key,
                number == 0
                    ? .create(read(json: #"{"data":{"k0":"1"}}"#)) : try Self.merge(#"{"data":{"k\#(number)":"1"}}"#),
                by: "m\(number)")
        }
        let names = (house[key]?.managers ?? []).map(\.name)
        #expect(names.count == 10 && names.contains("m29") && names.contains("ancient-changes"))
        #expect(house[key]?.managers.reduce(0) { $0 + $1.fields.paths.count } == 30)
    }

    /// Lists are whole: an item of one is the list.
    @Test func foreignPathsAreReadAsOurs() {
        let entry = read(
            json:
                #"{"manager":"m","operation":"Update","apiVersion":"v1","fieldsType":"FieldsV1","subresource":"status","fieldsV1":{"f:metadata":{"f:finalizers":{".":{},"v:\"a/x\"":{}},"f:labels":{".":{},"f:x":{}}}}}"#
        )
        let manager = FieldManager(entry, timeMs: 1)
        #expect(manager?.fields.paths == [["metadata", "finalizers"], ["metadata", "labels", "x"]])
        #expect(manager?.subresource == .status && manager?.operation == .update)
    }
}
