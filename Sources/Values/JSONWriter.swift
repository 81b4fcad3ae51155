/// Writes nodes as JSON bytes; map order is kept.
public enum JSONWriter {
    public static func bytes(_ node: Node, pretty: Bool = false) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(1024)
        if pretty {
            write(node, into: &out, indent: 0)
            out.append(0x0a)
        } else {
            write(node, into: &out)
        }
        return out
    }

    public static func text(_ node: Node, pretty: Bool = false) -> String {
        String(decoding: bytes(node, pretty: pretty), as: UTF8.self)
    }

    /// Without blanks. All that is stored and answered is written here.
    public static func write(_ node: Node, into out: inout [UInt8]) {
        switch node.value {
        case .null, .bool, .int, .double: writeWord(node, into: &out)
        case .string(let text): write(text, into: &out)
        case .list(let items):
            out.append(UInt8(ascii: "["))
            let items = items.span
            for index in items.indices {
                if index > 0 { out.append(UInt8(ascii: ",")) }
                write(items[index], into: &out)
            }
            out.append(UInt8(ascii: "]"))
        case .map(let map):
            out.append(UInt8(ascii: "{"))
            let entries = map.entries.span
            for index in entries.indices {
                if index > 0 { out.append(UInt8(ascii: ",")) }
                write(entries[index].key, into: &out)
                out.append(UInt8(ascii: ":"))
                write(entries[index].value, into: &out)
            }
            out.append(UInt8(ascii: "}"))
        }
    }

    /// In lines, for people.
    private static func write(_ node: Node, into out: inout [UInt8], indent: Int) {
        switch node.value {
        case .null, .bool, .int, .double: writeWord(node, into: &out)
        case .string(let text): write(text, into: &out)
        case .list(let items):
            out.append(UInt8(ascii: "["))
            for (index, item) in items.enumerated() {
                beginLine(index, &out, indent + 2)
                write(item, into: &out, indent: indent + 2)
            }
            endLines(items.count, &out, indent)
            out.append(UInt8(ascii: "]"))
        case .map(let map):
            out.append(UInt8(ascii: "{"))
            for (index, entry) in map.entries.enumerated() {
                beginLine(index, &out, indent + 2)
                write(entry.key, into: &out)
                out.append(contentsOf: ": ".utf8)
                write(entry.value, into: &out, indent: indent + 2)
            }
            endLines(map.entries.count, &out, indent)
            out.append(UInt8(ascii: "}"))
        }
    }

    private static func beginLine(_ index: Int, _ out: inout [UInt8], _ indent: Int) {
        if index > 0 { out.append(UInt8(ascii: ",")) }
        out.append(0x0a)
        out.append(contentsOf: repeatElement(0x20, count: indent))
    }

    private static func endLines(_ count: Int, _ out: inout [UInt8], _ indent: Int) {
        guard count > 0 else { return }
        out.append(0x0a)
        out.append(contentsOf: repeatElement(0x20, count: indent))
    }

    /// What is neither text nor list nor map.
    private static func writeWord(_ node: Node, into out: inout [UInt8]) {
        switch node.value {
        case .null: out.append(contentsOf: "null".utf8)
        case .bool(let flag): out.append(contentsOf: (flag ? "true" : "false").utf8)
        case .int(let number): out.append(contentsOf: String(number).utf8)
        case .double(let number): out.append(contentsOf: (number.isFinite ? String(number) : "null").utf8)
        case .string, .list, .map: break
        }
    }

    public static func write(_ text: String, into out: inout [UInt8]) {
        out.append(UInt8(ascii: "\""))
        var text = text
        text.withUTF8 { bytes in
            // Nearly all texts stand as they are; all bytes are looked at, many at a time.
            var odd: UInt8 = 0
            for byte in bytes {
                odd |= byte < 0x20 || byte == 0x22 || byte == 0x5c || byte == 0x7f || byte == 0xc2 ? 1 : 0
            }
            if odd == 0 { out.append(contentsOf: bytes) } else { writeEscaped(bytes, into: &out) }
        }
        out.append(UInt8(ascii: "\""))
    }

    private static func writeEscaped(_ bytes: UnsafeBufferPointer<UInt8>, into out: inout [UInt8]) {
        var clean = 0
        for index in 0..<bytes.count {
            let byte = bytes[index]
            // Control characters of both ranges: YAML takes them only escaped.
            if byte == 0xc2, index + 1 < bytes.count, bytes[index + 1] < 0xa0 {
                out.append(contentsOf: UnsafeBufferPointer(rebasing: bytes[clean..<index]))
                clean = index + 2
                escape(bytes[index + 1], into: &out)
                continue
            }
            guard byte < 0x20 || byte == 0x22 || byte == 0x5c || byte == 0x7f else { continue }
            out.append(contentsOf: UnsafeBufferPointer(rebasing: bytes[clean..<index]))
            clean = index + 1
            escape(byte, into: &out)
        }
        out.append(contentsOf: UnsafeBufferPointer(rebasing: bytes[clean...]))
    }

    private static func escape(_ byte: UInt8, into out: inout [UInt8]) {
        switch byte {
        case 0x0a: out.append(contentsOf: "\\n".utf8)
        case 0x09: out.append(contentsOf: "\\t".utf8)
        case 0x0d: out.append(contentsOf: "\\r".utf8)
        case 0x22: out.append(contentsOf: "\\\"".utf8)
        case 0x5c: out.append(contentsOf: "\\\\".utf8)
        default:
            let digits = String(byte, radix: 16)
            out.append(contentsOf: "\\u00\(digits.count == 1 ? "0" : "")\(digits)".utf8)
        }
    }
}
