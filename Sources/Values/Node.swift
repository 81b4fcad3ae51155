/// One value of a manifest or of a stored object, with the place it was read from.
///
/// YAML and JSON both become this tree; equality ignores marks.
public struct Node: Sendable, Equatable {
    public var value: Value
    public var mark: Mark

    public indirect enum Value: Sendable, Equatable {
        case null
        case bool(Bool)
        case int(Int64)
        case double(Double)
        case string(String)
        case list([Node])
        case map(NodeMap)
    }

    public init(_ value: Value, mark: Mark = .none) {
        self.value = value
        self.mark = mark
    }

    public static func == (a: Node, b: Node) -> Bool { a.value == b.value }
}

/// An ordered map with distinct keys. Order is kept for printing; equality ignores it.
public struct NodeMap: Sendable, Equatable {
    public struct Entry: Sendable {
        public var key: String
        public var mark: Mark
        public var value: Node

        public init(key: String, mark: Mark = .none, value: Node) {
            self.key = key
            self.mark = mark
            self.value = value
        }
    }

    public var entries: [Entry]

    public init(_ entries: [Entry] = []) { self.entries = entries }

    public var isEmpty: Bool { entries.isEmpty }

    public subscript(key: String) -> Node? {
        get {
            // By index: an entry that is looked at is not copied.
            for index in entries.indices where entries[index].key == key { return entries[index].value }
            return nil
        }
        set {
            if let index = entries.firstIndex(where: { $0.key == key }) {
                if let newValue { entries[index].value = newValue } else { entries.remove(at: index) }
            } else if let newValue {
                entries.append(Entry(key: key, value: newValue))
            }
        }
    }

    public static func == (a: NodeMap, b: NodeMap) -> Bool {
        guard a.entries.count == b.entries.count else { return false }
        if zip(a.entries, b.entries).allSatisfy({ $0.key == $1.key && $0.value == $1.value }) { return true }
        let byKey = Dictionary(b.entries.map { ($0.key, $0.value) }, uniquingKeysWith: { first, _ in first })
        return a.entries.allSatisfy { byKey[$0.key] == $0.value }
    }
}

extension Node: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByArrayLiteral
{
    public init(stringLiteral value: String) { self.init(.string(value)) }
    public init(integerLiteral value: Int64) { self.init(.int(value)) }
    public init(booleanLiteral value: Bool) { self.init(.bool(value)) }
    public init(arrayLiteral elements: Node...) { self.init(.list(elements)) }

    public static func text(_ value: String) -> Node { Node(.string(value)) }
    public static func number(_ value: Int) -> Node { Node(.int(Int64(value))) }
    public static func number(_ value: Int64) -> Node { Node(.int(value)) }
    public static func list(_ values: [Node]) -> Node { Node(.list(values)) }
    public static let emptyMap = Node(.map(NodeMap()))

    /// A map of the pairs whose value is there.
    public static func map(_ pairs: [(String, Node?)]) -> Node {
        Node(.map(NodeMap(pairs.compactMap { key, value in value.map { NodeMap.Entry(key: key, value: $0) } })))
    }
}

extension Node {
    public var string: String? { if case .string(let text) = value { text } else { nil } }
    public var int: Int? { if case .int(let number) = value { Int(number) } else { nil } }
    public var bool: Bool? { if case .bool(let flag) = value { flag } else { nil } }
    public var list: [Node]? { if case .list(let items) = value { items } else { nil } }
    public var map: NodeMap? { if case .map(let map) = value { map } else { nil } }
    public var isNull: Bool { if case .null = value { true } else { false } }

    public var double: Double? {
        switch value {
        case .int(let number): Double(number)
        case .double(let number): number
        default: nil
        }
    }

    /// A field of a map; setting one on anything else makes it a map.
    public subscript(key: String) -> Node? {
        get { map?[key] }
        set {
            var map = self.map ?? NodeMap()
            map[key] = newValue
            value = .map(map)
        }
    }

    /// The node behind a path of map keys.
    /// Where a field stands, by a path as diagnostics write it; the nearest node around it when it is not there.
    public func mark(of path: String) -> Mark {
        var node = self
        for part in path.split(whereSeparator: { $0 == "." || $0 == "[" || $0 == "]" }) {
            let next =
                Int(part).flatMap { index in node.list.flatMap { index < $0.count ? $0[index] : nil } }
                ?? node[String(part)]
            guard let next else { break }
            node = next
        }
        return node.mark
    }

    public subscript(path keys: String...) -> Node? {
        keys.reduce(Optional(self)) { $0?[$1] }
    }

    /// Strings of a map of strings, in no particular order.
    public var stringMap: [String: String] {
        var result: [String: String] = [:]
        for entry in map?.entries ?? [] { result[entry.key] = entry.value.string }
        return result
    }

    /// The text of a value that is none of several; nil for a map, a list and nothing.
    public var scalarText: String? {
        switch value {
        case .string(let text): text
        case .int(let number): String(number)
        case .bool(let flag): flag ? "true" : "false"
        case .double(let number): String(number)
        case .null, .list, .map: nil
        }
    }

    public var kindOfValue: String {
        switch value {
        case .null: "null"
        case .bool: "a boolean"
        case .int: "an integer"
        case .double: "a number"
        case .string: "a string"
        case .list: "a list"
        case .map: "a map"
        }
    }

    public static func strings(_ values: [String: String]) -> Node {
        .map(values.sorted { $0.key < $1.key }.map { ($0.key, .text($0.value)) })
    }
}
