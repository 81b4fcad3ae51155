/// Reads one JSON text (RFC 8259) into the same nodes as YAML: strict, bounded, with marks.
public struct JSONReader {
    private let bytes: UnsafeBufferPointer<UInt8>
    private let file: String
    private var at = 0
    private var line = 1
    private var lineStart = 0
    private var nodes = 0
    private var diagnostics = Diagnostics()
    /// Keys that stand twice, where the last of their values is taken; nil: they are errors.
    private var duplicates: [Diagnostic]?
    /// The keys around the value, while duplicates are named.
    private var place = NodePath()

    /// Reads one value as most programs do: of a key that stands twice the last value is taken, and the key is told.
    public static func read(
        _ bytes: [UInt8], file: String, diagnostics: inout Diagnostics, duplicates: inout [Diagnostic]
    ) -> Node? {
        var found: [Diagnostic]? = []
        defer { duplicates += found ?? [] }
        return read(bytes, file: file, diagnostics: &diagnostics, &found)
    }

    /// Reads one value; nil with a diagnostic when the text is not JSON.
    public static func read(_ bytes: [UInt8], file: String, diagnostics: inout Diagnostics) -> Node? {
        var none: [Diagnostic]?
        return read(bytes, file: file, diagnostics: &diagnostics, &none)
    }

    private static func read(
        _ bytes: [UInt8], file: String, diagnostics: inout Diagnostics, _ duplicates: inout [Diagnostic]?
    ) -> Node? {
        guard bytes.count <= Limits.inputBytesMax else {
            diagnostics.add(
                Diagnostic(
                    file: file, mark: .none, path: "",
                    message: "the input is larger than \(Limits.inputBytesMax >> 20) MiB, the most that is read"))
            return nil
        }
        return bytes.withUnsafeBufferPointer { buffer in
            var reader = JSONReader(bytes: buffer, file: file)
            reader.duplicates = duplicates
            defer {
                diagnostics.add(reader.diagnostics)
                duplicates = reader.duplicates
            }
            do throws(Problem) {
                let node = try reader.value(depth: 0)
                reader.skipSpace()
                guard reader.at == buffer.count else { throw reader.problem("text after the end of the JSON value") }
                return node
            } catch {
                reader.diagnostics.add(Diagnostic(file: file, mark: error.mark, path: "", message: error.message))
                return nil
            }
        }
    }

    /// Reads one value that this program wrote itself.
    public static func read(_ text: String) -> Node? {
        var diagnostics = Diagnostics()
        let node = read(Array(text.utf8), file: "", diagnostics: &diagnostics)
        return diagnostics.isEmpty ? node : nil
    }

    private init(bytes: UnsafeBufferPointer<UInt8>, file: String) {
        self.bytes = bytes
        self.file = file
    }

    private var mark: Mark { Mark(line: line, column: at - lineStart + 1) }

    private func problem(_ message: String) -> Problem { Problem(mark: mark, message: "JSON syntax: \(message)") }

    private mutating func skipSpace() {
        while at < bytes.count {
            switch bytes[at] {
            case 0x20, 0x09, 0x0d: at += 1
            case 0x0a:
                at += 1
                line += 1
                lineStart = at
            default: return
            }
        }
    }

    private mutating func value(depth: Int) throws(Problem) -> Node {
        skipSpace()
        nodes += 1
        guard nodes <= Limits.nodesMax else { throw problem("more than \(Limits.nodesMax) values") }
        guard at < bytes.count else { throw problem("the text ends where a value is expected") }
        let mark = self.mark
        switch bytes[at] {
        case UInt8(ascii: "{"): return Node(.map(try object(depth: depth + 1)), mark: mark)
        case UInt8(ascii: "["): return Node(.list(try array(depth: depth + 1)), mark: mark)
        case UInt8(ascii: "\""): return Node(.string(try string()), mark: mark)
        case UInt8(ascii: "t"):
            try word("true")
            return Node(.bool(true), mark: mark)
        case UInt8(ascii: "f"):
            try word("false")
            return Node(.bool(false), mark: mark)
        case UInt8(ascii: "n"):
            try word("null")
            return Node(.null, mark: mark)
        default: return Node(try number(), mark: mark)
        }
    }

