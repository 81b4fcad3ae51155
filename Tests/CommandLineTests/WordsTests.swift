import Manifests
import Testing
import Values
import agentos_apply

/// What words of a command line mean, before any daemon is asked.
@Suite struct WordsTests {
    private func invocation(_ words: String...) throws -> Invocation { try Invocation(words) }

    @Test(arguments: [
        (["get", "agents", "a", "b"], [Target(.agent, "a"), Target(.agent, "b")]),
        (["get", "agent/a", "source.agentos.dev/b"], [Target(.agent, "a"), Target(.source, "b")]),
        (["delete", "cm/a", "ns/b"], [Target(.configMap, "a"), Target(.namespace, "b")]),
        (["delete", "cm,secrets,cm", "a"], [Target(.configMap, "a"), Target(.secret, "a")]),
    ]) func objectsAreNamedInTwoForms(words: [String], expected: [Target]) throws {
        let invocation = try Invocation(words)
        #expect(try invocation.targets(invocation.words) == expected)
    }

    @Test(arguments: [
        (["a"], [Target(.agent, "a")]), (["agent", "a"], [Target(.agent, "a")]), (["agent/a"], [Target(.agent, "a")]),
        (["a", "b"], [Target(.agent, "a"), Target(.agent, "b")]), (["source", "a"], [Target(.source, "a")]),
        (["a", "source/b"], [Target(.agent, "a"), Target(.source, "b")]),
        // An agent that is called like a kind.
        (["agents"], [Target(.agent, "agents")]),
    ]) func theUsualKindNeedNotBeSaid(words: [String], expected: [Target]) throws {
        #expect(try invocation("suspend").targets(words, usual: .agent) == expected)
    }

