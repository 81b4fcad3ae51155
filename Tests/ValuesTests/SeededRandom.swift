import Values

/// The same choices for the same seed.
struct SeededRandom {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func below(_ bound: Int) -> Int {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Int(state >> 33) % bound
    }

    /// Texts of which readers of YAML have each taken one for something else.
    private static let parts = [
        "yes", "no", "on", "y", "N", "12:30", "1_000", "2024-01-01", "2024-01-01T00:00:00Z", "0x10", "0o17", "007",
        "1e3", "1.", "+1", ".inf", ".nan", ".5", "<<", "=", "~", "null", "True", "\u{2028}", "\u{2029}", "\u{85}",
        "\u{feff}", "\u{fffe}", "\u{ffff}", "\u{10ffff}", "𐍈", "é", "\u{a0}", " ", "  ", "\n", "\n\n", "\t", "\r",
        "\r\n", "a", "b: ", "c #", "- ", "? ", "|", ">", "%", "@", "`", "'", "\"", "\\", "{", "}", "[", "]", ",", "&a",
        "*a", "!t", "---", "...", ":", "#", "\u{7f}", "\u{1}", "\u{9f}", "x", "0", "-", "_", ".",
    ]

    mutating func text() -> String { (0..<below(5)).map { _ in Self.parts[below(Self.parts.count)] }.joined() }

    mutating func node(depth: Int = 0, hasDoubles: Bool = true) -> Node {
        switch below(depth > 3 ? 6 : 9) {
        case 0: return Node(.null)
        case 1: return Node(.bool(below(2) == 0))
        case 2: return .number((below(2) == 0 ? 1 : -1) * (below(1 << 31) << below(32)))
        case 3 where hasDoubles:
            let scales = [1e-300, 1e-5, 0.1, 1, 1e3, 1e16, 1e20, 1e300]
            return Node(.double(Double(below(1000)) * scales[below(scales.count)]))
        case 6, 7: return .list((0..<below(4)).map { _ in node(depth: depth + 1, hasDoubles: hasDoubles) })
        case 8:
            var map = NodeMap()
            for _ in 0..<below(4) {
                let key = below(50) == 0 ? String(repeating: text() + "k", count: 400) : text()
                map[key] = node(depth: depth + 1, hasDoubles: hasDoubles)
            }
            return Node(.map(map))
        default: return .text(text())
        }
    }
}
