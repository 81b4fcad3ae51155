import Reconciler
import Values

/// What is stored is not what this program writes: in words, without the place.
struct Damage: Error {
    var words: String

    init(_ words: String) { self.words = words }
}

/// A JSON document in a column, read strictly.
///
/// Guarantee: a field that is missing, of another type or out of its range is damage, never a default.
struct Document {
    private let node: Node
    /// Where it stands in the column; empty for the whole.
    private let path: String

    private init(_ node: Node, _ path: String) {
        self.node = node
        self.path = path
    }

    init(_ text: String) throws(Damage) {
        guard let node = JSONReader.read(text) else { throw Damage("it is no JSON") }
        guard node.map != nil || node.list != nil else { throw Damage("it is \(node.kindOfValue)") }
        self.init(node, "")
    }

    /// The document as a tree, for those who know its fields.
    static func tree(_ text: String) throws(Damage) -> Node { try Document(text).node }

    private func place(_ name: String) -> String { path.isEmpty ? name : "\(path).\(name)" }

    private func field<Value>(_ name: String, _ read: (Node) -> Value?) throws(Damage) -> Value {
        guard let found = node[name] else { throw Damage("it has no field \(place(name))") }
        guard let value = read(found) else { throw Damage("its field \(place(name)) is \(found.kindOfValue)") }
        return value
    }

    func has(_ name: String) -> Bool { node[name] != nil }

    func text(_ name: String) throws(Damage) -> String { try field(name, \.string) }
    func flag(_ name: String) throws(Damage) -> Bool { try field(name, \.bool) }
    func number(_ name: String) throws(Damage) -> Int64 { Int64(try field(name, \.int)) }
    func count(_ name: String) throws(Damage) -> Int {
        let count = try field(name, \.int)
        guard count >= 0 else { throw Damage("its field \(place(name)) is \(count)") }
        return count
    }

    func optionalNumber(_ name: String) throws(Damage) -> Int? { has(name) ? Int(try number(name)) : nil }
    func optionalText(_ name: String) throws(Damage) -> String? { has(name) ? try text(name) : nil }
    func tree(_ name: String) throws(Damage) -> Node { try field(name) { $0 } }

    func texts(_ name: String) throws(Damage) -> [String] {
        try field(name) { node in
            guard let items = node.list else { return nil }
            let texts = items.compactMap(\.string)
            return texts.count == items.count ? texts : nil
        }
    }

    func documents(_ name: String) throws(Damage) -> [Document] {
        try field(name, \.list).enumerated().map { Document($1, place("\(name)[\($0)]")) }
    }

    /// The items of a document that is a list.
    func items() throws(Damage) -> [Document] {
        guard let items = node.list else { throw Damage("it is \(node.kindOfValue)") }
        return items.enumerated().map { Document($1, "[\($0)]") }
    }

    /// The numbers of a document that is a map of numbers.
    func numbers() throws(Damage) -> [String: Int64] {
        var result: [String: Int64] = [:]
        for entry in node.map?.entries ?? [] { result[entry.key] = try number(entry.key) }
        return result
    }

    /// A text that stands for a value of another type.
    func value<Value>(_ name: String, _ read: (String) -> Value?) throws(Damage) -> Value {
        let text = try text(name)
        guard let value = read(text) else { throw Damage("its field \(place(name)) is \"\(text.prefix(60))\"") }
        return value
    }
}
