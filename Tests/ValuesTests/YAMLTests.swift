import Testing
import Values

private func read(_ text: String) -> (node: Node?, errors: [String]) {
    var diagnostics = Diagnostics()
    let nodes = YAMLReader.read(Array(text.utf8), file: "f", diagnostics: &diagnostics)
    return (nodes.first, diagnostics.kept.map(\.description))
}

@Suite struct YAMLTests {
    /// A key is the text that stands there, whatever a value would be.
    @Test(arguments: ["007", "0x10", "True", "yes", "1.50", "1_000", "12:30", "1e3"])
    func keysAreTheTextThatWasWritten(_ key: String) {
        let (node, errors) = read("\(key): x\n")
        #expect(errors.isEmpty && node?.map?.entries.map(\.key) == [key], "\(errors)")
    }

    @Test(arguments: ["null: x", "~: x", "? [a]\n: x", "? {a: b}\n: x", "a: &a 1\n*a : x"])
    func whatIsNoKeyIsRefused(_ text: String) {
        #expect(read(text).errors.first?.contains("a key must be a string") == true, "\(read(text).errors)")
    }

    @Test(
        arguments: [
            ("0o17", .int(15)), ("0440", .int(0o440)), ("0x1F", .int(31)), ("08", .int(8)), ("+1", .int(1)),
            ("0x-5", .string("0x-5")), ("0o+7", .string("0o+7")), ("0x", .string("0x")), ("1e3", .double(1000)),
            (".5", .double(0.5)), ("1e400", .string("1e400")), ("-1e400", .string("-1e400")), (".inf", .string(".inf")),
            ("9223372036854775807", .int(.max)), ("9223372036854775808", .double(9.223372036854775808e18)),
            ("0x8000000000000000", .string("0x8000000000000000")), ("1.2.3", .string("1.2.3")),
            ("-", .list([Node(.null)])),
            ("no", .string("no")), ("2024-01-01", .string("2024-01-01")),
        ] as [(String, Node.Value)])
    func plainScalarsFollowTheCoreSchema(_ text: String, _ value: Node.Value) {
        #expect(read(text).node?.value == value)
    }

    @Test func mergeKeysBringWhatIsNotThere() {
        let text = """
            x-one: &one {a: 1, b: 1}
            x-two: &two {<<: *one, b: 2, c: 2}
            own: {b: 9, <<: *two, d: 9}
            both: {<<: [*one, {b: 5, e: 5}]}
            quoted: {"<<": 1}
            """
        let (node, errors) = read(text)
        #expect(errors.isEmpty, "\(errors)")
        #expect(node?["own"] == .map([("a", 1), ("b", 9), ("c", 2), ("d", 9)]))
        #expect(node?["both"] == .map([("a", 1), ("b", 1), ("e", 5)]))
        #expect(node?["quoted"] == .map([("<<", 1)]))
    }

    @Test(arguments: [
        ("a: {<<: 1}", "f:1:5: << takes a map"), ("a: {<<: [1]}", "f:1:5: << takes a map"),
        ("a: {<<: []}", "f:1:5: << takes a map"), ("x: &x {}\na: {<<: *x, <<: *x}", "f:2:13: the key \"<<\""),
        ("a: {<<: *none}", "the alias *none has no anchor"),
    ])
    func mergeKeysOfAnythingElseAreRefused(_ text: String, _ expected: String) {
        #expect(read(text).errors.first?.contains(expected) == true, "\(read(text).errors)")
    }

    /// Maps merged into maps grow as aliases do: refused before they are large.
    @Test func mergedMapsAreBounded() {
        var text = "a0: &a0 {\((0..<100).map { "k\($0): 1" }.joined(separator: ", "))}\n"
        for level in 1...200 { text += "a\(level): &a\(level) {<<: *a\(level - 1), l\(level): 1}\n" }
        #expect(read(text).errors.first?.contains("aliases grow this file") == true)
    }

    /// What one reader or another takes for something else stands in quotes.
    @Test(arguments: [
        "yes", "No", "on", "Y", "n", "12:30", "1_000", "2024-01-01", "2024-01-01T10:00:00Z", "0x10", "0o17", "007",
        "1e3", ".5", ".inf", ".NaN", "+1", "-1", "~", "null", "True", "<<", "=", "", " ", "a: b", "a #b", "- a", "a:",
    ])
    func ambiguousTextsAreQuoted(_ text: String) {
        let (value, key) = (YAMLWriter.text(.map([("k", .text(text))])), YAMLWriter.text(.map([(text, .number(1))])))
        #expect(value == "k: \(JSONWriter.text(.text(text)))\n" && key == "\(JSONWriter.text(.text(text))): 1\n")
    }

    @Test(arguments: ["a", "10s", "250m", "1Gi", "localhost/x:1.2", "/srv/x", "./ready", "no way", "$(HOME)/x", "a,b"])
    func ordinaryTextsAreNotQuoted(_ text: String) {
        #expect(YAMLWriter.text(.map([("k", .text(text))])) == "k: \(text)\n")
    }
}