    private mutating func word(_ word: StaticString) throws(Problem) {
        for index in 0..<word.utf8CodeUnitCount {
            guard at < bytes.count, bytes[at] == word.utf8Start[index] else { throw problem("expected \(word)") }
            at += 1
        }
    }

    private mutating func enter(_ depth: Int) throws(Problem) {
        guard depth <= Limits.depthMax else { throw problem("nested deeper than \(Limits.depthMax) levels") }
        at += 1
        skipSpace()
    }

    private mutating func object(depth: Int) throws(Problem) -> NodeMap {
        try enter(depth)
        var map = NodeMap()
        if at < bytes.count, bytes[at] == UInt8(ascii: "}") {
            at += 1
            return map
        }
        var seen: Set<String> = []
        var hasDuplicates = false
        while true {
            skipSpace()
            let keyMark = mark
            guard at < bytes.count, bytes[at] == UInt8(ascii: "\"") else { throw problem("expected a key in quotes") }
            let key = try string()
            skipSpace()
            guard at < bytes.count, bytes[at] == UInt8(ascii: ":") else { throw problem("expected ':' after a key") }
            at += 1
            if duplicates != nil { place.enter(key) }
            let value = try value(depth: depth)
            if map.entries.count < 8 ? map[key] == nil : seen.insert(key).inserted {
                map.entries.append(NodeMap.Entry(key: key, mark: keyMark, value: value))
                if map.entries.count == 8 { seen = Set(map.entries.map(\.key)) }
            } else if let known = duplicates {
                map.entries.append(NodeMap.Entry(key: key, mark: keyMark, value: value))
                hasDuplicates = true
                if known.count < Limits.diagnosticsMax {
                    let path = place.text
                    duplicates?.append(
                        Diagnostic(file: file, mark: keyMark, path: path, message: "duplicate field \"\(path)\""))
                }
            } else {
                diagnostics.add(
                    Diagnostic(
                        file: file, mark: keyMark, path: "", message: "the key \"\(key)\" stands twice in one map"))
            }
            if duplicates != nil { place.leave() }
            if try closes(UInt8(ascii: "}")) { return hasDuplicates ? map.withLastValues : map }
        }
    }

    private mutating func array(depth: Int) throws(Problem) -> [Node] {
        try enter(depth)
        var items: [Node] = []
        if at < bytes.count, bytes[at] == UInt8(ascii: "]") {
            at += 1
            return items
        }
        while true {
            if duplicates != nil { place.enter(items.count) }
            items.append(try value(depth: depth))
            if duplicates != nil { place.leave() }
            if try closes(UInt8(ascii: "]")) { return items }
        }
    }

    private mutating func closes(_ end: UInt8) throws(Problem) -> Bool {
        skipSpace()
        guard at < bytes.count else { throw problem("the text ends inside a map or list") }
        let byte = bytes[at]
        guard byte == UInt8(ascii: ",") || byte == end else { throw problem("expected ',' or the end") }
        at += 1
        return byte == end
    }

    private mutating func number() throws(Problem) -> Node.Value {
        let start = at
        var isInteger = true
        loop: while at < bytes.count {
            switch bytes[at] {
            case 0x30...0x39, 0x2d: break
            case 0x2b, 0x2e, 0x45, 0x65: isInteger = false
            default: break loop
            }
            at += 1
        }
        let digits = bytes[start..<at]
        guard Self.isNumber(digits) else {
            at = start
            throw problem("expected a value")
        }
        let text = String(decoding: digits, as: UTF8.self)
        if isInteger, let number = Int64(text) { return .int(number) }
        guard let number = Double(text), number.isFinite else {
            at = start
            throw problem("the number is too large")
        }
        return .double(number)
    }

