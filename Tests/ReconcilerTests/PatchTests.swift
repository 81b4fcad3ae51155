import Testing
import Values

@testable import Reconciler

private func read(_ text: String) -> Node { JSONReader.read(text) ?? .text("unreadable: \(text)") }

/// A patch and what it makes of a document; nil: it does not apply.
struct PatchRow: Sendable, CustomTestStringConvertible {
    var document: String
    var patch: String
    var result: String?

    init(_ document: String, _ patch: String, _ result: String?) {
        (self.document, self.patch, self.result) = (document, patch, result)
    }

    var testDescription: String { "\(document) \(patch)" }
}

@Suite struct JSONPatchTests {
    /// The examples of appendix A of RFC 6902, and the places where readers of it differ.
    static let rows = [
        PatchRow(
            #"{"foo":"bar"}"#, #"[{"op":"add","path":"/baz","value":"qux"}]"#, #"{"foo":"bar","baz":"qux"}"#),
        PatchRow(
            #"{"foo":["bar","baz"]}"#, #"[{"op":"add","path":"/foo/1","value":"qux"}]"#,
            #"{"foo":["bar","qux","baz"]}"#),
        PatchRow(#"{"baz":"qux","foo":"bar"}"#, #"[{"op":"remove","path":"/baz"}]"#, #"{"foo":"bar"}"#),
        PatchRow(#"{"foo":["bar","qux","baz"]}"#, #"[{"op":"remove","path":"/foo/1"}]"#, #"{"foo":["bar","baz"]}"#),
        PatchRow(#"{"baz":"qux"}"#, #"[{"op":"replace","path":"/baz","value":"boo"}]"#, #"{"baz":"boo"}"#),
        PatchRow(
            #"{"foo":{"bar":"baz","waldo":"fred"},"qux":{"corge":"grault"}}"#,
            #"[{"op":"move","from":"/foo/waldo","path":"/qux/thud"}]"#,
            #"{"foo":{"bar":"baz"},"qux":{"corge":"grault","thud":"fred"}}"#),
        PatchRow(
            #"{"foo":["all","grass","cows","eat"]}"#, #"[{"op":"move","from":"/foo/1","path":"/foo/3"}]"#,
            #"{"foo":["all","cows","eat","grass"]}"#),
        PatchRow(
            #"{"baz":"qux","foo":["a",2,"c"]}"#,
            #"[{"op":"test","path":"/baz","value":"qux"},{"op":"test","path":"/foo/1","value":2}]"#,
            #"{"baz":"qux","foo":["a",2,"c"]}"#),
        PatchRow(#"{"baz":"qux"}"#, #"[{"op":"test","path":"/baz","value":"bar"}]"#, nil),
        PatchRow(
            #"{"foo":"bar"}"#, #"[{"op":"add","path":"/child","value":{"grandchild":{}}}]"#,
            #"{"foo":"bar","child":{"grandchild":{}}}"#),
        PatchRow(
            #"{"foo":"bar"}"#, #"[{"op":"add","path":"/baz","value":"qux","xyz":123}]"#,
            #"{"foo":"bar","baz":"qux"}"#),
        PatchRow(#"{"foo":"bar"}"#, #"[{"op":"add","path":"/baz/bat","value":"qux"}]"#, nil),
        PatchRow(#"{"/":9,"~1":10}"#, #"[{"op":"test","path":"/~01","value":10}]"#, #"{"/":9,"~1":10}"#),
        PatchRow(#"{"/":9,"~1":10}"#, #"[{"op":"test","path":"/~01","value":"10"}]"#, nil),
        PatchRow(
            #"{"foo":["bar"]}"#, #"[{"op":"add","path":"/foo/-","value":["abc","def"]}]"#,
            #"{"foo":["bar",["abc","def"]]}"#),
        // Numbers are equal as numbers; null is a value and no absence.
        PatchRow(#"{"a":1}"#, #"[{"op":"test","path":"/a","value":1.0}]"#, #"{"a":1}"#),
        PatchRow(#"{"a":null}"#, #"[{"op":"test","path":"/a","value":null}]"#, #"{"a":null}"#),
        PatchRow(#"{}"#, #"[{"op":"test","path":"/a","value":null}]"#, nil),
        PatchRow(#"{"a":1}"#, #"[{"op":"replace","path":"/b","value":1}]"#, nil),
        PatchRow(#"{"a":1}"#, #"[{"op":"remove","path":"/b"}]"#, nil),
        PatchRow(#"{"a":[1]}"#, #"[{"op":"add","path":"/a/01","value":1}]"#, nil),
        PatchRow(#"{"a":[1]}"#, #"[{"op":"add","path":"/a/2","value":1}]"#, nil),
        PatchRow(#"{"a":[1]}"#, #"[{"op":"add","path":"/a/1","value":2}]"#, #"{"a":[1,2]}"#),
        PatchRow(#"{"a":[1]}"#, #"[{"op":"remove","path":"/a/-"}]"#, nil),
        PatchRow(#"{"a":[1]}"#, #"[{"op":"add","path":"/a/18446744073709551616","value":2}]"#, nil),
        PatchRow(#"{"a":{"b":1}}"#, #"[{"op":"move","from":"/a","path":"/a/c"}]"#, nil),
        PatchRow(#"{"a":{"b":1}}"#, #"[{"op":"move","from":"/a","path":"/a"}]"#, #"{"a":{"b":1}}"#),
        PatchRow(#"{"a":1}"#, #"[{"op":"copy","from":"/a","path":"/b"}]"#, #"{"a":1,"b":1}"#),
        PatchRow(
            #"{"a":{"x":1}}"#,
            #"[{"op":"copy","from":"/a","path":"/b"},{"op":"replace","path":"/b/x","value":2}]"#,
            #"{"a":{"x":1},"b":{"x":2}}"#),
        PatchRow(#"{"":1}"#, #"[{"op":"replace","path":"/","value":2}]"#, #"{"":2}"#),
        PatchRow(#"{"a":1}"#, #"[{"op":"replace","path":"","value":{"b":2}}]"#, #"{"b":2}"#),
        PatchRow(#"{"a":1}"#, #"[{"op":"add","path":"/a/b","value":1}]"#, nil),
        PatchRow(
            #"{"a":1}"#, #"[{"op":"remove","path":"/a"},{"op":"add","path":"/a","value":2}]"#, #"{"a":2}"#),
        // Steps before the one that fails leave nothing behind.
        PatchRow(
            #"{"a":1}"#, #"[{"op":"remove","path":"/a"},{"op":"test","path":"/a","value":1}]"#, nil),
    ]

    @Test(arguments: rows) func stepsApplyAsTheStandardSays(_ row: PatchRow) throws {
        let patch = try JSONPatch(read(row.patch))
        let (found, expected): (Node?, Node?) = (
            try? patch.applied(to: read(row.document)), row.result.map { read($0) }
        )
        #expect(found == expected)
    }

    @Test(arguments: [
        "{}", "[1]", #"[{"op":"add","path":"/a"}]"#, #"[{"op":"add","value":1}]"#, #"[{"op":"spam","path":"/a"}]"#,
        #"[{"path":"/a","value":1}]"#, #"[{"op":"move","path":"/a"}]"#, #"[{"op":"remove","path":"a"}]"#,
        #"[{"op":"remove","path":"/a~2"}]"#, #"[{"op":"remove","path":"/a~"}]"#, #"[{"op":"add","path":1,"value":1}]"#,
    ]) func whatIsNoPatchIsRefused(_ text: String) {
        #expect { try JSONPatch(read(text)) } throws: { ($0 as? PatchProblem)?.isMalformed == true }
    }

    /// Each round puts what is there one level deeper.
    @Test func noSequenceOfStepsMakesADocumentDeeperThanIsRead() throws {
        let round = read(
            #"[{"op":"move","from":"/a","path":"/t"},{"op":"add","path":"/a","value":{}},{"op":"move","from":"/t","path":"/a/n"}]"#
        )
        let copies = read(
            #"[{"op":"copy","from":"/a","path":"/t"},{"op":"replace","path":"/a","value":{}},{"op":"move","from":"/t","path":"/a/n"}]"#
        )
        for steps in [round, copies] {
            let patch = try JSONPatch(.list(Array(repeating: steps.list ?? [], count: 3000).flatMap { $0 }))
            #expect {
                try patch.applied(to: read(#"{"a":{"x":1}}"#))
            } throws: { if case .unfitting(_, .depth)? = $0 as? PatchProblem { true } else { false } }
        }
        let far = String(repeating: "/a", count: Limits.depthMax + 1)
        #expect { try JSONPatch([.map([("op", "remove"), ("path", .text(far))])]) } throws: {
            ($0 as? PatchProblem)?.isMalformed == true
        }
        let value = (0..<40).reduce(Node("x")) { inner, _ in [inner] }
        let place = (0..<40).map {
            Node.map([("op", "add"), ("path", .text(String(repeating: "/a", count: $0 + 1))), ("value", .emptyMap)])
        }
        let deep = try JSONPatch(
            .list(
                place + [
                    .map([("op", "replace"), ("path", .text(String(repeating: "/a", count: 40))), ("value", value)])
                ]))
        #expect(throws: PatchProblem.self) { try deep.applied(to: .emptyMap) }
    }

    /// One value is not many, and yet it can be a mebibyte.
    @Test func copiesOfTextsHaveABoundInBytes() throws {
        let steps = (0..<10).map { Node.map([("op", "copy"), ("from", "/x"), ("path", .text("/c\($0)"))]) }
        let text = Node.text(String(repeating: "x", count: 1 << 20))
        #expect(throws: PatchProblem.tooCostly) { try JSONPatch(.list(steps)).applied(to: .map([("x", text)])) }
        #expect(throws: Never.self) { try JSONPatch(.list(Array(steps.prefix(2)))).applied(to: .map([("x", text)])) }
    }

    /// Whatever stands behind an item of a list moves when it comes or goes.
    @Test func insertingBeforeManyHasABound() throws {
        let steps = Array(repeating: Node.map([("op", "add"), ("path", "/l/0"), ("value", 1)]), count: 10_000)
        let list = Node.map([("l", .list(Array(repeating: 0, count: 100_000)))])
        #expect(throws: PatchProblem.tooCostly) { try JSONPatch(.list(steps)).applied(to: list) }
        #expect(throws: Never.self) { try JSONPatch(.list(steps)).applied(to: .map([("l", [])])) }
    }

    /// A document that would double with each step.
    @Test func copiesHaveABound() throws {
        let double = (0..<40).map { step in
            Node.map([("op", "copy"), ("from", "/x"), ("path", .text("/x/c\(step)"))])
        }
        let patch = try JSONPatch(.list(double))
        #expect(throws: PatchProblem.tooCostly) { try patch.applied(to: read(#"{"x":{"y":1}}"#)) }
        let many = Node.list(Array(repeating: .map([("op", "remove"), ("path", "/a")]), count: 10_001))
        #expect(throws: PatchProblem.malformed(.tooManySteps)) { try JSONPatch(many) }
    }
}

@Suite struct MergePatchTests {
    /// The table of appendix A of RFC 7386, for patches that are maps.
    @Test(arguments: [
        PatchRow(#"{"a":"b"}"#, #"{"a":"c"}"#, #"{"a":"c"}"#),
        PatchRow(#"{"a":"b"}"#, #"{"b":"c"}"#, #"{"a":"b","b":"c"}"#),
        PatchRow(#"{"a":"b"}"#, #"{"a":null}"#, #"{}"#),
        PatchRow(#"{"a":"b","b":"c"}"#, #"{"a":null}"#, #"{"b":"c"}"#),
        PatchRow(#"{"a":["b"]}"#, #"{"a":"c"}"#, #"{"a":"c"}"#),
        PatchRow(#"{"a":"c"}"#, #"{"a":["b"]}"#, #"{"a":["b"]}"#),
        PatchRow(#"{"a":{"b":"c"}}"#, #"{"a":{"b":"d","c":null}}"#, #"{"a":{"b":"d"}}"#),
        PatchRow(#"{"a":[{"b":"c"}]}"#, #"{"a":[1]}"#, #"{"a":[1]}"#),
        PatchRow(#"{"a":"foo"}"#, #"{"a":{"b":null}}"#, #"{"a":{}}"#),
        PatchRow(#"{"e":null}"#, #"{"a":1}"#, #"{"e":null,"a":1}"#),
        PatchRow(#"{}"#, #"{"a":{"bb":{"ccc":null}}}"#, #"{"a":{"bb":{}}}"#),
    ]) func mapsAreMergedAndNullRemoves(_ row: PatchRow) throws {
        let (found, expected): (Node?, Node?) = (
            try MergePatch(read(row.patch)).applied(to: read(row.document)), row.result.map { read($0) }
        )
        #expect(found == expected)
    }

    @Test(arguments: ["[]", "1", "null", "\"a\""]) func anObjectIsPatchedWithAMap(_ text: String) {
        #expect(throws: PatchProblem.malformed(.notAMap)) { try MergePatch(read(text)) }
        #expect(throws: PatchProblem.malformed(.notAMap)) { try StrategicMerge(read(text)) }
    }
}

@Suite struct StrategicMergeTests {
    @Test(arguments: [
        PatchRow(#"{"data":{"a":"1"}}"#, #"{"data":{"b":"2"}}"#, #"{"data":{"a":"1","b":"2"}}"#),
        PatchRow(#"{"data":{"a":"1"}}"#, #"{"data":{"a":null}}"#, #"{"data":{}}"#),
        PatchRow(#"{"data":{"a":"1"}}"#, #"{"data":{"$patch":"replace","b":"2"}}"#, #"{"data":{"b":"2"}}"#),
        PatchRow(#"{"data":{"a":"1"}}"#, #"{"data":{"$patch":"delete"}}"#, #"{"data":{}}"#),
        PatchRow(
            #"{"data":{"a":"1","b":"2"}}"#, #"{"data":{"$retainKeys":["b","c"],"c":"3"}}"#,
            #"{"data":{"b":"2","c":"3"}}"#),
        PatchRow(
            #"{"metadata":{"finalizers":["a/x"]}}"#, #"{"metadata":{"finalizers":["b/y","a/x"]}}"#,
            #"{"metadata":{"finalizers":["a/x","b/y"]}}"#),
        PatchRow(
            #"{"metadata":{"finalizers":["a/x","b/y"]}}"#,
            #"{"metadata":{"$deleteFromPrimitiveList/finalizers":["a/x"]}}"#, #"{"metadata":{"finalizers":["b/y"]}}"#),
        PatchRow(
            #"{"metadata":{"finalizers":["a/x"]}}"#,
            #"{"metadata":{"$setElementOrder/finalizers":["b/y","a/x"],"finalizers":["b/y"]}}"#,
            #"{"metadata":{"finalizers":["b/y","a/x"]}}"#),
        PatchRow(
            #"{"secrets":[{"name":"a","x":1},{"name":"b"}]}"#,
            #"{"secrets":[{"name":"a","y":2},{"name":"b","$patch":"delete"},{"name":"c"}]}"#,
            #"{"secrets":[{"name":"a","x":1,"y":2},{"name":"c"}]}"#),
        PatchRow(#"{"rules":[1,2]}"#, #"{"rules":[3]}"#, #"{"rules":[3]}"#),
        PatchRow(#"{"secrets":[]}"#, #"{"secrets":[{"x":1}]}"#, nil),
        PatchRow(#"{}"#, #"{"$patch":"spam"}"#, nil),
        PatchRow(#"{}"#, #"{"$spam":1}"#, nil),
        PatchRow(
            #"{"status":{"conditions":[{"type":"a","x":1},{"type":"b"}]}}"#,
            #"{"status":{"$setElementOrder/conditions":[{"type":"c"},{"type":"a"}],"conditions":[{"type":"c"},{"type":"c","y":1}]}}"#,
            #"{"status":{"conditions":[{"type":"c","y":1},{"type":"a","x":1},{"type":"b"}]}}"#),
    ]) func listsOfKubernetesKindsAreMerged(_ row: PatchRow) throws {
        let patch = try StrategicMerge(read(row.patch))
        let (result, expected): (Node?, Node?) = (
            try? patch.applied(to: read(row.document)), row.result.map { read($0) }
        )
        #expect(result == expected)
        if let result, let row = row.result { #expect(JSONWriter.text(result) == row) }
    }

    /// A list costs what its items cost, not their square, so that none is too long to be merged.
    @Test func longListsAreMergedToo() throws {
        let types = (0..<20_000).map { Node.map([("type", .text("t\($0)"))]) }
        func conditions(_ items: [Node]) -> Node { .map([("status", .map([("conditions", .list(items))]))]) }
        var patch = conditions(
            types.map { item in
                var item = item
                item["x"] = 1
                return item
            })
        var status = patch["status"] ?? .emptyMap
        status["$setElementOrder/conditions"] = .list(types.reversed())
        patch["status"] = status
        let result = try StrategicMerge(patch).applied(to: conditions(types))
        let found = result[path: "status", "conditions"]?.list ?? []
        #expect(found.count == types.count && found.first?["type"] == "t19999" && found.allSatisfy { $0["x"] == 1 })
    }

}
