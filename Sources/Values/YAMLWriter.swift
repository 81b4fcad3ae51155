/// Writes nodes as block-style YAML that reads back as the same nodes.
public enum YAMLWriter {
    public static func text(_ node: Node) -> String {
        var out = ""
        write(node, indent: 0, inline: false, into: &out)
        return out
    }

    private static func write(_ node: Node, indent: Int, inline: Bool, into out: inout String) {
        switch node.value {
        case .map(let map) where !map.isEmpty:
            for (index, entry) in map.entries.enumerated() {
                if index > 0 || !inline { out += String(repeating: " ", count: indent) }
                out += scalar(entry.key) + ":"
                child(entry.value, indent: indent, into: &out)
            }
        case .list(let items) where !items.isEmpty:
            for item in items {
                out += String(repeating: " ", count: indent) + "-"
                if isBlock(item) {
                    out += " "
                    if case .list = item.value {
                        out += "\n"
                        write(item, indent: indent + 2, inline: false, into: &out)
                    } else {
                        write(item, indent: indent + 2, inline: true, into: &out)
                    }
                } else {
                    child(item, indent: indent, into: &out)
                }
            }
        default:
            out += leaf(node, indent: indent) + "\n"
        }
    }

    private static func isBlock(_ node: Node) -> Bool {
        switch node.value {
        case .map(let map): !map.isEmpty
        case .list(let items): !items.isEmpty
        default: false
        }
    }

    private static func child(_ node: Node, indent: Int, into out: inout String) {
        if isBlock(node) {
            out += "\n"
            if case .list = node.value {
                write(node, indent: indent, inline: false, into: &out)
            } else {
                write(node, indent: indent + 2, inline: false, into: &out)
            }
        } else {
            out += " " + leaf(node, indent: indent) + "\n"
        }
    }

    private static func leaf(_ node: Node, indent: Int) -> String {
        switch node.value {
        case .null: return "null"
        case .bool(let flag): return String(flag)
        case .int(let number): return String(number)
        case .double(let number): return String(number)
        case .list: return "[]"
        case .map: return "{}"
        case .string(let text):
            guard text.contains("\n"), isBlockText(text) else { return scalar(text) }
            let pad = String(repeating: " ", count: indent + 2)
            let body = text.hasSuffix("\n") ? text.dropLast() : text[...]
            let lines = body.split(separator: "\n", omittingEmptySubsequences: false)
            return (text.hasSuffix("\n") ? "|" : "|-") + lines.map { $0.isEmpty ? "\n" : "\n\(pad)\($0)" }.joined()
        }
    }

    /// Text that a literal block keeps exactly: no control characters, no leading space, at most one line end at its end.
    private static func isBlockText(_ text: String) -> Bool {
        guard let first = text.unicodeScalars.first, first != " ", first != "\n", !text.hasSuffix("\n\n") else {
            return false
        }
        return text.unicodeScalars.allSatisfy { $0 == "\n" || ($0.value >= 0x20 && $0.value < 0x7f) || $0.value > 0xa0 }
    }

    private static func scalar(_ text: String) -> String {
        if isPlain(text), case .string = PlainScalar.value(of: text) { return text }
        return JSONWriter.text(.text(text))
    }

    private static func isPlain(_ text: String) -> Bool {
        guard let first = text.unicodeScalars.first, text.last != " ", text.last != ":" else { return false }
        let safeFirst =
            first.properties.isAlphabetic || ("0"..."9").contains(first) || "/._$".unicodeScalars.contains(first)
        return safeFirst && first.isASCII && !text.contains(": ") && !text.contains(" #")
            && text.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value < 0x7f }
    }
}
