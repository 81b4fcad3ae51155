/// Writes nodes as block-style YAML that reads back as the same nodes, by readers of YAML 1.2 and of YAML 1.1.
public enum YAMLWriter {
    public static func text(_ node: Node) -> String {
        var out = ""
        write(node, indent: 0, inline: false, into: &out)
        return out
    }

    private static func write(_ node: Node, indent: Int, inline: Bool, into out: inout String) {
        let pad = String(repeating: " ", count: indent)
        switch node.value {
        case .map(let map) where !map.isEmpty:
            for (index, entry) in map.entries.enumerated() {
                if index > 0 || !inline { out += pad }
                let key = scalar(entry.key)
                // A longer key is no key for readers of YAML unless it says so.
                out += key.utf8.count <= Limits.yamlKeyBytesMax ? "\(key):" : "? \(key)\n\(pad):"
                child(entry.value, indent: indent, into: &out)
            }
        case .list(let items) where !items.isEmpty:
            for item in items {
                out += pad + "-"
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
        case .null, .bool, .int, .double, .string, .list, .map:
            out += leaf(node, indent: indent) + "\n"
        }
    }

    private static func isBlock(_ node: Node) -> Bool {
        switch node.value {
        case .map(let map): !map.isEmpty
        case .list(let items): !items.isEmpty
        case .null, .bool, .int, .double, .string: false
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
        case .double(let number): return float(number)
        case .list: return "[]"
        case .map: return "{}"
        case .string(let text):
            guard text.utf8.contains(0x0a), isBlockText(text) else { return scalar(text) }
            let pad = String(repeating: " ", count: indent + 2)
            let body = text.hasSuffix("\n") ? text.dropLast() : text[...]
            let lines = body.split(separator: "\n", omittingEmptySubsequences: false)
            return (text.hasSuffix("\n") ? "|" : "|-")
                + lines.map { $0.isEmpty ? "\n" : "\n\(pad)\($0)" }.joined()
        }
    }

    /// YAML 1.1 takes `1e+20` for text: its floats have a point.
    private static func float(_ number: Double) -> String {
        let text = String(number)
        guard !text.utf8.contains(UInt8(ascii: ".")), let exponent = text.firstIndex(of: "e") else {
            return text
        }
        return "\(text[..<exponent]).0\(text[exponent...])"
    }

    /// Text that a literal block keeps exactly: printable, no blank before its first character, at most one line end
    /// at its end.
    private static func isBlockText(_ text: String) -> Bool {
        let scalars = text.unicodeScalars
        guard let first = scalars.first, first != " ", first != "\n", !text.hasSuffix("\n\n") else {
            return false
        }
        return scalars.allSatisfy { $0 == "\n" || PlainScalar.isPrintable($0) }
    }

    private static func scalar(_ text: String) -> String {
        PlainScalar.isSafe(text) ? text : quoted(text)
    }

    /// In double quotes, as JSON has them; what is a line end or not allowed in YAML is escaped too.
    private static func quoted(_ text: String) -> String {
        let json = JSONWriter.text(.text(text))
        guard json.unicodeScalars.contains(where: { !PlainScalar.isPrintable($0) }) else { return json }
        var out = ""
        for scalar in json.unicodeScalars {
            if PlainScalar.isPrintable(scalar) {
                out.unicodeScalars.append(scalar)
            } else {
                let digits = String(scalar.value, radix: 16)
                out += "\\u" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits
            }
        }
        return out
    }
}
