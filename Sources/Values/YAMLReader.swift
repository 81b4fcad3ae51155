import CYAML

/// Reads YAML documents into nodes with marks, bounded in size, depth, nodes and alias expansion.
///
/// Plain scalars follow the core schema of YAML 1.2: `no`, `on` and `y` are strings.
public enum YAMLReader {
    /// Reads all documents of one text.
    ///
    /// Duplicate keys and each syntax error become diagnostics; after a syntax error reading stops.
    public static func read(_ bytes: [UInt8], file: String, diagnostics: inout Diagnostics) -> [Node] {
        if bytes.isEmpty { return [] }
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
        /// `plain`: the text of a scalar without quotes.
        case scalar(Node, plain: String?, anchor: String?)
        case alias(Node, size: Int)
        case sequence(Mark, anchor: String?)
        case mapping(Mark, anchor: String?)
        case end
    }

    private mutating func readNode(depth: Int) throws(Problem) -> (Node, size: Int) {
        let (node, size) = try readNodeOrEnd(depth: depth)
        guard let node else { throw Problem(mark: .none, message: "YAML syntax: a value is missing") }
        return (node, size)
    }

    private mutating func readNodeOrEnd(depth: Int) throws(Problem) -> (Node?, size: Int) {
        switch try readShape() {
        case .end: return (nil, 0)
        case .alias(let node, let size): return (node, size)
        case .scalar(let node, _, let anchor): return finish(node, 1, anchor)
        case .sequence(let mark, let anchor):
            try check(depth: depth + 1, mark)
            var items: [Node] = []
            var size = 1
            while case (let item?, let itemSize) = try readNodeOrEnd(depth: depth + 1) {
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

    private mutating func finish(_ node: Node, _ size: Int, _ anchor: String?) -> (Node?, size: Int) {
        if let anchor { anchors[anchor] = (node, size) }
        return (node, size)
    }

    private enum Key {
        case name(String, Mark)
        /// `<<`: the entries of the maps that follow, where the map has none of its own.
        case merge(Mark)
    }

    private mutating func readMap(depth: Int) throws(Problem) -> (NodeMap, size: Int) {
        var map = NodeMap()
        var seen: Set<String> = []
        var merged: [NodeMap] = []
        var size = 1
        while let key = try readKey() {
            let (value, valueSize) = try readNode(depth: depth)
            size += 1 + valueSize
            switch key {
            case .merge(let mark):
                if !merged.isEmpty { tellDouble("<<", mark) }
                merged = try maps(toMerge: value, mark)
            case .name(let name, let mark):
                if seen.insert(name).inserted {
                    map.entries.append(NodeMap.Entry(key: name, mark: mark, value: value))
                } else {
                    tellDouble(name, mark)
                }
            }
        }
        for entry in merged.flatMap(\.entries) where seen.insert(entry.key).inserted { map.entries.append(entry) }
        return (map, size)
    }

    private mutating func tellDouble(_ key: String, _ mark: Mark) {
        diagnostics.add(
            Diagnostic(file: file, mark: mark, path: "", message: "the key \"\(key)\" stands twice in one map"))
    }

    /// A key is the text that was written: `007`, `0x10` and `True` are names too.
    private mutating func readKey() throws(Problem) -> Key? {
        func refusal(_ mark: Mark, _ what: String) -> Problem {
            Problem(mark: mark, message: "a key must be a string, not \(what)")
        }
        switch try readShape() {
        case .end: return nil
        case .sequence(let mark, _): throw refusal(mark, "a list")
        case .mapping(let mark, _): throw refusal(mark, "a map")
        case .alias(let node, _):
            guard let name = node.string else { throw refusal(node.mark, node.kindOfValue) }
            return .name(name, node.mark)
        case .scalar(let node, let plain, let anchor):
            if let anchor { anchors[anchor] = (node, 1) }
            if plain == "<<" { return .merge(node.mark) }
            if node.isNull { throw refusal(node.mark, "null; put it in quotes") }
            guard let name = plain ?? node.string else { throw refusal(node.mark, node.kindOfValue) }
            return .name(name, node.mark)
        }
    }

    private func maps(toMerge node: Node, _ mark: Mark) throws(Problem) -> [NodeMap] {
        let maps = (node.list ?? [node]).map(\.map)
        let found = maps.compactMap(\.self)
        guard found.count == maps.count, !maps.isEmpty else {
            throw Problem(mark: mark, message: "<< takes a map or a list of maps, such as *NAME")
        }
        return found
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
                let (node, plain) = try scalar(event, mark)
                return .scalar(node, plain: plain, anchor: event.data.scalar.anchor.map { text($0) })
            case YAML_ALIAS_EVENT:
                let name = text(event.data.alias.anchor)
                guard let target = known[name] else {
                    throw Problem(mark: mark, message: "the alias *\(name) has no anchor before it")
                }
                aliasSize = target.size
                if aliasNodesBefore + aliasSize > Limits.aliasNodesMax {
                    throw Problem(
                        mark: mark,
                        message: "aliases grow this file by more than \(Limits.aliasNodesMax) values; write them out")
                }
                return .alias(target.node, size: target.size)
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

    private func scalar(_ event: yaml_event_t, _ mark: Mark) throws(Problem) -> (Node, plain: String?) {
        let scalar = event.data.scalar
        let text = String(decoding: UnsafeBufferPointer(start: scalar.value, count: scalar.length), as: UTF8.self)
        if let tag = scalar.tag {
            let name = String(cString: tag)
            guard name == "tag:yaml.org,2002:str" || name == "!" else {
                throw Problem(mark: mark, message: "the tag \(name) is not supported; write the value without a tag")
            }
            return (Node(.string(text), mark: mark), nil)
        }
        guard scalar.style == YAML_PLAIN_SCALAR_STYLE else { return (Node(.string(text), mark: mark), nil) }
        return (Node(PlainScalar.value(of: text), mark: mark), text)
    }
}
