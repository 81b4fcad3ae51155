import CYAML

/// Reads YAML documents into nodes with marks, bounded in size, depth, nodes and alias expansion.
///
/// Plain scalars follow the core schema of YAML 1.2: `no`, `on` and `y` are strings.
public enum YAMLReader {
    /// Reads all documents of one text.
    ///
    /// Duplicate keys and each syntax error become diagnostics; after a syntax error reading stops.
    public static func read(_ bytes: [UInt8], file: String, diagnostics: inout Diagnostics) -> [Node] {
        if let problem = unreadable(bytes) {
            diagnostics.add(Diagnostic(file: file, mark: problem.mark, path: "", message: problem.message))
            return []
        }
        var documents: [Node] = []
        let parser = UnsafeMutablePointer<yaml_parser_t>.allocate(capacity: 1)
        defer { parser.deallocate() }
        guard yaml_parser_initialize(parser) == 1 else {
            diagnostics.add(Diagnostic(file: file, mark: .none, path: "", message: "out of memory"))
            return []
        }
        defer { yaml_parser_delete(parser) }
        bytes.withUnsafeBufferPointer { buffer in
            yaml_parser_set_input_string(parser, buffer.baseAddress, buffer.count)
            var builder = Builder(parser: parser, file: file)
            do throws(Problem) {
                while let document = try builder.nextDocument() { documents.append(document) }
            } catch {
                builder.diagnostics.add(Diagnostic(file: file, mark: error.mark, path: "", message: error.message))
            }
            diagnostics.add(builder.diagnostics)
        }
        return documents
    }

    /// Binary and oversized input is told from its bytes, before libyaml sees it.
    private static func unreadable(_ bytes: [UInt8]) -> Problem? {
        if bytes.count > Limits.inputBytesMax {
            return Problem(
                mark: .none,
                message: "the input is larger than \(Limits.inputBytesMax >> 20) MiB, the most that is read; split it")
        }
        guard let zero = bytes.firstIndex(of: 0) else { return nil }
        let line = 1 + bytes[..<zero].count { $0 == 0x0a }
        let column = zero - (bytes[..<zero].lastIndex(of: 0x0a).map { $0 + 1 } ?? 0) + 1
        return Problem(
            mark: Mark(line: line, column: column), message: "binary data: expected YAML or JSON text in UTF-8")
    }
}

struct Problem: Error {
    var mark: Mark
    var message: String
}

/// Turns libyaml's events into nodes, without recursion in libyaml's data.
private struct Builder {
    let parser: UnsafeMutablePointer<yaml_parser_t>
    let file: String
    var diagnostics = Diagnostics()
    var nodes = 0
    var aliasNodes = 0
    var anchors: [String: (node: Node, size: Int)] = [:]

    init(parser: UnsafeMutablePointer<yaml_parser_t>, file: String) {
        self.parser = parser
        self.file = file
    }

    private func next<Result>(_ body: (inout yaml_event_t) throws(Problem) -> Result) throws(Problem) -> Result {
        var event = yaml_event_t()
        guard yaml_parser_parse(parser, &event) == 1 else { throw syntaxProblem() }
        defer { yaml_event_delete(&event) }
        return try body(&event)
    }

    private func syntaxProblem() -> Problem {
        let state = parser.pointee
        let what = state.problem.map { String(cString: $0) } ?? "cannot be read"
        let context = state.context.map { " (\(String(cString: $0)))" } ?? ""
        if state.error == YAML_READER_ERROR {
            return Problem(mark: mark(state.mark), message: "not readable as UTF-8 text: \(what)")
        }
        return Problem(mark: mark(state.problem_mark), message: "YAML syntax: \(what)\(context)")
    }

    private func mark(_ mark: yaml_mark_t) -> Mark { Mark(line: mark.line + 1, column: mark.column + 1) }

    mutating func nextDocument() throws(Problem) -> Node? {
        while true {
            var start: Mark?
            let ended = try next { event throws(Problem) -> Bool in
                if event.type == YAML_DOCUMENT_START_EVENT {
                    start = Mark(line: event.start_mark.line + 1, column: event.start_mark.column + 1)
                }
                return event.type == YAML_STREAM_END_EVENT || event.type == YAML_NO_EVENT
            }
            if ended { return nil }
            guard start != nil else { continue }
            anchors = [:]
            let (node, _) = try readNode(depth: 0)
            _ = try next { _ throws(Problem) in }
            return node
        }
    }

    private enum Shape {
        case done(Node, size: Int, anchor: String?)
        case sequence(Mark, anchor: String?)
        case mapping(Mark, anchor: String?)
        case end
    }

    private mutating func readNode(depth: Int) throws(Problem) -> (Node, size: Int) {
        let (node, size, _) = try readNodeOrEnd(depth: depth)
        guard let node else { throw Problem(mark: .none, message: "YAML syntax: a value is missing") }
        return (node, size)
    }

    private mutating func readNodeOrEnd(depth: Int) throws(Problem) -> (Node?, size: Int, Mark) {
        let shape = try readShape()
        switch shape {
        case .end: return (nil, 0, .none)
        case .done(let node, let size, let anchor): return finish(node, size, anchor)
        case .sequence(let mark, let anchor):
            try check(depth: depth + 1, mark)
            var items: [Node] = []
            var size = 1
            while case (let item?, let itemSize, _) = try readNodeOrEnd(depth: depth + 1) {
                items.append(item)
                size += itemSize
            }
            return finish(Node(.list(items), mark: mark), size, anchor)
        case .mapping(let mark, let anchor):
            try check(depth: depth + 1, mark)
            let (map, size) = try readMap(depth: depth + 1)
            return finish(Node(.map(map), mark: mark), size, anchor)
        }
    }

