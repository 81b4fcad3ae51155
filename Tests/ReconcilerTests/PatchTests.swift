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
    ]) func listsOfKubernetesKindsAreMerged(_ row: PatchRow) throws {
        let patch = try StrategicMerge(read(row.patch))
        let (result, expected): (Node?, Node?) = (
            try? patch.applied(to: read(row.document)), row.result.map { read($0) }
        )
        #expect(result == expected)
        if let result, let row = row.result { #expect(JSONWriter.text(result) == row) }
    }
}