    @Test(arguments: [
        (["agent/a", "b"], "\"b\": expected KIND/NAME, as the other words; or KIND NAME… for all of them"),
        (["agent/a/b"], "\"agent/a/b\": expected KIND/NAME, as the other words; or KIND NAME… for all of them"),
        (["agent/"], "\"agent/\": expected KIND/NAME, as the other words; or KIND NAME… for all of them"),
    ]) func mixedFormsAreMistakes(words: [String], message: String) throws {
        let get = try invocation("get")
        #expect(throws: CommandProblem(.usage, "\(message)\nSee 'agentos-apply get --help'.")) {
            try get.targets(words)
        }
    }

    @Test(arguments: [
        ["-n", "team", "get", "agents"], ["--namespace=team", "get", "agents"], ["get", "-n", "team", "agents"],
        ["--socket", "/s", "--state-dir=/d", "-n", "team", "get", "agents"],
    ]) func optionsOfAllVerbsMayStandBeforeTheVerb(words: [String]) throws {
        let invocation = try Invocation(words)
        #expect(type(of: invocation.verb).name == "get" && invocation.words == ["agents"])
    }

    @Test func withoutAVerbItIsApply() throws {
        for words in [["-f", "x"], ["-n", "team", "-f", "get"], ["--socket", "/s", "-f", "x", "--wait"]] {
            #expect(type(of: try Invocation(words).verb).name == "apply", "\(words)")
        }
        #expect(throws: CommandProblem.self) { try Invocation(["-n", "team", "fly"]) }
    }

    @Test(arguments: [
        ("restar", "; did you mean \"restart\"?"), ("restor", "; did you mean \"restore\"?"),
        ("stats", "; did you mean \"status\"?"), ("delte", "; did you mean \"delete\"?"), ("dlt", ""),
        ("restate", "; did you mean \"restart\"?"),
    ]) func whatDoesHarmIsNotSuggestedLightly(word: String, hint: String) {
        #expect(Verbs.suggestion(for: word) == hint)
        #expect(throws: CommandProblem(.usage, "unknown command \"\(word)\"\(hint)\nSee 'agentos-apply --help'.")) {
            try Invocation([word])
        }
    }

    @Test(arguments: ["jsonpath={.x}", "custom-columns=A:.x", "go-template={{.x}}", "jsonpath", "go-template-file=x"])
    func outputsThatAreNotBuiltAreRefusedByName(format: String) {
        let name = format.prefix { $0 != "=" }
        for verb in ["get", "status", "apply", "events", "create", "api-resources"] {
            #expect(
                throws: CommandProblem(
                    .usage,
                    "--output: \(name) is not built; print -o json and take what you need with another program, such as jq\nSee 'agentos-apply \(verb) --help'."
                )
            ) { try Invocation([verb, "-o", format]) }
        }
    }

    // MARK: Labels and annotations

    @Test func changesOfLabelsAreReadFromWords() throws {
        let words = ["agent", "a", "tier=front", "x.dev/y=", "old-"]
        #expect(MetadataChange.start(in: words) == 2)
        let change = try MetadataChange(words[2...])
        #expect(change.sets == ["tier": "front", "x.dev/y": ""] && change.removes == ["old"])
        let patch = try change.patch(["old": "1", "x.dev/y": ""], overwrites: false)
        #expect(patch == .map([("old", Node(.null)), ("tier", "front")]))
        #expect(try change.patch(["tier": "front", "x.dev/y": "", "z": "1"], overwrites: false) == nil)
        #expect(throws: Mistake("tier is \"back\" already; give --overwrite to change it")) {
            try change.patch(["tier": "back"], overwrites: false)
        }
        #expect(try change.patch(["tier": "back"], overwrites: true)?["tier"] == "front")
    }

    @Test(arguments: [
        (["a"], "\"a\": expected KEY=VALUE, or KEY- to remove it"), (["a=1", "a=2"], "a is set twice"),
        (["a=1", "a-"], "a is both set and removed"), (["=1"], "\"=1\": the key is missing"),
        (["-"], "\"-\": the key is missing"),
    ]) func badChangesOfLabelsAreTold(words: [String], message: String) {
        #expect(throws: Mistake(message)) { try MetadataChange(words) }
    }

    // MARK: Values

    @Test func filesOfVariablesAreRead() throws {
        var data = LiteralData()
        try data.addLiteral("a=b=c")
        try data.addVariables("# no\n\nX=1\r\n  Y= z \nHOME\n", file: "e") { $0 == "HOME" ? "/h" : nil }
        #expect(try data.text() == .strings(["a": "b=c", "X": "1", "Y": " z ", "HOME": "/h"]))
        #expect(data.base64["a"] == "Yj1j")
    }

    @Test(arguments: [
        ("X=1\n1=2\n", "e:2: expected NAME=VALUE, found \"1=2\""), ("NONE\n", "e:1: the variable NONE is not set here"),
        ("X=1\nX=2\n", "the key \"X\" is given twice"),
    ]) func badFilesOfVariablesAreTold(text: String, message: String) {
        var data = LiteralData()
        #expect(throws: Mistake(message)) { try data.addVariables(text, file: "e") { _ in nil } }
    }

    @Test func badLiteralsAreTold() {
        var data = LiteralData()
        #expect(throws: Mistake("--from-literal: expected KEY=VALUE, found \"a\"")) { try data.addLiteral("a") }
        #expect(throws: Mistake("\"a/b\" cannot be a key: expected letters, digits, '-', '_' or '.'")) {
            try data.addLiteral("a/b=1")
        }
    }

    // MARK: Editing

    @Test func anEditedTextIsReadWithItsHead() throws {
        let edited = EditedText(.configMap, namespace: "team", name: "c")
        let text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, namespace: team}\ndata: {a: b}\n"
        let whole = edited.whole(text, problems: ["first\nsecond"])
        #expect(whole.contains("# first\n# second\n") && edited.text(of: whole) == text)
        let node = try edited.read(text, file: "f").get()
        #expect(node[path: "data", "a"] == "b")
        #expect(edited.isEmpty("# a\n\n---\n") && !edited.isEmpty(text))
        let cases = [
            (text.replacing("name: c", with: "name: d"), "kind, name and namespace of an object cannot be changed"),
            (text.replacing("\ndata", with: "\ndat"), "f:7:1: dat: unknown field"),
            (text + "---\n" + text.replacing("name: c", with: "name: d"), "expected one object, found 2"),
        ]
        for (bad, words) in cases {
            guard case .failure(let problems) = edited.read(bad, file: "f") else {
                Issue.record("\(words)")
                continue
            }
            #expect(problems.lines.joined().contains(words), "\(problems.lines)")
        }
    }

    // MARK: Explaining

    private static let drivers = DriverTable(
        ["process", "gvisor"].map {
            DriverCapabilities(name: $0, program: .image, usualNetwork: .none, hasOwnUsers: true, features: [])
        })

    @Test func aFieldIsExplained() throws {
        let explanation = FieldExplanation(width: 60, isRecursive: false, drivers: Self.drivers)
        #expect(
            try explanation.text(.agent, ["spec", "resources", "limits"]) == """
                KIND:     Agent
                VERSION:  agentos.dev/v1
                FIELD:    spec.resources.limits <object>

                What the agent may use at most.

                FIELDS:
                  cpu <quantity>     Cores at most.
                  memory <quantity>  Bytes at most; more ends the run as
                                     OOMKilled.
                  pids <integer>     Processes and threads at most.
                  nofile <integer>   Open files per process at most.

                """)
        #expect(
            try explanation.text(.agent, ["spec", "replicas"]) == """
                KIND:     Agent
                VERSION:  agentos.dev/v1
                FIELD:    spec.replicas <integer>

                How many ordinals run; each keeps its identity.

                  default: 1
                  values: from 0 to 1000

                """)
        #expect(
            try explanation.text(.agent, ["spec", "driver"]).contains(
                "default: process\n  values: process, gvisor\n  restarts: "))
        #expect(try explanation.text(.agent, ["spec", "env", "valueFrom"]).contains("exactly one of secretKeyRef"))
        #expect(
            throws: Mistake(
                "secret has no field \"dta\"; did you mean \"data\"?; it has apiVersion, kind, metadata, type, data, stringData, dataFrom"
            )
        ) { try explanation.text(.secret, ["dta"]) }
        let whole = FieldExplanation(width: 200, isRecursive: true, drivers: .none)
        for kind in Kind.allCases {
            #expect(try whole.text(kind, []).split(separator: "\n").allSatisfy { $0.count <= 200 }, "\(kind)")
        }
        #expect(try whole.text(.agent, []).contains("        secretKeyRef <object>"))
    }
}
