import Testing
import Values

/// Readers of bytes end for every input; what they take can be written and read again.
@Suite struct MutationTests {
    private static let seeds = [
        "a: &x {b: [1, 2.5, \"q\\u00e9\", 'it''s'], c: |\n  text\n   more\n, d: >-\n  folded\n}\n<<: *x\n",
        "apiVersion: agentos.dev/v1\nkind: Agent\nspec:\n  command: [x]\n  env:\n  - {name: A, value: \"1\"}\n",
        "? key\n: value\n? \"a\\tb\"\n: ~\n---\n- 0x10\n- 1e400\n- -9223372036854775808\n...\n%YAML 1.2\n---\n!!str x\n",
        #"{"a":[1,-2.5e+3,"A\ud83d\ude00",true,null,{}],"b":{"c":"9223372036854775808"}}"#,
    ].map { Array($0.utf8) }

    private static let pieces =
        [
            "{", "}", "[", "]", ": ", "- ", "&x ", "*x", "<<", "\"", "'", "|\n", ">\n", "\n", "\t", "\r", "#", "? ",
            "!!str ",
            "\u{feff}", "\u{2028}", "1e400", "9223372036854775808", "\\u", "\\ud800", "---\n", "...\n", "%YAML 9.9\n",
            "\\", ",",
        ].map { Array($0.utf8) } + [[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0], [0xf4, 0x90, 0x80, 0x80]]

    @Test(arguments: 0..<8) func damagedBytesAreReadToTheirEnd(_ seed: UInt64) {
        var random = SeededRandom(seed: seed)
        for _ in 0..<1500 {
            var bytes = Self.seeds[random.below(Self.seeds.count)]
            for _ in 0...random.below(6) { damage(&bytes, &random) }
            var yaml = Diagnostics()
            for node in YAMLReader.read(bytes, file: "f", diagnostics: &yaml) where yaml.isEmpty { expectKept(node) }
            var json = Diagnostics()
            if let node = JSONReader.read(bytes, file: "f", diagnostics: &json), json.isEmpty { expectKept(node) }
        }
    }

    private func damage(_ bytes: inout [UInt8], _ random: inout SeededRandom) {
        let place = random.below(bytes.count + 1)
        let end = min(bytes.count, place + random.below(8))
        switch random.below(5) {
        case 0: bytes.insert(contentsOf: Self.pieces[random.below(Self.pieces.count)], at: place)
        case 1: bytes.removeSubrange(place..<end)
        case 2: bytes.insert(contentsOf: bytes[place..<end], at: random.below(bytes.count + 1))
        case 3 where place < bytes.count: bytes[place] ^= 1 << UInt8(random.below(8))
        default: bytes.insert(UInt8(random.below(256)), at: place)
        }
    }

    private func expectKept(_ node: Node) {
        var diagnostics = Diagnostics()
        let text = YAMLWriter.text(node)
        #expect(YAMLReader.read(Array(text.utf8), file: "f", diagnostics: &diagnostics) == [node], "\(text)")
        #expect(JSONReader.read(JSONWriter.text(node)) == node)
    }
}
