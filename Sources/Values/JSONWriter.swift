/// Writes nodes as JSON bytes; map order is kept.
public enum JSONWriter {
    public static func bytes(_ node: Node, pretty: Bool = false) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(256)
        write(node, into: &out, indent: pretty ? 0 : nil)
        if pretty { out.append(0x0a) }
        return out
    }

    public static func text(_ node: Node, pretty: Bool = false) -> String {
        String(decoding: bytes(node, pretty: pretty), as: UTF8.self)
    }

    public static func write(_ node: Node, into out: inout [UInt8], indent: Int? = nil) {
        switch node.value {
        case .null: out.append(contentsOf: "null".utf8)
        case .bool(let flag): out.append(contentsOf: (flag ? "true" : "false").utf8)
        case .int(let number): out.append(contentsOf: String(number).utf8)
        case .double(let number): out.append(contentsOf: (number.isFinite ? String(number) : "null").utf8)
        case .string(let text): write(text, into: &out)
        case .list(let items):
            write(items.count, open: "[", close: "]", into: &out, indent: indent) { index, out, inner in
                write(items[index], into: &out, indent: inner)
            }
        case .map(let map):
            write(map.entries.count, open: "{", close: "}", into: &out, indent: indent) { index, out, inner in
                write(map.entries[index].key, into: &out)
                out.append(UInt8(ascii: ":"))
                if inner != nil { out.append(0x20) }
                write(map.entries[index].value, into: &out, indent: inner)
            }
        }
    }

    private static func write(
        _ count: Int, open: Unicode.Scalar, close: Unicode.Scalar, into out: inout [UInt8], indent: Int?,
        item: (Int, inout [UInt8], Int?) -> Void
    ) {
        out.append(UInt8(ascii: open))
        let inner = indent.map { $0 + 2 }
        for index in 0..<count {
            if index > 0 { out.append(UInt8(ascii: ",")) }
            newLine(&out, inner)
            item(index, &out, inner)
        }
        if count > 0 { newLine(&out, indent) }
        out.append(UInt8(ascii: close))
    }

    private static func newLine(_ out: inout [UInt8], _ indent: Int?) {
        guard let indent else { return }
        out.append(0x0a)
        out.append(contentsOf: repeatElement(0x20, count: indent))
    }

    public static func write(_ text: String, into out: inout [UInt8]) {
        out.append(UInt8(ascii: "\""))
        var text = text
        text.withUTF8 { bytes in
            var clean = 0
            for index in 0..<bytes.count {
                let byte = bytes[index]
                // Control characters of both ranges: YAML takes them only escaped.
                if byte == 0xc2, index + 1 < bytes.count, bytes[index + 1] < 0xa0 {
                    out.append(contentsOf: bytes[clean..<index])
                    clean = index + 2
                    escape(bytes[index + 1], into: &out)
                    continue
                }
                guard byte < 0x20 || byte == 0x22 || byte == 0x5c || byte == 0x7f else { continue }
                out.append(contentsOf: bytes[clean..<index])
                clean = index + 1
                escape(byte, into: &out)
            }
            out.append(contentsOf: bytes[clean...])
        }
        out.append(UInt8(ascii: "\""))
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