    private mutating func finish(_ node: Node, _ size: Int, _ anchor: String?) -> (Node?, size: Int, Mark) {
        if let anchor { anchors[anchor] = (node, size) }
        return (node, size, node.mark)
    }

    private mutating func readMap(depth: Int) throws(Problem) -> (NodeMap, size: Int) {
        var map = NodeMap()
        var seen: Set<String> = []
        var size = 1
        while case (let key?, let keySize, let mark) = try readNodeOrEnd(depth: depth) {
            let name: String
            switch key.value {
            case .string(let text): name = text
            case .int(let number): name = String(number)
            case .bool(let flag): name = String(flag)
            default: throw Problem(mark: mark, message: "a key must be a string, not \(key.kindOfValue)")
            }
            let (value, valueSize) = try readNode(depth: depth)
            size += keySize + valueSize
            if seen.insert(name).inserted {
                map.entries.append(NodeMap.Entry(key: name, mark: mark, value: value))
            } else {
                diagnostics.add(
                    Diagnostic(file: file, mark: mark, path: "", message: "the key \"\(name)\" stands twice in one map")
                )
            }
        }
        return (map, size)
    }

    private func check(depth: Int, _ mark: Mark) throws(Problem) {
        if depth > Limits.depthMax {
            throw Problem(mark: mark, message: "nested deeper than \(Limits.depthMax) levels")
        }
    }

    private mutating func readShape() throws(Problem) -> Shape {
        nodes += 1
        var aliasSize = 0
        let known = anchors
        let nodesBefore = nodes
        let aliasNodesBefore = aliasNodes
        let shape = try next { event throws(Problem) -> Shape in
            let mark = Mark(line: event.start_mark.line + 1, column: event.start_mark.column + 1)
            if nodesBefore > Limits.nodesMax {
                throw Problem(mark: mark, message: "more than \(Limits.nodesMax) values in one file; split it")
            }
            switch event.type {
            case YAML_SCALAR_EVENT:
                return .done(try scalar(event, mark), size: 1, anchor: event.data.scalar.anchor.map { text($0) })
            case YAML_ALIAS_EVENT:
                let name = text(event.data.alias.anchor)
                guard let target = known[name] else {
                    throw Problem(mark: mark, message: "the alias *\(name)\" has no anchor before it")
                }
                aliasSize = target.size
                if aliasNodesBefore + aliasSize > Limits.aliasNodesMax {
                    throw Problem(
                        mark: mark,
                        message: "aliases grow this file by more than \(Limits.aliasNodesMax) values; write them out")
                }
                return .done(target.node, size: target.size, anchor: nil)
            case YAML_SEQUENCE_START_EVENT:
                return .sequence(mark, anchor: event.data.sequence_start.anchor.map { text($0) })
            case YAML_MAPPING_START_EVENT:
                return .mapping(mark, anchor: event.data.mapping_start.anchor.map { text($0) })
            default:
                return .end
            }
        }
        aliasNodes += aliasSize
        return shape
    }

    private func text(_ pointer: UnsafeMutablePointer<yaml_char_t>?) -> String {
        pointer.map { String(cString: $0) } ?? ""
    }

    private func scalar(_ event: yaml_event_t, _ mark: Mark) throws(Problem) -> Node {
        let scalar = event.data.scalar
        let text = String(decoding: UnsafeBufferPointer(start: scalar.value, count: scalar.length), as: UTF8.self)
        if let tag = scalar.tag {
            let name = String(cString: tag)
            guard name == "tag:yaml.org,2002:str" || name == "!" else {
                throw Problem(mark: mark, message: "the tag \(name) is not supported; write the value without a tag")
            }
            return Node(.string(text), mark: mark)
        }
        guard scalar.style == YAML_PLAIN_SCALAR_STYLE else { return Node(.string(text), mark: mark) }
        return Node(PlainScalar.value(of: text), mark: mark)
    }
}

/// The core schema of YAML 1.2.2, chapter 10.3, for scalars without quotes; but `0440` is octal.
enum PlainScalar {
    static func value(of text: String) -> Node.Value {
        switch text {
        case "", "~", "null", "Null", "NULL": return .null
        case "true", "True", "TRUE": return .bool(true)
        case "false", "False", "FALSE": return .bool(false)
        default: break
        }
        guard let first = text.utf8.first, first < 0x3a else { return .string(text) }
        if text.hasPrefix("0x"), let number = Int64(text.dropFirst(2), radix: 16) { return .int(number) }
        if text.hasPrefix("0o"), let number = Int64(text.dropFirst(2), radix: 8) { return .int(number) }
        // As Kubernetes' own tools read it, YAML 1.1: the one number that people write so is the mode of a file.
        if text.utf8.count > 1, first == 0x30, let number = Int64(text, radix: 8) { return .int(number) }
        if let number = Int64(text) { return .int(number) }
        return isFloat(text) ? Double(text).map { .double($0) } ?? .string(text) : .string(text)
    }

    private static func isFloat(_ text: String) -> Bool {
        var digits = false
        for (index, byte) in text.utf8.enumerated() {
            switch byte {
            case 0x30...0x39: digits = true
            case 0x2b, 0x2d, 0x2e, 0x65, 0x45: if (byte | 0x20) == 0x65 && index == 0 { return false }
            default: return false
            }
        }
        return digits
    }
}
