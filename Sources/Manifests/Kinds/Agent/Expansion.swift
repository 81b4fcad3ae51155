/// `$(VAR)` as in Kubernetes: unknown names stay as they are, `$$` is a dollar sign.
public enum Expansion {
    public static func expand(_ text: String, _ values: [String: String]) -> String {
        var out = ""
        for part in parts(text) {
            switch part {
            case .text(let text): out += text
            case .variable(let name): out += values[name] ?? "$(\(name))"
            }
        }
        return out
    }

    /// The variables that a text refers to, in order.
    public static func names(in text: String) -> [String] {
        parts(text).compactMap { if case .variable(let name) = $0 { name } else { nil } }
    }

    private enum Part {
        case text(String)
        case variable(String)
    }

    private static func parts(_ text: String) -> [Part] {
        guard text.utf8.contains(UInt8(ascii: "$")) else { return [.text(text)] }
        var parts: [Part] = []
        var rest = text[...]
        while let dollar = rest.firstIndex(of: "$") {
            parts.append(.text(String(rest[..<dollar])))
            rest = rest[rest.index(after: dollar)...]
            if rest.first == "(", let end = rest.firstIndex(of: ")") {
                parts.append(.variable(String(rest[rest.index(after: rest.startIndex)..<end])))
                rest = rest[rest.index(after: end)...]
            } else {
                parts.append(.text("$"))
                if rest.first == "$" { rest = rest.dropFirst() }
            }
        }
        return parts + [.text(String(rest))]
    }
}
