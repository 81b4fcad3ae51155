import Testing
import Values

private func read(_ text: String) -> (node: Node?, errors: [String]) {
    var diagnostics = Diagnostics()
    let node = JSONReader.read(Array(text.utf8), file: "f", diagnostics: &diagnostics)
    return (node, diagnostics.kept.map(\.description))
}

@Suite struct JSONTests {
    @Test(
        arguments: [
            ("0", .int(0)), ("-1", .int(-1)), ("9223372036854775807", .int(.max)), ("-9223372036854775808", .int(.min)),
            ("9223372036854775808", .double(9.223372036854775808e18)), ("1.5", .double(1.5)), ("1e2", .double(100)),
            ("-0", .int(0)), ("1E+2", .double(100)), ("1e-400", .double(0)), (#""\u00e9\ud83d\ude00""#, .string("é😀")),
        ] as [(String, Node.Value)])
    func valuesAreRead(_ text: String, _ value: Node.Value) { #expect(read(text).node?.value == value) }

    /// RFC 8259 and nothing beside it; each is told with its place.
    @Test(arguments: [
        "", " ", "-", "+1", "01", "-01", "1.", ".5", "1e", "1e+", "1-2", "--1", "0x10", "1e400", "-1e400", "NaN",
        "Infinity", "[1,]", "{\"a\":1,}", "{a:1}", "'a'", "\"\\x\"", "\"\\u+123\"", "\"\\u-000\"", "\"\\u12\"",
        "\"\\ud800\"", "\"\\ud800\\u0041\"", "\"\\udc00\"", "\"\u{1}\"", "[", "{", "\"", "tru", "truee", "1 2",
        "{\"a\":1,\"a\":2}", "\u{feff}1",
    ])
    func whatIsNoJSONIsRefused(_ text: String) {
        let (_, errors) = read(text)
        #expect(errors.count == 1 && errors[0].hasPrefix("f:1:"), "\(errors)")
    }

    @Test func depthIsBounded() {
        let deep = { (levels: Int) in
            String(repeating: "[", count: levels) + String(repeating: "]", count: levels)
        }
        #expect(read(deep(Limits.depthMax)).errors.isEmpty)
        #expect(read(deep(Limits.depthMax + 1)).errors.count == 1)
        #expect(read(deep(100_000)).errors.count == 1)
    }
}