    /// The grammar of RFC 8259, section 6, which is narrower than what `Int64` and `Double` read.
    private static func isNumber(_ text: Slice<UnsafeBufferPointer<UInt8>>) -> Bool {
        var rest = text[...]
        func isDigit(_ byte: UInt8?) -> Bool { byte.map { (0x30...0x39).contains($0) } ?? false }
        func digits() -> Bool {
            let count = rest.prefix { isDigit($0) }.count
            rest = rest.dropFirst(count)
            return count > 0
        }
        if rest.first == UInt8(ascii: "-") { rest = rest.dropFirst() }
        if rest.first == UInt8(ascii: "0"), isDigit(rest.dropFirst().first) { return false }
        guard digits() else { return false }
        if rest.first == UInt8(ascii: ".") {
            rest = rest.dropFirst()
            guard digits() else { return false }
        }
        if let byte = rest.first, byte | 0x20 == UInt8(ascii: "e") {
            rest = rest.dropFirst()
            if let sign = rest.first, sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") {
                rest = rest.dropFirst()
            }
            guard digits() else { return false }
        }
        return rest.isEmpty
    }

    private mutating func string() throws(Problem) -> String {
        at += 1
        let start = at
        while at < bytes.count {
            let byte = bytes[at]
            if byte == UInt8(ascii: "\"") {
                guard let text = String(validating: bytes[start..<at], as: UTF8.self) else {
                    throw problem("a string is not valid UTF-8")
                }
                at += 1
                return text
            }
            if byte == UInt8(ascii: "\\") { return try escapedString(from: start) }
            if byte < 0x20 { throw problem("a control character in a string must be escaped") }
            at += 1
        }
        throw problem("the text ends inside a string")
    }

    private mutating func escapedString(from start: Int) throws(Problem) -> String {
        var out = Array(bytes[start..<at])
        while at < bytes.count {
            let byte = bytes[at]
            at += 1
            switch byte {
            case UInt8(ascii: "\""):
                guard let text = String(validating: out, as: UTF8.self) else {
                    throw problem("a string is not valid UTF-8")
                }
                return text
            case UInt8(ascii: "\\"): try escape(into: &out)
            case 0..<0x20: throw problem("a control character in a string must be escaped")
            default: out.append(byte)
            }
        }
        throw problem("the text ends inside a string")
    }

    private mutating func escape(into out: inout [UInt8]) throws(Problem) {
        guard at < bytes.count else { throw problem("the text ends inside a string") }
        let byte = bytes[at]
        at += 1
        switch byte {
        case UInt8(ascii: "n"): out.append(0x0a)
        case UInt8(ascii: "t"): out.append(0x09)
        case UInt8(ascii: "r"): out.append(0x0d)
        case UInt8(ascii: "b"): out.append(0x08)
        case UInt8(ascii: "f"): out.append(0x0c)
        case UInt8(ascii: "/"), UInt8(ascii: "\\"), UInt8(ascii: "\""): out.append(byte)
        case UInt8(ascii: "u"):
            var code = try hex4()
            if (0xd800..<0xdc00).contains(code) {
                guard at + 1 < bytes.count, bytes[at] == 0x5c, bytes[at + 1] == 0x75 else {
                    throw problem("half of a surrogate pair")
                }
                at += 2
                let low = try hex4()
                guard (0xdc00..<0xe000).contains(low) else { throw problem("half of a surrogate pair") }
                code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00)
            }
            guard let scalar = Unicode.Scalar(code) else { throw problem("half of a surrogate pair") }
            out.append(contentsOf: UTF8.encode(scalar)!)
        default: throw problem("an unknown escape")
        }
    }

    private mutating func hex4() throws(Problem) -> UInt32 {
        var code: UInt32 = 0
        for place in at..<at + 4 {
            guard place < bytes.count, let digit = hexDigit(bytes[place]) else {
                throw problem("expected four hex digits")
            }
            code = code << 4 | UInt32(digit)
        }
        at += 4
        return code
    }
}

extension NodeMap {
    /// Of entries with the same key the last value, in the place of the first.
    fileprivate var withLastValues: NodeMap {
        var result = NodeMap()
        var places: [String: Int] = [:]
        for entry in entries {
            if let place = places[entry.key] {
                result.entries[place] = entry
            } else {
                places[entry.key] = result.entries.count
                result.entries.append(entry)
            }
        }
        return result
    }
}
